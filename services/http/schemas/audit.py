"""Entries of the audit."""

from __future__ import annotations

from marshmallow import fields

from services.http.schemas.fields import Answer, Instant, PageQuery, page_of, short, time_out


class AuditQuery(PageQuery):
    """Which entries; each is exact."""

    chain = short(80)
    actor = short()
    action = short(80)
    object = short()
    since = Instant(metadata={"type": "string", "format": "date-time"})


class AuditEntry(Answer):
    """One entry: `hash` is over the hash of the entry before it in its chain and all it says."""

    chain = fields.String(
        required=True, metadata={"description": "admin, or stream: and a stream's number"}
    )
    n = fields.Integer(required=True)
    at = time_out(required=True)
    actor = fields.String(required=True)
    action = fields.String(required=True)
    object = fields.String(required=True)
    trial = fields.String(required=True, allow_none=True)
    detail = fields.Dict(required=True, allow_none=True, metadata={"description": "null for ops"})
    hash = fields.String(required=True)
    verified = fields.Boolean(
        required=True,
        metadata={"description": "whether it is what was written, where it was written"},
    )


AuditPage = page_of(AuditEntry, "AuditPage")
