"""Alerts, their history and their deliveries."""

from __future__ import annotations

from marshmallow import Schema, fields, validate

from services.http.schemas.fields import (
    CATEGORIES,
    LARGEST,
    SEVERITIES,
    STATUSES,
    Answer,
    PageQuery,
    maybe,
    name,
    one_of,
    page_of,
    short,
    time_out,
)
from services.http.schemas.subjects import Clause, Evidence


class AlertsQuery(PageQuery):
    """`since` is a position of the alert log: what changed after it, in order of position."""

    trial = name()
    subject = name()
    category = one_of(CATEGORIES)
    severity = one_of(SEVERITIES)
    status = one_of(STATUSES)
    since = fields.Integer(validate=validate.Range(0, LARGEST))


class StreamQuery(Schema):
    """What a stream shows; `last_event_id` is for who cannot send the header, which goes before."""

    trial = name()
    subject = name()
    category = one_of(CATEGORIES)
    min_severity = one_of(SEVERITIES)
    last_event_id = fields.Integer(validate=validate.Range(0, LARGEST))


class StreamHeaders(Schema):
    """Where a stream goes on: after this position, or after the last one if that is smaller."""

    last_event_id = fields.Integer(data_key="Last-Event-ID", validate=validate.Range(0, LARGEST))


class Note(Schema):
    """What a person adds to an alert."""

    note = short(4000, least=0, allow_none=True, load_default=None)


class Comment(Schema):
    """A note that says something."""

    note = short(4000, required=True)


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


class Explanation(Answer):
    """Why the rule fired: its condition as it was when the alert last changed."""

    protocol_version = fields.String(required=True)
    source_text = fields.String(required=True)
    clauses = fields.Nested(Clause, required=True)


class AlertDetail(Alert):
    """An alert with what happened to it and who was told."""

    explanation = fields.Nested(
        Explanation,
        required=True,
        allow_none=True,
        metadata={"description": "null for who sees no values, and for the service's own alerts"},
    )
    history = fields.List(fields.Nested(HistoryItem), required=True)
    deliveries = fields.List(fields.Nested(DeliveryItem), required=True)


AlertPage = page_of(Alert, "AlertPage")
