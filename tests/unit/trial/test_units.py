"""Whom a stopping rule counts, from when, and when each is evaluable: subject by subject."""

from __future__ import annotations

from functools import cache
from typing import Any

import pytest

import rules
from tests.support.step_logs import HEAD, event

FIRST, SECOND = "2026-01-10T09:00", "2026-02-10T09:00"
TABLE = "method: table, table: [[2, 2], [4, 3]]"


@cache
def engine(**keys: str) -> rules.Engine:
    """A protocol with one stopping rule of these keys, 30 days long."""
    said = {"endpoint": "grade >= 3", **keys}
    text = ", ".join(f"{name}: {value}" for name, value in said.items())
    rule = f"  - {{id: ST, title: T, window_days: 30, {TABLE}, {text}, source: {{document: doc}}}}"
    return rules.Engine(rules.loads(f"{HEAD}stopping:\n{rule}\n", "units.yaml"))


def infused(n: int, time: str, number: int, **more: Any) -> rules.Event:
    data = {"product": "p", "number": number, "status": "completed", **more}
    return event(n, "administration", time, **data)


def toxic(n: int, onset: str, ae: str = "a1", **more: Any) -> rules.Event:
    return event(n, "adverse_event", onset, ae=ae, grade=4, onset=onset, **more)


def status(n: int, time: str, word: str) -> rules.Event:
    return event(n, "enrolment", time, status=word)


def counted(one: rules.Engine, *log: rules.Event, until: str | None = None):
    """The last contribution of each unit: (unit, evaluable, event, day of since)."""
    until_us = None if until is None else event(0, "x", until).time_us
    outcome = one.subject_steps("t", "S-1", None, log, lambda n: log[:n], until_us)
    last = {c.unit: c for result in outcome.results for c in result.contributions if c.rule == "ST"}
    return [
        (c.unit, c.evaluable, c.event, day(c.since_us)) for c in last.values() if not c.withdrawn
    ]


def day(instant_us: int) -> str:
    from rules.facts.calendar import Calendar  # noqa: PLC0415 - only here

    return Calendar("America/New_York").day(instant_us).isoformat()


def test_a_subject_is_watched_from_its_first_infusion():
    assert counted(engine(), infused(1, FIRST, 1)) == [("subject", False, False, "2026-01-10")]
    over = counted(engine(), infused(1, FIRST, 1), until="2026-02-09T09:00")
    assert over == [("subject", True, False, "2026-02-09")]


def test_a_subject_is_watched_from_its_enrolment_without_an_infusion():
    one = engine(window_from="enrolment")
    log = [status(1, FIRST, "enrolled"), toxic(2, "2026-01-12")]
    assert counted(one, *log[:1]) == [("subject", False, False, "2026-01-10")]
    assert counted(one, *log) == [("subject", True, True, "2026-01-12")]
    assert counted(one, infused(1, FIRST, 1)) == []


def test_after_the_last_infusion_the_window_is_placed_once_it_is_known_to_be_the_last():
    one = engine(window_from="last_infusion", planned_infusions="2")
    log = [infused(1, FIRST, 1), infused(2, SECOND, 2)]
    assert counted(one, log[0], until="2026-12-01T00:00") == [
        ("subject", False, False, "2026-01-10")
    ]
    assert counted(one, *log, until="2026-03-12T10:00") == [("subject", True, False, "2026-03-12")]
    assert counted(one, *log, toxic(3, "2026-03-01")) == [("subject", True, True, "2026-03-01")]
    assert counted(one, *log, toxic(3, "2026-04-01")) == [("subject", True, False, "2026-03-12")]


@pytest.mark.parametrize("word", ["treatment_stopped", "withdrawn", "completed", "lost"])
def test_who_gets_no_more_infusions_has_had_the_last(word):
    one = engine(window_from="last_infusion", planned_infusions="4")
    log = [infused(1, FIRST, 1), status(2, "2026-01-12T09:00", word)]
    assert counted(one, *log, until="2026-02-10T00:00") == [("subject", True, False, "2026-02-09")]


def test_each_infusion_is_a_unit_and_an_event_belongs_to_the_last_before_it():
    one = engine(unit="infusion")
    log = [infused(1, FIRST, 1), infused(2, SECOND, 2), toxic(3, "2026-02-11")]
    assert counted(one, *log) == [
        ("infusion:1", True, False, "2026-02-09"),
        ("infusion:2", True, True, "2026-02-11"),
    ]


def test_an_event_dated_by_the_day_of_an_infusion_belongs_to_that_infusion():
    one = engine(unit="infusion")
    log = [infused(1, FIRST, 1), infused(2, SECOND, 2), toxic(3, "2026-02-10")]
    assert counted(one, *log)[1] == ("infusion:2", True, True, "2026-02-10")


def test_an_infusion_that_was_not_given_gives_its_event_to_the_one_before():
    one = engine(unit="infusion")
    wrong = event(
        4,
        "correction",
        "2026-02-12T09:00",
        corrects={"source": "lab", "id": "e2"},
        entered_in_error=True,
    )
    log = [infused(1, FIRST, 1), infused(2, "2026-01-20T09:00", 2), toxic(3, "2026-02-01"), wrong]
    before = [("infusion:1", False, False, "2026-01-10"), ("infusion:2", True, True, "2026-02-01")]
    assert counted(one, *log[:3]) == before
    assert counted(one, *log) == [("infusion:1", True, True, "2026-02-01")]


def test_evaluable_after_the_window_means_an_event_waits_too():
    one = engine(evaluable="after_window")
    log = [infused(1, FIRST, 1), toxic(2, "2026-01-12")]
    assert counted(one, *log) == [("subject", False, True, "2026-01-10")]
    assert counted(one, *log, until="2026-02-09T09:00") == [("subject", True, True, "2026-02-09")]


@pytest.mark.parametrize(
    ("change", "happened"),
    [
        ({"grade": 2}, False),
        ({"status": "withdrawn"}, False),
        ({"onset": "2026-05-01"}, False),
        ({"causality": "related"}, True),
    ],
)
def test_what_is_graded_or_dated_otherwise_later_counts_as_it_is_known_now(change, happened):
    later = event(3, "adverse_event", "2026-01-20T09:00", ae="a1", **change)
    log = [infused(1, FIRST, 1), toxic(2, "2026-01-12"), later]
    (found,) = counted(engine(), *log)
    assert found[1:3] == (happened, happened)


def test_an_event_that_is_told_late_counts_since_it_began():
    late = toxic(2, "2026-01-12")
    log = [infused(1, FIRST, 1), late]
    again = rules.Event(
        2, "ev2", "lab", "e2", late.type, late.time_us, "second", day_us("2026-03-01"), late.data
    )
    assert counted(engine(), log[0], again) == [("subject", True, True, "2026-01-12")]


def day_us(text: str) -> int:
    return event(0, "x", f"{text}T00:00").time_us


def test_an_endpoint_over_the_subjects_facts_happened_at_their_latest_time():
    one = engine(on="subject", endpoint="ecog >= 3 && infection")
    log = [
        infused(1, FIRST, 1),
        event(2, "condition", "2026-01-11T09:00", code="infection", status="active"),
        event(3, "assessment", "2026-01-14T09:00", code="ecog", value=4),
    ]
    assert counted(one, *log[:2])[0][1:3] == (False, False)
    assert counted(one, *log) == [("subject", True, True, "2026-01-14")]


def test_after_the_window_the_facts_of_its_last_instant_count():
    one = engine(on="subject", endpoint="ecog >= 3")
    log = [
        infused(1, FIRST, 1),
        event(2, "assessment", "2026-01-14T09:00", code="ecog", value=4),
        event(3, "assessment", "2026-03-14T09:00", code="ecog", value=1),
    ]
    assert counted(one, *log) == [("subject", True, True, "2026-01-14")]
    assert counted(one, *log, told_late("2026-01-12", 0)) == [("subject", True, True, "2026-01-14")]
    assert counted(one, *log, told_late("2026-01-20", 0)) == [
        ("subject", True, False, "2026-02-09")
    ]


def told_late(day: str, ecog: int) -> rules.Event:
    """A judgement of that day, received after the window."""
    data = {"code": "ecog", "value": ecog}
    times = (day_us(day), "second", day_us("2026-03-20"))
    return rules.Event(4, "e", "lab", "x", "assessment", *times, data)


def test_follow_up_that_ends_early_is_told():
    log = [infused(1, FIRST, 1), status(2, "2026-01-15T09:00", "lost")]
    outcome = engine().subject_steps("t", "S-1", None, log, lambda n: log[:n])
    last = [c for r in outcome.results for c in r.contributions if c.rule == "ST"][-1]
    assert (day(last.start_us or 0), day(last.until_us or 0)) == ("2026-01-10", "2026-01-15")


@pytest.mark.parametrize(
    ("day_of_death", "expected"),
    [("2026-01-10", [("subject", True, True, "2026-01-10")]), ("2026-01-09", [])],
)
def test_a_death_told_by_the_date_of_the_enrolment_counts(day_of_death, expected):
    one = engine(on="subject", endpoint="dead", window_from="enrolment")
    death = event(2, "death", f"{day_of_death}T00:00", FIRST, precision="day")
    found = counted(one, status(1, FIRST, "enrolled"), death)
    assert [row for row in found if row[2]] == expected


@pytest.mark.parametrize(
    ("time", "happened"), [("2026-01-10T00:00", True), ("2026-01-10T08:00", False)]
)
def test_what_may_be_told_by_the_date_of_the_infusion_counts(time, happened):
    one = engine(on="subject", endpoint="ecog >= 3")
    told = event(2, "assessment", time, FIRST, code="ecog", value=3)
    assert [row[2] for row in counted(one, infused(1, FIRST, 1), told)] == [happened]
