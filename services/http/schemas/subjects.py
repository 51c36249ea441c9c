"""Subjects: their state, their timeline, their eligibility."""

from __future__ import annotations

from marshmallow import Schema, fields

from rules import Absence, AeChange, Verdict
from services.http.schemas.fields import (
    DECISIONS,
    ENROLMENT,
    Answer,
    Instant,
    PageQuery,
    maybe,
    one_of,
    page_of,
    short,
    time_out,
)

ABSENCES = [word.value for word in Absence]


class SubjectsQuery(PageQuery):
    """`q` is a part of the subject's pseudonym."""

    status = one_of(ENROLMENT)
    q = short(64)


class AsOfQuery(Schema):
    """When the question is asked for."""

    as_of = Instant(metadata={"format": "date-time"})


class Subject(Answer):
    """A subject at a glance."""

    trial = fields.String(required=True)
    subject = fields.String(required=True)
    status = fields.String(required=True, allow_none=True)
    decision = one_of(DECISIONS, required=True, allow_none=True)
    events = fields.Integer(required=True)
    pending = fields.Integer(required=True)
    held = fields.Boolean(required=True)
    open_alerts = fields.Integer(required=True)
    last_received_at = maybe(time_out(required=True))
    protocol_version = fields.String(required=True, allow_none=True)


class TimelineItem(Answer):
    """One event of the log as received."""

    event = fields.String(required=True)
    n = fields.Integer(required=True)
    source = fields.String(required=True)
    id = fields.String(required=True)
    type = fields.String(required=True)
    time = time_out(required=True)
    timeprecision = fields.String(required=True)
    received_at = time_out(required=True)
    recordedtime = maybe(time_out(required=True))
    status = one_of(["pending", "evaluated", "dead", "discarded"], required=True)
    corrected_by = fields.List(fields.String(), required=True)
    data = fields.Dict(required=True)


class Evidence(Answer):
    """What a statement leans on."""

    fact = fields.String(required=True)
    value = fields.Raw(allow_none=True)
    unit = fields.String(allow_none=True)
    time = maybe(time_out())
    event = fields.String(allow_none=True)
    note = fields.String(
        metadata={"description": "where there is more to say: a conflict, an opinion, an override"}
    )
    criterion = fields.String(
        metadata={"description": "which criterion it speaks for, of a rule about the decision"}
    )


class Clause(Answer):
    """A clause of a condition with its value; a group has `op` and `parts`, a leaf has a fact."""

    text = fields.String(required=True)
    holds = one_of(["true", "false", "unknown", "not_applicable"], required=True)
    op = one_of(["and", "or", "not"])
    parts = fields.List(fields.Nested(lambda: Clause()))  # noqa: PLW0108 - it names itself
    fact = fields.String()
    label = fields.String()
    unit = fields.String(allow_none=True)
    value = fields.Raw(allow_none=True, metadata={"description": "null: not known"})
    reason = one_of(
        ABSENCES, metadata={"description": "of a criterion's leaf: why there is no value"}
    )


class Overridden(Answer):
    """Who waived a criterion, and why."""

    by = fields.String(required=True)
    at = time_out(required=True)
    reason = fields.String(required=True, allow_none=True)
    expires = fields.String(required=True, allow_none=True)


class CriterionState(Answer):
    """`verdict`: whether the statement holds; `satisfied`: whether it lets the subject in."""

    id = fields.String(required=True)
    kind = one_of(["inclusion", "exclusion"], required=True)
    text = fields.String(required=True)
    verdict = one_of([verdict.value for verdict in Verdict], required=True)
    satisfied = fields.Boolean(required=True, allow_none=True)
    evidence = fields.List(fields.Nested(Evidence), required=True)
    missing = fields.List(fields.String(), required=True)
    overridden = fields.Nested(Overridden, required=True, allow_none=True)


class MissingFact(Answer):
    """What is not known yet, and which criteria wait for it."""

    fact = fields.String(required=True)
    label = fields.String(required=True)
    criteria = fields.List(fields.String(), required=True)
    reason = one_of(ABSENCES, required=True)


class Anchor(Answer):
    """The enrolment at which eligibility was fixed."""

    event = fields.String(required=True)
    time = time_out(required=True)


class Eligibility(Answer):
    """Contract section 3."""

    trial = fields.String(required=True)
    subject = fields.String(required=True)
    protocol_version = fields.String(required=True)
    as_of = time_out(required=True)
    anchor = fields.Nested(Anchor, required=True, allow_none=True)
    pending = fields.Integer(required=True)
    held = fields.Boolean(required=True)
    decision = one_of(DECISIONS, required=True)
    criteria = fields.List(fields.Nested(CriterionState), required=True)
    missing = fields.List(fields.Nested(MissingFact), required=True)


class ExplainedCriterion(CriterionState):
    """A criterion with its condition as written, and whom it applies to where not to all."""

    clauses = fields.Nested(Clause, required=True)
    applies = fields.Nested(Clause, required=True, allow_none=True)


class Change(Answer):
    """A fact that would have to be otherwise.

    `needed` is `{"op", "value"}` (of a range also `and`, another such), `{"in"}`, `{"not_in"}` or
    `{"op": "known"}`. `changeable` is false where the fact comes from demographics.
    """

    fact = fields.String(required=True)
    label = fields.String(required=True)
    unit = fields.String(required=True, allow_none=True)
    value = fields.Raw(required=True, allow_none=True)
    needed = fields.Dict(required=True)
    changeable = fields.Boolean(required=True)
    text = fields.String(required=True)


class WayToChange(Answer):
    """Facts that together would bring the other decision about."""

    set = fields.List(fields.Nested(Change), required=True)
    text = fields.String(required=True)


class Counterfactual(Answer):
    """The smallest changes that would flip the decision; a statement of logic, no advice.

    No way and `complete`: it would take more than three facts, or nothing would do it.
    """

    decision = one_of(DECISIONS, required=True)
    to = one_of(DECISIONS, required=True)
    changes = fields.List(fields.Nested(WayToChange), required=True)
    complete = fields.Boolean(required=True)


class ExplainedEligibility(Eligibility):
    """The eligibility with its reasons."""

    criteria = fields.List(fields.Nested(ExplainedCriterion), required=True)
    counterfactual = fields.Nested(Counterfactual, required=True)


class WorklistItem(Answer):
    """A missing datum that can still change the decision, or a correction without its target.

    `decides`: the decisions that some value of it alone would bring about. `derived_fact`: the
    one that it is needed for. `visit`, `owner` and `due` (a local date) come from the schedule.
    `source` and `id` name the event that a correction waits for.
    """

    subject = fields.String(required=True)
    kind = one_of(["datum", "correction"], required=True)
    fact = fields.String(required=True, allow_none=True)
    label = fields.String(required=True)
    unit = fields.String(required=True, allow_none=True)
    derived_fact = fields.String(required=True, allow_none=True)
    reason = one_of(ABSENCES, required=True)
    criteria = fields.List(fields.String(), required=True)
    decides = fields.List(one_of(DECISIONS), required=True)
    visit = fields.String(required=True, allow_none=True)
    owner = fields.String(required=True, allow_none=True)
    due = fields.String(required=True, allow_none=True, metadata={"format": "date"})
    source = fields.String(required=True, allow_none=True)
    id = fields.String(required=True, allow_none=True)


WorklistPage = page_of(WorklistItem, "WorklistPage")


class SubjectWorklist(WorklistPage):  # type: ignore[misc, valid-type]  # made above
    """One subject's worklist with the decision that it may change."""

    trial = fields.String(required=True)
    protocol_version = fields.String(required=True)
    as_of = time_out(required=True)
    pending = fields.Integer(required=True)
    held = fields.Boolean(required=True)
    decision = one_of(DECISIONS, required=True)


class LaboratoryValue(Answer):
    """One value, in the unit of its series; `exact` false: only its date is known."""

    event = fields.String(required=True)
    time = time_out(required=True)
    exact = fields.Boolean(required=True)
    value = fields.Float(required=True)
    reference_low = fields.Float(required=True, allow_none=True)
    reference_high = fields.Float(required=True, allow_none=True)
    baseline = fields.Boolean(required=True)
    change_percent = fields.Float(required=True, allow_none=True)
    grade = fields.Integer(required=True, allow_none=True)
    min = fields.Integer(required=True, allow_none=True)
    max = fields.Integer(required=True, allow_none=True)
    term = fields.String(required=True, allow_none=True)
    reason = fields.String(required=True, allow_none=True)
    baseline_grade = fields.Integer(required=True, allow_none=True)
    rise = fields.Integer(required=True, allow_none=True)


class LaboratoryTest(Answer):
    """One series by clinical time; `ctcae`: the analyte by which it is graded."""

    code = fields.String(required=True)
    label = fields.String(required=True)
    unit = fields.String(required=True, allow_none=True)
    ctcae = fields.String(required=True, allow_none=True)
    values = fields.List(fields.Nested(LaboratoryValue), required=True)


class LaboratorySeries(Answer):
    """Every series of a subject."""

    trial = fields.String(required=True)
    subject = fields.String(required=True)
    pending = fields.Integer(required=True)
    first_infusion = maybe(time_out(required=True))
    items = fields.List(fields.Nested(LaboratoryTest), required=True)
    next = fields.String(required=True, allow_none=True)


class AdverseReport(Answer):
    """One report of an adverse event and what it changed of what was known."""

    event = fields.String(required=True)
    received_at = time_out(required=True)
    time = time_out(required=True)
    what = fields.List(one_of([one.value for one in AeChange], required=True), required=True)
    changes = fields.Dict(
        keys=fields.String(),
        values=fields.Dict(keys=fields.String(), values=fields.Raw(allow_none=True)),
        required=True,
        metadata={"description": "by key of the event's data: `from` and `to`"},
    )


class AdverseEvent(Answer):
    """One adverse event as now known."""

    ae = fields.String(required=True)
    began_at = time_out(required=True)
    withdrawn = fields.Boolean(required=True)
    told = fields.Dict(keys=fields.String(), values=fields.Raw(allow_none=True), required=True)
    follows = fields.Dict(
        keys=fields.String(), values=fields.Boolean(allow_none=True), required=True
    )
    history = fields.List(fields.Nested(AdverseReport), required=True)


class AdverseEvents(Answer):
    """Every adverse event of a subject, the last onset first."""

    trial = fields.String(required=True)
    subject = fields.String(required=True)
    pending = fields.Integer(required=True)
    items = fields.List(fields.Nested(AdverseEvent), required=True)
    next = fields.String(required=True, allow_none=True)


class ResponseArgument(Answer):
    """What stands for one argument of a clinical function."""

    argument = fields.String(required=True)
    fact = fields.String(required=True)
    label = fields.String(required=True)
    value = fields.Raw(required=True, allow_none=True)
    unit = fields.String(required=True, allow_none=True)


class ResponseItem(Answer):
    """What a clinical function says; null: unknown."""

    fact = fields.String(required=True)
    label = fields.String(required=True)
    function = fields.String(required=True)
    source = fields.String(required=True)
    value = fields.Raw(required=True, allow_none=True)
    of = fields.List(fields.Nested(ResponseArgument), required=True)


class ResponseStanding(Answer):
    """As what the subject counts in one rate of the trial."""

    id = fields.String(required=True)
    title = fields.String(required=True)
    status = one_of(["responder", "non_responder", "pending", "not_evaluable"], required=True)


class SubjectResponse(Answer):
    """Scores and responses of a subject."""

    trial = fields.String(required=True)
    subject = fields.String(required=True)
    pending = fields.Integer(required=True)
    items = fields.List(fields.Nested(ResponseItem), required=True)
    rates = fields.List(fields.Nested(ResponseStanding), required=True)
    next = fields.String(required=True, allow_none=True)


SubjectPage = page_of(Subject, "SubjectPage")


TimelinePage = page_of(TimelineItem, "TimelinePage")


class GateItem(Answer):
    """One item of the gate: it closes the gate while it holds, and unknown is not open."""

    id = fields.String(required=True)
    text = fields.String(required=True)
    state = one_of(["open", "closed", "unknown", "not_applicable"], required=True)
    held_by = fields.List(
        fields.String(),
        required=True,
        metadata={
            "description": "the rules with `hold: infusion` that are true, where it asks that"
        },
    )
    evidence = fields.List(fields.Nested(Evidence), required=True)
    missing = fields.List(fields.String(), required=True)
    clauses = fields.Nested(Clause, required=True)


class NextInfusion(Answer):
    """The next infusion of the schedule; its days are the site's local days."""

    number = fields.Integer(required=True)
    visit = fields.String(required=True)
    label = fields.String(required=True)
    opens = fields.String(required=True, allow_none=True)
    due = fields.String(required=True, allow_none=True)
    closes = fields.String(required=True, allow_none=True)


class GateHold(Answer):
    """What holds the trial, so that nobody is infused."""

    id = fields.String(required=True)
    kind = fields.String(required=True)
    what = fields.String(required=True)
    since = time_out(required=True)
    until = maybe(time_out(required=True))
    by = fields.String(required=True)
    reason = fields.String(required=True, allow_none=True)
    subject = fields.String(required=True, allow_none=True)
    lifted = fields.Raw(required=True, allow_none=True)


class Gate(Answer):
    """Whether a subject may be infused; `gate` null: the protocol has none."""

    trial = fields.String(required=True)
    subject = fields.String(required=True)
    protocol_version = fields.String(required=True)
    as_of = time_out(required=True)
    pending = fields.Integer(required=True)
    held = fields.Boolean(required=True)
    gate = one_of(["open", "closed", "unknown"], required=True, allow_none=True)
    items = fields.List(fields.Nested(GateItem), required=True)
    next_infusion = fields.Nested(NextInfusion, required=True, allow_none=True)
    trial_hold = fields.Nested(GateHold, required=True, allow_none=True)
