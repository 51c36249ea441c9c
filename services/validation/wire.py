"""Bytes to JSON values, by content type: one event, an array, NDJSON, or ce-* headers.

Who comes in: a request's body and headers. Who goes out: a list of parsed events, still of any
shape; or Malformed, TooLarge, UnsupportedContent. Texts name places, never what stands there.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from urllib.parse import unquote

import orjson

from services.errors import Malformed, TooLarge, UnsupportedContent

MAX_BYTES = 10 * 1024 * 1024
MAX_EVENTS = 10_000
MAX_DEPTH = 32  # of JSON; the contract's events need 5

Body = bytes | Iterable[bytes]

_JSON = "application/json"
_EVENT = "application/cloudevents+json"
_BATCH = "application/cloudevents-batch+json"
_LINES = frozenset({"application/x-ndjson", "application/ndjson"})
_READ_HERE = f"{_EVENT}, {_BATCH}, {_JSON} or application/x-ndjson"

_KEY_END = re.compile(rb'"\s*:')
_LOOSE = (b'" ', b'"\n', b'"\t', b'"\r')


def read_events(body: Body, content_type: str, headers: Mapping[str, str]) -> list[Any]:
    """The request's events as parsed JSON, in order; `headers` may be of any case.

    CloudEvents' structured and batched modes go by the content type; any other JSON with a
    ce-specversion header is in binary mode, its body being the event's `data`.
    """
    kind = _media_type(content_type)
    if kind in _LINES:
        return _read_lines(body)
    if kind not in {_JSON, _EVENT, _BATCH}:
        raise UnsupportedContent(f"this content type is not read here; send {_READ_HERE}")
    attributes = _binary_attributes(headers) if kind == _JSON else {}
    parsed = _parse(_whole(body), "the body")
    if attributes:
        return [{**attributes, "data": parsed}]
    return _as_list(parsed, kind)


def _media_type(content_type: str) -> str:
    """The type without parameters; any charset but UTF-8 is refused."""
    kind, *parameters = (part.strip().lower() for part in content_type.split(";"))
    charsets = [one.partition("=")[2].strip('"') for one in parameters if one.startswith("charset")]
    if any(charset not in {"utf-8", "utf8", "us-ascii"} for charset in charsets):
        raise UnsupportedContent("only UTF-8 is read here; send the body as UTF-8")
    return kind


def _binary_attributes(headers: Mapping[str, str]) -> dict[str, str]:
    """The ce-* headers as attributes, percent-decoded; empty when the event is in the body."""
    try:
        found = {
            name[3:].lower(): unquote(text, errors="strict")
            for name, text in headers.items()
            if name[:3].lower() == "ce-"
        }
    except UnicodeDecodeError:
        raise Malformed("a ce-* header is not percent-encoded UTF-8; encode it so") from None
    return found if "specversion" in found else {}


def _as_list(parsed: Any, kind: str) -> list[Any]:
    """One event or many, as the content type allows."""
    if isinstance(parsed, list):
        if kind == _EVENT:
            raise Malformed(f"the body is an array, the content type says one event; send {_BATCH}")
        if len(parsed) > MAX_EVENTS:
            raise TooLarge(f"more than {MAX_EVENTS} events; send them in several requests")
        return parsed
    if kind == _BATCH:
        raise Malformed("the body is no array, the content type says a batch; put it into [ ]")
    return [parsed]


def _whole(body: Body) -> bytes:
    """The body in one piece, never more than MAX_BYTES of it."""
    if isinstance(body, bytes):
        _check_size(len(body))
        return body
    return b"".join(_measured(body))


def _read_lines(body: Body) -> list[Any]:
    """One event a line, parsed while the body comes in; empty lines count for nothing."""
    found: list[Any] = []
    for number, line in enumerate(_lines(body), 1):
        if not line or line.isspace():
            continue
        if len(found) == MAX_EVENTS:
            raise TooLarge(f"more than {MAX_EVENTS} events; send them in several requests")
        found.append(_parse(line, f"line {number}"))
    return found


def _lines(body: Body) -> Iterator[bytes]:
    """The lines of a body that comes in pieces of any length."""
    if isinstance(body, bytes):
        _check_size(len(body))
        yield from body.split(b"\n")
        return
    rest = b""
    for piece in _measured(body):
        *complete, rest = (rest + piece).split(b"\n")
        yield from complete
    yield rest


def _measured(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """The same pieces until they are too many bytes."""
    size = 0
    for piece in pieces:
        size += len(piece)
        _check_size(size)
        yield piece


def _check_size(size: int) -> None:
    """Raise TooLarge beyond the contract's limit."""
    if size > MAX_BYTES:
        raise TooLarge(f"more than {MAX_BYTES // 1024 // 1024} MiB; send several requests")


def _parse(raw: bytes, where: str) -> Any:
    """Strict JSON: no NaN, no lone surrogates, no duplicate keys, no deep nesting."""
    try:
        parsed = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        # The error holds the document; neither it nor its text goes on.
        place = f"line {error.lineno} column {error.colno}"
        raise Malformed(f"{where} is not strict JSON, at {place}; mend it and send again") from None
    keys = _count_keys(parsed, where)
    if not _no_key_twice(raw, keys):
        _look_for_a_key_twice(raw, where)
    return parsed


def _count_keys(parsed: Any, where: str) -> int:
    """How many keys all objects together have."""
    keys = depth = 0
    level = [parsed]
    while level:
        depth += 1
        if depth > MAX_DEPTH:
            raise Malformed(f"{where} is nested deeper than {MAX_DEPTH} levels; events are flat")
        below: list[Any] = []
        for node in level:
            if type(node) is dict:
                keys += len(node)
                below += [one for one in node.values() if type(one) in _CONTAINERS]
            elif type(node) is list:
                below += [one for one in node if type(one) in _CONTAINERS]
        level = below
    return keys


_CONTAINERS = frozenset({dict, list})


def _no_key_twice(raw: bytes, keys: int) -> bool:
    """True only when no key comes twice: as many keys survived parsing as were written.

    Every key ends with a quote and a colon, so there are never fewer of these than keys written;
    more there may be (a text may hold them), and then the answer is False and proves nothing.
    """
    if not any(loose in raw for loose in _LOOSE):
        return raw.count(b'":') == keys
    return sum(1 for _ in _KEY_END.finditer(raw)) == keys


def _look_for_a_key_twice(raw: bytes, where: str) -> None:
    """The slow and certain way; raises Malformed."""

    def strict(pairs: list[tuple[str, Any]]) -> None:
        if len({key for key, _ in pairs}) != len(pairs):
            raise Malformed(f"{where} has a key twice in one object; keep one of them")

    json.loads(raw, object_pairs_hook=strict)
