"""What every shape is made of: fields, bounds, pages.

Who comes in: the other modules of this package. Who goes out: nobody.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from marshmallow import INCLUDE, Schema, ValidationError, fields, validate

from rules import Category, Decision, Severity
from services.clock import FIRST_YEAR, LAST_YEAR, to_us

NAME = "[A-Za-z0-9][A-Za-z0-9._-]{0,63}"


CATEGORIES = [category.value for category in Category]


SEVERITIES = [severity.value for severity in Severity]


DECISIONS = [decision.value for decision in Decision]


STATUSES = ["open", "acknowledged", "resolved"]


ENROLMENT = ["screened", "enrolled", "treatment_stopped", "withdrawn", "completed", "lost"]


MOST_ITEMS = 1000


LARGEST = 2**53


class Instant(fields.Field[int]):
    """A time with an offset, as integer microseconds since 1970."""

    default_error_messages = {  # noqa: RUF012 - marshmallow declares it so
        "invalid": "must be a time with an offset, e.g. 2026-03-02T08:15:00+09:00",
        "far": f"lies outside of the years {FIRST_YEAR} to {LAST_YEAR}",
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
            if not FIRST_YEAR <= moment.year <= LAST_YEAR:
                raise self.make_error("far")
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
    # marshmallow formats the text: the pattern's own braces must not be read as places.
    told = "must match " + NAME.replace("{", "{{").replace("}", "}}")
    return Text(validate=validate.Regexp(f"^{NAME}\\Z", error=told), **kwargs)


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


class PageQuery(Schema):
    """Every list's parameters."""

    cursor = short(500)
    limit = fields.Integer(load_default=100, validate=validate.Range(1, MOST_ITEMS))
