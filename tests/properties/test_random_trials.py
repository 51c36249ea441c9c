"""The promises of the engine over random protocols: whatever the way there, the log alone decides."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import rules
from rules import state as states
from rules.facts import entities, timeline
from rules.facts.calendar import iso
from rules.findings import Step
from tests.support.random_trials import Pick, Teller, logs, trials

FEW = settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
HOUR = 3_600_000_000


@pytest.fixture(params=["roomy", "tight"], autouse=True)
def room(request, monkeypatch):
    """Once as in service, once keeping as little as can be, so that re-folds happen often."""
    monkeypatch.setattr("rules.subject.fold.HOLD_STEPS", 0)  # what it does: test_bursts.py
    if request.param == "tight":
        monkeypatch.setattr(timeline, "KEEP", 1)
        monkeypatch.setattr(timeline, "PRUNE_EVERY", 2)
        monkeypatch.setattr(entities, "MOST_PARTS", 2)


def numbered(log, received=None):
    """The same events in this order of arrival."""
    return [
        replace(one, n=n, received_us=one.received_us if received is None else received + n)
        for n, one in enumerate(log, start=1)
    ]


def without_ties(log):
    """Of two events of one kind and one time the last received counts: that is no order of ours."""
    times: dict[tuple[str, int], int] = {}
    for one in log:
        times.setdefault((one.type, one.time_us), one.n)
    kept = [one for one in log if times[one.type, one.time_us] == one.n]
    names = {one.id for one in kept}
    last: dict[str, int] = {}
    for one in kept:
        if one.type == "correction":
            last[one.data["corrects"]["id"]] = one.n
    overrides = {one.id for one in log if one.type == "override"}
    return [
        one
        for one in kept
        if one.type != "correction"
        or (
            last[one.data["corrects"]["id"]] == one.n
            and one.data["corrects"]["id"] in names - overrides
            and "time" not in one.data
        )
    ]


@FEW
@given(st.data())
def test_any_order_of_arrival_gives_the_same_facts_verdicts_and_open_findings(data):
    trial = data.draw(trials())
    log = without_ties(data.draw(logs(trial)))
    end = log[-1].received_us + data.draw(st.sampled_from(trial.edges))
    in_time = trial.run(numbered(log), end + 100)
    shuffled = numbered(data.draw(st.permutations(log)), end)
    assert trial.said(trial.run(shuffled, end + 100)) == trial.said(in_time)


@FEW
@given(st.data())
def test_any_split_into_batches_gives_the_same_steps_and_state(data):
    trial = data.draw(trials())
    log = data.draw(logs(trial))
    whole = trial.run(log)
    cuts = sorted(data.draw(st.sets(st.integers(1, len(log)), max_size=5)) | {len(log)})
    results: list[rules.StepResult] = []
    state, done = None, 0
    for cut in cuts:
        outcome = trial.run(log[:cut], state=state, skip=done)
        state, done = outcome.state, cut
        results += outcome.results
    assert tuple(results) == whole.results
    assert state == whole.state


@FEW
@given(st.data())
def test_a_sweep_that_ran_often_late_or_never_gives_the_same_decisions(data):
    trial = data.draw(trials())
    log = data.draw(logs(trial))
    end = log[-1].received_us + 4000 * HOUR
    never = trial.run(log, end)
    hours = data.draw(st.lists(st.integers(0, 3000), max_size=10))
    nudges = sorted({log[0].received_us + hour * HOUR for hour in hours} | {end})
    results: list[rules.StepResult] = []
    state, done = None, 0
    for nudge in nudges:
        upto = sum(one.received_us <= nudge for one in log)
        outcome = trial.run(log[:upto], nudge, state=state, skip=done)
        state, done = outcome.state, upto
        results += outcome.results
    assert tuple(results) == never.results
    assert state == never.state


@FEW
@given(st.data())
def test_a_correction_equals_never_having_been_wrong(data):
    trial = data.draw(trials())
    log = data.draw(logs(trial, repairs=False))
    pick = Pick(data.draw)
    place = data.draw(st.integers(0, len(log) - 1))
    right = log[place]
    wrong = replace(right, data=Teller(pick, trial).canonical(right.type, right.time_us))
    said: dict[str, Any] = {
        "corrects": {"source": right.source, "id": right.id},
        "data": dict(right.data),
    }
    if right.timeprecision == "second" and pick.chance(2):
        wrong = replace(wrong, time_us=right.time_us - pick(1, HOUR, 24 * HOUR))
        said["time"] = iso(right.time_us)
    at = data.draw(st.integers(place + 1, len(log)))
    received = log[at - 1].received_us
    correction = rules.Event(
        0, "ev-c", "lab", "c", "correction", received, "second", received, said
    )
    mistaken = numbered([*log[:place], wrong, *log[place + 1 : at], correction, *log[at:]])
    end = log[-1].received_us + data.draw(st.sampled_from((0, 1, *trial.edges)))
    assert trial.said(trial.run(mistaken, end)) == trial.said(trial.run(log, end))


@FEW
@given(st.data())
def test_what_was_entered_in_error_equals_never_having_been_sent(data):
    trial = data.draw(trials())
    log = data.draw(logs(trial, repairs=False))
    place = data.draw(st.integers(0, len(log) - 1))
    gone = log[place]
    at = data.draw(st.integers(place, len(log)))
    received = log[max(at - 1, 0)].received_us
    said = {"corrects": {"source": gone.source, "id": gone.id}, "entered_in_error": True}
    back = rules.Event(0, "ev-c", "lab", "c", "correction", received, "second", received, said)
    end = log[-1].received_us + data.draw(st.sampled_from((0, 1, *trial.edges)))
    never = numbered([*log[:place], *log[place + 1 :]])
    taken_back = numbered([*log[:at], back, *log[at:]])
    if never:
        assert trial.said(trial.run(taken_back, end)) == trial.said(trial.run(never, end))


@FEW
@given(st.data())
def test_folding_in_order_equals_folding_the_whole_log_anew(data):
    trial = data.draw(trials())
    log = data.draw(logs(trial))
    end = log[-1].received_us + data.draw(st.sampled_from((0, 1, *trial.edges)))
    outcome = trial.run(log, end)
    anew = trial.run(log, end)
    fold = trial.fold(anew.state, log)
    fold._again(Step(fold.state.n, 0, fold.state.at_us, "again", fold.state.at_us, None))
    (result,) = fold.results
    assert (result.changes, result.contributions) == ((), ())
    assert result.digest == outcome.results[-1].digest
    assert fold.next_due_us() == outcome.next_due_us
    assert trial.engine.view(states.dumps(fold.state)) == trial.engine.view(outcome.state)
