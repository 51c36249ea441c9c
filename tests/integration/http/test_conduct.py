"""How a trial is conducted, over HTTP: departures from the protocol, enrolment against its target."""

import pytest

from services.clock import iso, now_us

CONDUCT = "/v1/trials/msc-cgvhd/conduct"
MONTH_US = int(365.25 / 12 * 24 * 3600 * 1_000_000)


@pytest.fixture
def clinician(house):
    return house.door("clinician")


def enrolled(make_event, number, subject, **others):
    return make_event(number, "enrolment", {"status": "enrolled"}, subject=subject, **others)


def told(clinician):
    found = clinician.get(CONDUCT).json
    return [(one["rule"], one["subject"], one["class"]) for one in found["deviations"]]


def test_a_trial_that_nobody_is_in_has_no_deviations_and_no_pace(clinician):
    found = clinician.get(CONDUCT).json
    assert (found["deviations"], found["counts"]) == ([], {"major": 0, "minor": 0})
    assert (found["accrual"]["enrolled"], found["accrual"]["target"]) == (0, 10)
    assert found["accrual"]["per_month"] is None


def test_a_subject_enrolled_without_being_eligible_is_a_major_deviation(
    house, clinician, make_event
):
    house.publish(enrolled(make_event, 1, "S-1"))
    house.evaluate()
    missed = ("INF-MISSED", "S-1", "minor")  # of its first infusion nothing was told
    assert told(clinician) == [missed, ("EL-ENROLLED-NOT-ELIGIBLE", "S-1", "major")]
    assert clinician.get(CONDUCT).json["counts"] == {"major": 1, "minor": 1}


def test_what_was_entered_in_error_is_no_deviation(house, clinician, make_event):
    entry = enrolled(make_event, 1, "S-1")
    wrong = {"corrects": {"source": entry["source"], "id": entry["id"]}, "entered_in_error": True}
    house.publish(entry)
    house.evaluate()
    house.publish(make_event(2, "correction", {**wrong, "reason": "x"}, subject="S-1"))
    house.evaluate()
    assert told(clinician) == []


def test_who_was_enrolled_during_a_hold_is_named(house, clinician, make_event):
    clinician.post("/v1/trials/msc-cgvhd/suspend", json={"reason": "to look", "what": "enrolment"})
    house.evaluate()
    house.publish(enrolled(make_event, 1, "S-7", time=iso(now_us() + 60_000_000)))
    house.evaluate()
    assert ("TR-ENROLLED-DURING-HOLD", "S-7", "major") in told(clinician)


def test_the_pace_of_enrolment_says_when_the_target_is_reached(house, clinician, make_event):
    start_us = now_us() - 2 * MONTH_US
    house.publish(
        *(
            enrolled(make_event, number, f"S-{number}", time=iso(start_us + number * MONTH_US))
            for number in range(3)
        )
    )
    house.evaluate()
    accrual = clinician.get(CONDUCT).json["accrual"]
    assert [(one["subject"], one["enrolled"]) for one in accrual["path"]] == [
        ("S-0", 1),
        ("S-1", 2),
        ("S-2", 3),
    ]
    assert (accrual["enrolled"], accrual["per_month"]) == (3, 1.0)
    assert accrual["full_at"][:10] == iso(start_us + 9 * MONTH_US)[:10]
