"""Bad input at the door: each refused as the contract says, and no text repeats a value."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from services.errors import Malformed, TooLarge, UnsupportedContent
from services.validation import MAX_BYTES, MAX_EVENTS, canonical_json, read_envelope, read_events
from tests.support.trials import event

JSON = "application/json"
EVENT = "application/cloudevents+json"
BATCH = "application/cloudevents-batch+json"
LINES = "application/x-ndjson"
SECRET = "SECRET-7319"


def read(body: Any, content_type: str = JSON, headers: dict[str, str] | None = None) -> list[Any]:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return read_events(raw, content_type, headers or {})


# --- content types ------------------------------------------------------------------------------
@pytest.mark.parametrize("content_type", [JSON, EVENT, "Application/JSON; charset=UTF-8"])
def test_one_event_is_read(content_type: str) -> None:
    one = event()
    assert read(one, content_type) == [one]


@pytest.mark.parametrize("content_type", [JSON, BATCH])
def test_an_array_is_many_events(content_type: str) -> None:
    many = [event(), event()]
    assert read(many, content_type) == many
    assert read([], content_type) == []


def test_lines_are_read_however_they_are_cut() -> None:
    many = [event(), event(), event()]
    raw = b"\r\n".join(json.dumps(one).encode() for one in many) + b"\n\n"

    def pieces(size: int) -> Iterator[bytes]:
        return (raw[start : start + size] for start in range(0, len(raw), size))

    assert read_events(raw, LINES, {}) == many
    assert all(read_events(pieces(size), LINES, {}) == many for size in (1, 7, 100, 10_000))


def test_binary_mode_takes_its_attributes_from_headers() -> None:
    one = event(id="Grüße 1%")
    headers = {f"Ce-{name}": str(text) for name, text in one.items() if name != "data"}
    headers["Ce-Id"] = "Gr%C3%BC%C3%9Fe%201%25"
    del headers["Ce-id"]
    assert read(one["data"], JSON, headers) == [one]
    assert read(one, EVENT, headers) == [one]  # the content type decides


@pytest.mark.parametrize(
    ("body", "content_type"),
    [(event(), BATCH), ([event()], EVENT)],
)
def test_a_body_that_contradicts_its_content_type_is_malformed(
    body: Any, content_type: str
) -> None:
    with pytest.raises(Malformed):
        read(body, content_type)


@pytest.mark.parametrize(
    "content_type", ["", "text/plain", "application/xml", "application/json; charset=latin-1"]
)
def test_other_content_types_are_refused(content_type: str) -> None:
    with pytest.raises(UnsupportedContent):
        read(event(), content_type)


# --- broken JSON --------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"{",
        b'{"a": NaN}',
        b'{"a": Infinity}',
        b'{"a": 1e999}',
        b'{"a": "\xff"}',
        b'{"a": "\\ud800"}',
        b"\xef\xbb\xbf{}",
        b"{'a': 1}",
        b'{"a": 1,}',
        b'{"a": 01}',
        b'{"a": 1} {"b": 2}',
        b"[" * 100_000,
        b'{"a":' * 2000 + b"1" + b"}" * 2000,
        b'{"a":' * 40 + b"1" + b"}" * 40,
    ],
)
@pytest.mark.parametrize("content_type", [JSON, LINES])
def test_what_is_not_strict_json_is_malformed(raw: bytes, content_type: str) -> None:
    if not raw and content_type == LINES:
        assert read(raw, content_type) == []
        return
    with pytest.raises(Malformed):
        read(raw, content_type)


@pytest.mark.parametrize(
    "raw",
    [
        b'{"a":1,"a":1}',
        b'{"a" :1,"a":1}',
        b'{"a"\n:1,"a"\t:2}',
        b'{"a":{"b":1,"b":2}}',
        b'[{"a":1},{"c":[{"b":1,"b":2}]}]',
        b'{"a":"x\\":y","a":2}',
        b'{"\\u0061":1,"a":2}',
        b'{"a" :1,"a" :2,"b":"\\":\\":"}',
    ],
)
def test_a_key_that_comes_twice_is_malformed(raw: bytes) -> None:
    with pytest.raises(Malformed, match="twice"):
        read(raw)


@pytest.mark.parametrize(
    "raw",
    [b'{"a":"\\":","b":"x\\" :"}', b'{"a" : "\\": \\": "}', b'[{"a":1},{"a":1}]', b'{"":":"}'],
)
def test_what_only_looks_like_a_key_does_not_count(raw: bytes) -> None:
    found = json.loads(raw)
    assert read(raw) == (found if isinstance(found, list) else [found])


def test_errors_of_reading_never_quote_the_body() -> None:
    for raw in (f'{{"a": {SECRET}', f'{{"{SECRET}":1,"{SECRET}":2}}', f"{SECRET}"):
        with pytest.raises(Malformed) as caught:
            read(raw.encode())
        assert SECRET not in str(caught.value)
        assert caught.value.__cause__ is None
        assert caught.value.__suppress_context__ or caught.value.__context__ is None


# --- sizes --------------------------------------------------------------------------------------
@pytest.mark.parametrize("content_type", [JSON, LINES])
def test_eleven_mebibytes_are_too_large(content_type: str) -> None:
    raw = b" " * (11 * 1024 * 1024)
    with pytest.raises(TooLarge):
        read_events(raw, content_type, {})
    endless = (b" " * 100_000 for _ in iter(int, 1))  # and reading stops there
    with pytest.raises(TooLarge):
        read_events(endless, content_type, {})
    assert MAX_BYTES == 10 * 1024 * 1024


@pytest.mark.parametrize("content_type", [JSON, BATCH, LINES])
def test_ten_thousand_and_one_events_are_too_many(content_type: str) -> None:
    if content_type == LINES:
        enough, more = b"{}\n" * MAX_EVENTS, b"{}\n" * (MAX_EVENTS + 1)
    else:
        enough = b"[" + b",".join([b"{}"] * MAX_EVENTS) + b"]"
        more = b"[{}," + enough[1:]
    assert len(read_events(enough, content_type, {})) == MAX_EVENTS
    with pytest.raises(TooLarge):
        read_events(more, content_type, {})


# --- envelopes ----------------------------------------------------------------------------------
WRONG: list[tuple[str, Any]] = [
    ("specversion", "0.3"),
    ("specversion", 1.0),
    ("specversion", None),
    ("id", ""),
    ("id", 7),
    ("id", "a\x00b"),
    ("id", "x" * 257),
    ("id", None),
    ("source", ""),
    ("source", "two words"),
    ("source", "vigil:service"),
    ("source", ["x"]),
    ("source", None),
    ("type", "observatoin"),
    ("type", "contribution"),
    ("type", "activation"),
    ("type", ["observation"]),
    ("type", None),
    ("trial", ""),
    ("trial", "a/b"),
    ("trial", None),
    ("subject", "*"),
    ("subject", "-S"),
    ("subject", "S 1"),
    ("subject", "x" * 65),
    ("subject", "S-1\n"),
    ("subject", 1),
    ("subject", None),
    ("time", "2026-03-02T08:15:00"),
    ("time", "2026-03-02"),
    ("time", "2026-02-30T08:15:00Z"),
    ("time", "2026-03-02T25:15:00Z"),
    ("time", "2026-03-02T08:15:00+25:00"),
    ("time", "٢٠٢٦-03-02T08:15:00Z"),
    ("time", "1826-03-02T08:15:00Z"),
    ("time", "9999-03-02T08:15:00Z"),
    ("time", "20260302T081500Z"),
    ("time", 1772406900),
    ("time", None),
    ("recordedtime", "yesterday"),
    ("recordedtime", {"a": 1}),
    ("timeprecision", "hour"),
    ("timeprecision", ["day"]),
    ("data", "text"),
    ("data", []),
    ("data", None),
    ("datacontenttype", "text/xml"),
    ("datacontenttype", 1),
    ("data_base64", "aGk="),
    ("timePrecision", "day"),
    ("recordtime", "2026-03-02T08:15:00Z"),
    ("bad name", 1),
    ("nested", {"a": 1}),
]


@pytest.mark.parametrize(("name", "value"), WRONG)
def test_a_wrong_attribute_is_a_problem_at_its_place(name: str, value: Any) -> None:
    envelope, found = read_envelope(event(**{name: value}))
    assert envelope is None
    assert [pointer for pointer, _, _ in found] == [f"/{name}"]
    assert all(detail and hint for _, detail, hint in found)


@pytest.mark.parametrize("published", [None, 1, "text", [], [[]], True])
def test_what_is_no_object_is_a_problem(published: Any) -> None:
    assert read_envelope(published)[1][0][0] == ""


def test_every_problem_is_told_at_once() -> None:
    _, found = read_envelope({})
    expected = {"specversion", "id", "source", "type", "trial", "subject", "time", "data"}
    assert {pointer.strip("/") for pointer, _, _ in found} == expected


def test_others_extension_attributes_pass() -> None:
    more = {"traceparent": "00-ab-cd-01", "partitionkey": 7, "dataschema": "urn:x", "urgent": True}
    envelope, found = read_envelope(event(**more))
    assert envelope is not None
    assert found == []


def test_problems_never_quote_a_value() -> None:
    names = ("id", "source", "type", "subject", "time", "timeprecision", "datacontenttype")
    _, found = read_envelope(event(**dict.fromkeys(names, f"{SECRET}\x00")))
    assert len(found) == len(names)
    assert SECRET not in str(found)


def test_instants_are_exact() -> None:
    envelope, _ = read_envelope(event(time="2026-03-02T08:15:00.123456789+09:00"))
    assert envelope is not None
    assert envelope.time_us == 1_772_406_900_123_456


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"a": 38.0, "b": [1.0]}, {"b": [1], "a": 38}),
        ({"a": "1.0"}, {"a": "1.0"}),
        ({"a": -0.0}, {"a": 0}),
    ],
)
def test_one_content_has_one_text(one: Any, other: Any) -> None:
    assert canonical_json(one) == canonical_json(other)


def test_other_content_has_another_text() -> None:
    texts = {canonical_json(value) for value in (38.1, 38, "38", True, 1, None, [38], 2.0**60)}
    assert len(texts) == 8
