"""Rules over entities keep the step's promises: the log alone decides, whatever the way there."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import rules
from rules import state as states
from rules.facts import entities, timeline
from rules.findings import Step
from rules.subject import SubjectFold
from tests.support.entity_logs import logs
from tests.support.entity_trial import engine, opened, run
from tests.support.step_logs import HOUR, START

FEW = settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))


@pytest.fixture(params=["roomy", "tight"], autouse=True)
def room(request, monkeypatch):
    """Once as in service, once keeping as little as can be, so that re-folds happen often."""
    monkeypatch.setattr("rules.subject.fold.HOLD_STEPS", 0)  # what it does: test_bursts.py
    if request.param == "tight":
        monkeypatch.setattr(timeline, "KEEP", 1)
        monkeypatch.setattr(timeline, "PRUNE_EVERY", 2)
        monkeypatch.setattr(entities, "MOST_PARTS", 2)


def refolded(outcome, log):
    """The same instant judged once more, over the whole log."""
    state = states.loads(outcome.state)
    one = engine()
    fold = SubjectFold(one.plan, one.knowledge, "S-1", state, lambda n: log[:n])
    fold._again(Step(state.n, 0, state.at_us, "again", state.at_us, None))
    return fold


@FEW
@given(logs())
def test_folding_step_by_step_equals_folding_the_whole_log_at_every_event(log):
    state = None
    for n in range(1, len(log) + 1):
        outcome = run(log[:n], state=state, skip=n - 1)
        state = outcome.state
        again = refolded(outcome, log[:n])
        (result,) = again.results
        assert result.changes == ()
        assert result.contributions == ()
        assert result.digest == outcome.results[-1].digest
        assert again.next_due_us() == outcome.next_due_us


@FEW
@given(logs(), st.data())
def test_any_split_of_a_log_into_batches_gives_the_same(log, data):
    whole = run(log)
    cuts = sorted(data.draw(st.sets(st.integers(1, len(log)), max_size=5)) | {len(log)})
    results: list[rules.StepResult] = []
    state, done = None, 0
    for cut in cuts:
        outcome = run(log[:cut], state=state, skip=done)
        state, done = outcome.state, cut
        results += outcome.results
    assert tuple(results) == whole.results
    assert state == whole.state


@FEW
@given(logs(most=10), st.lists(st.integers(0, 900), max_size=8))
def test_how_often_the_sweep_nudges_changes_nothing(log, hours):
    end = log[-1].received_us + 1200 * HOUR
    plain = run(log, until=end)
    nudges = sorted({START + hour * HOUR for hour in hours} | {end})
    results: list[rules.StepResult] = []
    state, done = None, 0
    for nudge in nudges:
        upto = sum(one.received_us <= nudge for one in log)
        outcome = run(log[:upto], until=nudge, state=state, skip=done)
        state, done = outcome.state, upto
        results += outcome.results
    assert tuple(results) == plain.results
    assert state == plain.state


def found(outcome):
    """The open rules by their entity; an episode of the subject is that of its rule."""
    return {
        (rule, key if key.startswith(("ae:", "infusion:", "visit:", "lab:")) else "")
        for rule, key in opened(outcome)
    }


@FEW
@given(logs(most=14, repairs=False), st.randoms(use_true_random=False))
def test_any_order_of_arrival_gives_the_same_open_findings(log, chance):
    """Of what tells of one time the last received counts: here no two do."""
    apart = [
        replace(one, time_us=one.time_us + one.n) for one in log if one.timeprecision == "second"
    ]
    end = START + 9000 * HOUR
    shuffled = list(apart)
    chance.shuffle(shuffled)
    at_once = [replace(one, n=n, received_us=end) for n, one in enumerate(shuffled, 1)]
    in_order = [replace(one, n=n) for n, one in enumerate(apart, 1)]
    assert found(run(at_once, until=end)) == found(run(in_order, until=end))
