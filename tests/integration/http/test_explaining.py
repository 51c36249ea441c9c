"""Why, what if, and what is still to be found out: explanation and worklists over HTTP."""

import pytest

from services.clock import iso, now_us
from tests.support import flagship

TRIAL = "/v1/trials/msc-cgvhd"
SUBJECT = f"{TRIAL}/subjects/S-001"
ADULT = {"birth_date": "1980-05-01", "sex": "male"}
HOT = {"code": "body_temperature", "value": 38.6, "unit": "Cel"}


@pytest.fixture
def clinician(house):
    return house.door("clinician")


def story(*names, subject="S-001", without=()):
    """The flagship's fixtures as one subject's events of this trial."""
    told = [one for one in flagship.told(*names) if one["data"].get("code") not in without]
    return flagship.events(subject, told, trial="msc-cgvhd")


@pytest.fixture
def screened(house):
    house.publish(*story("clinical", "man", "own_consent", "screened", without=("hiv_status",)))
    house.evaluate()


def test_the_explanation_is_the_eligibility_with_its_clauses(house, clinician, make_event):
    house.publish(
        make_event(1, "demographics", ADULT),
        make_event(2, "observation", HOT),
        make_event(3, "observation", {"code": "hiv_status", "absent": "refused"}),
    )
    house.evaluate()
    body = clinician.get(f"{SUBJECT}/explanation").json
    plain = clinician.get(f"{SUBJECT}/eligibility").json
    for name in ("as_of",):
        body.pop(name)
        plain.pop(name)
    criteria = {item["id"]: item for item in body["criteria"]}
    fever = criteria["E2"]["clauses"]
    assert (fever["op"], fever["holds"]) == ("or", "true")
    leaf = fever["parts"][1]
    assert (leaf["text"], leaf["holds"], leaf["value"], leaf["unit"], leaf["label"]) == (
        "body_temperature >= 38",
        "true",
        38.6,
        "Cel",
        "Body temperature",
    )
    assert criteria["E1"]["applies"]["holds"] == "false"
    serology = criteria["E5"]["clauses"]["parts"][0]
    assert (serology["holds"], serology["value"], serology["reason"]) == (
        "unknown",
        None,
        "refused",
    )
    stripped = [
        {name: value for name, value in item.items() if name not in {"clauses", "applies"}}
        for item in body["criteria"]
    ]
    assert stripped == plain["criteria"]
    reasons = {item["fact"]: item["reason"] for item in plain["missing"]}
    assert (reasons["hiv_status"], reasons["ecog"]) == ("refused", "not_recorded")


def test_the_counterfactual_names_the_one_fact_that_would_let_the_subject_in(
    house, clinician, screened
):
    (way,) = clinician.get(f"{SUBJECT}/explanation").json["counterfactual"]["changes"]
    assert way["text"] == "eligible if hiv_status = negative"
    (change,) = way["set"]
    assert (change["value"], change["needed"]) == (None, {"in": ["negative"]})
    assert (change["label"], change["changeable"]) == ("HIV serology", True)


def test_as_of_an_earlier_time_the_explanation_is_that_of_then(house, clinician, make_event):
    before = now_us()
    house.publish(make_event(1, "demographics", ADULT))
    house.evaluate()
    body = clinician.get(f"{SUBJECT}/explanation?as_of={iso(before)}").json
    assert body["criteria"][0]["clauses"]["holds"] == "unknown"
    assert clinician.get(f"{SUBJECT}/explanation?as_of=yesterday").status_code == 422


def test_as_of_an_earlier_time_the_worklist_is_that_of_then(house, clinician, make_event):
    house.publish(make_event(1, "demographics", {"sex": "male"}))
    before = now_us()
    house.publish(make_event(2, "demographics", ADULT))
    house.evaluate()

    def wanted(query):
        return {item["fact"] for item in clinician.get(f"{SUBJECT}/worklist{query}").json["items"]}

    assert "age_years" in wanted(f"?as_of={iso(before)}")
    assert "age_years" not in wanted("")


def test_the_worklist_names_only_what_can_still_change_the_decision(house, clinician, screened):
    body = clinician.get(f"{SUBJECT}/worklist").json
    assert (body["decision"], body["next"], body["held"], body["pending"]) == (
        "indeterminate",
        None,
        False,
        0,
    )
    (item,) = body["items"]
    assert (item["fact"], item["label"], item["reason"], item["kind"], item["subject"]) == (
        "hiv_status",
        "HIV serology",
        "not_recorded",
        "datum",
        "S-001",
    )
    assert (item["criteria"], item["decides"]) == (["E5"], ["eligible", "ineligible"])
    assert (item["owner"], item["due"], item["visit"]) == (None, None, None)
    house.publish(*flagship.events("S-001", [old()], trial="msc-cgvhd"))
    house.evaluate()
    assert clinician.get(f"{SUBJECT}/worklist").json["items"] == []


def old():
    return {
        "type": "demographics",
        "time": "2026-03-05T09:00:00+09:00",
        "data": {"birth_date": "1930-01-01", "sex": "male"},
    }


def test_the_trials_worklist_has_all_who_are_in_screening_and_waiting_corrections(
    house, clinician, screened
):
    house.publish(*story("clinical", "man", "own_consent", "screened", subject="S-002"))
    house.publish(*story("clinical", "man", "own_consent", "screened", "enrolled", subject="S-003"))
    correction = {
        "type": "correction",
        "time": "2026-03-06T09:00:00+09:00",
        "data": {
            "corrects": {"source": "https://site.example/", "id": "never-came"},
            "entered_in_error": True,
            "reason": "a typing error",
        },
    }
    house.publish(*flagship.events("S-003", [correction], trial="msc-cgvhd"))
    house.evaluate()
    items = clinician.get(f"{TRIAL}/worklist").json["items"]
    assert [(one["subject"], one["kind"], one["fact"], one["id"]) for one in items] == [
        ("S-001", "datum", "hiv_status", None),
        ("S-003", "correction", None, "never-came"),
    ]
    own = clinician.get(f"{TRIAL}/subjects/S-003/worklist").json["items"]
    assert [one["kind"] for one in own] == ["correction"]


def test_the_trials_worklist_comes_in_pages(house, clinician):
    for name in ("S-001", "S-002", "S-003"):
        house.publish(*story("man", "screened", subject=name))
    house.evaluate()
    whole = clinician.get(f"{TRIAL}/worklist?limit=1000").json
    assert whole["next"] is None
    assert [one["subject"] for one in whole["items"]] == sorted(
        one["subject"] for one in whole["items"]
    )
    paged = []
    cursor: str | None = ""
    while cursor is not None:
        page = clinician.get(f"{TRIAL}/worklist?limit=7{cursor and '&cursor='}{cursor}").json
        assert len(page["items"]) <= 7
        paged += page["items"]
        cursor = page["next"]
    assert paged == whole["items"]
    assert clinician.get(f"{TRIAL}/worklist?cursor=nonsense").status_code == 422


def test_a_page_of_the_trials_worklist_is_made_of_stored_states(house, clinician, monkeypatch):
    house.publish(*story("man", "screened"))
    house.evaluate()

    monkeypatch.delattr("rules.Engine.subject_steps")
    assert clinician.get(f"{TRIAL}/worklist").json["items"]
