"""Who wants to be told, what was sent, what would have been."""

from __future__ import annotations

from typing import Any

from marshmallow import Schema, ValidationError, fields, validate

from services.channels import Outcome
from services.http.schemas.alerts import Alert
from services.http.schemas.fields import (
    CATEGORIES,
    LARGEST,
    SEVERITIES,
    Answer,
    Instant,
    PageQuery,
    maybe,
    name,
    one_of,
    page_of,
    short,
    time_out,
)
from services.subscriptions import Since

DELIVERY_STATUSES = ["pending", "sending", "delivered", "dead", "cancelled"]


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
    trials = fields.List(
        fields.String(),
        required=True,
        allow_none=True,
        metadata={"description": "of the key that made it; null: all"},
    )
    position = fields.Integer(
        required=True, metadata={"description": "the last one given; 0 before the first"}
    )
    failing_since = maybe(time_out(required=True))
    created_at = time_out(required=True)
    created_by = fields.String(required=True)
    secret = fields.String()


class TestOutcome(Answer):
    """How the one request of a test went."""

    outcome = one_of([outcome.value for outcome in Outcome], required=True)
    http_status = fields.Integer(
        required=True,
        allow_none=True,
        metadata={"description": "the receiver's; for e-mail the mail server's reply code"},
    )
    took_ms = fields.Float(required=True)


class SubscriptionTested(Subscription):
    """The subscription, and how its test went."""

    test = fields.Nested(TestOutcome, required=True)


class SubscriptionReplayed(Subscription):
    """The subscription, and how many deliveries are sent again."""

    replayed = fields.Integer(required=True)


class SinceField(fields.Field[Since]):
    """A position as a number, or a time."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Since:
        if isinstance(value, int) and not isinstance(value, bool):
            if not 0 <= value <= LARGEST:
                raise ValidationError("is not a position")
            return Since(position=value)
        return Since(at_us=Instant().deserialize(value))


class Replay(Schema):
    """From where on."""

    since = SinceField(
        required=True,
        metadata={
            "description": "what came after this position, or was written since this time",
            "oneOf": [
                {"type": "integer", "minimum": 0},
                {"type": "string", "format": "date-time"},
            ],
        },
    )


class PreviewQuery(Schema):
    """Since when; a week without it."""

    since = Instant(metadata={"type": "string", "format": "date-time"})


class PreviewWish(Schema):
    """A subscription that might be made."""

    filter = fields.Nested(Filter, load_default=dict)
    events = fields.List(short(60), load_default=list)
    content = one_of(["minimal", "full"], load_default="minimal")
    since = Instant(metadata={"type": "string", "format": "date-time"})


class PreviewItem(Answer):
    """One delivery that would have been."""

    event = fields.String(required=True)
    at = time_out(required=True)
    alert = fields.Nested(Alert, required=True)


class Preview(Answer):
    """What would have been sent, counted; the newest hundred of it as items."""

    since = time_out(required=True)
    until = time_out(required=True)
    complete = fields.Boolean(required=True)
    deliveries = fields.Integer(required=True)
    alerts = fields.Integer(required=True)
    by_category = fields.Dict(keys=fields.String(), values=fields.Integer(), required=True)
    by_severity = fields.Dict(keys=fields.String(), values=fields.Integer(), required=True)
    by_event = fields.Dict(keys=fields.String(), values=fields.Integer(), required=True)
    items = fields.List(fields.Nested(PreviewItem), required=True)


class DeliveriesQuery(PageQuery):
    """Which deliveries of a subscription."""

    status = one_of(DELIVERY_STATUSES)


class Attempt(Answer):
    """One try; `http_status` is the receiver's, for e-mail the mail server's reply code."""

    number = fields.Integer(required=True)
    started_at = time_out(required=True)
    took_ms = fields.Float(required=True, allow_none=True)
    outcome = one_of([outcome.value for outcome in Outcome], required=True)
    http_status = fields.Integer(required=True, allow_none=True)


class Delivery(Answer):
    """One delivery with its attempts; `id` is its webhook-id."""

    id = fields.String(required=True)
    subscription = fields.String(required=True)
    alert = fields.String(required=True)
    change = fields.Integer(required=True)
    event = fields.String(required=True)
    critical = fields.Boolean(required=True)
    content = one_of(["minimal", "full"], required=True)
    status = one_of(DELIVERY_STATUSES, required=True)
    position = fields.Integer(required=True, allow_none=True)
    created_at = time_out(required=True)
    next_attempt_at = maybe(time_out(required=True))
    delivered_at = maybe(time_out(required=True))
    attempts = fields.List(fields.Nested(Attempt), required=True)


SubscriptionPage = page_of(Subscription, "SubscriptionPage")
DeliveryPage = page_of(Delivery, "DeliveryPage")
