"""The shape of every error."""

from __future__ import annotations

from marshmallow import fields

from services.http.schemas.fields import Answer


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
