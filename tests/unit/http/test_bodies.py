"""Small bodies and queries are read strictly: what is ambiguous is refused, not guessed."""

import pytest
from marshmallow import ValidationError

from services.errors import Malformed, Rejected
from services.http.bodies import complaints, strict_object
from services.http.schemas.fields import Instant


@pytest.mark.parametrize(
    "raw",
    [
        b'{"a": 1, "a": 2}',
        b'{"a": {"b": 1, "b": 1}}',
        b'{"a": NaN}',
        b'{"a": Infinity}',
        b'{"a": "\xff"}',
        b'{"a": "\\ud800"}',
        b"{'a': 1}",
        b'{"a": 1',
        b"[" * 100_000,
        b'{"a":' * 5_000 + b"1" + b"}" * 5_000,
    ],
)
def test_what_is_not_strict_json_is_malformed(raw):
    with pytest.raises(Malformed):
        strict_object(raw)


@pytest.mark.parametrize(
    "raw", [b"[]", b"1", b'"a"', b"null", b'{"a": "\\u0000"}', b'{"\\u0000": 1}']
)
def test_what_is_no_object_or_cannot_be_stored_is_rejected(raw):
    with pytest.raises(Rejected):
        strict_object(raw)


def test_a_backslash_before_u0000_is_only_text():
    assert strict_object(b'{"a": "\\\\u0000"}') == {"a": "\\u0000"}


def test_complaints_point_into_the_body_and_name_the_query():
    nested = {"json": {"channel": {"url": ["Missing data for required field."]}}}
    assert [(p.pointer, p.detail) for p in complaints(nested)] == [
        ("/channel/url", "Missing data for required field")
    ]
    assert [p.pointer for p in complaints({"query": {"limit": ["no"]}})] == ["/query/limit"]


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        ("1970-01-01T00:00:01Z", 1_000_000),
        ("1970-01-01T09:00:01+09:00", 1_000_000),
        ("1970-01-01T09:00:01 09:00", 1_000_000),  # an unescaped + in a query string
    ],
)
def test_an_instant_is_read_with_its_offset(text, instant):
    assert Instant().deserialize(text) == instant


@pytest.mark.parametrize(
    "text", ["2026-03-02T08:15:00", "2026-03-02", "2026-02-30T00:00:00Z", "", "now", 5, "0" * 99]
)
def test_an_instant_without_offset_or_impossible_is_refused(text):
    with pytest.raises(ValidationError):
        Instant().deserialize(text)
