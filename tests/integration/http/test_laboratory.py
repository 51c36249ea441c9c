"""A subject's laboratory over HTTP and on its page: grades, baseline, change."""

import pytest

LABORATORY = "/v1/trials/msc-cgvhd/subjects/S-001/laboratory"


@pytest.fixture
def clinician(house):
    return house.door("clinician")


@pytest.fixture
def told(house, make_event):
    """ALT high before the infusion, then twice that; potassium told without its limits."""
    alt = {"code": "alt", "unit": "U/L", "reference_high": 40}
    potassium = {"code": "potassium", "value": 3.2, "unit": "mmol/L"}
    start = {"number": 1, "status": "completed", "start": "2026-03-09T10:00:00+09:00"}
    house.publish(
        make_event(1, "enrolment", {"status": "enrolled"}, time="2026-03-02T08:00:00+09:00"),
        make_event(2, "observation", {**alt, "value": 60}, time="2026-03-03T08:00:00+09:00"),
        make_event(3, "observation", {**alt, "value": 100}, time="2026-03-08T08:00:00+09:00"),
        make_event(4, "administration", start, time="2026-03-09T11:00:00+09:00"),
        make_event(5, "observation", {**alt, "value": 210}, time="2026-03-10T08:00:00+09:00"),
        make_event(6, "observation", potassium, time="2026-03-10T08:00:00+09:00"),
    )
    house.evaluate()


def test_each_value_has_its_grade_and_its_change_from_the_last_before_the_infusion(told, clinician):
    found = clinician.get(LABORATORY).json
    assert found["first_infusion"] == "2026-03-09T01:00:00Z"
    (alt, potassium) = found["items"]
    assert (alt["code"], alt["unit"], alt["ctcae"]) == ("alt", "U/L", "alt")
    keys = ("value", "baseline", "change_percent", "grade", "baseline_grade", "rise")
    assert [tuple(one[key] for key in keys) for one in alt["values"]] == [
        (60, False, None, 1, None, None),
        (100, True, None, 1, 1, 0),
        (210, False, 110, 1, 1, 1),
    ]
    assert alt["values"][2]["reason"] == "baseline above its range; >= 1.5 baseline"
    (value,) = potassium["values"]
    assert (value["grade"], value["min"]) == (None, None)
    assert value["reason"] == "the upper limit of normal is missing"


def test_a_value_entered_in_error_is_no_longer_there(told, house, clinician, make_event):
    entry = make_event(5, "observation", {})
    target = {"source": entry["source"], "id": entry["id"]}
    wrong = {"corrects": target, "entered_in_error": True, "reason": "another subject's"}
    house.publish(make_event(7, "correction", wrong))
    house.evaluate()
    (alt, _) = clinician.get(LABORATORY).json["items"]
    assert [one["value"] for one in alt["values"]] == [60, 100]


def test_a_subject_that_is_not_there_is_not_found(clinician):
    assert clinician.get(LABORATORY.replace("S-001", "S-404")).status_code == 404
