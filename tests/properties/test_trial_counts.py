"""What counts towards a boundary: a function of the log of each subject, and of the set of all."""

from __future__ import annotations

from functools import cache

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import rules
from rules import state as states
from rules.facts import entities, timeline
from rules.findings import Step
from rules.subject import SubjectFold
from tests.support.step_logs import HEAD, HOUR, RULES, START, logs
from tests.support.trial_logs import folded, log_of, resumed, suspended

FEW = settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
KEYS = "title: T, window_days: 7, method: table, table: [[2, 2], [4, 3]], source: {document: doc}"
STOPPING = f"""
stopping:
  - {{id: ST-TOX, endpoint: grade >= 2, {KEYS}}}
  - {{id: ST-FIT-TOX, endpoint: grade >= 2, unit: infusion, {KEYS}}}
  - {{id: LAST, endpoint: grade >= 1, window_from: last_infusion, planned_infusions: 2, {KEYS}}}
  - {{id: ENTRY, endpoint: grade >= 1, window_from: enrolment, evaluable: after_window, among: "!unfit", {KEYS}}}
  - {{id: OWN, on: subject, endpoint: "hottest >= 38 || infected_lately", {KEYS}}}
  - {{id: OWN-INF, on: subject, unit: infusion, endpoint: "ecog >= 3 || dead", among: "temp < 39", {KEYS}}}
"""


@cache
def engine() -> rules.Engine:
    """The step's protocol with stopping rules of every kind, and a death that holds the trial."""
    death = "{id: S-DEATH, on: death, category: safety, severity: critical, "
    text = RULES.split("\nstopping:")[0].replace(death, f"{death}hold: trial, ")
    text = text.replace(
        "action: Wait., source: {document: doc, section: b}, hold: infusion}",
        "action: Wait., source: {document: doc, section: b}, hold: enrolment}",
    )
    return rules.Engine(rules.loads(HEAD + text + STOPPING, "counts.yaml"))


@pytest.fixture(params=["roomy", "tight"], autouse=True)
def room(request, monkeypatch):
    """Once as in service, once keeping as little as can be, so that re-folds happen often."""
    if request.param == "tight":
        monkeypatch.setattr(timeline, "KEEP", 1)
        monkeypatch.setattr(timeline, "PRUNE_EVERY", 2)
        monkeypatch.setattr(entities, "MOST_PARTS", 2)


def steps(log, state=None, skip=0, until=None):
    return engine().subject_steps("t", "S-1", state, log[skip:], lambda n: log[:n], until)


@FEW
@given(logs())
def test_counting_step_by_step_equals_counting_the_whole_log_at_every_event(log):
    state = None
    for n in range(1, len(log) + 1):
        outcome = steps(log[:n], state, n - 1)
        state = outcome.state
        held, one = states.loads(state), engine()
        fold = SubjectFold(one.plan, one.knowledge, "S-1", held, lambda k: log[:k])
        fold._again(Step(held.n, 0, held.at_us, "again", held.at_us, None))
        assert fold.results[0].contributions == ()
        assert fold.next_due_us() == outcome.next_due_us


@FEW
@given(logs(most=12), st.lists(st.integers(0, 900), max_size=8))
def test_how_often_time_is_looked_at_changes_no_count(log, hours):
    end = log[-1].received_us + 2000 * HOUR
    plain = steps(log, until=end)
    nudges = sorted({START + hour * HOUR for hour in hours} | {end})
    state, done, told = None, 0, []
    for nudge in nudges:
        upto = sum(one.received_us <= nudge for one in log)
        outcome = steps(log[:upto], state, done, nudge)
        state, done = outcome.state, upto
        told += outcome.results
    assert tuple(told) == plain.results


DESIGNS = {
    "wait": "method: table, table: [[2, 2], [4, 3]]",
    "event_free": "pending: event_free, method: table, table: [[2, 2], [4, 3]]",
    "time_to_event": "outcome: time_to_event, method: pocock, n: 10, p0: 0.2, alpha: 0.1",
    "tite": "pending: partial, method: pocock, n: 10, p0: 0.2, alpha: 0.1",
}


@cache
def designed(name: str) -> rules.Engine:
    rule = (
        "  - {id: ST, title: T, endpoint: grade >= 3, window_days: 30, "
        f"crossing: {{hold: trial}}, {DESIGNS[name]}, source: {{document: doc}}}}"
    )
    return rules.Engine(rules.loads(f"{HEAD}stopping:\n{rule}\n", "designed.yaml"))


DAYS = st.integers(0, 40)
units = st.lists(
    st.tuples(st.sampled_from(["S-1", "S-2", "S-3", "S-4", "S-5"]), DAYS, DAYS, st.integers(0, 4)),
    max_size=14,
)


def contributed(rows):
    """Contributions of several revisions; of four kinds: pending, event, over, withdrawn."""
    revisions: dict[str, int] = {}
    made = []
    for subject, start, after, kind in rows:
        revisions[subject] = revisions.get(subject, 0) + 1
        start_us = START + start * 24 * HOUR
        since_us = start_us + {1: min(after, 30), 2: 30}.get(kind, 0) * 24 * HOUR
        one = rules.Contribution(
            rule="ST",
            unit="subject",
            subject=subject,
            evaluable=kind in {1, 2},
            event=kind == 1,
            since_us=since_us,
            at_us=START,
            revision=revisions[subject],
            withdrawn=kind == 3,
            start_us=start_us,
            until_us=start_us + after * 24 * HOUR if kind == 4 else None,
        )
        made.append({"type": "contribution", **one.as_data()})
    return made


def place(view):
    held = ("hold", "holds", "during_hold")
    return {name: value for name, value in view.items() if name not in held}


@FEW
@pytest.mark.parametrize("name", DESIGNS)
@given(rows=units, chance=st.randoms(use_true_random=False))
def test_the_place_on_the_path_does_not_depend_on_the_order_of_arrival(name, rows, chance):
    made = contributed(rows)
    shuffled = [*made, *chance.sample(made, len(made) // 2)]  # some of them twice
    chance.shuffle(shuffled)
    n = len(shuffled)
    once = [*made, *([suspended()] * (n - len(made)))]
    one = designed(name)
    first, second = (folded(log_of(some), one) for some in (once, shuffled))
    (view,) = one.stopping_view(first.state)
    (again,) = one.stopping_view(second.state)
    assert place(view) == place(again)
    for each, outcome in ((view, first), (again, second)):
        kinds = {hold.kind for hold in outcome.holds or ()}
        assert ("crossed" in kinds) or not each["crossed"]


@FEW
@pytest.mark.parametrize("name", DESIGNS)
@given(rows=units, cut=st.integers(0, 14), lifts=st.booleans())
def test_any_batches_of_a_trials_log_give_the_same_state(name, rows, cut, lifts):
    some = [*contributed(rows), suspended("trial")]
    if lifts:
        some.append(resumed(f"ev{len(some)}"))
    log, one = log_of(some), designed(name)
    whole = folded(log, one)
    before = folded(log[: min(cut, len(log))], one)
    assert folded(log, one, before.state).state == whole.state


@FEW
@given(rows=units)
def test_one_more_event_never_leads_away_from_the_boundary(rows):
    log = log_of(contributed(rows))
    one = designed("wait")
    (before,) = one.stopping_view(folded(log, one).state)
    more = log_of([*contributed(rows), *contributed([("S-9", 0, 0, 1)])])
    (after,) = one.stopping_view(folded(more, one).state)
    assert before["events"] + 1 == after["events"]
    assert after["crossed"] or not before["crossed"]
