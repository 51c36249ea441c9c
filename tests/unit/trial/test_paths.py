"""The path towards a boundary: as units become evaluable, from their start, or by exposure."""

from __future__ import annotations

from functools import cache

import pytest

import rules
from tests.support.step_logs import HEAD, START
from tests.support.trial_logs import HOUR, counts, folded, log_of, resumed, standing

DAY = 24
TABLE = "method: table, table: [[2, 2], [4, 3]]"


@cache
def engine(design: str = TABLE, alerts: str = "") -> rules.Engine:
    """A protocol with one stopping rule of this design, 30 days long."""
    rule = (
        "  - {id: ST, title: Toxicity, endpoint: grade >= 3, window_days: 30, "
        f"{design}, source: {{document: doc}}}}"
    )
    return rules.Engine(rules.loads(f"{HEAD}{alerts}stopping:\n{rule}\n", "paths.yaml"))


def unit(subject: str, start: int, event: int | None = None, **more):
    """A unit that began, and may have had its event, so many days after START."""
    return counts(
        "ST",
        subject,
        evaluable=event is not None or more.pop("over", False),
        happened=event is not None,
        since=DAY * (start if event is None else event),
        start_us=START + start * DAY * HOUR,
        **more,
    )


def view(one: rules.Engine, *some):
    (found,) = one.stopping_view(folded(log_of(some), one).state)
    return found


def points(found):
    return [(step["evaluable"], step["events"], step["subject"]) for step in found["path"]]


def test_units_step_in_as_they_become_evaluable():
    found = view(engine(), unit("S-2", 0, 3), unit("S-1", 0, 2), unit("S-3", 1))
    assert points(found) == [(1, 1, "S-1"), (2, 2, "S-2")]
    assert (found["crossed"], found["crossed_step"], found["pending"]) == (True, 2, 1)
    assert [one["subject"] for one in found["pending_subjects"]] == ["S-3"]


def test_units_that_count_from_their_start_step_in_then_and_again_at_their_event():
    one = engine(f"pending: event_free, {TABLE}")
    found = view(one, unit("S-1", 0, 5), unit("S-2", 1), unit("S-3", 2, 6))
    assert points(found) == [
        (1, 0, "S-1"),
        (2, 0, "S-2"),
        (3, 0, "S-3"),
        (3, 1, "S-1"),
        (3, 2, "S-3"),
    ]
    assert (found["evaluable"], found["events"], found["pending"]) == (3, 2, 1)
    assert found["crossed"] is False
    assert found["distance"]["events_to_stop"] == 1  # of the one that waits


def test_an_event_of_a_unit_that_counts_already_adds_no_unit():
    one = engine("pending: event_free, method: table, table: [[3, 2], [4, 3]]")
    found = view(one, unit("S-1", 0, 5), unit("S-2", 1), unit("S-3", 2))
    assert found["distance"]["events_to_stop"] == 1


QUIET = counts("ST", "S-2", happened=False, since=30 * DAY)


@pytest.mark.parametrize(
    ("units", "nearest"),
    [
        ([], 2),
        ([unit("S-1", 0, 1)], 1),
        ([unit("S-1", 0, 1), QUIET], 2),
        ([unit("S-1", 0, 1), unit("S-2", 0, 2)], None),
    ],
)
def test_the_least_further_events_that_stop_are_told(units, nearest):
    assert view(engine(), *units)["distance"]["events_to_stop"] == nearest


TTE = "outcome: time_to_event, method: pocock, n: 10, p0: 0.2, alpha: 0.1"
TITE = "pending: partial, method: pocock, n: 10, p0: 0.2, alpha: 0.1"


def test_a_rule_over_exposure_steps_at_every_event_with_the_exposure_of_all():
    found = view(engine(TTE), unit("S-1", 0, 10), unit("S-2", 5), unit("S-3", 6, 12))
    assert points(found) == [(3, 1, "S-1"), (3, 2, "S-3")]
    exposures = [step["exposure"] for step in found["path"]]
    assert exposures == [10 + 5 + 4, 10 + 7 + 6]
    assert found["boundary"] == []
    limit = {row["events"]: row["max_exposure"] for row in found["exposure_boundary"]}
    assert found["crossed"] is (exposures[1] <= limit.get(2, 0))
    assert found["outcome"] == "time_to_event"


def test_follow_up_that_ended_ends_the_exposure():
    left = unit("S-2", 5, until_us=START + 7 * DAY * HOUR)
    found = view(engine(TTE), unit("S-1", 0, 10), left)
    assert [step["exposure"] for step in found["path"]] == [10 + 2]


def test_a_rule_over_effective_units_weighs_those_that_wait_by_their_share():
    found = view(engine(TITE), unit("S-1", 0, 15), unit("S-2", 0))
    assert found["outcome"] == "tite"
    assert [step["exposure"] for step in found["path"]] == [1.5]
    assert found["effective"] is not None


HOLDING = f"{TABLE}, crossing: {{hold: trial, notify: [safety_board], safety_board: required}}"
TWO = (unit("S-1", 0, 1), unit("S-2", 0, 2))
HELD = [("crossed", "ST")]


def held(*some):
    return standing(folded(log_of(some), engine(HOLDING)))


def test_a_boundary_that_is_reached_holds_what_its_crossing_says():
    outcome = folded(log_of(TWO), engine(HOLDING))
    (hold,) = outcome.holds or ()
    assert (hold.id, hold.what, hold.reason) == ("2|crossed|ST", "trial", "Toxicity")
    (found,) = engine(HOLDING).stopping_view(outcome.state)
    assert found["hold"]["kind"] == "crossed"
    assert found["crossing"] == {"hold": "trial", "notify": ["safety_board"], "safety_board": True}


def test_a_table_that_says_nothing_of_crossing_holds_nothing_by_itself():
    assert standing(folded(log_of(TWO), engine())) == []


def test_after_the_resumption_a_rule_holds_again_only_with_more_events():
    lifted = resumed("2|crossed|ST")
    quiet = counts("ST", "S-3", happened=False, since=31 * DAY)
    assert held(*TWO, lifted) == []
    assert held(*TWO, lifted, quiet) == []
    assert held(*TWO, lifted, quiet, unit("S-4", 0, 3)) == HELD


def test_what_was_accepted_falls_with_the_events_that_were_taken_back():
    lifted = resumed("2|crossed|ST")
    gone = unit("S-2", 0, 2, revision=2, withdrawn=True)
    assert held(*TWO, lifted, gone) == []
    assert held(*TWO, lifted, gone, unit("S-4", 0, 3)) == HELD


def test_an_amendment_without_the_rule_leaves_its_hold():
    outcome = folded(log_of(TWO), engine(HOLDING))
    log = log_of([*TWO, {"type": "activation", "version": "2"}])
    without = rules.Engine(rules.loads(HEAD, "without.yaml"))
    after = folded(log, without, outcome.state)
    assert standing(after) == HELD
    again = log_of([*TWO, {"type": "activation", "version": "2"}, resumed("2|crossed|ST")])
    assert standing(folded(again, without, after.state)) == []


WARNING = """rules:
  - {id: NEAR, on: trial, category: stopping, severity: serious, when: st_events_to_stop == 1, title: Near, action: Look., source: {document: doc}}
  - {id: HOLD, on: trial, category: stopping, severity: info, when: on_hold, title: Held, action: Look., source: {document: doc}}
"""


def test_one_event_before_the_boundary_a_rule_may_warn_and_a_hold_is_a_fact():
    one = engine(HOLDING, WARNING)
    outcome = folded(log_of(TWO), one)
    told = [(r.n, c.change.value, c.rule) for r in outcome.results for c in r.changes]
    assert told == [(1, "opened", "NEAR"), (2, "cleared", "NEAR"), (2, "opened", "HOLD")]


def test_a_rule_that_holds_the_trial_is_a_fact_for_the_others_in_the_same_step():
    stops = "  - {id: STOP, on: trial, category: stopping, severity: critical, when: st_crossed, "
    stops += "title: Stop, action: Stop., source: {document: doc}, hold: trial}\n"
    outcome = folded(log_of(TWO), engine(TABLE, WARNING + stops))
    opened = [(r.n, c.rule) for r in outcome.results for c in r.changes if c.change == "opened"]
    assert opened == [(1, "NEAR"), (2, "STOP"), (2, "HOLD")]
    assert standing(outcome) == [("rule", "STOP")]
