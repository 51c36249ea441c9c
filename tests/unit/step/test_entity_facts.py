"""Facts made of infusions and adverse events, now and as of an instant."""

from __future__ import annotations

import pytest

from rules import state as states
from rules.errors import LogNeeded
from rules.facts import entities
from rules.facts.calendar import Calendar, Span
from rules.facts.entity_records import as_told
from rules.model import Reference
from tests.support.entity_trial import engine, run
from tests.support.step_logs import at, event


def part(at, end=None, **fields):
    return [at, at if end is None else end, at, f"e{at}", fields]


def test_as_of_an_instant_a_grade_is_what_was_told_by_then():
    parts = [part(1, grade=1), part(5, grade=3)]
    assert as_told(parts, 4).values == {"grade": 1}
    assert as_told(parts, 5).values == {"grade": 3}


def test_what_was_told_only_later_is_as_it_was_first_told():
    parts = [part(1, grade=1), part(5, causality="related"), part(7, causality="unrelated")]
    assert as_told(parts, 3).values == {"grade": 1, "causality": "related"}


def test_what_a_date_alone_leaves_open_is_unknown():
    parts = [part(1, grade=1), part(3, 8, grade=3)]
    assert as_told(parts, 5).values == {"grade": None}
    assert as_told([part(1, grade=3), part(3, 8, grade=3)], 5).values == {"grade": 3}


def test_what_was_folded_together_needs_the_log(monkeypatch):
    monkeypatch.setattr(entities, "MOST_PARTS", 1)
    parts = [part(1, 9, grade=1), part(5, grade=3), part(6, grade=2)]
    entities.collapse(parts)
    with pytest.raises(LogNeeded):
        as_told(parts, 8)
    assert as_told(parts, 9).values == {"grade": 2}


def test_how_often_what_never_happened_is_known_from_the_first_event_on():
    outcome = run([event(1, "enrolment", "2026-01-09T08:00:00", status="screened")])
    view = engine().view(outcome.state)
    verdicts = {item["id"]: item["verdict"] for item in view["criteria"]}
    assert verdicts["E1"] == "not_met"
    assert states.loads(outcome.state).live["severe"] == 0


JANUARY = ("2026-01-01T00:00:00", "2026-01-31T23:59:59")


@pytest.mark.parametrize(
    ("onset", "infused", "after"),
    [
        (("2026-01-12T09:00:00",), JANUARY, None),
        (("2026-01-12T00:00:00", "2026-01-12T23:59:59"), JANUARY, None),
        (JANUARY, JANUARY, None),
        (("2026-01-01T00:00:00", "2026-12-31T23:59:59"), JANUARY, None),
        (("2025-12-31T09:00:00",), JANUARY, False),
        (("2026-02-01T00:00:00",), JANUARY, True),
        (("2026-01-12T09:00:00",), ("2026-01-01T00:00:00", "2026-12-31T23:59:59"), None),
        (JANUARY, ("2026-01-12T09:00:00",), None),
        (("2026-01-12T00:00:00",), ("2026-01-12T00:00:00", "2026-01-12T23:59:59"), True),
        (("2026-01-12T09:00:00",), ("2026-01-12T09:00:00",), True),
    ],
)
def test_an_onset_is_after_an_infusion_only_where_both_times_leave_no_other_way(
    onset, infused, after
):
    began, first = (Span(at(one[0]), at(one[-1])) for one in (onset, infused))
    merged, calendar = entities.Merged({}, {}, began), Calendar("UTC")
    readings = entities.adverse_event_readings(merged, began, first, Reference(), calendar)
    assert readings["onset_after_infusion"].value is after


def test_an_infusion_dated_by_its_month_leaves_open_what_came_after_it():
    log = [
        event(1, "administration", "2026-01-20T09:00:00", number=1, status="completed", start="2026-01"),
        event(2, "adverse_event", "2026-01-21T09:00:00", ae="A", grade=4, onset="2026-01-12T09:00:00-05:00"),
    ]  # fmt: skip
    assert engine().facts(run(log).state, ["bad_after"]) == {"bad_after": None}
