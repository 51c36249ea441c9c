"""A state that an older engine wrote: nothing of it is forgotten, and everything is judged anew."""

from __future__ import annotations

import orjson
import pytest

import rules
from rules import state as states
from rules.terms import Change
from tests.support.step_logs import START, engine, event, run

DAY = 86_400_000_000
LOG = [
    event(1, "demographics", START, birth_date="1980-06-15", sex="male"),
    event(2, "observation", START, code="temp", value=39, unit="Cel"),
    event(3, "enrolment", START, status="enrolled"),
    event(4, "observation", START + 1, code="temp", value=39.5, unit="Cel"),
]


@pytest.fixture
def newer(monkeypatch):
    monkeypatch.setattr(states, "ENGINE_VERSION", 99)
    monkeypatch.setattr("rules.trial.state.ENGINE_VERSION", 99)
    monkeypatch.setattr("rules.trial.fold.ENGINE_VERSION", 99)
    monkeypatch.setattr("rules.step.ENGINE_VERSION", 99)


def test_a_subject_is_folded_anew_and_told_of_differences_only(newer):
    before = orjson.loads(run(LOG[:3]).state)
    before[1] = 98
    outcome = run(LOG, state=orjson.dumps(before), skip=3)
    changes = {change.rule: change.change for change in outcome.results[-1].changes}
    assert changes["S-HOT"] is Change.UPDATED  # open since before, and still the same episode
    assert Change.OPENED not in changes.values()
    assert engine().view(outcome.state) == engine().view(run(LOG).state)
    assert orjson.loads(outcome.state)[1] == 99


def test_a_trial_is_folded_anew_and_told_of_differences_only(newer):
    made = [
        rules.Contribution("enrolled", "subject", f"S-{n}", False, False, START, START, 1)
        for n in (1, 2, 3)
    ]
    log = [event(n, "contribution", START, **one.as_data()) for n, one in enumerate(made, 1)]

    def steps(state, some):
        return engine().trial_steps("t", state, some, lambda n: log[:n])

    before = orjson.loads(steps(None, log[:2]).state)
    before[1] = 98
    before[5] = {}  # as if the older one had counted otherwise
    outcome = steps(orjson.dumps(before), log[2:])
    assert engine().counts_view(outcome.state)["enrolled"] == 3
    assert Change.OPENED not in [one.change for one in outcome.results[-1].changes]
