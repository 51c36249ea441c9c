"""The trial's stream and the stopping table on its path."""

from __future__ import annotations

from typing import Any

import pytest

import rules
from rules.facts.calendar import iso
from rules.stopping import table
from tests.support.step_logs import START, engine, event

FLAGSHIP = [(2, 2), (3, 3), (4, 3), (5, 4), (6, 4), (7, 4), (8, 4), (9, 5), (10, 5)]


@pytest.mark.parametrize(
    ("evaluable", "limit"), [(1, 2), (2, 2), (3, 3), (4, 3), (5, 4), (8, 4), (10, 5), (11, None)]
)
def test_between_rows_the_least_later_row_holds(evaluable, limit):
    assert table.stop_at(FLAGSHIP, evaluable) == limit


@pytest.mark.parametrize(
    ("happened", "place"),
    [
        ([], None),
        ([True], None),
        ([True, True], 2),
        ([True, False, True, False], None),
        ([True, False, True, True], 4),
        ([False, False, True, True, True], None),
        ([False, True, False, True, True, True], 6),
        ([False] * 10 + [True] * 10, None),
    ],
)
def test_the_path_is_crossed_where_it_first_reaches_the_table(happened, place):
    assert table.crossing(FLAGSHIP, happened) == place


def ways(evaluable, events):
    found = table.stop_if(FLAGSHIP, evaluable, events)
    return [(way["events"], way["of_next"]) for way in found]


def test_of_each_number_of_events_the_most_units_among_which_it_stops_are_shown():
    assert ways(0, 0) == [(2, 2), (3, 4), (4, 8), (5, 10)]
    assert ways(1, 1) == [(1, 1), (2, 3), (3, 7), (4, 9)]
    assert ways(5, 2) == [(2, 3), (3, 5)]
    assert ways(5, 3) == [(1, 3), (2, 5)]
    for start in [(n, k) for n in range(10) for k in range(n + 1)]:
        if table.margin(FLAGSHIP, *start) in (None, -1, -2, -3):
            for more, ahead in ways(*start):
                assert all(stops(start, order) for order in late(more, ahead))
                assert not all(stops(start, order) for order in late(more, ahead + 1))


def late(more, ahead):
    """The order in which a boundary is reached last: nothing first, then the events."""
    return [[False] * (ahead - more) + [True] * more]


def stops(start, order):
    """Whether the path from here is on or above the table at any of its looks."""
    evaluable, events = start
    for happened in order:
        evaluable, events = evaluable + 1, events + happened
        margin = table.margin(FLAGSHIP, evaluable, events)
        if evaluable > 10 or margin is None:
            continue
        if margin >= 0:
            return True
    return False


def test_the_margin_is_told_where_the_table_has_a_limit():
    assert table.margin(FLAGSHIP, 2, 1) == -1
    assert table.margin(FLAGSHIP, 0, 0) is None
    assert table.margin(FLAGSHIP, 11, 9) is None


def sums(*rows):
    log: list[rules.Event] = []
    for n, (rule, subject, evaluable, happened, since, revision, withdrawn) in enumerate(rows, 1):
        one = rules.Contribution(
            rule, "subject", subject, evaluable, happened, START + since, START, revision, withdrawn
        )
        data: dict[str, Any] = one.as_data()
        log.append(event(n, "contribution", START, **data))
    return log


def fold(log):
    return engine().trial_steps("t", None, log, lambda n: log[:n])


def told(outcome):
    return [(r.n, c.change.value, c.rule) for r in outcome.results for c in r.changes]


def test_two_toxicities_stop_the_trial_and_hold_enrolment():
    log = sums(
        ("ST-TOX", "S-1", False, False, 0, 1, False),
        ("ST-TOX", "S-1", True, True, 1, 2, False),
        ("ST-TOX", "S-2", True, True, 2, 1, False),
    )
    outcome = fold(log)
    assert told(outcome) == [(3, "opened", "ST")]
    assert outcome.results[2].changes[0].hold == "enrolment"
    view, _ = engine().stopping_view(outcome.state)
    assert (view["evaluable"], view["events"], view["pending"]) == (2, 2, 0)
    assert view["crossed"] is True
    hold = view["hold"]
    assert (hold["kind"], hold["by"], hold["what"]) == ("rule", "ST", "enrolment")
    assert (hold["since"], hold["until"]) == (iso(START), None)


def test_an_older_revision_that_arrives_late_changes_nothing():
    log = sums(
        ("ST-TOX", "S-1", True, True, 1, 2, False),
        ("ST-TOX", "S-1", False, False, 0, 1, False),
    )
    view, _ = engine().stopping_view(fold(log).state)
    assert (view["evaluable"], view["pending"]) == (1, 0)


def test_a_withdrawn_contribution_counts_for_nothing_and_clears():
    log = sums(
        ("enrolled", "S-1", True, True, 0, 1, False),
        ("enrolled", "S-2", True, True, 0, 1, False),
        ("enrolled", "S-2", True, True, 0, 2, True),
    )
    assert told(fold(log)) == [(2, "opened", "FULL"), (3, "cleared", "FULL")]


def test_who_is_enrolled_during_the_hold_is_named():
    log = sums(
        ("ST-TOX", "S-1", True, True, 1, 1, False),
        ("ST-TOX", "S-2", True, True, 2, 1, False),
        ("enrolled", "S-3", True, True, 3, 1, False),
        ("enrolled", "S-2", True, True, -1, 1, False),
    )
    view, _ = engine().stopping_view(fold(log).state)
    assert [(one["what"], one["subject"]) for one in view["during_hold"]] == [("enrolled", "S-3")]


def test_batches_of_contributions_give_the_same():
    log = sums(
        ("ST-TOX", "S-1", True, True, 1, 1, False),
        ("ST-TOX", "S-2", True, True, 2, 1, False),
        ("enrolled", "S-3", True, True, 3, 1, False),
    )
    whole, state = fold(log), None
    results: tuple[rules.StepResult, ...] = ()
    for n in range(len(log)):
        outcome = engine().trial_steps("t", state, log[n : n + 1], lambda k: log[:k])
        state, results = outcome.state, results + outcome.results
    assert (state, results) == (whole.state, whole.results)
