"""Small JSON bodies, read strictly: what is ambiguous is refused, not guessed.

Who comes in: every resource but POST /v1/events, through `Blueprint.arguments`. Who goes out:
checked dicts, or Malformed (400), UnsupportedContent (415), Rejected (422).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, NoReturn

import orjson
from flask import Request
from marshmallow import RAISE, Schema, ValidationError
from webargs.flaskparser import FlaskParser

from services.errors import Malformed, Problem, Rejected, UnsupportedContent


class StrictParser(FlaskParser):
    """webargs' parser with strict JSON, unknown query parameters refused, and our errors."""

    # webargs declares it so, though it is a constant.
    DEFAULT_UNKNOWN_BY_LOCATION = {  # noqa: RUF012
        **FlaskParser.DEFAULT_UNKNOWN_BY_LOCATION,
        "query": RAISE,
    }

    def load_json(self, req: Request, schema: Schema) -> Any:
        """The body as a JSON object; an empty body is an empty object."""
        raw = req.get_data(cache=True)
        if not raw:
            return {}
        if not req.is_json:
            raise UnsupportedContent("This endpoint reads application/json.")
        return strict_object(raw)

    def handle_error(
        self,
        error: ValidationError,
        req: Request,
        schema: Schema,
        *,
        error_status_code: int | None,
        error_headers: Mapping[str, str] | None,
    ) -> NoReturn:
        """Every complaint of the schema with its place, never with the value."""
        raise Rejected(list(complaints(error.messages)))


def strict_object(raw: bytes) -> dict[str, Any]:
    """`raw` as a JSON object; no duplicate keys, NaN, lone surrogates or NUL characters."""
    try:
        orjson.loads(raw)  # the stricter reader: NaN, surrogates, UTF-8, depth
        found = json.loads(raw, object_pairs_hook=_without_duplicates)
    except (ValueError, RecursionError):
        raise Malformed("The body is not strict JSON: it cannot be read.") from None
    if not isinstance(found, dict):
        raise Rejected([Problem("", "must be a JSON object")])
    if b"\\u0000" in raw and _holds_nul(found):
        raise Rejected([Problem("", "a text holds the character U+0000")])
    return found


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A dict of `pairs`; a key that comes twice is an error."""
    found = dict(pairs)
    if len(found) != len(pairs):
        raise Malformed("The body is not strict JSON: a key comes twice in one object.")
    return found


def _holds_nul(value: object) -> bool:
    """Whether any text in `value` holds U+0000, which no database stores."""
    if isinstance(value, str):
        return "\x00" in value
    if isinstance(value, dict):
        return any(_holds_nul(part) for pair in value.items() for part in pair)
    return isinstance(value, list) and any(_holds_nul(part) for part in value)


def complaints(messages: Any, pointer: str = "") -> Iterator[Problem]:
    """Marshmallow's nested messages, flattened; the outermost level is the location."""
    if isinstance(messages, dict):
        for name, inner in messages.items():
            # "json" is the body itself; "query" stays, so that ?since= is /query/since.
            step = "" if not pointer and name == "json" else f"/{name}"
            yield from complaints(inner, pointer + step)
    else:
        texts = messages if isinstance(messages, list) else [messages]
        for text in texts:
            yield Problem(pointer, str(text).rstrip("."))
