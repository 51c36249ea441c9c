"""The same adverse event in several subjects: a function of what each subject counts for."""

from __future__ import annotations

import itertools
import unicodedata

import pytest

import rules
from rules.replay import open_findings, replay_trial
from tests.support.small import SMALL
from tests.support.step_logs import event
from tests.support.trial_logs import changes, counts, folded, log_of, resumed, standing, suspended

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


@pytest.mark.parametrize("term", ["Guillain-Barr\u00e9 syndrome", "\ud328\ud608\uc99d"])
def test_letters_made_of_parts_are_the_same_letters(engine, term):
    """Some systems send what is typed as one letter in parts: accents, and all of Hangul."""
    one = {"term": unicodedata.normalize("NFC", term), "grade": 3}
    other = {"term": unicodedata.normalize("NFD", term), "grade": 3}
    assert one != other
    assert found(engine, A=[told(1, "x", **one)], B=[told(1, "x", **other)])[0]


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


HOLD = "2|rule|PAUSE-SAME"


def has(subject, term, **more):
    return counts("RP-SAME", subject, unit=f"term:{term}", **more)


def after_two(engine, *later):
    """What changes after two subjects with sepsis held the trial, and the holds that stand then."""
    outcome = folded(log_of([has("A", "sepsis"), has("B", "sepsis"), *later]), engine)
    assert changes(outcome)[0] == (2, "opened", "PAUSE-SAME")
    return changes(outcome)[1:], standing(outcome)


def test_what_two_persons_accepted_is_cleared_and_holds_no_more(engine):
    later = resumed(HOLD), has("C", "pneumonia")
    assert after_two(engine, *later) == ([(3, "cleared", "PAUSE-SAME")], [])


def test_a_third_subject_after_the_resumption_holds_the_trial_again(engine):
    told, holds = after_two(engine, resumed(HOLD), has("C", "sepsis"))
    assert told == [(3, "cleared", "PAUSE-SAME"), (4, "opened", "PAUSE-SAME")]
    assert holds == [("rule", "PAUSE-SAME")]


def test_another_event_in_two_subjects_after_the_resumption_holds_the_trial_again(engine):
    later = resumed(HOLD), has("A", "pneumonia"), has("B", "pneumonia")
    told, holds = after_two(engine, *later)
    assert told == [(3, "cleared", "PAUSE-SAME"), (5, "opened", "PAUSE-SAME")]
    assert holds == [("rule", "PAUSE-SAME")]


@pytest.mark.parametrize("subject", ["B", "C"])
def test_whoever_was_taken_back_is_accepted_no_more(engine, subject):
    gone = has("B", "sepsis", revision=2, withdrawn=True)
    told, holds = after_two(engine, resumed(HOLD), gone, has(subject, "sepsis", revision=3))
    assert told == [(3, "cleared", "PAUSE-SAME"), (5, "opened", "PAUSE-SAME")]
    assert holds == [("rule", "PAUSE-SAME")]


def test_lifting_another_hold_accepts_nothing(engine):
    told, holds = after_two(engine, suspended(), resumed("ev3"), has("C", "sepsis"))
    assert told == [(5, "updated", "PAUSE-SAME")]
    assert holds == [("rule", "PAUSE-SAME")]


def test_each_resumption_accepts_what_stands_then(engine):
    later = resumed(HOLD), has("C", "sepsis"), resumed("4|rule|PAUSE-SAME"), has("D", "sepsis")
    told, holds = after_two(engine, *later)
    assert [change for _, change, _ in told] == ["cleared", "opened", "cleared", "opened"]
    assert holds == [("rule", "PAUSE-SAME")]


def test_what_came_between_the_two_persons_holds_the_trial_again(engine):
    between = [has("C", "sepsis"), has("A", "pneumonia"), has("B", "pneumonia")]
    log = [has("A", "sepsis"), has("B", "sepsis")]
    known = engine.stopping_events(folded(log_of(log), engine).state)
    assert known["RP-SAME|term:sepsis"] == 2
    outcome = folded(log_of([*log, *between, {**resumed(HOLD), "known": known}]), engine)
    assert standing(outcome) == [("rule", "PAUSE-SAME")]
    (hold,) = [one for one in outcome.holds or () if one.until_us is None]
    assert hold.id == "6|rule|PAUSE-SAME"


def test_what_both_persons_knew_is_accepted(engine):
    log = [has("A", "sepsis"), has("B", "sepsis")]
    known = engine.stopping_events(folded(log_of(log), engine).state)
    outcome = folded(log_of([*log, {**resumed(HOLD), "known": known}]), engine)
    assert standing(outcome) == []
    assert changes(outcome)[-1] == (3, "cleared", "PAUSE-SAME")
