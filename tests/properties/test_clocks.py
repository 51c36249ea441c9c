"""Reporting clocks keep the step's promises, and are due when a direct reading says."""

from __future__ import annotations

from datetime import datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import rules
from rules import state as states
from rules.clinical.clocks import period
from rules.facts import entities
from rules.facts.calendar import HOUR_US, SECOND_US, Calendar, iso
from rules.findings import Step
from rules.model import Due
from rules.subject import SubjectFold
from tests.support.clock_rooms import at
from tests.support.clock_trial import START, ae, engine, logs, run

FEW = settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))


@pytest.fixture(params=["roomy", "tight"], autouse=True)
def room(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Once as in service, once collapsing at once, so that re-folds happen often."""
    monkeypatch.setattr("rules.subject.fold.HOLD_STEPS", 0)  # what it does: test_bursts.py
    if request.param == "tight":
        monkeypatch.setattr(entities, "MOST_PARTS", 2)


@FEW
@given(logs())
def test_folding_step_by_step_equals_folding_the_whole_log_at_every_event(
    log: list[rules.Event],
) -> None:
    state = None
    for n in range(1, len(log) + 1):
        outcome = run(log[:n], state=state, skip=n - 1)
        state = outcome.state
        held, one = states.loads(state), engine()
        fold = SubjectFold(one.plan, one.knowledge, "S-1", held, lambda n: log[:n])
        fold._again(Step(held.n, 0, held.at_us, "again", held.at_us, None))
        assert fold.results[-1].changes == ()
        assert fold.next_due_us() == outcome.next_due_us
        assert fold.results[-1].digest == outcome.results[-1].digest
        kept, again = states.loads(state), states.loads(states.dumps(held))
        assert (again.knowing, again.clocks) == (kept.knowing, kept.clocks)


@FEW
@given(logs(), st.lists(st.integers(0, 900), max_size=8))
def test_how_often_the_sweep_nudges_changes_nothing(
    log: list[rules.Event], hours: list[int]
) -> None:
    end = log[-1].received_us + 1200 * HOUR_US
    plain = run(log, until=end)
    results: list[rules.StepResult] = []
    state, done = None, 0
    for nudge in sorted({START + hour * HOUR_US for hour in hours} | {end}):
        upto = sum(one.received_us <= nudge for one in log)
        outcome = run(log[:upto], until=nudge, state=state, skip=done)
        state, done = outcome.state, upto
        results += outcome.results
    assert tuple(results) == plain.results
    assert state == plain.state


WORDS = ("serious", "grade", "term", "outcome", "aware_at", "reported_at")


@FEW
@given(st.randoms(use_true_random=False), st.sets(st.sampled_from(WORDS)))
def test_the_order_of_what_is_received_at_one_instant_changes_nothing(
    chance: Any, names: set[str]
) -> None:
    end_us = START + 50 * HOUR_US
    told = {"serious": True, "grade": 5, "term": "Rash", "outcome": "fatal"}
    told |= {"aware_at": iso(end_us - HOUR_US), "reported_at": iso(end_us - HOUR_US // 2)}
    words = [{name: told[name]} for name in sorted(names | {"serious"})]
    plain = [ae(n, end_us, **one) for n, one in enumerate(words, 1)]
    chance.shuffle(words)
    jumbled = [ae(n, end_us, **one) for n, one in enumerate(words, 1)]
    assert run(plain).clocks == run(jumbled).clocks


ZONES = ("Asia/Seoul", "Europe/Berlin", "America/New_York", "Pacific/Apia", "Pacific/Pago_Pago")


@FEW
@given(
    st.integers(at("2023-01-01T00:00:00Z"), at("2030-01-01T00:00:00Z")),
    st.sampled_from(ZONES),
    st.sampled_from((7, 15)),
)
def test_days_end_as_the_calendar_on_the_wall_says(start_us: int, zone: str, days: int) -> None:
    """The oracle: local date plus so many days, one second before the next local midnight."""
    place, calendar = ZoneInfo(zone), Calendar(zone)
    local = datetime.fromtimestamp(start_us // SECOND_US, place)
    after = local.date() + timedelta(days=days + 1)
    midnight_us = int(datetime.combine(after, time(), place).timestamp()) * SECOND_US
    found = period(start_us, calendar.day(start_us), Due(calendar_days=days), calendar.end_of_day)
    assert found.due_us == midnight_us - SECOND_US
    assert found.start_us < found.half_us < found.late_us < found.over_us == midnight_us


@FEW
@given(
    st.lists(st.integers(0, 30), min_size=2, max_size=5),
    st.integers(0, 4),
    st.integers(0, 4),
    st.integers(-50, 90),
)
def test_what_was_never_said_otherwise_is_due_when_a_direct_reading_says(
    hours: list[int], serious_at: int, aware_told: int, aware_hours: int
) -> None:
    """The oracle: 24 hours from the one awareness told, else from the first receipt; never from
    later than what was received first, or than what told of both at once.
    """
    serious_at, aware_told = serious_at % len(hours), aware_told % len(hours)
    received = [START + sum(hours[: n + 1]) * HOUR_US for n in range(len(hours))]
    aware_us = START + aware_hours * HOUR_US
    log = []
    for n, received_us in enumerate(received):
        words: dict[str, Any] = {"serious": True} if n == serious_at else {"term": "Rash"}
        words |= {"aware_at": iso(aware_us)} if n == aware_told else {}
        log.append(ae(n + 1, received_us, **words))
    bound_us = received[serious_at if serious_at == aware_told else 0]
    found = {one["clock"]: one for one in run(log).clocks}["SAE-24"]
    assert at(found["due_at"]) == min(aware_us, bound_us) + 24 * HOUR_US
    assert found["assumed"] is (aware_us > bound_us)


@FEW
@given(logs())
def test_of_one_clock_one_stage_is_told_at_a_time(log: list[rules.Event]) -> None:
    held: dict[str, set[str]] = {}
    for result in run(log, until=log[-1].received_us + 1200 * HOUR_US).results:
        for change in result.changes:
            if change.rule in ("C-CONFLICT", "C-ASSUMED"):
                continue
            clock = ":".join(change.key.split(":")[1:3])
            if change.change in (rules.Change.OPENED, rules.Change.UPDATED):
                held.setdefault(clock, set()).add(change.rule)
            else:
                held[clock].discard(change.rule)
        assert all(len(rules_held) <= 1 for rules_held in held.values())
