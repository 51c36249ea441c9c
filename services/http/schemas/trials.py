"""Trials, their protocols and where their stopping rules stand."""

from __future__ import annotations

from marshmallow import Schema, fields, validate

from services.http.schemas.fields import (
    STATUSES,
    Answer,
    Instant,
    maybe,
    name,
    one_of,
    page_of,
    short,
    time_out,
)


class TrialNew(Schema):
    """A trial and its first protocol version, which becomes active at once."""

    id = name(required=True)
    mode = one_of(["live", "replay"], load_default="live")
    protocol = short(2_000_000, required=True, metadata={"description": "the protocol's YAML"})


class Advance(Schema):
    """Where a replay trial's clock shall stand."""

    to = Instant(required=True, metadata={"format": "date-time"})


class Activation(Schema):
    """Who approved a version, and from when it counts: not earlier than now.

    Once a version is in force and subjects are in the trial, `backtest` is the id of a finished
    backtest of exactly this version.
    """

    effective_from = Instant(allow_none=True, load_default=None, metadata={"format": "date-time"})
    approved_by = short(allow_none=True, load_default=None)
    backtest = short(2000, allow_none=True, load_default=None)


class Reason(Schema):
    """Why; kept in the audit."""

    reason = short(2000, required=True)


class Suspension(Reason):
    """Why, and what waits: new enrolments, or everything new of the trial, infusions too."""

    what = one_of(["enrolment", "trial"], load_default="enrolment")


class Enrolment(Answer):
    """Enrolled so far against the target; null where no version is active."""

    enrolled = fields.Integer(required=True)
    target = fields.Integer(required=True, allow_none=True)


class Hold(Answer):
    """Why the trial is held: the oldest hold that stands, and how many do."""

    since = time_out(required=True)
    by = fields.String(required=True)
    reason = fields.String(required=True)
    what = one_of(["enrolment", "trial"], required=True)
    kind = one_of(["crossed", "paused", "rule", "person"], required=True)
    standing = fields.Integer(required=True)


class Lifted(Answer):
    """Which two persons lifted a hold, and why."""

    by = fields.List(fields.String(), required=True)
    reasons = fields.List(fields.String(), required=True)


class HoldTold(Answer):
    """One hold, standing or lifted."""

    id = fields.String(required=True)
    kind = one_of(["crossed", "paused", "rule", "person"], required=True)
    what = one_of(["enrolment", "trial"], required=True)
    since = time_out(required=True)
    until = maybe(time_out(required=True))
    by = fields.String(required=True)
    reason = fields.String(required=True)
    subject = fields.String(required=True, allow_none=True)
    lifted = fields.Nested(Lifted, required=True, allow_none=True)


class Waiting(Answer):
    """A first person's wish that waits for a second person."""

    action = fields.String(required=True)
    by = fields.String(required=True)
    reason = fields.String(required=True)
    at = time_out(required=True)
    until = time_out(required=True)


class Trial(Answer):
    """A trial at a glance."""

    id = fields.String(required=True)
    mode = one_of(["live", "replay"], required=True)
    status = one_of(["open", "suspended", "closed"], required=True)
    title = fields.String(required=True, allow_none=True)
    banner = fields.String(required=True, allow_none=True)
    active_version = fields.String(required=True, allow_none=True)
    enrolment = fields.Nested(Enrolment, required=True)
    open_alerts = fields.Integer(required=True)
    clock = maybe(time_out(required=True))
    hold = fields.Nested(Hold, required=True, allow_none=True)
    awaiting_second = fields.Nested(Waiting, required=True, allow_none=True)
    created_at = time_out(required=True)


class Awaiting(Answer):
    """A first person asked; a second one must ask the same before `until`."""

    status = fields.String(required=True, validate=validate.Equal("awaiting_second"))
    until = time_out(required=True)


class ProtocolVersion(Answer):
    """One immutable version."""

    trial = fields.String(required=True)
    version = fields.String(required=True)
    status = one_of(["draft", "scheduled", "active", "retired"], required=True)
    digest = fields.String(required=True)
    created_at = time_out(required=True)
    created_by = fields.String(required=True)
    effective_from = maybe(time_out(required=True))
    approved_by = fields.String(required=True, allow_none=True)


class ProtocolShown(Answer):
    """A version as `vigil protocol show --format json` gives it."""


class Boundary(Answer):
    """One step of a stopping boundary."""

    evaluable = fields.Integer(required=True)
    stop_at = fields.Integer(required=True, allow_none=True)


class ExposureBoundary(Answer):
    """The greatest exposure (days; effective units) at which so many events stop."""

    events = fields.Integer(required=True)
    max_exposure = fields.Float(required=True)


class PathStep(Answer):
    """One step of the trial's own path."""

    evaluable = fields.Integer(required=True)
    events = fields.Integer(required=True)
    at = time_out(required=True)
    subject = fields.String(required=True)
    unit = fields.String(required=True)
    event = fields.Boolean(required=True)
    exposure = fields.Float(required=True, allow_none=True)


class PendingUnit(Answer):
    """A unit whose window is not over; `evaluable_at` null: its end cannot be placed yet."""

    subject = fields.String(required=True)
    unit = fields.String(required=True)
    since = time_out(required=True)
    evaluable_at = maybe(time_out(required=True))


class Distance(Answer):
    """How near the boundary is; null: no further event stops, or the boundary was reached."""

    events_to_stop = fields.Integer(required=True, allow_none=True)
    margin = fields.Integer(required=True, allow_none=True)


class Prediction(Answer):
    """How likely the boundary is reached before the last look, under this Beta prior."""

    value = fields.Float(required=True)
    prior = fields.List(fields.Float(), required=True)
    last_look = fields.Integer(required=True)


class CrossingTold(Answer):
    """What reaching the boundary does."""

    hold = one_of(["enrolment", "trial", "none"], required=True)
    notify = fields.List(fields.String(), required=True)
    safety_board = fields.Boolean(required=True)


class Behaviour(Answer):
    """How the boundary behaves at one true rate."""

    p = fields.Float(required=True)
    reject = fields.Float(required=True)
    expected_events = fields.Float(required=True)
    expected_evaluable = fields.Float(required=True)


class DuringHold(Answer):
    """Who was enrolled or infused while that was held."""

    what = one_of(["enrolled", "infused"], required=True)
    subject = fields.String(required=True)
    unit = fields.String(required=True)
    at = time_out(required=True)


class StopIf(Answer):
    """The trial stops if so many of the next so many have an event."""

    of_next = fields.Integer(required=True)
    events = fields.Integer(required=True)


class Stopping(Answer):
    """Where one stopping rule stands."""

    id = fields.String(required=True)
    title = fields.String(required=True)
    method = fields.String(required=True)
    outcome = one_of(["binary", "time_to_event", "tite"], required=True)
    unit = one_of(["subject", "infusion"], required=True)
    window_days = fields.Integer(required=True)
    window_from = one_of(["first_infusion", "last_infusion", "enrolment"], required=True)
    evaluable_when = one_of(["at_event", "after_window"], required=True)
    pending_counts = one_of(["wait", "event_free", "partial"], required=True)
    alpha = fields.Float(required=True, allow_none=True)
    p0 = fields.Float(required=True, allow_none=True)
    p1 = fields.Float(required=True, allow_none=True)
    parameters = fields.Dict(
        keys=fields.String(),
        values=fields.Raw(),
        required=True,
        metadata={"description": "the numbers that the method was given, by their names"},
    )
    evaluable = fields.Integer(required=True)
    events = fields.Integer(required=True)
    pending = fields.Integer(required=True)
    effective = fields.Float(
        required=True,
        allow_none=True,
        metadata={"description": "units by their share of the window"},
    )
    exposure_days = fields.Float(required=True, allow_none=True)
    boundary = fields.List(fields.Nested(Boundary), required=True)
    exposure_boundary = fields.List(fields.Nested(ExposureBoundary), required=True)
    path = fields.List(fields.Nested(PathStep), required=True)
    crossed = fields.Boolean(required=True)
    crossed_at = maybe(time_out(required=True))
    crossed_step = fields.Integer(required=True, allow_none=True)
    next_stop_at = fields.Integer(required=True, allow_none=True)
    stop_if = fields.List(fields.Nested(StopIf), required=True)
    hold = fields.Nested(HoldTold, required=True, allow_none=True)
    holds = fields.List(fields.Nested(HoldTold), required=True)
    during_hold = fields.List(fields.Nested(DuringHold), required=True)
    distance = fields.Nested(Distance, required=True)
    pending_subjects = fields.List(fields.Nested(PendingUnit), required=True)
    predictive_probability = fields.Nested(Prediction, required=True, allow_none=True)
    crossing = fields.Nested(CrossingTold, required=True, allow_none=True)
    characteristics = fields.List(fields.Nested(Behaviour), required=True)


class DeviationTold(Answer):
    """A departure from the protocol, told by an alert; what was told in error is none."""

    alert = fields.String(required=True)
    subject = fields.String(required=True, allow_none=True)
    rule = fields.String(required=True)
    class_ = one_of(["minor", "major"], required=True, data_key="class", attribute="class")
    title = fields.String(required=True)
    occurred_at = time_out(required=True)
    status = one_of(STATUSES, required=True)


class DeviationCounts(Answer):
    """How many of each class."""

    minor = fields.Integer(required=True)
    major = fields.Integer(required=True)


class AccrualStep(Answer):
    """One subject's enrolment."""

    at = time_out(required=True)
    subject = fields.String(required=True)
    enrolled = fields.Integer(required=True)


class Accrual(Answer):
    """Enrolment against target."""

    target = fields.Integer(required=True, allow_none=True)
    enrolled = fields.Integer(required=True)
    as_of = maybe(time_out(required=True))
    per_month = fields.Float(
        required=True,
        allow_none=True,
        metadata={"description": "since the first enrolment; null for fewer than two or a week"},
    )
    full_at = maybe(time_out(required=True))
    path = fields.List(fields.Nested(AccrualStep), required=True)


class ResponseCount(Answer):
    """As what one subject counts in a response rate."""

    subject = fields.String(required=True)
    status = one_of(["responder", "non_responder", "pending"], required=True)


class ResponseRate(Answer):
    """How many of the evaluable subjects responded."""

    id = fields.String(required=True)
    title = fields.String(required=True)
    evaluable_when = fields.String(required=True)
    responder_when = fields.String(required=True)
    responders = fields.Integer(required=True)
    evaluable = fields.Integer(required=True)
    pending = fields.Integer(
        required=True, metadata={"description": "evaluable, but whether they responded is unknown"}
    )
    rate = fields.Float(required=True, allow_none=True)
    lower = fields.Float(
        required=True, allow_none=True, metadata={"description": "of the Clopper-Pearson interval"}
    )
    upper = fields.Float(required=True, allow_none=True)
    confidence = fields.Float(required=True)
    subjects = fields.List(fields.Nested(ResponseCount), required=True)


class ResponsePage(Answer):
    """Every response rate of a trial."""

    items = fields.List(fields.Nested(ResponseRate), required=True)
    next = fields.String(required=True, allow_none=True)


class Conduct(Answer):
    """How a trial is conducted."""

    deviations = fields.List(fields.Nested(DeviationTold), required=True)
    counts = fields.Nested(DeviationCounts, required=True)
    accrual = fields.Nested(Accrual, required=True)


class ClockTold(Answer):
    """A report that is owed, as of the subject's last evaluation."""

    subject = fields.String(required=True)
    site = fields.String(required=True, allow_none=True)
    ae = fields.String(required=True, metadata={"description": "the adverse event's identifier"})
    clock = fields.String(required=True)
    label = fields.String(required=True)
    region = fields.String(required=True, allow_none=True)
    to = fields.String(required=True)
    stage = one_of(["running", "half", "late_warning", "overdue"], required=True)
    started_at = time_out(required=True)
    assumed = fields.Boolean(
        required=True, metadata={"description": "started at the receipt: nobody told of awareness"}
    )
    due_at = time_out(required=True)
    overdue = fields.Boolean(required=True)


ClockPage = page_of(ClockTold, "ClockPage")


class Unmapped(Answer):
    """A code that was refused because the protocol declares none such."""

    type = fields.String(required=True)
    system = fields.String(
        required=True,
        allow_none=True,
        metadata={"description": "null where it was to be one of the protocol's own codes"},
    )
    code = fields.String(
        required=True, metadata={"description": "`?`: what does not look like a code, or too many"}
    )
    count = fields.Integer(required=True)
    first_seen = time_out(required=True)
    last_seen = time_out(required=True)


TrialPage = page_of(Trial, "TrialPage")


ProtocolPage = page_of(ProtocolVersion, "ProtocolPage")


class StoppingPage(page_of(Stopping, "_StoppingPage")):  # type: ignore[misc]  # made by a function
    """Every stopping rule, and every hold that the trial ever had."""

    holds = fields.List(fields.Nested(HoldTold), required=True)


UnmappedPage = page_of(Unmapped, "UnmappedPage")
