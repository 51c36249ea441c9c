"""The same adverse event in several subjects: a function of what each subject counts for."""

from __future__ import annotations

import itertools

import pytest

import rules
from rules.replay import open_findings, replay_trial
from tests.support.small import SMALL
from tests.support.step_logs import event

PROTOCOL = SMALL.replace(
    "rules:\n",
    """\
repeats:
  - {id: RP-SAME, title: Same, when: grade >= 3 && is_suspected, subjects: 2, source: {document: record}}
rules:
  - {id: PAUSE-SAME, on: trial, category: stopping, severity: critical, when: rp_same_reached, title: T, detail: "{rp_same_terms} {rp_same_most}", action: A, hold: trial, source: {document: record}}
""",
    1,
).partition("\nscenarios:")[0]


@pytest.fixture(scope="module")
def engine():
    return rules.Engine(rules.loads(PROTOCOL + "\n", "p.yaml"))


def told(n, ae, **fields):
    time = f"2026-01-{10 + n:02d}T09:00"
    return event(n, "adverse_event", time, time, ae=ae, **fields)


def found(engine, **subjects):
    """(open?, detail) of the pause after these logs."""
    replayed = replay_trial(engine, "t", subjects, None)
    opened = [one.detail for _, _, one in replayed.changes() if one.rule == "PAUSE-SAME"]
    held = {rule for rule, _ in open_findings(replayed.trial.results)}
    return "PAUSE-SAME" in held, opened[-1] if opened else None


SEPSIS = {"term": "Sepsis", "grade": 3}


def test_two_subjects_with_one_term_reach_it(engine):
    assert found(engine, A=[told(1, "x", **SEPSIS)], B=[told(1, "x", **SEPSIS)]) == (
        True,
        "sepsis 2",
    )


def test_case_and_spaces_do_not_count(engine):
    other = {"term": " SEPSIS ", "grade": 4}
    assert found(engine, A=[told(1, "x", **SEPSIS)], B=[told(1, "x", **other)])[0]


def test_two_events_of_one_subject_do_not(engine):
    assert not found(engine, A=[told(1, "x", **SEPSIS), told(2, "y", **SEPSIS)])[0]


@pytest.mark.parametrize(
    "other",
    [
        {"term": "Pneumonia", "grade": 3},
        {"term": "Sepsis", "grade": 2},
        {"term": "Sepsis"},
        {"grade": 3},
        {"term": "Sepsis", "grade": 3, "causality": "unrelated"},
        {"term": "Sepsis", "grade": 3, "status": "withdrawn"},
    ],
)
def test_what_is_not_the_same_severe_suspected_event_does_not_count(engine, other):
    assert not found(engine, A=[told(1, "x", **SEPSIS)], B=[told(1, "x", **other)])[0]


@pytest.mark.parametrize(
    "later", [{"grade": 2}, {"causality": "unlikely"}, {"status": "withdrawn"}, {"term": "Fatigue"}]
)
def test_judged_otherwise_later_it_ends(engine, later):
    logs = {"A": [told(1, "x", **SEPSIS)], "B": [told(1, "x", **SEPSIS), told(2, "x", **later)]}
    assert found(engine, **logs) == (False, "")


def test_whoever_is_told_of_first_the_trial_ends_the_same(engine):
    every = {
        "A": [told(1, "x", **SEPSIS)],
        "B": [told(1, "x", term="Fatigue", grade=3)],
        "C": [told(1, "x", term="Fatigue", grade=3), told(2, "y", **SEPSIS)],
    }
    ends = {
        found(engine, **{name: every[name] for name in order})
        for order in itertools.permutations(every)
    }
    assert ends == {(True, "fatigue, sepsis 2")}
