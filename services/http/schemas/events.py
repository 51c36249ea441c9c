"""Events: published and answered."""

from __future__ import annotations

from marshmallow import Schema, fields, validate

from rules import OWN_TYPES, EventType
from services.http.schemas.errors import ErrorItem
from services.http.schemas.fields import Answer, maybe, name, one_of, short, time_out

PUBLISHED = [kind.value for kind in EventType if kind not in OWN_TYPES]


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
