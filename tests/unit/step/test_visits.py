"""Visits of the schedule: where each stands, what moves it, and what ends it."""

from __future__ import annotations

import pytest

from rules.facts.calendar import Calendar
from rules.facts.visits import stand, told
from rules.model import Source, Visit
from tests.support.entity_trial import opened, run
from tests.support.entity_trial import told as said
from tests.support.step_logs import at, event

CALENDAR = Calendar("America/New_York")
DAY_7 = Visit("day_7", "Day 7", "first_infusion", 7, 1, 2, Source("doc"))
FIRST = CALENDAR.parse("2026-01-10T10:00:00-05:00")


def done(n, time, received=None, code="day_7", status="done", **more):
    return event(n, "procedure", time, received, code=code, status=status, **more)


def infusion(n, time, number=1, received=None, **data):
    return event(n, "administration", time, received, number=number, status="completed", **data)


def status(now, held=None, anchor=FIRST, visit=DAY_7, *, expected=True):
    record = None if held is None else told(held, CALENDAR)
    found = stand(visit, anchor, record, at(now), CALENDAR, expected=expected, daily=True)
    return found.status, found.off_days


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        ("2026-01-15T23:59:59", ("not_due", None)),
        ("2026-01-16T00:00:00", ("open", -1)),
        ("2026-01-17T12:00:00", ("open", 0)),
        ("2026-01-19T23:59:59", ("open", 2)),
        ("2026-01-20T00:00:00", ("overdue", 3)),
        ("2026-02-17T00:00:00", ("overdue", 31)),
    ],
)
def test_a_visit_that_nobody_told_of_is_not_due_then_open_then_overdue(now, expected):
    assert status(now) == expected


@pytest.mark.parametrize(
    ("day", "expected"),
    [
        ("2026-01-15T23:00:00", ("early", -2)),
        ("2026-01-16T00:00:00", ("done", -1)),
        ("2026-01-19T23:59:59", ("done", 2)),
        ("2026-01-20T00:00:00", ("late", 3)),
    ],
)
def test_a_visit_that_took_place_is_early_done_or_late_whenever_it_is_asked(day, expected):
    assert status("2026-03-01T00:00:00", done(1, day)) == expected


def test_the_start_of_the_procedure_is_its_day():
    held = done(1, "2026-01-21T09:00:00", start="2026-01-18")
    assert status("2026-03-01T00:00:00", held) == ("done", 1)


def test_a_visit_told_as_not_done_is_so():
    held = done(1, "2026-01-18T09:00:00", status="not_done")
    assert status("2026-03-01T00:00:00", held) == ("not_done", None)


def test_an_anchor_or_a_visit_known_by_its_month_is_unknown_where_days_matter():
    month = CALENDAR.parse("2026-01")
    assert status("2026-01-20T00:00:00", anchor=month) == (None, None)
    assert status("2026-01-05T00:00:00", anchor=month) == ("not_due", None)
    assert status("2026-02-28T00:00:00", anchor=month) == ("overdue", None)
    held = done(1, "2026-01-01T00:00:00", precision="month")
    assert status("2026-03-01T00:00:00", held) == (None, None)


def test_what_ended_before_the_anchor_is_no_visit_of_it():
    held = done(1, "2026-01-09T09:00:00")
    assert status("2026-01-17T00:00:00", held) == ("open", 0)
    before = Visit("screen", "Screening", "enrolment", -1, 2, 0, Source("doc"))
    assert status("2026-01-17T00:00:00", held, visit=before) == ("done", 0)


def test_who_has_left_owes_no_visit():
    assert status("2026-03-01T00:00:00", expected=False) == ("not_due", None)


# --- in the step ----------------------------------------------------------------------------------
ENROLLED = event(1, "enrolment", "2026-01-09T08:00:00", status="enrolled")
GIVEN = infusion(2, "2026-01-10T10:00:00")


def day_7(outcome):
    return [
        (n, change, rule) for n, change, rule, key in said(outcome)
        if key == "visit:day_7" and rule.startswith("V-")
    ]  # fmt: skip


def test_the_window_opens_and_closes_by_itself():
    outcome = run([ENROLLED, GIVEN])
    assert day_7(outcome) == []
    outcome = run([ENROLLED, GIVEN], until="2026-01-20T00:00:00")
    assert set(day_7(outcome)) == {
        (2, "opened", "V-OPEN"),
        (2, "cleared", "V-OPEN"),
        (2, "opened", "V-OVERDUE"),
    }
    dues = {result.due_us for result in outcome.results if result.changes}
    assert {at("2026-01-16T00:00:00"), at("2026-01-20T00:00:00")} <= dues


def test_an_overdue_visit_occurred_at_the_end_of_its_window_and_says_when_it_was_due():
    outcome = run([ENROLLED, GIVEN], until="2026-01-20T00:00:00")
    change = next(
        c
        for r in outcome.results
        for c in r.changes
        if c.rule == "V-OVERDUE" and c.key == "visit:day_7"
    )
    assert change.occurred_us == at("2026-01-20T00:00:00") - 1
    assert (change.title, change.detail) == ("Day 7 is overdue", "day_7 was due on 2026-01-17")


def test_a_visit_before_the_first_infusion_is_known_is_no_entity():
    assert {key for _, key in opened(run([ENROLLED], until="2026-03-01T00:00:00"))} == {
        "visit:baseline_call"
    }


def test_a_visit_told_late_was_never_overdue():
    log = [ENROLLED, GIVEN, done(3, "2026-01-18T09:00:00", "2026-01-25T09:00:00")]
    assert (3, "superseded", "V-OVERDUE") in day_7(run(log))


def test_a_visit_made_late_clears_what_was_overdue():
    log = [ENROLLED, GIVEN, done(3, "2026-01-25T09:00:00")]
    assert (3, "cleared", "V-OVERDUE") in day_7(run(log))
    assert ("V-OFF", "visit:day_7") in opened(run(log))


def test_a_corrected_anchor_moves_its_visits():
    fixed = event(
        3, "correction", "2026-01-25T09:00:00", corrects={"source": "lab", "id": "e2"},
        time="2026-01-20T10:00:00-05:00",
    )  # fmt: skip
    log = [ENROLLED, GIVEN, fixed]
    outcome = run(log)
    assert (3, "superseded", "V-OVERDUE") in day_7(outcome)
    assert outcome.next_due_us == at("2026-01-26T00:00:00")


def test_an_infusion_that_was_not_given_takes_its_visits_away():
    log = [
        ENROLLED,
        GIVEN,
        event(3, "administration", "2026-01-25T09:00:00", number=1, status="not_done"),
    ]
    assert (3, "superseded", "V-OVERDUE") in day_7(run(log))
    assert run(log).next_due_us is None


def test_a_visit_after_the_last_infusion_moves_with_each():
    log = [ENROLLED, GIVEN, infusion(3, "2026-01-11T10:00:00", number=2)]
    outcome = run(log, until="2026-01-13T00:00:00")
    assert ("V-OPEN", "visit:next_call:2") in opened(outcome)
    assert ("V-OVERDUE", "visit:next_call:2") in opened(run(log, until="2026-01-15T00:00:00"))


def test_what_was_found_of_the_visit_after_an_earlier_infusion_is_another_finding():
    """Whoever settled the former by hand is told of the latter all the same."""

    def calls(log, until):
        return [
            (change, key)
            for _, change, rule, key in said(run(log, until=until))
            if rule == "V-OVERDUE" and key.startswith("visit:next_call")
        ]

    first, second = "visit:next_call:1", "visit:next_call:2"
    again = infusion(3, "2026-01-20T10:00:00", number=2)
    ends = [("opened", first), ("cleared", first), ("opened", second)]
    assert calls([ENROLLED, GIVEN, again], "2026-02-01T00:00:00") == ends
    late = infusion(3, "2026-01-11T10:00:00", 2, "2026-01-20T10:00:00")
    assert calls([ENROLLED, GIVEN, late], "2026-02-01T00:00:00") == ends


@pytest.mark.parametrize("left", ["withdrawn", "completed", "lost"])
def test_who_leaves_the_trial_has_no_open_visits(left):
    log = [ENROLLED, GIVEN, event(3, "enrolment", "2026-01-25T09:00:00", status=left)]
    outcome = run(log, until="2026-03-01T00:00:00")
    assert not {key for rule, key in opened(outcome) if rule.startswith("V-")}
    assert outcome.next_due_us is None


def test_the_dead_have_no_open_visits_and_those_off_treatment_do():
    log = [ENROLLED, GIVEN, event(3, "death", "2026-01-16T09:00:00")]
    assert ("V-OPEN", "visit:day_7") not in opened(run(log))
    log = [
        ENROLLED,
        GIVEN,
        event(3, "enrolment", "2026-01-16T09:00:00", status="treatment_stopped"),
    ]
    assert ("V-OPEN", "visit:day_7") in opened(run(log))


def test_a_visit_that_does_not_apply_is_no_entity():
    cohort = event(2, "assessment", "2026-01-09T09:00:00", code="cohort", value="low")
    assert opened(run([ENROLLED], until="2026-01-12T00:00:00")) == {
        ("V-OVERDUE", "visit:baseline_call")
    }
    log = [ENROLLED, cohort]
    assert opened(run(log, until="2026-01-12T00:00:00")) == set()


def test_a_relation_of_a_visit_counts_from_when_it_took_place():
    log = [ENROLLED, GIVEN, done(3, "2026-01-25T10:00:00")]
    change = next(c for c in run(log).results[-1].changes if c.rule == "V-OFF")
    assert change.detail == "late 1 360"
