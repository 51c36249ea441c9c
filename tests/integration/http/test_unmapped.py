"""An undeclared code is refused, and becomes an item of a worklist: no subject, no value."""

import json

import pytest
from sqlalchemy import func, select

from services import intake, models
from services.errors import Busy
from services.repositories import unmapped
from services.repositories.unmapped import Unmapped

PATH = "/v1/trials/msc-cgvhd/unmapped"
KNOWN = {"code": "body_temperature", "value": 36.9, "unit": "Cel"}
LOINC = "http://loinc.org"


@pytest.fixture
def refuse(house, make_event):
    """Publish data of one type each, expecting a refusal of the whole."""

    def send(*several, kind="observation"):
        body = [make_event(number, kind, data) for number, data in enumerate(several)]
        return house.door("publisher").post("/v1/events", json=body)

    return send


def listed(house, role="ops"):
    answer = house.door(role).get(PATH)
    assert answer.status_code == 200, answer.text
    return answer.json["items"]


def test_undeclared_codes_are_refused_and_counted(house, refuse):
    coded = {"coding": [{"system": LOINC, "code": "9999-9"}, {"system": "urn:x:y", "code": "GLU"}], "value": 7}  # fmt: skip
    assert refuse({"code": "glucose", "value": 7.125}, coded, KNOWN).status_code == 422
    assert refuse({"code": "glucose", "value": 9.375}).status_code == 422
    assert refuse({"code": "glucose", "status": "active"}, kind="condition").status_code == 422
    found = {(i["type"], i["system"], i["code"]): i["count"] for i in listed(house)}
    assert found == {
        ("observation", None, "glucose"): 2,
        ("condition", None, "glucose"): 1,
        ("observation", LOINC, "9999-9"): 1,
        ("observation", "urn:x:y", "GLU"): 1,
    }
    first = listed(house)[0]
    assert (first["code"], first["count"]) == ("glucose", 2)
    assert first["first_seen"] <= first["last_seen"]
    # Less its instants: their digits are anything.
    untimed = [
        {name: one for name, one in item.items() if "seen" not in name} for item in listed(house)
    ]
    everything = json.dumps(untimed)
    assert "7.125" not in everything
    assert "S-" not in everything


def test_what_is_accepted_or_refused_for_another_reason_is_not_counted(house, refuse):
    assert refuse(KNOWN).status_code == 202
    assert refuse({**KNOWN, "value": "hot"}).status_code == 422
    assert (
        refuse({"code": 5, "value": 1}, {"value": 1}, {"coding": "x", "value": 1}).status_code
        == 422
    )
    assert refuse({"subject": "x"}, kind="horoscope").status_code == 422
    assert listed(house) == []


def test_a_lenient_request_counts_what_it_refuses_and_stores_the_rest(house, make_event):
    body = [make_event(1, "observation", KNOWN), make_event(2, "observation", {"code": "glu"})]
    answer = house.door("publisher").post(
        "/v1/events", json=body, headers={"Prefer": "handling=lenient"}
    )
    assert (answer.status_code, answer.json["accepted"]) == (207, 1)
    assert [item["code"] for item in listed(house)] == ["glu"]


def test_a_text_that_does_not_look_like_a_code_is_not_kept(house, refuse):
    name = "Hong Gildong, born 1980"
    refuse({"code": name, "value": 1}, {"code": "x" * 65, "value": 1})
    refuse({"coding": [{"system": "the big book", "code": "A1"}], "value": 1})
    (item,) = listed(house)
    assert (item["system"], item["code"], item["count"]) == (None, "?", 3)
    assert "Gildong" not in house.door("admin").get(PATH).text


def test_more_different_codes_than_the_bound_are_counted_together(house, monkeypatch):
    monkeypatch.setattr(unmapped, "MOST", 3)
    with house.services.database.writing() as conn:
        for name in ("a", "b", "c", "d", "e", "a"):
            unmapped.note(conn, {Unmapped("msc-cgvhd", "observation", "", name): 2}, 1_000)
    with house.services.database.reading() as conn:
        rows = {row.code: row.refusals for row in unmapped.of_trial(conn, "msc-cgvhd")}
    assert rows == {"a": 4, "b": 2, "c": 2, "?": 4}


def test_a_code_that_is_declared_by_now_is_no_longer_on_the_list(house):
    noted = Unmapped("msc-cgvhd", "observation", "", "body_temperature")
    with house.services.database.writing() as conn:
        unmapped.note(conn, {noted: 1, noted._replace(code="glucose"): 1}, 1_000)
    assert [item["code"] for item in listed(house)] == ["glucose"]


def test_a_count_that_cannot_be_written_does_not_change_the_refusal(house, refuse, monkeypatch):
    def busy(*_args):
        raise Busy("no")

    monkeypatch.setattr(unmapped, "note", busy)
    assert refuse({"code": "glucose", "value": 1}).status_code == 422
    assert listed(house) == []


def test_an_accepted_request_writes_nothing_of_it(house, refuse, monkeypatch):
    monkeypatch.setattr(intake, "_note", None)
    assert refuse(KNOWN).status_code == 202
    with house.services.database.reading() as conn:
        assert conn.scalar(select(func.count()).select_from(models.unmapped)) == 0


def test_the_metric_counts_refusals_by_type(house, refuse):
    refuse({"code": "glucose", "value": 1}, {"code": "lactate", "value": 1})
    text = house.door("ops").get("/metrics").text
    assert 'vigil_codes_unmapped_total{type="observation"} 2.0' in text


def test_a_trial_that_is_not_there_has_no_list(house):
    assert house.door("ops").get("/v1/trials/nowhere/unmapped").status_code == 404
    assert house.door("publisher").get(PATH).status_code == 403
