"""A boundary that is reached while the alert that tells of it is open already is told all the same."""

from __future__ import annotations

from functools import cache

import pytest

import rules
from tests.support.step_logs import HEAD
from tests.support.trial_logs import changes, counts, folded, log_of, resumed, standing

OWN = "TR-STOPPING-REACHED"
TWO = [counts("ST-A", "S-1", since=1), counts("ST-A", "S-2", since=2)]
OTHER = [counts("ST-B", "S-1", since=1), counts("ST-B", "S-2", since=2)]
RULE = "window_days: 28, method: table, table: [[8, 2]], source: {document: doc}"


@cache
def engine(hold: str) -> rules.Engine:
    """Two stopping rules and one alert that tells of both."""
    text = f"""{HEAD}
rules:
  - {{id: ANY, on: trial, category: stopping, severity: critical, when: st_a_crossed || st_b_crossed, title: Stop, action: Stop., source: {{document: doc}}}}
stopping:
  - {{id: ST-A, title: A, endpoint: grade >= 3, crossing: {{hold: trial}}, {RULE}}}
  - {{id: ST-B, title: B, endpoint: grade >= 4, crossing: {{hold: {hold}}}, {RULE}}}
"""
    return rules.Engine(rules.loads(text, "reaching.yaml"))


def own(outcome: rules.Outcome) -> list[tuple[int, str]]:
    """What the engine's own alert did, step by step."""
    return [(n, change) for n, change, rule in changes(outcome) if rule == OWN]


def test_a_boundary_that_opens_its_alert_is_told_once():
    assert changes(folded(log_of(TWO), engine("trial"))) == [(2, "opened", "ANY")]


def test_a_boundary_that_holds_again_after_the_resumption_is_told_again():
    some = [*TWO, resumed("2|crossed|ST-A"), counts("ST-A", "S-3", since=3)]
    outcome = folded(log_of(some), engine("trial"))
    assert changes(outcome) == [(2, "opened", "ANY"), (4, "opened", OWN)]
    assert standing(outcome) == [("crossed", "ST-A")]
    (told,) = outcome.results[3].changes
    assert (told.severity, told.key, told.detail) == (
        "critical",
        "reached:ST-A|4",
        "ST-A: 3 events, 3 evaluable.",
    )


def test_each_hold_that_begins_anew_is_another_alert():
    some = [*TWO, resumed("2|crossed|ST-A"), counts("ST-A", "S-3", since=3)]
    some += [resumed("4|crossed|ST-A"), counts("ST-A", "S-4", since=4)]
    told = changes(folded(log_of(some), engine("trial")))
    assert told[1:] == [(4, "opened", OWN), (5, "cleared", OWN), (6, "opened", OWN)]


@pytest.mark.parametrize("hold", ["trial", "none"])
def test_a_second_boundary_under_one_alert_is_told_too(hold):
    assert own(folded(log_of([*TWO, *OTHER]), engine(hold))) == [(4, "opened")]


def test_without_a_hold_it_is_told_as_long_as_the_boundary_is_reached():
    gone = counts("ST-B", "S-2", revision=2, withdrawn=True)
    told = own(folded(log_of([*TWO, *OTHER, gone]), engine("none")))
    assert told == [(4, "opened"), (5, "cleared")]


def test_what_is_told_does_not_depend_on_where_the_fold_was_interrupted():
    some = [*TWO, resumed("2|crossed|ST-A"), counts("ST-A", "S-3", since=3), *OTHER]
    log = log_of(some)
    whole: list[tuple[int, str, str]] = []
    state: bytes | None = None
    for n in range(1, len(log) + 1):
        outcome = folded(log[:n], engine("none"), state)
        state, whole = outcome.state, whole + changes(outcome)
    assert whole == changes(folded(log, engine("none")))
