"""What can be read after the flagship's events were evaluated: contract §3, on both stores."""

import pytest

from services.clock import iso, now_us
from tests.integration.http.conftest import YAML

HOUR_US = 3_600_000_000
TEMPERATURE = {"code": "body_temperature", "value": 36.9, "unit": "Cel"}
ADULT = {"birth_date": "1980-05-01", "sex": "female"}
TRIAL = "/v1/trials/msc-cgvhd"
SUBJECT = f"{TRIAL}/subjects/S-001"


@pytest.fixture
def clinician(house):
    return house.door("clinician")


def criterion(body, wanted):
    return next(item for item in body["criteria"] if item["id"] == wanted)


def test_a_new_subject_is_indeterminate_and_says_what_is_missing(house, clinician, make_event):
    house.publish(
        make_event(1, "demographics", ADULT),
        make_event(2, "assessment", {"code": "ecog", "value": 1}),
    )
    waiting = clinician.get(f"{SUBJECT}/eligibility").json
    assert waiting["pending"] == 2
    assert waiting["decision"] == "indeterminate"
    house.evaluate()
    body = clinician.get(f"{SUBJECT}/eligibility").json
    assert body["pending"] == 0
    assert (body["trial"], body["subject"], body["anchor"], body["held"]) == (
        "msc-cgvhd",
        "S-001",
        None,
        False,
    )
    assert [item["id"] for item in body["criteria"]] == [f"I{n}" for n in range(1, 8)] + [
        f"E{n}" for n in range(1, 10)
    ]
    ecog = criterion(body, "I3")
    assert (ecog["kind"], ecog["verdict"], ecog["satisfied"], ecog["overridden"]) == (
        "inclusion",
        "met",
        True,
        None,
    )
    (proof,) = ecog["evidence"]
    assert (proof["fact"], proof["value"], proof["time"]) == ("ecog", 1, "2026-03-01T23:02:00Z")
    assert any(
        item["fact"] == "hiv_status" and "E5" in item["criteria"] for item in body["missing"]
    )


def test_ineligible_where_a_criterion_is_not_satisfied(house, clinician, make_event):
    house.publish(
        make_event(1, "demographics", ADULT),
        make_event(2, "assessment", {"code": "ecog", "value": 3}),
    )
    house.evaluate()
    body = clinician.get(f"{SUBJECT}/eligibility").json
    assert body["decision"] == "ineligible"
    assert criterion(body, "I3")["satisfied"] is False


def test_as_of_answers_what_was_known_then(house, clinician, make_event):
    before = iso(now_us() - HOUR_US)
    house.publish(
        make_event(1, "demographics", ADULT),
        make_event(2, "assessment", {"code": "ecog", "value": 3}),
    )
    house.evaluate()
    between = iso(now_us())
    house.publish(make_event(3, "assessment", {"code": "ecog", "value": 1}))
    house.evaluate()
    verdicts = {
        as_of: criterion(
            clinician.get(f"{SUBJECT}/eligibility", query_string={"as_of": as_of}).json, "I3"
        )["verdict"]
        for as_of in (before, between, iso(now_us()))
    }
    assert list(verdicts.values()) == ["indeterminate", "not_met", "met"]


def test_as_of_now_and_the_default_are_the_same(house, clinician, make_event):
    house.publish(
        make_event(1, "demographics", ADULT),
        make_event(2, "assessment", {"code": "ecog", "value": 1}),
    )
    house.evaluate()
    default = clinician.get(f"{SUBJECT}/eligibility").json
    folded = clinician.get(f"{SUBJECT}/eligibility", query_string={"as_of": iso(now_us())}).json
    assert {**default, "as_of": ""} == {**folded, "as_of": ""}


def test_an_enrolled_subject_is_anchored(house, clinician, make_event):
    house.publish(
        make_event(1, "demographics", ADULT),
        make_event(2, "enrolment", {"status": "screened"}),
        make_event(3, "enrolment", {"status": "enrolled", "site": "A"}),
    )
    house.evaluate()
    body = clinician.get(f"{SUBJECT}/eligibility").json
    assert body["anchor"]["time"] == "2026-03-01T23:03:00Z"
    assert clinician.get(TRIAL).json["enrolment"] == {"enrolled": 1, "target": 10}
    assert clinician.get(SUBJECT).json["status"] == "enrolled"


def test_a_subjects_timeline_shows_what_was_received(house, clinician, make_event):
    house.publish(make_event(1, "observation", TEMPERATURE))
    house.publish(
        make_event(
            2,
            "correction",
            {
                "corrects": {"source": "https://lis.example/", "id": "e-1"},
                "data": {**TEMPERATURE, "value": 37.1},
                "reason": "typing",
            },
        )
    )
    first, second = clinician.get(f"{SUBJECT}/timeline").json["items"]
    assert first["status"] == "pending"
    assert first["corrected_by"] == [second["event"]]
    assert first["data"]["value"] == 36.9
    house.evaluate()
    assert {item["status"] for item in clinician.get(f"{SUBJECT}/timeline").json["items"]} == {
        "evaluated"
    }


def test_pages_of_subjects_stay_right_while_others_come(house, clinician, make_event):
    names = [f"S-{number:03d}" for number in range(0, 20, 2)]
    house.publish(
        *(make_event(n, "observation", TEMPERATURE, subject=name) for n, name in enumerate(names))
    )
    seen, cursor = [], None
    for round_ in range(100):
        query = {"limit": 3} | ({"cursor": cursor} if cursor else {})
        page = clinician.get(f"{TRIAL}/subjects", query_string=query).json
        seen += [item["subject"] for item in page["items"]]
        cursor = page["next"]
        if cursor is None:
            break
        late = f"S-{2 * round_ + 1:03d}"
        house.publish(make_event(1000 + round_, "observation", TEMPERATURE, subject=late))
    assert len(seen) == len(set(seen))
    assert set(names) <= set(seen)


def test_subjects_are_found_by_status_and_part_of_the_name(house, clinician, make_event):
    house.publish(
        make_event(1, "enrolment", {"status": "screened"}, subject="KR-A.1"),
        make_event(2, "observation", TEMPERATURE, subject="KR-B_2"),
    )
    house.evaluate()

    def found(**query):
        return [
            item["subject"]
            for item in clinician.get(f"{TRIAL}/subjects", query_string=query).json["items"]
        ]

    assert found(status="screened") == ["KR-A.1"]
    assert found(q="r-b") == ["KR-B_2"]
    assert found(q="_") == ["KR-B_2"]
    assert found(q="%") == []


def test_stopping_shows_every_rule_with_its_boundary(house, clinician):
    items = clinician.get(f"{TRIAL}/stopping").json["items"]
    assert items
    for item in items:
        assert item["evaluable"] == item["events"] == 0
        assert item["boundary"]
        assert item["crossed"] is False
        assert item["path"] == []


def test_protocols_are_listed_and_shown(clinician):
    (version,) = clinician.get(f"{TRIAL}/protocols").json["items"]
    assert (version["status"], version["version"]) == ("active", "1.0")
    shown = clinician.get(f"{TRIAL}/protocols/1.0").json
    assert "I7" in str(shown)
    assert clinician.get(f"{TRIAL}/protocols/9.9").status_code == 404


def test_ops_sees_trials_but_no_subject(house, make_event):
    house.publish(make_event(1, "demographics", ADULT))
    ops = house.door("ops")
    assert ops.get(TRIAL).status_code == 200
    assert ops.get(SUBJECT).status_code == 403
    assert ops.get(f"{SUBJECT}/eligibility").status_code == 403


def test_a_replay_trial_is_answered_for_its_own_clock(house, make_event):
    house.door("admin").post("/v1/trials", json={"id": "past", "mode": "replay", "protocol": YAML})
    at = {
        "trial": "past",
        "time": "2015-03-02T08:15:00+09:00",
        "recordedtime": "2015-03-02T09:00:00+09:00",
    }
    house.publish(make_event(1, "demographics", {"birth_date": "2014-03-10", "sex": "male"}, **at))
    house.evaluate("past")
    clinician = house.door("clinician")
    young = clinician.get("/v1/trials/past/subjects/S-001/eligibility").json
    assert young["as_of"] == "2015-03-02T00:00:00Z"
    assert criterion(young, "I1")["verdict"] == "not_met"
    house.door("admin").post("/v1/trials/past/advance", json={"to": "2015-03-11T00:00:00+09:00"})
    older = clinician.get("/v1/trials/past/subjects/S-001/eligibility").json
    assert older["as_of"] == "2015-03-10T15:00:00Z"
    assert criterion(older, "I1")["verdict"] == "met"
