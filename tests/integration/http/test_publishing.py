"""Publishing over HTTP: contract §2, on both stores."""

import io
import json
from typing import Any

import pytest
from sqlalchemy import func, select

from services.models import events as table

BATCH = "application/cloudevents-batch+json"
TEMPERATURE = {"code": "body_temperature", "value": 36.9, "unit": "Cel"}


def stored(house):
    with house.services.database.reading() as conn:
        return conn.execute(select(func.count()).select_from(table)).scalar_one()


@pytest.fixture
def publisher(house):
    return house.door("publisher")


@pytest.mark.parametrize(
    "kind", ["application/json", "application/cloudevents+json", "application/json; charset=utf-8"]
)
def test_one_event_is_accepted_and_its_status_can_be_read(house, publisher, make_event, kind):
    answer = publisher.post(
        "/v1/events", data=json.dumps(make_event(1, "observation", TEMPERATURE)), content_type=kind
    )
    assert answer.status_code == 202
    body = answer.json
    assert (body["accepted"], body["duplicates"]) == (1, 0)
    (item,) = body["events"]
    assert item["id"] == "e-1"
    assert item["status"] == "accepted"
    assert item["href"] == f"/v1/events/{item['event']}"
    status = publisher.get(item["href"]).json
    assert status["status"] == "pending"
    assert status["evaluated_at"] is None
    house.evaluate()
    status = publisher.get(item["href"]).json
    assert status["status"] == "evaluated"
    assert status["evaluated_at"]
    assert status["error"] is None


def test_many_events_come_as_array_batch_or_lines(house, publisher, make_event):
    several = [make_event(number, "observation", TEMPERATURE) for number in range(6)]
    as_array = publisher.post(
        "/v1/events", data=json.dumps(several[:2]), content_type="application/json"
    )
    as_batch = publisher.post("/v1/events", data=json.dumps(several[2:4]), content_type=BATCH)
    lines = "\n".join(json.dumps(one) for one in several[4:]) + "\n\n"
    as_lines = publisher.post("/v1/events", data=lines, content_type="application/x-ndjson")
    assert [answer.status_code for answer in (as_array, as_batch, as_lines)] == [202, 202, 202]
    assert [answer.json["accepted"] for answer in (as_array, as_batch, as_lines)] == [2, 2, 2]


def test_lines_of_unknown_length_are_read_as_they_come(house, publisher, make_event):
    lines = "".join(
        json.dumps(make_event(number, "observation", TEMPERATURE)) + "\n" for number in range(500)
    )
    answer = publisher.post(
        "/v1/events",
        input_stream=io.BytesIO(lines.encode()),
        content_type="application/x-ndjson",
        environ_overrides={"wsgi.input_terminated": True},
    )
    assert answer.status_code == 202
    assert answer.json["accepted"] == 500


def test_binary_mode_takes_attributes_from_headers(publisher, make_event):
    event = make_event(1, "observation", TEMPERATURE)
    headers = {f"ce-{name}": value for name, value in event.items() if name != "data"}
    answer = publisher.post("/v1/events", json=event["data"], headers=headers)
    assert answer.status_code == 202
    assert answer.json["events"][0]["id"] == "e-1"


def test_the_same_event_again_is_a_duplicate_with_the_same_id(house, publisher, make_event):
    event = make_event(1, "observation", TEMPERATURE)
    first = publisher.post("/v1/events", json=event).json
    again = publisher.post("/v1/events", json={**event, "time": "2026-03-01T23:01:00Z"}).json
    assert (again["accepted"], again["duplicates"]) == (0, 1)
    assert again["events"][0]["event"] == first["events"][0]["event"]
    assert stored(house) == 1


def test_the_same_id_with_other_content_is_409_and_nothing_is_stored(house, publisher, make_event):
    publisher.post("/v1/events", json=make_event(1, "observation", TEMPERATURE))
    other = make_event(1, "observation", {**TEMPERATURE, "value": 39.9})
    answer = publisher.post("/v1/events", json=[make_event(2, "observation", TEMPERATURE), other])
    assert answer.status_code == 409
    assert b"39.9" not in answer.data
    assert stored(house) == 1


WRONG: dict[str, dict[str, Any]] = {
    "an unknown type": {"type": "horoscope"},
    "an undeclared code": {"data": {"code": "horoscope", "value": 1}},
    "a unit that cannot be converted": {
        "data": {"code": "body_temperature", "value": 37, "unit": "kg"}
    },
    "a text for a number": {"data": {"code": "body_temperature", "value": "37", "unit": "Cel"}},
    "an impossible value": {"data": {"code": "body_temperature", "value": 370, "unit": "Cel"}},
    "a naive time": {"time": "2026-03-02T08:15:00"},
    "an impossible date": {"time": "2026-02-30T08:15:00Z"},
    "a time in the future": {"time": "2126-03-02T08:15:00Z"},
    "a subject that is no pseudonym": {"subject": "two words"},
    "no data": {"data": None},
    "an unknown key": {"data": {**TEMPERATURE, "colour": "red"}},
    "a U+0000": {
        "data": {"code": "body_temperature", "value": 37, "unit": "Cel", "method": "\x00"}
    },
    "a U+0000 in the id": {"id": "\x00"},
}


@pytest.mark.parametrize("wrong", WRONG)
def test_what_is_wrong_is_422_with_its_place_and_nothing_is_stored(
    house, publisher, make_event, wrong
):
    good = make_event(1, "observation", TEMPERATURE)
    bad = {**make_event(2, "observation", TEMPERATURE), **WRONG[wrong]}
    answer = publisher.post("/v1/events", json=[good, bad])
    assert answer.status_code == 422
    assert answer.json["errors"]
    for error in answer.json["errors"]:
        assert error["index"] == 1
        assert error["pointer"].startswith("/")
        assert error["detail"]
    assert stored(house) == 0


@pytest.mark.parametrize("wrong", WRONG)
def test_leniently_the_good_ones_are_stored_and_each_has_its_status(
    house, publisher, make_event, wrong
):
    good = make_event(1, "observation", TEMPERATURE)
    bad = {**make_event(2, "observation", TEMPERATURE), **WRONG[wrong]}
    answer = publisher.post(
        "/v1/events", json=[good, bad, good], headers={"Prefer": "handling=lenient"}
    )
    assert answer.status_code == 207
    assert [item["status"] for item in answer.json["events"]] == [
        "accepted",
        "refused",
        "duplicate",
    ]
    assert answer.json["events"][1]["errors"]
    assert stored(house) == 1


MALFORMED = {
    "not JSON": b"{'id': 1}",
    "cut off": b'[{"id": "x"',
    "a key twice": b'{"id": "x", "id": "y"}',
    "NaN": b'{"data": {"value": NaN}}',
    "Infinity": b'{"data": {"value": -Infinity}}',
    "deep": b"[" * 50_000 + b"]" * 50_000,
    "not UTF-8": b'{"id": "\xff\xfe"}',
    "nothing": b"",
}


@pytest.mark.parametrize("how", MALFORMED)
@pytest.mark.parametrize("lenient", [False, True])
def test_what_cannot_be_read_is_400_and_nothing_is_stored(house, publisher, how, lenient):
    headers = {"Prefer": "handling=lenient"} if lenient else {}
    answer = publisher.post(
        "/v1/events", data=MALFORMED[how], content_type="application/json", headers=headers
    )
    assert answer.status_code == 400
    assert stored(house) == 0


@pytest.mark.parametrize(
    "kind", ["text/plain", "application/xml", "", "application/json; charset=utf-16"]
)
def test_a_content_type_that_is_not_read_is_415(publisher, kind):
    assert publisher.post("/v1/events", data=b"{}", content_type=kind).status_code == 415


def test_a_compressed_body_is_415(publisher):
    answer = publisher.post(
        "/v1/events",
        data=b"x",
        content_type="application/json",
        headers={"Content-Encoding": "gzip"},
    )
    assert answer.status_code == 415


def test_more_than_ten_thousand_events_are_413(house, publisher, make_event):
    line = json.dumps(make_event(1, "observation", TEMPERATURE)) + "\n"
    answer = publisher.post("/v1/events", data=line * 10_001, content_type="application/x-ndjson")
    assert answer.status_code == 413
    assert stored(house) == 0


def test_an_unknown_trial_is_404_and_one_outside_the_keys_403(house, publisher, make_event):
    event = make_event(1, "observation", TEMPERATURE)
    assert publisher.post("/v1/events", json={**event, "trial": "nowhere"}).status_code == 404
    narrow = house.key("publisher", None, ("elsewhere",))
    assert narrow.post("/v1/events", json=event).status_code == 403
    assert narrow.post("/v1/events", json={**event, "trial": "nowhere"}).status_code == 403
    assert stored(house) == 0


def test_a_publisher_reads_back_its_own_events_only(house, publisher, make_event):
    href = publisher.post("/v1/events", json=make_event(1, "observation", TEMPERATURE)).json[
        "events"
    ][0]["href"]
    assert publisher.get(href).status_code == 200
    assert house.key("publisher").get(href).status_code == 404
    assert house.door("clinician").get(href).status_code == 200
    assert (
        house.key("clinician", "the-second-clinician", ("elsewhere",)).get(href).status_code == 404
    )


def test_an_override_needs_a_clinicians_key_and_a_waivable_criterion(house, publisher, make_event):
    data = {"criterion": "E7", "by": "the-investigator", "reason": "washed out"}
    assert publisher.post("/v1/events", json=make_event(1, "override", data)).status_code == 422
    clinician = house.door("clinician")
    assert (
        clinician.post(
            "/v1/events", json=make_event(2, "override", {**data, "criterion": "E1"})
        ).status_code
        == 422
    )
    assert clinician.post("/v1/events", json=make_event(3, "override", data)).status_code == 202
    assert (
        clinician.post("/v1/events", json=make_event(4, "observation", TEMPERATURE)).status_code
        == 403
    )
