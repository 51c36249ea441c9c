"""Operations: streams, dead letters, health, the document of all this."""

from __future__ import annotations

from typing import Any

from marshmallow import fields

from services.http.schemas.fields import Answer, PageQuery, maybe, one_of, page_of, time_out
from services.http.schemas.trials import Waiting


class StreamsQuery(PageQuery):
    """Which streams wait: with unevaluated events, or held by a poison event."""

    state = one_of(["dirty", "held"])


class DeadLettersQuery(PageQuery):
    """Which dead letters."""

    status = one_of(["open", "requeued", "discarded"])


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


def _age(**kwargs: Any) -> fields.Float:
    """Seconds, or null where nothing is that old."""
    return fields.Float(required=True, allow_none=True, **kwargs)


def _count() -> fields.Integer:
    return fields.Integer(required=True)


class Canary(Answer):
    """The last message that the scheduler sent through a queue and a worker heard."""

    state = one_of(["ok", "late", "never", "not_expected"], required=True)
    sent_at = maybe(time_out(required=True))
    heard_at = maybe(time_out(required=True))
    took_ms = fields.Float(required=True, allow_none=True)
    age_s = _age()
    heard_by = fields.String(required=True, allow_none=True)


class Queue(Answer):
    """One queue: how many rows wait, since when the oldest could be taken, how many are at work."""

    queue = one_of(["evaluate", "deliver", "maintenance"], required=True)
    depth = _count()
    oldest_at = maybe(time_out(required=True))
    oldest_age_s = _age()
    in_flight = _count()
    rate_per_min = _count()
    workers = _count()
    messages = fields.Integer(
        required=True, allow_none=True, metadata={"description": "bells that wait in the broker"}
    )
    canary = fields.Nested(Canary, required=True)
    # evaluate
    dirty_streams = fields.Integer()
    held_streams = fields.Integer()
    held_events = fields.Integer()
    oldest_held_at = maybe(time_out())
    # deliver
    due = fields.Integer()
    dead = fields.Integer(metadata={"description": "given up, and nobody has closed it yet"})


class BrokerState(Answer):
    """The doorbell."""

    state = one_of(["ok", "down", "none"], required=True)
    mode = one_of(["embedded", "external", "none"], required=True)
    policy = fields.String(required=True, allow_none=True)
    aof = fields.Boolean(required=True, allow_none=True)


class Process(Answer):
    """A process that beat within the last hour."""

    process = fields.String(required=True)
    kind = fields.String(required=True)
    host = fields.String(required=True, allow_none=True)
    pid = fields.Integer(required=True, allow_none=True)
    state = one_of(["ok", "late", "gone"], required=True)
    started_at = maybe(time_out(required=True))
    seen_at = time_out(required=True)
    age_s = fields.Float(required=True)
    heard_at = maybe(time_out(required=True))
    rss_mb = fields.Float(required=True, allow_none=True)
    rate_per_min = fields.Float(required=True, allow_none=True)
    counters = fields.Dict(keys=fields.String(), values=fields.Float(), required=True)


class Endpoint(Answer):
    """A subscription; of its address only the host."""

    subscription = fields.String(required=True)
    kind = fields.String(required=True)
    host = fields.String(required=True, allow_none=True)
    status = one_of(["active", "disabled"], required=True)
    waiting = _count()
    due = _count()
    in_flight = _count()
    oldest_due_at = maybe(time_out(required=True))
    oldest_due_s = _age()
    failing_since = maybe(time_out(required=True))
    last_outcome = fields.String(required=True, allow_none=True)
    last_attempt_at = maybe(time_out(required=True))


class Queues(Answer):
    """What waits, since when, and who works."""

    at = time_out(required=True)
    broker = fields.Nested(BrokerState, required=True)
    queues = fields.List(fields.Nested(Queue), required=True)
    workers = fields.List(fields.Nested(Process), required=True)
    endpoints = fields.List(fields.Nested(Endpoint), required=True)


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
    queues = fields.String(required=True)
    stream = fields.String(required=True)


StreamPage = page_of(Stream, "StreamPage")


DeadLetterPage = page_of(DeadLetter, "DeadLetterPage")
