"""Holds: when one begins, that nothing but two persons ends it, and who comes in meanwhile."""

from __future__ import annotations

from functools import cache

import pytest

import rules
from tests.support.step_logs import HEAD, RULES, START, event
from tests.support.trial_logs import (
    HOUR,
    changes,
    counts,
    folded,
    log_of,
    resumed,
    standing,
    suspended,
)

CROSSED = [counts("ST-TOX", "S-1", since=1), counts("ST-TOX", "S-2", since=2)]
RULE_HOLD = "2|rule|ST"
PAUSE = "S-DEATH|death"


@cache
def pausing() -> rules.Engine:
    """The same protocol, with a death that holds enrolment at once."""
    rule = "{id: S-DEATH, on: death, category: safety, severity: critical, "
    text = (HEAD + RULES).replace(rule, f"{rule}hold: enrolment, ")
    return rules.Engine(rules.loads(text, "pausing.yaml"))


def test_an_alert_rule_over_the_trial_holds_when_it_fires():
    outcome = folded(log_of(CROSSED))
    assert standing(outcome) == [("rule", "ST")]
    assert outcome.turned
    (hold,) = outcome.holds or ()
    assert (hold.id, hold.what, hold.since_us) == (RULE_HOLD, "enrolment", START + 2 * HOUR)


def test_what_falls_below_the_boundary_again_lifts_no_hold():
    outcome = folded(log_of([*CROSSED, counts("ST-TOX", "S-2", revision=2, withdrawn=True)]))
    assert changes(outcome) == [(2, "opened", "ST"), (3, "cleared", "ST")]
    assert standing(outcome) == [("rule", "ST")]


def test_two_persons_lift_what_they_named_and_no_more():
    outcome = folded(log_of([*CROSSED, suspended(), resumed(RULE_HOLD)]))
    assert standing(outcome) == [("person", "ev3")]
    lifted = [one for one in outcome.holds or () if one.until_us is not None]
    assert [(one.id, one.until_us) for one in lifted] == [(RULE_HOLD, START + 4 * HOUR)]
    assert lifted[0].lifted == {"by": ["one", "other"], "reasons": ["seen", "agreed"]}


def test_a_rule_that_was_resumed_and_still_fires_does_not_hold_again_by_itself():
    outcome = folded(log_of([*CROSSED, resumed(RULE_HOLD), counts("enrolled", "S-9")]))
    assert standing(outcome) == []


def test_a_step_that_touches_no_hold_says_so():
    log = log_of([*CROSSED, counts("enrolled", "S-9", since=-9)])
    before = folded(log[:2])
    assert not folded(log, state=before.state).turned


def test_a_persons_hold_bears_the_events_id():
    outcome = folded(log_of([suspended("trial")]))
    (hold,) = outcome.holds or ()
    assert (hold.id, hold.by, hold.what, hold.reason) == ("ev1", "one", "trial", "to look")


@pytest.mark.parametrize(
    ("rule", "unit", "what", "told"),
    [
        ("enrolled", "subject", "enrolment", "TR-ENROLLED-DURING-HOLD"),
        ("enrolled", "subject", "trial", "TR-ENROLLED-DURING-HOLD"),
        ("infused", "infusion:2", "trial", "TR-INFUSED-DURING-HOLD"),
        ("infused", "infusion:2", "enrolment", None),
    ],
)
def test_an_entry_during_a_hold_is_told_at_once(rule, unit, what, told):
    outcome = folded(log_of([suspended(what), counts(rule, "S-7", unit=unit, since=2)]))
    expected = [] if told is None else [(2, "opened", told)]
    assert changes(outcome) == expected
    if told is not None:
        (change,) = outcome.results[1].changes
        assert (change.severity, change.category) == ("critical", "stopping")
        assert change.key == f"during:{rule}|S-7|{unit}"
        assert "S-7" in change.detail


@pytest.mark.parametrize(("since", "told"), [(0, False), (1, False), (2, True)])
def test_what_counts_is_when_it_happened_and_not_when_it_was_told(since, told):
    outcome = folded(log_of([suspended(), counts("enrolled", "S-7", since=since)]))
    assert bool(changes(outcome)) is told


def test_an_entry_known_by_its_date_that_may_lie_in_the_hold_is_told():
    entry = counts("enrolled", "S-7", since=0, until_us=START + 24 * HOUR)
    assert changes(folded(log_of([suspended(), entry]))) == [
        (2, "opened", "TR-ENROLLED-DURING-HOLD")
    ]


def test_after_the_hold_is_lifted_nobody_is_told_of():
    after = [suspended(), resumed("ev1"), counts("enrolled", "S-7", since=3)]
    assert changes(folded(log_of(after))) == []
    during = [suspended(), resumed("ev1"), counts("enrolled", "S-7", since=1, until_us=None)]
    late = counts("enrolled", "S-7", since=2, revision=2)
    assert changes(folded(log_of([*during, late]))) == []  # at its very end
    assert changes(folded(log_of([suspended(), resumed("ev1"), _between()]))) == [
        (3, "opened", "TR-ENROLLED-DURING-HOLD")
    ]


def _between():
    """Enrolled between the first hour and the second."""
    return counts("enrolled", "S-7", since=1, until_us=START + 2 * HOUR - 1)


@pytest.mark.parametrize("mended", [{"withdrawn": True}, {"since": -3}])
def test_an_entry_that_was_corrected_away_supersedes_its_alert(mended):
    entry = {"since": 2, "revision": 2, **mended}
    some = [suspended(), counts("enrolled", "S-7", since=2), counts("enrolled", "S-7", **entry)]
    assert changes(folded(log_of(some))) == [
        (2, "opened", "TR-ENROLLED-DURING-HOLD"),
        (3, "superseded", "TR-ENROLLED-DURING-HOLD"),
    ]


def test_a_hold_found_later_tells_of_no_entry_before_it():
    assert changes(folded(log_of([counts("enrolled", "S-7", since=1), suspended()]))) == []


def test_a_pause_holds_at_once_and_once():
    pause = counts("paused", "S-3", unit=PAUSE, what="trial")
    again = counts("paused", "S-3", unit=PAUSE, what="trial", revision=2, since=1)
    outcome = folded(log_of([pause, again]))
    assert standing(outcome) == [("paused", f"S-3|{PAUSE}")]
    (hold,) = outcome.holds or ()
    assert (hold.by, hold.subject, hold.what, hold.reason) == ("S-DEATH", "S-3", "trial", "Death")


def test_a_pause_that_was_taken_back_and_comes_again_after_the_resumption_holds_anew():
    pause = counts("paused", "S-3", unit=PAUSE, what="trial")
    gone = counts("paused", "S-3", unit=PAUSE, what="trial", revision=2, withdrawn=True)
    back = counts("paused", "S-3", unit=PAUSE, what="trial", revision=3)
    lifted = resumed(f"1|paused|S-3|{PAUSE}")
    assert standing(folded(log_of([pause, gone]))) == [("paused", f"S-3|{PAUSE}")]
    assert standing(folded(log_of([pause, lifted, gone]))) == []
    assert standing(folded(log_of([pause, lifted, gone, back]))) == [("paused", f"S-3|{PAUSE}")]
    assert standing(folded(log_of([pause, lifted]))) == []


def test_a_finding_about_a_subject_whose_rule_holds_the_trial_is_a_contribution():
    one = pausing()
    log = [event(1, "enrolment", START, status="enrolled"), event(2, "death", START + HOUR)]
    steps = one.subject_steps("t", "S-1", None, log, lambda n: log[:n]).results
    (pause,) = [c for c in steps[1].contributions if c.rule == "paused"]
    assert (pause.unit, pause.what, pause.since_us) == (PAUSE, "enrolment", START + HOUR)
    wrong = event(
        3,
        "correction",
        START + 2 * HOUR,
        corrects={"source": "lab", "id": "e2"},
        entered_in_error=True,
    )
    log.append(wrong)
    (back,) = [
        c
        for c in one.subject_steps("t", "S-1", None, log, lambda n: log[:n])
        .results[2]
        .contributions
        if c.rule == "paused"
    ]
    assert (back.withdrawn, back.revision) == (True, 2)


def test_a_state_of_an_engine_without_holds_begins_them_as_they_would_have_been(monkeypatch):
    log = log_of([*CROSSED, counts("enrolled", "S-9", since=3)])
    before = folded(log[:2])
    whole = folded(log)
    monkeypatch.setattr("rules.trial.state.ENGINE_VERSION", 99)
    monkeypatch.setattr("rules.trial.fold.ENGINE_VERSION", 99)
    after = folded(log, state=before.state)
    assert after.turned
    assert after.holds == whole.holds
