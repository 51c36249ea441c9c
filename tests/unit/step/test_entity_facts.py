"""Facts made of infusions and adverse events, now and as of an instant."""

from __future__ import annotations

import pytest

from rules import state as states
from rules.errors import LogNeeded
from rules.facts import entities
from rules.facts.entity_records import as_told
from tests.support.entity_trial import engine, run
from tests.support.step_logs import event


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
