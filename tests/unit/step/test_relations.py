"""Rules that speak of several entities: the infusion before an adverse event, and its like."""

from __future__ import annotations

import pytest

from rules.facts.calendar import HOUR_US, Calendar, Span
from rules.facts.projections import Reading
from rules.facts.relations import Other, related
from rules.model import Relation, Window
from rules.terms import Relate, Scope, WindowUnit
from tests.support.entity_trial import opened, run, told
from tests.support.step_logs import at, event

CALENDAR = Calendar("America/New_York")
HOURS = ("near_hours_since", "near_hours_since_end")
BETWEEN = {"hours_since_end": None, "during": None}  # where no end was told


def infusion(n, time, number=1, received=None, status="completed", **data):
    return event(n, "administration", time, received, number=number, status=status, **data)


def ae(n, time, received=None, name="A", **data):
    return event(n, "adverse_event", time, received, ae=name, **data)


def of(outcome, rule):
    return [(n, change) for n, change, found, _ in told(outcome) if found == rule]


def span(text):
    return CALENDAR.parse(text)


def other(number, text, end=None):
    ended = None if end is None else span(end)
    readings = {"number": number, "status": "completed", "dose": 2.0}
    return Other(
        str(number), span(text), {k: Reading(v, 0, f"i{number}") for k, v in readings.items()}, "i",
        ended,
    )  # fmt: skip


def relation(take=Relate.LAST_BEFORE, within=None):
    return Relation("near", Scope.ADVERSE_EVENT, Scope.INFUSION, take, within)


def values(own, others, alike=lambda low, high: False, **more):
    found = related(relation(**more), span(own), others, CALENDAR, dict.fromkeys(HOURS, alike))
    return {name.removeprefix("near_"): reading.value for name, reading in found.items()}


FIRST, SECOND = other(1, "2026-01-10T10:00:00-05:00"), other(2, "2026-01-13T10:00:00-05:00")


def test_the_last_one_before_is_meant_whatever_came_after():
    found = values("2026-01-12T10:00:00-05:00", [FIRST, SECOND])
    assert found == {"number": 1, "status": "completed", "dose": 2.0, "hours_since": 48.0} | BETWEEN


def test_at_the_very_instant_is_before_and_not_after():
    own = "2026-01-13T10:00:00-05:00"
    assert values(own, [FIRST, SECOND])["number"] == 2
    assert values(own, [FIRST, SECOND], take=Relate.FIRST_AFTER)["number"] is None


def test_the_first_one_after_lies_a_negative_number_of_hours_back():
    found = values("2026-01-12T10:00:00-05:00", [FIRST, SECOND], take=Relate.FIRST_AFTER)
    assert (found["number"], found["hours_since"]) == (2, -24.0)


def test_none_is_unknown():
    assert set(values("2026-01-09", [FIRST, SECOND]).values()) == {None}


def test_a_day_on_which_one_was_given_leaves_open_which_is_meant():
    found = values("2026-01-13", [FIRST, SECOND])
    assert (
        found == {"number": None, "status": "completed", "dose": 2.0, "hours_since": None} | BETWEEN
    )


DURING = [
    ("2026-01-10T10:00:00-05:00", -2, True, "the first instant is during"),
    ("2026-01-10T12:00:00-05:00", 0, True, "the last instant is during"),
    ("2026-01-10T12:30:00-05:00", 0.5, False, "half an hour after the end is not"),
    ("2026-01-11T12:00:00-05:00", 24, False, "a day after the end is not"),
    ("2026-01-11", None, False, "a later day is not, and its hours are not known"),
    ("2026-01-10", None, None, "the day itself leaves it open"),
]


@pytest.mark.parametrize(("own", "hours", "during", "why"), DURING)
def test_an_event_is_told_from_the_end_of_the_infusion(own, hours, during, why):
    given = other(1, "2026-01-10T10:00:00-05:00", "2026-01-10T12:00:00-05:00")
    before = relation(within=Window(WindowUnit.DAYS, -30, 0))
    found = related(before, span(own), [given], CALENDAR, dict.fromkeys(HOURS, lambda *_: False))
    told = found["near_hours_since_end"].value, found["near_during"].value
    assert told == (hours, during), why


def test_hours_that_no_rule_tells_apart_are_known_of_a_day():
    given = other(1, "2026-01-10T10:00:00-05:00", "2026-01-10T12:00:00-05:00")
    assert values("2026-01-12", [given], lambda low, high: True)["hours_since_end"] == 36


def test_an_infusion_that_came_after_was_not_running():
    given = other(1, "2026-01-10T10:00:00-05:00", "2026-01-10T12:00:00-05:00")
    own = "2026-01-10T09:00:00-05:00"
    found = values(own, [given], take=Relate.FIRST_AFTER)
    assert (found["during"], found["hours_since_end"]) == (False, -3)


def test_what_all_that_may_be_meant_agree_in_is_known():
    both = [FIRST, other(2, "2026-01-13")]
    found = values("2026-01-13T12:00:00-05:00", both)
    assert (found["number"], found["dose"]) == (None, 2.0)


def test_hours_that_no_condition_tells_apart_are_known():
    own = "2026-01-12"
    assert values(own, [FIRST])["hours_since"] is None
    assert values(own, [FIRST], alike=lambda low, high: True)["hours_since"] == 38.0


@pytest.mark.parametrize(
    ("own", "number"),
    [
        ("2026-01-11T10:00:00-05:00", 1),
        ("2026-01-11T10:00:01-05:00", None),
        ("2026-01-11", None),
    ],
)
def test_within_holds_its_end_and_no_more(own, number):
    within = Window(WindowUnit.HOURS, -24, 0)
    assert values(own, [FIRST], within=within)["number"] == number


@pytest.mark.parametrize(
    ("own", "number"), [("2026-01-11T23:59:59-05:00", 1), ("2026-01-12T00:00:00-05:00", None)]
)
def test_calendar_days_within_are_whole_local_days(own, number):
    within = Window(WindowUnit.CALENDAR_DAYS, -1, 0)
    assert values(own, [FIRST], within=within)["number"] == number
    assert values(own, [FIRST], take=Relate.FIRST_AFTER, within=within)["number"] is None


def test_spans_of_calendar_days_reach_forward_too():
    within = Window(WindowUnit.CALENDAR_DAYS, -1, 0)
    own = Span(at("2026-01-09T00:00:00"), at("2026-01-09T00:00:00") + HOUR_US)
    found = related(
        relation(Relate.FIRST_AFTER, within),
        own,
        [FIRST],
        CALENDAR,
        dict.fromkeys(HOURS, lambda low, high: False),
    )
    assert found["near_number"].value == 1


# --- in the step ----------------------------------------------------------------------------------
def test_a_rule_on_an_adverse_event_speaks_of_the_infusion_before_it():
    log = [
        infusion(1, "2026-01-10T10:00:00", dose=2.0),
        ae(2, "2026-01-11T09:00:00"),
    ]
    outcome = run(log)
    assert ("R-CLOSE", "ae:A") in opened(outcome)
    change = next(c for c in outcome.results[-1].changes if c.rule == "R-CLOSE")
    assert (change.title, change.detail) == ("A after 1", "23 completed")
    assert [one["event"] for one in change.evidence] == ["ev1", "ev1"]


def test_an_onset_by_its_day_alone_is_near_enough_where_no_hour_of_it_is_too_far():
    given = infusion(1, "2026-01-10T00:30:00", dose=2.0)
    day = ae(2, "2026-01-10T00:00:00", "2026-01-12T09:00:00", precision="day")
    assert ("R-CLOSE", "ae:A") not in opened(run([given, day]))
    before = infusion(1, "2026-01-09T23:59:59.999999", dose=2.0)
    assert ("R-CLOSE", "ae:A") in opened(run([before, day]))


def test_an_infusion_told_late_is_the_one_before():
    log = [
        infusion(1, "2026-01-08T10:00:00", dose=2.0),
        ae(2, "2026-01-11T09:00:00"),
        infusion(3, "2026-01-11T08:00:00", 2, "2026-01-13T08:00:00", dose=3.0),
    ]
    assert of(run(log), "R-CLOSE") == [(3, "opened")]


def test_an_infusion_that_was_not_given_is_never_the_one_before():
    log = [
        infusion(1, "2026-01-11T08:00:00", dose=2.0),
        ae(2, "2026-01-11T09:00:00"),
        infusion(3, "2026-01-12T08:00:00", status="not_done"),
    ]
    assert of(run(log), "R-CLOSE") == [(2, "opened"), (3, "superseded")]


def test_a_corrected_dose_changes_what_was_said_of_the_adverse_event():
    log = [
        infusion(1, "2026-01-11T08:00:00", dose=2.0),
        ae(2, "2026-01-11T09:00:00"),
        event(
            3, "correction", "2026-01-12T08:00:00", corrects={"source": "lab", "id": "e1"},
            data={"number": 1, "status": "completed", "dose": 1.0},
        ),
    ]  # fmt: skip
    assert of(run(log), "R-CLOSE") == [(2, "opened"), (3, "superseded")]


def test_an_infusion_soon_after_is_seen_when_it_is_given():
    log = [ae(1, "2026-01-11T09:00:00"), infusion(2, "2026-01-11T20:00:00")]
    assert of(run(log), "R-SOON") == [(2, "opened")]
    log = [ae(1, "2026-01-11T09:00:00"), infusion(2, "2026-01-11T22:00:00")]
    assert of(run(log), "R-SOON") == []


def test_a_rule_on_an_infusion_speaks_of_the_adverse_event_before_it():
    log = [
        ae(1, "2026-01-10T09:00:00", grade=3),
        infusion(2, "2026-01-11T08:00:00"),
        ae(3, "2026-01-12T08:00:00", grade=2, onset="2026-01-10T10:00:00-05:00", name="B"),
        ae(4, "2026-01-13T08:00:00", status="withdrawn", name="B"),
    ]
    assert of(run(log), "R-AFTER") == [(2, "opened"), (3, "superseded"), (4, "opened")]


def test_a_second_infusion_soon_after_is_seen_too():
    log = [
        infusion(1, "2026-01-08T09:00:00"),
        ae(2, "2026-01-11T09:00:00"),
        infusion(3, "2026-01-11T20:00:00", 2),
    ]
    assert of(run(log), "R-SOON") == [(3, "opened")]
