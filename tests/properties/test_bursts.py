"""Late events in bursts: a re-fold keeps everything for the steps after it, and nothing differs.

The other properties fold as if each re-fold dropped at once what no later step needs; these show
that keeping it gives the same steps, however long it is kept.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import rules
from rules import state as states
from rules.facts import entities, timeline
from rules.subject import fold
from tests.support import entity_logs, entity_trial, random_trials, step_logs
from tests.support.step_logs import HOUR, START, event

FEW = settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
# What a state keeps of what was published depends on when it was last dropped; this must not.
SAID = ("findings", "contributions", "digest", "decision", "codes", "n", "at_us", "reached_us")
Log = Sequence[rules.Event]


@pytest.fixture(autouse=True)
def tight(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keeping as little as can be, so that re-folds happen often."""
    monkeypatch.setattr(timeline, "KEEP", 1)
    monkeypatch.setattr(timeline, "PRUNE_EVERY", 2)
    monkeypatch.setattr(entities, "MOST_PARTS", 2)


def held(steps: int, engine: rules.Engine, log: Log, batch: int) -> tuple[object, ...]:
    """All that a log says in batches of that size, where a re-fold keeps all for so many steps."""
    results: list[rules.StepResult] = []
    state, next_due_us = None, None
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fold, "HOLD_STEPS", steps)
        for done in range(0, len(log), batch):
            part = log[done : done + batch]
            outcome = engine.subject_steps("t", "S-1", state, part, lambda n: log[:n])
            state, next_due_us = outcome.state, outcome.next_due_us
            results += outcome.results
    assert state is not None
    known = states.loads(state)
    said = [getattr(known, name) for name in SAID]
    return results, next_due_us, said, engine.view(state)


def same_however_long(engine: rules.Engine, log: Log, batch: int) -> None:
    at_once = held(0, engine, log, 1)
    for steps in (2, 200):
        assert held(steps, engine, log, batch) == at_once


@FEW
@given(step_logs.logs(), st.integers(1, 30))
def test_what_a_re_fold_keeps_changes_no_step(log: Log, batch: int) -> None:
    same_however_long(step_logs.engine(), log, batch)


@FEW
@given(entity_logs.logs(), st.integers(1, 24))
def test_what_a_re_fold_keeps_changes_no_step_of_entities(log: Log, batch: int) -> None:
    same_however_long(entity_trial.engine(), log, batch)


@FEW
@given(st.data())
def test_what_a_re_fold_keeps_changes_no_step_of_a_random_trial(data: st.DataObject) -> None:
    trial = data.draw(random_trials.trials())
    log = data.draw(random_trials.logs(trial))
    same_however_long(trial.engine, log, data.draw(st.integers(1, len(log))))


def jumbled(count: int) -> list[rules.Event]:
    """Temperatures and adverse events of many days, received at once in random order."""
    chance = random.Random(3)
    made = [event(1, "enrolment", START, status="enrolled")]
    for n in range(2, count + 1):
        time_us = START + n * HOUR
        if n % 9 == 0:
            made.append(event(n, "adverse_event", time_us, ae=f"A{n // 40}", grade=1 + n % 4))
            continue
        made.append(
            event(n, "observation", time_us, code="temp", value=36 + n % 40 / 10, unit="Cel")
        )
    chance.shuffle(made)
    end = START + (count + 1) * HOUR
    return [
        replace(one, n=n, received_us=end + n, event=f"ev{n}", id=f"e{n}")
        for n, one in enumerate(made, 1)
    ]


def refolds(log: Log, batch: int, engine: Callable[[], rules.Engine] = step_logs.engine) -> int:
    """How often the whole log was asked for."""
    asked: list[int] = []

    def whole(n: int) -> Log:
        asked.append(n)
        return log[:n]

    state = None
    for done in range(0, len(log), batch):
        part = log[done : done + batch]
        state = engine().subject_steps("t", "S-1", state, part, whole).state
    return len(asked)


def test_a_jumbled_burst_reads_the_log_about_once_a_batch() -> None:
    log = jumbled(400)
    assert refolds(log, 200) <= 4
    assert refolds(log, 400) <= 4


def test_a_jumbled_burst_says_what_it_says_event_by_event() -> None:
    log = jumbled(150)
    assert held(200, step_logs.engine(), log, 50) == held(0, step_logs.engine(), log, 1)


def test_what_is_stored_after_a_burst_is_small() -> None:
    log = jumbled(300)  # it ends while all is kept still
    state = step_logs.engine().subject_steps("t", "S-1", None, log, lambda n: log[:n]).state
    in_order = sorted(log, key=lambda one: one.time_us)
    plain = [replace(one, n=n) for n, one in enumerate(in_order, 1)]
    kept = step_logs.engine().subject_steps("t", "S-1", None, plain, lambda n: plain[:n]).state
    assert len(state) < 2 * len(kept)
