"""A subject's adverse events over HTTP and on its page: what is known, what follows, how it came."""

import pytest

ADVERSE = "/v1/trials/msc-cgvhd/subjects/S-001/adverse-events"


@pytest.fixture
def clinician(house):
    return house.door("clinician")


@pytest.fixture
def report(house, make_event):
    """Publish one report of AE-1 and have it evaluated."""

    def tell(number, **fields):
        house.publish(make_event(number, "adverse_event", {"ae": "AE-1", **fields}))
        house.evaluate()

    return tell


def one(clinician):
    (item,) = clinician.get(ADVERSE).json["items"]
    return item


def test_a_subject_without_adverse_events_has_an_empty_list(house, clinician, make_event):
    house.publish(make_event(1, "enrolment", {"status": "screened"}))
    house.evaluate()
    assert clinician.get(ADVERSE).json["items"] == []


def test_what_follows_is_what_the_rules_see(clinician, report):
    report(1, term="Colitis", grade=3, serious=False, seriousness=["hospitalisation"])
    follows = one(clinician)["follows"]
    assert follows["is_serious"] is True
    assert follows["seriousness_conflict"] is True
    assert follows["is_suspected"] is True
    assert follows["is_expected"] is False
    assert follows["is_susar"] is True
    assert follows["is_fatal"] is False
    assert follows["expectedness_conflict"] is None
    assert follows["ae_in_anaphylaxis"] is False


def test_each_report_says_what_it_changed(clinician, report):
    report(1, term="Colitis", grade=2)
    report(2, grade=3)
    report(3, causality="unrelated", outcome="recovered")
    report(4, aware_at="2026-03-02")
    report(5, status="withdrawn")
    report(6, status="valid")
    history = one(clinician)["history"]
    assert [row["what"] for row in history] == [
        ["initial"],
        ["regraded"],
        ["reattributed", "outcome"],
        ["follow_up"],
        ["withdrawn"],
        ["reinstated"],
    ]
    assert history[1]["changes"] == {"grade": {"from": 2, "to": 3}}


def test_a_report_that_came_late_does_not_turn_back_what_was_told_of_a_later_time(
    house, clinician, make_event
):
    later, earlier = "2026-03-05T08:00:00+09:00", "2026-03-03T08:00:00+09:00"
    house.publish(make_event(1, "adverse_event", {"ae": "AE-1", "grade": 3}, time=later))
    house.publish(make_event(2, "adverse_event", {"ae": "AE-1", "grade": 2}, time=earlier))
    house.evaluate()
    found = one(clinician)
    assert found["told"]["grade"] == 3
    assert [row["changes"].get("grade") for row in found["history"]] == [
        {"from": None, "to": 3},
        None,
    ]


def test_what_was_withdrawn_is_shown_as_such_and_tells_nothing(clinician, report):
    report(1, term="Colitis", serious=True)
    report(2, status="withdrawn")
    assert one(clinician)["withdrawn"] is True


def test_a_report_entered_in_error_is_no_part_of_it(house, clinician, make_event, report):
    report(1, term="Colitis", grade=2)
    report(2, grade=4)
    named = {"corrects": {"source": "https://lis.example/", "id": "e-2"}}
    house.publish(make_event(3, "correction", {**named, "entered_in_error": True, "reason": "x"}))
    house.evaluate()
    found = one(clinician)
    assert (found["told"]["grade"], len(found["history"])) == (2, 1)
