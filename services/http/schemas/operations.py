"""Operations: streams, dead letters, health, the document of all this."""

from __future__ import annotations

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


StreamPage = page_of(Stream, "StreamPage")


DeadLetterPage = page_of(DeadLetter, "DeadLetterPage")
