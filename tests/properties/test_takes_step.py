"""The step's promises for every take and window: whatever the way there, the log alone decides."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import rules
from rules import state as states
from rules.facts import entities, timeline
from rules.findings import Step
from rules.subject import SubjectFold
from tests.support.step_logs import HOUR
from tests.support.take_logs import engine, logs, run

FEW = settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))


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
@given(logs(), st.sampled_from([0, 1, 30, 200, 2000]))
def test_folding_step_by_step_equals_folding_the_whole_log(log, hours):
    state = None
    for n in range(1, len(log) + 1):
        until = None
        if n < len(log):
            until = min(log[n - 1].received_us + hours * HOUR, log[n].received_us)
        outcome = run(log[:n], until=until, state=state, skip=n - 1)
        state = outcome.state
        again = refolded(outcome, log[:n])
        (result,) = again.results
        assert [(one.rule, one.key, one.title) for one in result.changes] == []
        assert result.decision == outcome.results[-1].decision
        assert result.digest == outcome.results[-1].digest
        assert again.next_due_us() == outcome.next_due_us
        assert engine().view(states.dumps(again.state)) == engine().view(state)


@FEW
@given(logs(most=12), st.lists(st.integers(0, 900), max_size=6))
def test_how_often_the_sweep_nudges_changes_no_decision(log, hours):
    end = log[-1].received_us + 9000 * HOUR
    plain = run(log, until=end)
    results: list[rules.StepResult] = []
    state, done = None, 0
    for nudge in sorted({log[0].received_us + hour * HOUR for hour in hours} | {end}):
        upto = sum(one.received_us <= nudge for one in log)
        outcome = run(log[:upto], until=nudge, state=state, skip=done)
        state, done = outcome.state, upto
        results += outcome.results
    assert tuple(results) == plain.results
    assert state == plain.state


@FEW
@given(logs(most=12))
def test_between_two_due_instants_no_fact_changes_by_time_alone(log):
    """Each live fact read in between is as it was, but for days that no condition tells apart."""
    plan = engine().plan
    fold = SubjectFold(
        plan, engine().knowledge, "S-1", states.SubjectState(plan.version), lambda n: log[:n]
    )
    for one in log:
        fold.fold(one)
    # Once enrolled, what only criteria ask for stands fixed and is no longer live.
    enrolled = entities.enrolled_part(fold.state.enrolment) is not None
    asked = [name for name in plan.live if not (enrolled and name in plan.only_criteria)]
    now = log[-1].received_us
    for _ in range(12):
        due = fold.next_due_us() or now + 4000 * HOUR
        assert due > now
        for instant in {now + 1, (now + due) // 2, due - 1} - {due}:
            for name in asked:
                value = plan.read[name](fold.subject.timeline, None, instant).value
                held = fold.state.live.get(name)
                assert plan.told_alike(name, value) == plan.told_alike(name, held), name
        if fold.next_due_us() is None:
            break
        fold.due_until(due)
        now = due
