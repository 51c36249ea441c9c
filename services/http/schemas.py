"""Shapes over HTTP, in and out: shape only, never a query, never the current user.

Who comes in: the resources (bodies and queries) and the OpenAPI document (answers). Answers are
built by services/reading in these shapes and not dumped again; a test holds the two together.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from marshmallow import INCLUDE, Schema, ValidationError, fields, validate

from rules import Category, Decision, EventType, Severity, Verdict
from services.clock import to_us

NAME = "[A-Za-z0-9][A-Za-z0-9._-]{0,63}"
CATEGORIES = [category.value for category in Category]
SEVERITIES = [severity.value for severity in Severity]
DECISIONS = [decision.value for decision in Decision]
STATUSES = ["open", "acknowledged", "resolved"]
ENROLMENT = ["screened", "enrolled", "treatment_stopped", "withdrawn", "completed", "lost"]
# What the service itself appends to the log is never published.
PUBLISHED = [
    kind.value
    for kind in EventType
    if kind not in {EventType.CONTRIBUTION, EventType.DISCARD, EventType.ACTIVATION}
]
MOST_ITEMS = 1000
LARGEST = 2**53


class Instant(fields.Field[int]):
    """A time with an offset, as integer microseconds since 1970."""

    default_error_messages = {  # noqa: RUF012 - marshmallow declares it so
        "invalid": "must be a time with an offset, e.g. 2026-03-02T08:15:00+09:00"
    }

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> int:
        if not isinstance(value, str) or len(value) > 40:
            raise self.make_error("invalid")
        # In a query string an unescaped "+" arrives as a space.
        text = value[:-6] + "+" + value[-5:] if value[-6:-5] == " " else value
        try:
            moment = datetime.fromisoformat(text)
            if moment.tzinfo is None or "T" not in text.upper():
                raise self.make_error("invalid")
            return to_us(moment)
        except (ValueError, OverflowError):
            raise self.make_error("invalid") from None


class Text(fields.String):
    """A text that a database can store."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> str:
        if not isinstance(value, str):
            raise self.make_error("invalid")
        if "\x00" in value:
            raise ValidationError("holds the character U+0000")
        return value


def name(**kwargs: Any) -> fields.String:
    """A trial's, subject's or version's name."""
    return Text(validate=validate.Regexp(f"^{NAME}\\Z", error=f"must match {NAME}"), **kwargs)


def one_of(choices: list[str], **kwargs: Any) -> fields.String:
    """One word out of a list."""
    return Text(validate=validate.OneOf(choices), **kwargs)


def short(most: int = 200, least: int = 1, **kwargs: Any) -> fields.String:
    """A text of bounded length."""
    return Text(validate=validate.Length(min=least, max=most), **kwargs)


def time_out(**kwargs: Any) -> fields.String:
    """RFC 3339 in UTC."""
    return fields.String(metadata={"format": "date-time"}, **kwargs)


def maybe(field: fields.Field[Any]) -> fields.Field[Any]:
    """The same, or null."""
    field.allow_none = True
    return field


class Answer(Schema):
    """What the service says: more may be added to it, so a client must not refuse what is new."""

    class Meta:
        unknown = INCLUDE


def page_of(item: type[Schema], title: str) -> type[Schema]:
    """The shape of every list."""
    return Answer.from_dict(
        {
            "items": fields.List(fields.Nested(item), required=True),
            "next": fields.String(
                required=True, allow_none=True, metadata={"description": "cursor of the next page"}
            ),
        },
        name=title,
    )


# --- errors -----------------------------------------------------------------------------------
class ErrorItem(Answer):
    """One complaint; `pointer` is a JSON pointer within the event or the body."""

    index = fields.Integer(required=True)
    pointer = fields.String(required=True)
    detail = fields.String(required=True)
    hint = fields.String(required=True)


class ProblemSchema(Answer):
    """RFC 9457."""

    type = fields.String(required=True)
    title = fields.String(required=True)
    status = fields.Integer(required=True)
    detail = fields.String()
    errors = fields.List(fields.Nested(ErrorItem))
    error_id = fields.String(metadata={"description": "of a 500: what to look for in the log"})
    request_id = fields.String(allow_none=True)


# --- queries ----------------------------------------------------------------------------------
class PageQuery(Schema):
    """Every list's parameters."""

    cursor = short(500)
    limit = fields.Integer(load_default=100, validate=validate.Range(1, MOST_ITEMS))


class SubjectsQuery(PageQuery):
    """`q` is a part of the subject's pseudonym."""

    status = one_of(ENROLMENT)
    q = short(64)


class AlertsQuery(PageQuery):
    """`since` is a position of the alert log: what changed after it, in order of position."""

    trial = name()
    subject = name()
    category = one_of(CATEGORIES)
    severity = one_of(SEVERITIES)
    status = one_of(STATUSES)
    since = fields.Integer(validate=validate.Range(0, LARGEST))


class AsOfQuery(Schema):
    """When the question is asked for."""

    as_of = Instant(metadata={"format": "date-time"})


class StreamsQuery(PageQuery):
    """Which streams wait: with unevaluated events, or held by a poison event."""

    state = one_of(["dirty", "held"])


class DeadLettersQuery(PageQuery):
    """Which dead letters."""

    status = one_of(["open", "requeued", "discarded"])


# --- bodies -----------------------------------------------------------------------------------
class TrialNew(Schema):
    """A trial and its first protocol version, which becomes active at once."""

    id = name(required=True)
    mode = one_of(["live", "replay"], load_default="live")
    protocol = short(2_000_000, required=True, metadata={"description": "the protocol's YAML"})


class Advance(Schema):
    """Where a replay trial's clock shall stand."""

    to = Instant(required=True, metadata={"format": "date-time"})


class Activation(Schema):
    """Who approved a version, and from when it counts: not earlier than now."""

    effective_from = Instant(allow_none=True, load_default=None, metadata={"format": "date-time"})
    approved_by = short(required=True)
    backtest = short(2000, allow_none=True, load_default=None)


class Reason(Schema):
    """Why; kept in the audit."""

    reason = short(2000, required=True)


class OptionalReason(Schema):
    """Why, if there is something to say."""

    reason = short(2000, least=0, load_default="")


class Note(Schema):
    """What a person adds to an alert."""

    note = short(4000, least=0, allow_none=True, load_default=None)


class Comment(Schema):
    """A note that says something."""

    note = short(4000, required=True)


class Channel(Schema):
    """Where deliveries go; the service checks what the kind needs."""

    kind = one_of(["webhook", "email"], required=True)
    url = short(2000)
    headers = fields.Dict(keys=short(100), values=short(2000, least=0))
    to = fields.List(short(320), validate=validate.Length(1, 100))


class Filter(Schema):
    """Which alerts; an empty list or no key is all."""

    trials = fields.List(name())
    categories = fields.List(one_of(CATEGORIES))
    min_severity = one_of(SEVERITIES, allow_none=True)
    subjects = fields.List(name())
    sites = fields.List(short())
    rules = fields.List(short())


class SubscriptionNew(Schema):
    """Who wants which alerts, where."""

    name = short(required=True)
    channel = fields.Nested(Channel, required=True)
    filter = fields.Nested(Filter, load_default=dict)
    events = fields.List(short(60), load_default=list)
    content = one_of(["minimal", "full"], load_default="minimal")
    digest = short(40, allow_none=True, load_default=None)


class SubscriptionChange(Schema):
    """What of a subscription shall change."""

    name = short()
    channel = fields.Nested(Channel)
    filter = fields.Nested(Filter)
    events = fields.List(short(60))
    content = one_of(["minimal", "full"])
    digest = short(40, allow_none=True)
    status = one_of(["active", "disabled"])


# --- events -----------------------------------------------------------------------------------
class CloudEvent(Schema):
    """One CloudEvents 1.0 event with the extension attributes of this service."""

    specversion = fields.String(required=True, validate=validate.Equal("1.0"))
    id = short(256, required=True)
    source = short(1024, required=True, metadata={"format": "uri-reference"})
    type = one_of(PUBLISHED, required=True)
    trial = name(required=True)
    subject = name(required=True)
    time = time_out(required=True)
    timeprecision = one_of(["second", "day", "month", "year"])
    recordedtime = time_out()
    datacontenttype = fields.String()
    dataschema = fields.String()
    data = fields.Dict(required=True)


class ReceiptItem(Answer):
    """What became of one event; `href` where its status is read."""

    id = fields.String(required=True, allow_none=True)
    source = fields.String(required=True, allow_none=True)
    status = one_of(["accepted", "duplicate", "refused", "conflict"], required=True)
    event = fields.String(allow_none=True)
    href = fields.String(allow_none=True)
    late = fields.Boolean()
    errors = fields.List(fields.Nested(ErrorItem))


class Receipt(Answer):
    """What became of a request's events."""

    accepted = fields.Integer(required=True)
    duplicates = fields.Integer(required=True)
    events = fields.List(fields.Nested(ReceiptItem), required=True)


class EventStatus(Answer):
    """How far an event came; `error` is a reason's name, never a value."""

    event = fields.String(required=True)
    status = one_of(["pending", "evaluated", "dead", "discarded"], required=True)
    received_at = time_out(required=True)
    evaluated_at = maybe(time_out(required=True))
    alerts = fields.List(fields.String(), required=True)
    error = fields.String(required=True, allow_none=True)


# --- trials and protocols ---------------------------------------------------------------------
class Enrolment(Answer):
    """Enrolled so far against the target; null where no version is active."""

    enrolled = fields.Integer(required=True)
    target = fields.Integer(required=True, allow_none=True)


class Hold(Answer):
    """An enrolment hold."""

    since = time_out(required=True)
    by = fields.String(required=True)
    reason = fields.String(required=True)


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


class PathStep(Answer):
    """One step of the trial's own path."""

    evaluable = fields.Integer(required=True)
    events = fields.Integer(required=True)
    at = time_out(required=True)
    subject = fields.String(required=True)


class StopIf(Answer):
    """The trial stops if so many of the next so many have an event."""

    of_next = fields.Integer(required=True)
    events = fields.Integer(required=True)


class Stopping(Answer):
    """Where one stopping rule stands."""

    id = fields.String(required=True)
    title = fields.String()
    method = fields.String(required=True)
    evaluable = fields.Integer(required=True)
    events = fields.Integer(required=True)
    pending = fields.Integer(required=True)
    boundary = fields.List(fields.Nested(Boundary), required=True)
    path = fields.List(fields.Nested(PathStep), required=True)
    crossed = fields.Boolean(required=True)
    crossed_at = maybe(time_out(required=True))
    next_stop_at = fields.Integer(required=True, allow_none=True)
    stop_if = fields.List(fields.Nested(StopIf), required=True)
    hold = fields.Dict(required=True, allow_none=True)
    during_hold = fields.List(fields.Dict())


# --- subjects ---------------------------------------------------------------------------------
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


# --- alerts -----------------------------------------------------------------------------------
class Resolution(Answer):
    """How an alert ended."""

    reason = one_of(["cleared", "superseded", "manual"], required=True)
    at = time_out(required=True)
    by = fields.String(allow_none=True)
    note = fields.String(allow_none=True)
    because_of = fields.String(allow_none=True)


class Acknowledged(Answer):
    """Who took notice."""

    by = fields.String(required=True)
    at = time_out(required=True)
    note = fields.String(allow_none=True)


class Alert(Answer):
    """Contract section 4; `detail` and the evidence's values only for those who may see them."""

    id = fields.String(required=True)
    trial = fields.String(required=True)
    protocol_version = fields.String(required=True)
    subject = fields.String(required=True, allow_none=True)
    rule = fields.String(required=True)
    category = one_of(CATEGORIES, required=True)
    severity = one_of(SEVERITIES, required=True)
    status = one_of(STATUSES, required=True)
    resolution = fields.Nested(Resolution, required=True, allow_none=True)
    title = fields.String(required=True)
    detail = fields.String()
    action = fields.String(required=True)
    source_text = fields.String(required=True)
    evidence = fields.List(fields.Nested(Evidence), required=True)
    occurred_at = time_out(required=True)
    opened_at = time_out(required=True)
    due_at = maybe(time_out(required=True))
    acknowledged = fields.Nested(Acknowledged, required=True, allow_none=True)
    assigned_to = fields.String(required=True, allow_none=True)
    snoozed_until = maybe(time_out(required=True))
    sequence = fields.Integer(required=True)
    key = fields.String(required=True)
    position = fields.Integer(
        allow_none=True, metadata={"description": "of the last change, with ?since="}
    )


class HistoryItem(Answer):
    """One change of an alert."""

    change = fields.Integer(required=True)
    kind = fields.String(required=True)
    at = time_out(required=True)
    by = fields.String(required=True, allow_none=True)
    note = fields.String(required=True, allow_none=True)
    position = fields.Integer(required=True, allow_none=True)


class DeliveryItem(Answer):
    """One delivery of one change."""

    id = fields.String(required=True)
    subscription = fields.String(required=True)
    change = fields.Integer(required=True)
    event = fields.String(required=True)
    status = fields.String(required=True)
    attempts = fields.Integer(required=True)
    created_at = time_out(required=True)
    next_attempt_at = maybe(time_out(required=True))
    delivered_at = maybe(time_out(required=True))


class AlertDetail(Alert):
    """An alert with what happened to it and who was told."""

    history = fields.List(fields.Nested(HistoryItem), required=True)
    deliveries = fields.List(fields.Nested(DeliveryItem), required=True)


# --- subscriptions and operations -------------------------------------------------------------
class Subscription(Answer):
    """A subscription; `secret` only in the answer that makes it."""

    id = fields.String(required=True)
    name = fields.String(required=True)
    channel = fields.Dict(required=True)
    filter = fields.Dict(required=True)
    events = fields.List(fields.String(), required=True)
    content = one_of(["minimal", "full"], required=True)
    digest = fields.String(required=True, allow_none=True)
    status = fields.String(required=True)
    secret = fields.String()


class Stream(Answer):
    """A stream that waits."""

    stream = fields.Integer(required=True)
    trial = fields.String(required=True)
    subject = fields.String(required=True)
    received = fields.Integer(required=True)
    evaluated = fields.Integer(required=True)
    pending = fields.Integer(required=True)
    oldest_pending_at = maybe(time_out(required=True))
    held = fields.Boolean(required=True)
    attempts = fields.Integer(required=True)


class DeadLetter(Answer):
    """What was given up, without its data."""

    id = fields.String(required=True)
    kind = one_of(["event", "delivery"], required=True)
    trial = fields.String(required=True, allow_none=True)
    subject = fields.String(required=True, allow_none=True)
    event = fields.String(required=True, allow_none=True)
    delivery = fields.String(required=True, allow_none=True)
    reason = fields.String(required=True)
    status = one_of(["open", "requeued", "discarded"], required=True)
    created_at = time_out(required=True)
    closed_at = maybe(time_out(required=True))
    closed_by = fields.String(required=True, allow_none=True)
    awaiting_second = fields.Nested(Waiting, required=True, allow_none=True)


class Document(Answer):
    """An OpenAPI document."""

    openapi = fields.String(required=True)
    paths = fields.Dict(required=True)


class Health(Answer):
    """The process is alive."""

    status = fields.String(required=True)


class Ready(Answer):
    """Whether the service can do its work, part by part."""

    status = one_of(["ok", "degraded", "failed"], required=True)
    database = fields.String(required=True)
    schema = fields.String(required=True)
    worker = fields.String(required=True)
    broker = fields.String(required=True)
    scheduler = fields.String(required=True)


TrialPage = page_of(Trial, "TrialPage")
ProtocolPage = page_of(ProtocolVersion, "ProtocolPage")
SubjectPage = page_of(Subject, "SubjectPage")
TimelinePage = page_of(TimelineItem, "TimelinePage")
StoppingPage = page_of(Stopping, "StoppingPage")
AlertPage = page_of(Alert, "AlertPage")
SubscriptionPage = page_of(Subscription, "SubscriptionPage")
StreamPage = page_of(Stream, "StreamPage")
DeadLetterPage = page_of(DeadLetter, "DeadLetterPage")
