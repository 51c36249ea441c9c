"""The step's promises, over random logs: whatever the way there, the log alone decides."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

import rules
from rules import state as states
from rules.facts import entities, timeline
from rules.findings import Step
from rules.subject import SubjectFold
from tests.support.step_logs import HOUR, START, engine, event, logs, run

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
        assert result.decision == outcome.results[-1].decision
        assert result.digest == outcome.results[-1].digest
        assert again.next_due_us() == outcome.next_due_us
        assert engine().view(states.dumps(again.state)) == engine().view(state)


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
@given(logs(most=12), st.lists(st.integers(0, 900), max_size=12))
def test_how_often_the_sweep_nudges_changes_no_decision(log, hours):
    end = log[-1].received_us + 9000 * HOUR
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


@FEW
@given(logs(most=12))
def test_a_due_instant_is_always_strictly_later_than_what_was_judged(log):
    outcome = run(log)
    if outcome.next_due_us is not None:
        assert outcome.next_due_us > log[-1].received_us
    instants = [(result.at_us, result.n) for result in outcome.results]
    assert instants == sorted(instants)


@FEW
@given(logs(most=16))
def test_the_same_correction_sent_again_changes_nothing(log):
    last = [one for one in log if one.type == "correction"]
    assume(last)
    n = len(log) + 1
    again = event(n, "correction", log[-1].received_us, **last[-1].data)
    targets = [one.data["corrects"] for one in last]
    assume(targets.count(last[-1].data["corrects"]) == 1)
    assume({"source": last[-1].source, "id": last[-1].id} not in targets)
    assume(not any(one.type == "discard" for one in log))
    longer = [*log, again]
    assume("OPS-CORRECTION-UNFIT" not in {c.rule for r in run(longer).results for c in r.changes})
    assert run(longer).results[-1].changes == ()
    assert run(longer).results[-1].contributions == ()


sums = st.lists(
    st.tuples(
        st.sampled_from(["enrolled", "infused", "ST-TOX"]),
        st.sampled_from(["S-1", "S-2", "S-3", "S-4"]),
        st.booleans(),
        st.booleans(),
        st.integers(0, 5),
        st.booleans(),
    ),
    max_size=14,
)


@FEW
@given(sums, st.randoms(use_true_random=False))
def test_the_trial_does_not_depend_on_the_order_in_which_contributions_arrive(rows, chance):
    revisions: dict[tuple[str, str], int] = {}
    made = []
    for rule, subject, evaluable, happened, since, withdrawn in rows:
        revisions[rule, subject] = revisions.get((rule, subject), 0) + 1
        made.append(
            rules.Contribution(
                rule=rule,
                unit="subject",
                subject=subject,
                evaluable=evaluable or happened,
                event=happened,
                since_us=START + since,
                at_us=START,
                revision=revisions[rule, subject],
                withdrawn=withdrawn,
            )
        )

    def folded(some):
        log = [event(n, "contribution", START, **c.as_data()) for n, c in enumerate(some, 1)]
        outcome = engine().trial_steps("t", None, log, lambda n: log[:n])
        held = {
            change.rule: change.change in {"opened", "updated"}
            for result in outcome.results
            for change in result.changes
        }
        still = {rule for rule, is_open in held.items() if is_open}
        views = engine().stopping_view(outcome.state)
        for view in views:  # which holds began is what was known when, and so of the order
            assert view["holds"] or not view["crossed"]
            for name in ("hold", "holds", "during_hold"):
                view.pop(name)
        return views, {rule for rule in still if not rule.startswith("TR-")}

    shuffled = list(made)
    chance.shuffle(shuffled)
    assert folded(made) == folded(shuffled)
