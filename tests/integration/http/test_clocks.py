"""Reports that are owed, over HTTP: what is due to whom, the soonest first, and the alert's due_at."""

from datetime import datetime

import pytest

from services.clock import iso, now_us, to_us

CLOCKS = "/v1/trials/msc-cgvhd/clocks"
HOUR_US = 3_600_000_000


@pytest.fixture
def clinician(house):
    return house.door("clinician")


def serious(make_event, number, hours_ago, **others):
    aware_at = iso(now_us() // 1_000_000 * 1_000_000 - hours_ago * HOUR_US)
    told = {"ae": "AE-1", "term": "Pneumonia", "serious": True, "causality": "unrelated"}
    subject = others.pop("subject", "S-1")
    return aware_at, make_event(
        number, "adverse_event", {**told, "aware_at": aware_at, **others}, subject=subject
    )


def plus_24h(instant):
    return iso(to_us(datetime.fromisoformat(instant)) + 24 * HOUR_US)


def test_a_trial_without_serious_events_owes_no_report(clinician):
    assert clinician.get(CLOCKS).json == {"items": [], "next": None}


def test_a_serious_event_is_due_24_hours_after_awareness(house, clinician, make_event):
    aware_at, event = serious(make_event, 1, 2)
    house.publish(event)
    house.evaluate()
    (item,) = clinician.get(CLOCKS).json["items"]
    assert (item["subject"], item["ae"], item["clock"]) == ("S-1", "AE-1", "SAE-24")
    assert (item["stage"], item["overdue"], item["assumed"]) == ("running", False, False)
    assert (item["started_at"], item["due_at"]) == (aware_at, plus_24h(aware_at))
    found = clinician.get("/v1/alerts?status=open").json["items"]
    (alert,) = (one for one in found if one["rule"] == "CL-DUE")
    assert alert["due_at"] == item["due_at"]
    assert alert["key"] == "clock:SAE-24:AE-1"


def test_an_event_entered_late_is_overdue_at_once_and_stands_before_the_others(
    house, clinician, make_event
):
    house.publish(serious(make_event, 1, 2)[1], serious(make_event, 2, 30, subject="S-2")[1])
    house.evaluate()
    found = clinician.get(CLOCKS).json["items"]
    assert [(one["subject"], one["stage"], one["overdue"]) for one in found] == [
        ("S-2", "overdue", True),
        ("S-1", "running", False),
    ]
    first = clinician.get(f"{CLOCKS}?limit=1").json
    rest = clinician.get(f"{CLOCKS}?limit=1&cursor={first['next']}").json
    assert [one["subject"] for one in (*first["items"], *rest["items"])] == ["S-2", "S-1"]
    assert rest["next"] is None


def test_a_report_that_was_made_is_owed_no_longer(house, clinician, make_event):
    aware_at, event = serious(make_event, 1, 3)
    house.publish(event)
    house.evaluate()
    house.publish(
        make_event(2, "adverse_event", {"ae": "AE-1", "reported_at": aware_at}, subject="S-1")
    )
    house.evaluate()
    assert clinician.get(CLOCKS).json["items"] == []
    found = clinician.get("/v1/alerts?status=open").json["items"]
    assert [one["rule"] for one in found if one["rule"].startswith("CL-")] == []


def test_a_cursor_of_another_list_is_refused(clinician):
    assert clinician.get(f"{CLOCKS}?cursor=bm8").status_code == 422
