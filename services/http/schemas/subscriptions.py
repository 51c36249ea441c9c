"""Who wants to be told."""

from __future__ import annotations

from marshmallow import Schema, fields, validate

from services.http.schemas.fields import (
    CATEGORIES,
    SEVERITIES,
    Answer,
    name,
    one_of,
    page_of,
    short,
)


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
    secret = fields.String()


SubscriptionPage = page_of(Subscription, "SubscriptionPage")
