"""Alerts over HTTP: lists, detail, what people do with them, and who sees which part."""

import pytest
from sqlalchemy import select

from services import audit
from services.models import alert_log
from services.models import audit as trail

GRADE_3 = {
    "ae": "AE-1",
    "term": "Pyrexia",
    "grade": 3,
    "causality": "related",
    "serious": True,
    "onset": "2026-03-02",
}


@pytest.fixture
def clinician(house):
    return house.door("clinician")


@pytest.fixture
def alert(house, clinician, make_event):
    """An open serious adverse event of S-001."""
    house.publish(make_event(1, "adverse_event", GRADE_3))
    house.evaluate()
    items = clinician.get("/v1/alerts").json["items"]
    assert items
    return next(item for item in items if item["category"] == "safety")


def test_an_alert_is_listed_and_shown_with_its_history(clinician, alert):
    detail = clinician.get(f"/v1/alerts/{alert['id']}").json
    assert detail["subject"] == "S-001"
    assert detail["status"] == "open"
    assert detail["evidence"]
    assert [item["kind"] for item in detail["history"]] == ["opened"]
    assert detail["history"][0]["position"] >= 1
    assert detail["deliveries"] == []


def test_the_event_names_the_alerts_that_it_opened(house, clinician, alert, make_event):
    href = house.publish(make_event(1, "adverse_event", GRADE_3)).json["events"][0]["href"]
    assert alert["id"] in clinician.get(href).json["alerts"]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({"trial": "msc-cgvhd"}, True),
        ({"subject": "S-001"}, True),
        ({"subject": "S-002"}, False),
        ({"category": "safety"}, True),
        ({"category": "stopping"}, False),
        ({"status": "open"}, True),
        ({"status": "resolved"}, False),
        ({"since": 0}, True),
        ({"since": 10_000}, False),
    ],
)
def test_alerts_are_found_by_what_they_are(clinician, alert, query, found):
    ids = [item["id"] for item in clinician.get("/v1/alerts", query_string=query).json["items"]]
    assert (alert["id"] in ids) is found


def test_acknowledging_is_done_once(clinician, alert):
    path = f"/v1/alerts/{alert['id']}/acknowledge"
    first = clinician.post(path, json={"note": "seen"})
    assert first.status_code == 200
    assert first.json["status"] == "acknowledged"
    assert first.json["acknowledged"]["by"] == "the-investigator"
    again = clinician.post(path)
    assert again.status_code == 200
    assert again.json == first.json
    detail = clinician.get(f"/v1/alerts/{alert['id']}").json
    assert [item["kind"] for item in detail["history"]] == ["opened", "acknowledged"]


def test_resolving_by_hand_keeps_that_it_is_still_true(clinician, alert):
    body = clinician.post(f"/v1/alerts/{alert['id']}/resolve", json={"note": "reported"}).json
    assert body["status"] == "resolved"
    assert body["still_true"] is True
    assert body["resolution"]["reason"] == "manual"
    assert body["resolution"].keys() == {"reason", "at", "by", "note", "because_of"}
    assert clinician.post(f"/v1/alerts/{alert['id']}/resolve").json == body


def test_a_comment_stands_in_the_history_once(clinician, alert):
    path = f"/v1/alerts/{alert['id']}/comment"
    for _ in range(2):
        assert clinician.post(path, json={"note": "called the site"}).status_code == 200
    notes = [item["note"] for item in clinician.get(f"/v1/alerts/{alert['id']}").json["history"]]
    assert notes == [None, "called the site"]


def test_what_changed_since_a_position_comes_in_its_order(house, clinician, alert):
    last = max(item["position"] for item in clinician.get("/v1/alerts?since=0").json["items"])
    clinician.post(f"/v1/alerts/{alert['id']}/acknowledge")
    (item,) = clinician.get(f"/v1/alerts?since={last}").json["items"]
    assert item["id"] == alert["id"]
    assert item["position"] == last + 1
    assert clinician.get(f"/v1/alerts?since={last + 1}").json["items"] == []


def test_pages_of_alerts_stay_right_while_others_open(house, clinician, make_event):
    def raise_one(number):
        house.publish(
            make_event(
                number,
                "adverse_event",
                {**GRADE_3, "ae": f"AE-{number}"},
                subject=f"S-{number:03d}",
            )
        )

    for number in range(5):
        raise_one(number)
    house.evaluate()
    before = {item["id"] for item in clinician.get("/v1/alerts").json["items"]}
    seen, cursor = [], None
    for number in range(100, 150):
        page = clinician.get(
            "/v1/alerts", query_string={"limit": 2} | ({"cursor": cursor} if cursor else {})
        ).json
        seen += [item["id"] for item in page["items"]]
        cursor = page["next"]
        if cursor is None:
            break
        if number < 103:
            raise_one(number)
            house.evaluate()
    assert len(seen) == len(set(seen))
    assert before <= set(seen)


def test_ops_sees_an_alert_without_clinical_values(house, clinician, alert):
    clinician.post(f"/v1/alerts/{alert['id']}/acknowledge", json={"note": "grade three"})
    for body in (
        house.door("ops").get("/v1/alerts").json["items"][0],
        house.door("ops").get(f"/v1/alerts/{alert['id']}").json,
    ):
        assert "detail" not in body
        assert all(item.keys() & {"value", "unit"} == set() for item in body["evidence"])
        assert "grade three" not in str(body)


def test_an_alert_of_another_trial_does_not_exist_for_the_key(house, alert):
    narrow = house.key("clinician", "the-second-clinician", ("elsewhere",))
    assert narrow.get(f"/v1/alerts/{alert['id']}").status_code == 404
    assert narrow.post(f"/v1/alerts/{alert['id']}/acknowledge").status_code == 404
    assert narrow.get("/v1/alerts").json["items"] == []


def test_every_change_by_a_person_is_in_the_audit(house, clinician, alert):
    clinician.post(f"/v1/alerts/{alert['id']}/acknowledge", json={"note": "seen"})
    with house.services.database.reading() as conn:
        actions = {(row.actor, row.action) for row in conn.execute(select(trail))}
        kinds = (
            conn.execute(select(alert_log.c.kind).where(alert_log.c.alert == alert["id"]))
            .scalars()
            .all()
        )
    assert ("the-investigator", "alert.acknowledge") in actions
    assert "acknowledged" in kinds
    assert audit.verify(house.services.database) == []


def test_an_alert_says_clause_by_clause_why_to_those_who_see_values(house, clinician, make_event):
    house.publish(
        make_event(1, "demographics", {"birth_date": "1980-05-01", "sex": "female"}),
        make_event(2, "assessment", {"code": "ecog", "value": 4}),
        make_event(3, "enrolment", {"status": "screened"}),
    )
    house.evaluate()
    (alert,) = clinician.get("/v1/alerts?subject=S-001").json["items"]
    assert "explanation" not in alert
    told = clinician.get(f"/v1/alerts/{alert['id']}").json["explanation"]
    assert told["protocol_version"] == alert["protocol_version"]
    assert told["source_text"] == alert["source_text"]
    assert told["clauses"]["holds"] == "true"
    assert told["clauses"]["parts"][-1]["text"] == 'decision == "ineligible"'
    assert house.door("ops").get(f"/v1/alerts/{alert['id']}").json["explanation"] is None
    with house.services.database.reading() as conn:
        assert b"clauses" not in conn.scalars(select(alert_log.c.body)).one().encode()
