"""What a subject is pinned to follows from its log alone, however it is folded."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rules import state as states
from rules.facts import entities, timeline
from rules.findings import Step
from rules.subject import SubjectFold
from tests.support.step_logs import HOUR
from tests.support.versions import amended_logs, engine, fold

FEW = settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))


@pytest.fixture(params=["roomy", "tight"], autouse=True)
def room(request, monkeypatch):
    """Once as in service, once keeping as little as can be, so that re-folds happen often."""
    monkeypatch.setattr("rules.subject.fold.HOLD_STEPS", 0)  # what it does: test_bursts.py
    if request.param == "tight":
        monkeypatch.setattr(timeline, "KEEP", 1)
        monkeypatch.setattr(timeline, "PRUNE_EVERY", 2)
        monkeypatch.setattr(entities, "MOST_PARTS", 2)


@FEW
@given(amended_logs(), st.data())
def test_any_split_across_activations_and_consents_gives_the_same(log, data):
    end = log[-1].received_us + 3000 * HOUR
    whole, last, _ = fold(log, until=end)
    cuts = data.draw(st.sets(st.integers(1, len(log) - 1), max_size=6)) if len(log) > 1 else ()
    results, outcome, _ = fold(log, cuts, until=end)
    assert results == whole
    assert outcome == last.__class__(**{**_fields(last), "results": outcome.results})


@FEW
@given(amended_logs())
def test_the_state_after_each_event_is_what_the_whole_log_says(log):
    for n in range(1, len(log) + 1):
        _, outcome, name = fold(log[:n])
        state = states.loads(outcome.state)
        one = engine(name)
        again = SubjectFold(*one.house.at(state.pins), "S-1", state, lambda k: log[:k], one.house)
        again._again(Step(state.n, 0, state.at_us, "again", state.at_us, None))
        (result,) = again.results
        assert result.changes == ()
        assert result.digest == outcome.results[-1].digest
        assert again.next_due_us() == outcome.next_due_us
        assert one.view(states.dumps(again.state)) == one.view(outcome.state)


def _fields(outcome):
    return {name: getattr(outcome, name) for name in outcome.__dataclass_fields__}
