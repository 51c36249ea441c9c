"""A parsed event to a typed envelope: CloudEvents 1.0 and Vigil's extension attributes.

Who comes in: intake, once an event, on the hot path. Who goes out: Envelope, with instants in
microseconds, or problems. What stands in `data` is the protocol's business, not this module's.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NamedTuple

import orjson

import rules
from services.clock import FIRST_YEAR, LAST_YEAR, SECOND_US
from services.repositories.events import RESERVED_SOURCE

# JSON pointer within the event, what is wrong, how to mend it.
Found = tuple[str, str, str]

PRECISIONS = ("second", "day", "month", "year")
TYPES = frozenset(str(kind) for kind in rules.EventType if kind not in rules.OWN_TYPES)

_REQUIRED = ("specversion", "id", "source", "type", "trial", "subject", "time", "data")
_OPTIONAL = ("timeprecision", "recordedtime", "datacontenttype", "dataschema")
_KNOWN = frozenset(_REQUIRED + _OPTIONAL)
_LONGEST_ID = 256
_LONGEST_SOURCE = 1024

_NAME = re.compile(r"[a-z0-9]{1,40}")
_SUBJECT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_TRIAL = _SUBJECT
_PRINTABLE = re.compile(r"[^\x00-\x1f\x7f-\x9f]+")
_URI = re.compile(r"[^\x00-\x20\x7f-\x9f<>\"{}|\\^`]+")
_TIME = re.compile(
    r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?(Z|[+-](?:[01]\d|2[0-3]):[0-5]\d)?",
    re.ASCII | re.IGNORECASE,
)

_TIME_HINT = "RFC 3339 with its offset, as in 2026-03-02T08:15:00+09:00"
_SUBJECT_HINT = "letters, digits, '.', '_' and '-', up to 64, beginning with a letter or digit"
_SOURCE_HINT = f"a URI reference of 1 to {_LONGEST_SOURCE} characters, without spaces"
_ID_HINT = f"a text of 1 to {_LONGEST_ID} characters, without control characters"


class Envelope(NamedTuple):
    """An event whose attributes hold; `data` is still as published."""

    trial: str
    source: str
    id: str
    type: str
    subject: str
    time_us: int
    timeprecision: str
    recorded_us: int | None
    data: dict[str, Any]


@dataclass(frozen=True)
class _Bad:
    """Why a text is no instant."""

    detail: str


def read_envelope(event: Any) -> tuple[Envelope | None, list[Found]]:
    """The envelope, or every problem with it."""
    if type(event) is not dict:
        return None, [("", "is not an object", "send one JSON object for each event")]
    found: list[Found] = []
    if event.keys() - _KNOWN:
        found += _unknown_attributes(event)
    if event.get("specversion") != "1.0":
        found.append(_wrong(event, "specversion", "is not 1.0", 'send "specversion": "1.0"'))
    source = _text(event, "source", _is_source, _SOURCE_HINT, found)
    own_id = _text(event, "id", _is_id, _ID_HINT, found)
    trial = _text(event, "trial", _TRIAL.fullmatch, "a trial's id, see GET /v1/trials", found)
    subject = _text(event, "subject", _SUBJECT.fullmatch, _SUBJECT_HINT, found)
    kind = _type(event, found)
    time_us = _instant(event, "time", found)
    recorded_us = _instant(event, "recordedtime", found) if "recordedtime" in event else None
    precision = event.get("timeprecision", "second")
    if precision not in PRECISIONS:
        hint = f"one of {', '.join(PRECISIONS)}"
        found.append(("/timeprecision", "is no known precision", hint))
    data = _data(event, found)
    if found:
        return None, found
    envelope = Envelope(trial, source, own_id, kind, subject, time_us, precision, recorded_us, data)
    return envelope, found


def parse_time(text: str) -> int | _Bad:
    """An RFC 3339 text as microseconds since 1970; nanoseconds are cut."""
    matched = _TIME.fullmatch(text)
    if matched is None:
        return _Bad("is no date and time")
    if matched[1] is None:
        return _Bad("has no offset")
    try:
        moment = datetime.fromisoformat(text.upper())
    except ValueError:
        return _Bad("does not exist in the calendar")
    if not FIRST_YEAR <= moment.year <= LAST_YEAR:
        return _Bad(f"lies outside of the years {FIRST_YEAR} to {LAST_YEAR}")
    since = moment - _EPOCH
    return (since.days * 86_400 + since.seconds) * SECOND_US + since.microseconds


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def canonical_json(value: Any) -> str:
    """One text for one content: sorted keys, no spaces, 38.0 written as 38."""
    text = orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
    if b".0" in text:
        text = orjson.dumps(_whole_numbers(value), option=orjson.OPT_SORT_KEYS)
    return text.decode()


def _whole_numbers(value: Any) -> Any:
    """The same with whole floats as integers: a proxy that rewrites JSON may turn 38.0 into 38."""
    if type(value) is float and value.is_integer() and abs(value) < 2**53:
        return int(value)
    if type(value) is dict:
        return {key: _whole_numbers(part) for key, part in value.items()}
    if type(value) is list:
        return [_whole_numbers(part) for part in value]
    return value


def _text(
    event: Mapping[str, Any],
    name: str,
    holds: Callable[[str], object],
    hint: str,
    found: list[Found],
) -> str:
    """The attribute if it is a text that `holds`; else a problem."""
    text = event.get(name)
    if type(text) is str and holds(text):
        return text
    found.append(_wrong(event, name, "cannot be used", hint))
    return ""


def _is_source(text: str) -> bool:
    return (
        len(text) <= _LONGEST_SOURCE
        and _URI.fullmatch(text) is not None
        and not text.startswith(RESERVED_SOURCE)
    )


def _is_id(text: str) -> bool:
    return len(text) <= _LONGEST_ID and _PRINTABLE.fullmatch(text) is not None


def _type(event: Mapping[str, Any], found: list[Found]) -> str:
    """The event type; a near miss is named."""
    kind = event.get("type")
    if type(kind) is str and kind in TYPES:
        return kind
    near = difflib.get_close_matches(kind, TYPES, 1) if type(kind) is str else []
    hint = f"did you mean {near[0]}?" if near else f"one of {', '.join(sorted(TYPES))}"
    found.append(_wrong(event, "type", "is no known event type", hint))
    return ""


def _instant(event: Mapping[str, Any], name: str, found: list[Found]) -> int:
    """An instant in microseconds; 0 with a problem."""
    text = event.get(name)
    read = parse_time(text) if type(text) is str else _Bad("is not a text")
    if isinstance(read, int):
        return read
    found.append(_wrong(event, name, read.detail, _TIME_HINT))
    return 0


def _data(event: Mapping[str, Any], found: list[Found]) -> dict[str, Any]:
    """The data, which must be a JSON object that says it is JSON."""
    kind = event.get("datacontenttype", "application/json")
    if kind != "application/json" and not (
        type(kind) is str and kind.partition(";")[0].strip().lower() == "application/json"
    ):
        hint = "leave it out, or send application/json"
        found.append(("/datacontenttype", "is not JSON", hint))
    data = event.get("data")
    if type(data) is dict:
        return data
    found.append(_wrong(event, "data", "is not an object", "send a JSON object"))
    return {}


def _wrong(event: Mapping[str, Any], name: str, detail: str, hint: str) -> Found:
    """A problem with an attribute, or that it is missing."""
    return (f"/{name}", detail if name in event else "is missing", hint)


def _unknown_attributes(event: Mapping[str, Any]) -> list[Found]:
    """Problems with attributes that are not ours: others' extensions pass, slips do not."""
    found: list[Found] = []
    for name in sorted(event.keys() - _KNOWN):
        pointer = "/" + name[:60].replace("~", "~0").replace("/", "~1")
        near = difflib.get_close_matches(name.lower(), _KNOWN, 1, cutoff=0.8)
        if name == "data_base64":
            found.append((pointer, "is not read here", "send JSON in `data`"))
        elif near:
            found.append((pointer, "is no known attribute", f"did you mean {near[0]}?"))
        elif not _NAME.fullmatch(name):
            hint = "CloudEvents' attributes have lower-case letters and digits only"
            found.append((pointer, "cannot be an attribute's name", hint))
        elif type(event[name]) in {dict, list}:
            found.append((pointer, "is not a simple value", "extensions are texts or numbers"))
    return found
