"""Input made to break the door: each answered as contract §2 says, nothing stored, nothing logged.

By group of `CASES`: (name, body, content type, headers) -> the one status it must get.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import func, select

from services.clock import iso, now_us
from services.models import events
from tests.integration.http.conftest import SOURCE, event

SUBJECT = "SUBJECT-7319"
DATA = {"code": "body_temperature", "value": 36.93187, "unit": "Cel"}
GOOD = event(1, "observation", DATA, subject=SUBJECT)
TEXT = json.dumps(GOOD)
RAW = TEXT.encode()
JSON = "application/json"
LINES = "application/x-ndjson"
BATCH = "application/cloudevents-batch+json"
ONE = "application/cloudevents+json"
LENIENT = {"Prefer": "handling=lenient"}
HEADERS = {f"ce-{name}": value for name, value in GOOD.items() if name != "data"}
LARGE = 11 * 1024 * 1024
Case = tuple[str, bytes, str, dict[str, str], int]


def case(name: str, body: Any, status: int, kind: str = JSON, **headers: str) -> Case:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return name, raw, kind, {key.replace("_", "-"): text for key, text in headers.items()}, status


def swapped(old: str, new: str) -> bytes:
    assert old in TEXT
    return TEXT.replace(old, new).encode()


def of_type(kind: str, **data: Any) -> dict[str, Any]:
    return {**GOOD, "type": kind, "data": data}


def broken_json() -> Iterator[Case]:
    twice = {
        "plain": swapped('"id":', '"id":"x","id":'),
        "white space": swapped('"id":', '"id" \t:"x","id"\r\n:'),
        "escaped": swapped('"id":', '"\\u0069d":"x","id":'),
        "nested": swapped('"code":', '"code":"x","code":'),
        "nested, escaped": swapped('"code":', '"c\\u006fde" :"x","code":'),
        "beside a decoy": swapped('"code":', '"code":"x","method":"\\":\\":","code":'),
        "escaped slash": swapped('"data":', '"a/b":1,"a\\/b":2,"data":'),
    }
    for name, raw in twice.items():
        yield case(f"a key twice, {name}", raw, 400)
        yield case(f"a key twice in a line, {name}", raw.replace(b"\r\n", b""), 400, LINES)
    for token in ("NaN", "-Infinity", "1e400", "0x10", "01", "+1", ".5", "1.", "9" * 5000):
        yield case(f"a number {token[:9]}", swapped("36.93187", token), 400)
    deep = 100_000
    for name, raw in {
        "a BOM": b"\xef\xbb\xbf" + RAW,
        "UTF-16": TEXT.encode("utf-16"),
        "UTF-16 without BOM": TEXT.encode("utf-16-le"),
        "a lone surrogate": swapped('"Cel"', '"\\ud800"'),
        "a lone surrogate as key": swapped('"data":', '"\\udc00":1,"data":'),
        "a surrogate in UTF-8": RAW.replace(b'"Cel"', b'"\xed\xa0\x80"'),
        "an overlong form": RAW.replace(b'"Cel"', b'"\xc0\xaf"'),
        "deep arrays": b"[" * deep + b"]" * deep,
        "deep objects": b'{"a":' * deep + b"1" + b"}" * deep,
        "deep data": swapped("36.93187", "[" * deep + "]" * deep),
        "two documents": RAW + RAW,
        "nothing": b"",
        "blanks": b" \n",
        "NUL": b"\0" * 9,
    }.items():
        yield case(name, raw, 400)
    yield case("one bad line", RAW + b"\n{bad\n" + RAW, 400, LINES)
    yield case("one bad line, leniently", RAW + b"\n{bad\n" + RAW, 400, LINES, **LENIENT)
    yield case("a deep line", RAW + b"\n" + b"[" * deep, 400, LINES)
    yield case("many as one", b"[" + RAW + b"]", 400, ONE)
    yield case("one as many", RAW, 400, BATCH)
    yield case("another charset", TEXT.encode("utf-16"), 415, JSON + "; charset=utf-16")


def wrong_envelopes() -> Iterator[Case]:
    for value in (None, True, 1, "x", 1.5, [GOOD]):
        yield case(f"no event but {value!r:.9}", [value], 422)
        yield case(f"a line of {value!r:.9}", value, 422, LINES)
    for name in GOOD:
        rest = {key: value for key, value in GOOD.items() if key != name}
        yield case(f"no {name}", rest, 422)
        for wrong in (None, 1, True, [], "", [SUBJECT], {"a": SUBJECT}, 1e300, "\t", "\x7f"):
            yield case(f"{name} {wrong!r}", {**GOOD, name: wrong}, 422)
    impossible: dict[str, list[Any]] = {
        "subject": ["*", "S\n", "S-٠٠١", "S" * 65, "../x", "a/b"],
        "id": ["x" * 257, "x\ny", "\x00"],
        "source": ["a b", "vigil:contribution"],
        "trial": ["*"],
        "type": ["contribution", "discard", "activation", "Observation"],
        "specversion": ["1.0.2", "0.3"],
        "datacontenttype": ["text/xml", 3],
        "data_base64": ["e30="],
        "myext": [{"a": 1}],
        "My-Ext": ["a"],
        "timePrecision": ["day"],
        "timeprecision": ["hour", "", None, 1, [], {}, "Day"],
        "recordedtime": [None, 1, "now", "2026-03-02T08:15:00"],
    }
    for name, texts in impossible.items():
        for value in texts:
            yield case(f"{name} {value!r:.20}", {**GOOD, name: value}, 422)


TIMES = [
    "2026-03-02",
    "2026-03-02T08:15:00",
    "2026-03-02 08:15:00Z",
    "0000-01-01T00:00:00Z",
    "0001-01-01T00:00:00+23:59",
    "9999-12-31T23:59:59-23:59",
    "2026-03-02T08:15:00+24:00",
    "2026-03-02T08:15:00+23:60",
    "2026-03-02T08:15:00+0900",
    "2016-12-31T23:59:60Z",
    "2026-03-02T24:00:00Z",
    "2026-02-29T00:00:00Z",
    "2026-13-01T00:00:00Z",
    "2026-03-02T08:15Z",
    "2026-03-02T08:15:00.1234567890Z",
    "٢٠٢٦-03-02T08:15:00Z",
    "2026-03-02T08:15:00Z\n",
    "2026-W10-1T08:15:00Z",
    "20260302T081500Z",
    "2199-12-31T23:59:59Z",
]


def wrong_times() -> Iterator[Case]:
    for text in TIMES:
        yield case(f"time {text}", {**GOOD, "time": text}, 422)
    yield case("time ahead", {**GOOD, "time": iso(now_us() + 6 * 60_000_000)}, 422)
    # The flagship's site is in Seoul: 2 March begins there at 15:00 UTC of 1 March.
    for precision, text in {
        "day": "2026-03-02T00:00:00Z",
        "month": "2026-03-02T00:00:00+09:00",
        "year": "2026-02-01T00:00:00+09:00",
    }.items():
        wrong = {**GOOD, "timeprecision": precision, "time": text}
        yield case(f"a {precision} that begins elsewhere", wrong, 422)


def wrong_data() -> Iterator[Case]:
    for value in ("37", None, [], {}, [37], {"code": "x"}, True, -0.0, 2**53, 10**25, 1e-300):
        yield case(f"value {value!r}", {**GOOD, "data": {**DATA, "value": value}}, 422)
    unit: Any
    for unit in ("kg", "", None, 1, [], "C", "[degf]", "m" * 101, "Cel/0", "%", "((((", "\x00"):
        yield case(f"unit {unit!r:.9}", {**GOOD, "data": {**DATA, "unit": unit}}, 422)
    more: Any
    for more in ({"absent": "unknown"}, {"x": 1}, {"code": ["x"]}, {"coding": [{"system": []}]}):
        yield case(f"{more!r}", {**GOOD, "data": {**DATA, **more}}, 422)
    for born in ("2030-01-01", "2020-02-30", "0000", 2019, None, "2019-", "2019-01\n", "٢٠١٩"):
        yield case(f"born {born!r}", of_type("demographics", birth_date=born), 422)
    onset: Any
    for onset in ("2026-03-01T00:00:00", "2026-03-01T00:00:00+24:00", "0001-01-01", 1, []):
        data = {"code": "arrhythmia", "status": "active", "onset": onset}
        yield case(f"onset {onset!r}", of_type("condition", **data), 422)
    for grade in (0, 6, 3.5, True, "3", 1e300):
        yield case(f"grade {grade!r}", of_type("adverse_event", ae="a", grade=grade), 422)
    corrects = {"source": SOURCE, "id": "x"}
    itself = {"source": SOURCE, "id": GOOD["id"]}
    elsewhere = {"source": "https://other.example/", "id": "x"}
    repair: dict[str, Any]
    for repair in (
        {"entered_in_error": True},
        {"corrects": corrects},
        {"corrects": corrects, "entered_in_error": False},
        {"corrects": {"source": [], "id": {}}, "entered_in_error": True},
        {"corrects": elsewhere, "entered_in_error": True},
        {"corrects": itself, "entered_in_error": True},
        {"corrects": itself, "data": DATA},
    ):
        yield case(f"correction {repair!r}", of_type("correction", **repair), 422)
    yield case("an unknown trial", {**GOOD, "trial": "nowhere"}, 404)
    other = {**GOOD, "data": {**DATA, "value": 37.5}}
    yield case("two contents of one id", [GOOD, other], 409)


def binary_mode() -> Iterator[Case]:
    yield case("a body that is no JSON", b"36.93187 Cel", 400, **HEADERS)
    yield case("no body", b"", 400, **HEADERS)
    yield case("a body that is no object", [DATA], 422, **HEADERS)
    yield case("another media type", DATA, 415, "text/plain", **HEADERS)
    for name in HEADERS:
        rest = {key: text for key, text in HEADERS.items() if key != name}
        yield case(f"no {name}", DATA, 422, **rest)
    for name, text, status in (
        ("ce-subject", "%FF", 400),
        ("ce-subject", "S%0A", 422),
        ("ce-id", "%00", 422),
        ("ce-", "x", 422),
        ("ce-datacontenttype", "text/plain", 422),
        ("ce-recordedtime", "x", 422),
    ):
        yield case(f"{name}: {text}", DATA, status, **{**HEADERS, name: text})


def sizes() -> Iterator[Case]:
    for kind in (JSON, LINES):
        yield case(f"11 MiB of {kind}", b'{"a":"' + b"x" * LARGE + b'"}', 413, kind)
    yield case("11 MiB of nothing", b" " * LARGE, 413, LINES)
    many = b"[" + b",".join([RAW] * 10_001) + b"]"
    yield case("10,001 events", many, 413)
    yield case("10,001 events, leniently", many, 413, **LENIENT)


CASES = {
    make.__name__: make
    for make in (broken_json, wrong_envelopes, wrong_times, wrong_data, binary_mode, sizes)
}


def complaints(answer: Any, status: int) -> Iterator[str]:
    """What is wrong with an answer to hostile input."""
    if answer.status_code != status:
        yield f"{answer.status_code} and not {status}"
        return
    if answer.content_type != "application/problem+json":
        yield answer.content_type
    if SUBJECT in answer.text or "36.93187" in answer.text:
        yield "repeats what was sent"
    if status not in {409, 422}:
        if not answer.json.get("detail"):
            yield "no detail"
        return
    told = answer.json.get("errors")
    if not told:
        yield "no errors"
    for error in told or ():
        if error.keys() != {"index", "pointer", "detail", "hint"} or not error["detail"]:
            yield f"an error without its parts: {sorted(error)}"
        if error["pointer"] and not error["pointer"].startswith("/"):
            yield "a pointer that is none"


@pytest.mark.parametrize("group", CASES)
def test_it_is_refused_as_the_contract_says_and_leaves_no_trace(house, caplog, group):
    door = house.door("publisher")
    failures = []
    cases = list(CASES[group]())
    with caplog.at_level(logging.DEBUG):
        for name, body, kind, headers, status in cases:
            answer = door.post("/v1/events", data=body, content_type=kind, headers=headers)
            failures += [f"{name}: {wrong}" for wrong in complaints(answer, status)]
    assert failures == []
    with house.services.database.reading() as conn:
        assert conn.execute(select(func.count()).select_from(events)).scalar_one() == 0
    logged = [f"{record.msg} {record.args}" for record in caplog.records]
    assert sum('"route"' in line or "'route'" in line for line in logged) == len(cases)
    secrets = (SUBJECT, "36.93187", "body_temperature", GOOD["id"], door.key)
    assert [line for line in logged for secret in secrets if secret in line] == []


class Endless:
    """A body that never ends, of one piece again and again."""

    def __init__(self, piece: bytes) -> None:
        self.piece, self.told = piece, 0

    def read(self, size: int = -1) -> bytes:
        assert self.told < 64 * 1024 * 1024, "read without bound"
        size = 65_536 if size < 0 else size
        self.told += size
        return (self.piece * (size // len(self.piece) + 1))[:size]


@pytest.mark.parametrize("kind", [JSON, LINES, BATCH])
@pytest.mark.parametrize("piece", [b"\n", b"x", b'{"a":1}\n', b"["])
def test_a_body_without_length_that_never_ends_is_413(house, kind, piece):
    answer = house.door("publisher").post(
        "/v1/events",
        content_type=kind,
        environ_overrides={"wsgi.input_terminated": True, "wsgi.input": Endless(piece)},
    )
    assert answer.status_code in ({400, 413} if kind == LINES else {413})


def test_a_conflict_names_the_event_of_the_request_that_it_is_about(house):
    door = house.door("publisher")
    assert door.post("/v1/events", json=GOOD).status_code == 202
    other = {**GOOD, "data": {**DATA, "value": 37.5}}
    answer = door.post("/v1/events", json=[{**GOOD, "id": "e-2"}, GOOD, other])
    assert answer.status_code == 409
    (error,) = answer.json["errors"]
    assert (error["index"], error["pointer"]) == (2, "/id")
    assert error["detail"]
    assert error["hint"]


def test_a_date_alone_is_the_sites_day(house):
    midnight = {**GOOD, "timeprecision": "day", "time": "2026-03-01T15:00:00Z"}
    assert house.door("publisher").post("/v1/events", json=midnight).status_code == 202


def test_a_correction_that_came_first_and_does_not_fit_holds_nobody_up(house):
    door = house.door("publisher")
    corrects = {"source": SOURCE, "id": "later"}
    ahead = of_type("correction", corrects=corrects, data={"grade": [], "onset": "never"})
    target = {**of_type("adverse_event", ae="A-1", grade=3, serious=True), "id": "later"}
    death = {**of_type("death", causality="related"), "id": "last"}
    for sent in (ahead, target, death):
        assert door.post("/v1/events", json=sent).status_code == 202
        house.evaluate()
    alerts = house.door("clinician").get(f"/v1/alerts?subject={SUBJECT}").json["items"]
    told = {alert["rule"]: alert for alert in alerts}
    assert {"OPS-CORRECTION-UNFIT", "S-SAE", "S-RELATED-G3", "S-DEATH"} <= told.keys()
    unfit = told["OPS-CORRECTION-UNFIT"]
    assert (unfit["category"], unfit["status"]) == ("operations", "open")
    again = {**of_type("correction", corrects=corrects, data={"ae": "A-1", "grade": 2}), "id": "c2"}
    assert door.post("/v1/events", json=again).status_code == 202
    house.evaluate()
    alerts = house.door("clinician").get(f"/v1/alerts?subject={SUBJECT}&status=open").json["items"]
    assert {alert["rule"] for alert in alerts} == {"PAUSE-DEATH", "S-DEATH"}
