"""Virtual trials: the same engine, chance from a seed, and a site that obeys."""

from __future__ import annotations

from random import Random

import pytest

import rules
from rules.facts.calendar import DAY_US
from rules.simulation.pattern import moved, pattern_of
from rules.stopping import table
from tests.support.small import SMALL

ELIGIBLE = """
  - name: an adult is let in
    given: [adult]
    events:
      - {type: enrolment, time: "2026-01-06T09:00:00+09:00", data: {status: screened}}
    expect: {decision: eligible}
"""
APART = 60.0  # days: longer than the window, so that subjects become evaluable one after the other


def trials(text: str = SMALL + ELIGIBLE, **setting: float) -> rules.VirtualTrials:
    chosen = {"subjects": 6, "every_days": APART, **setting}
    return rules.VirtualTrials(rules.loads(text), rules.Setting(**chosen), None)  # type: ignore[arg-type]


def drawn(number: int, seed: int, true_p: float, subjects: int) -> list[bool]:
    """Who of a virtual trial is meant to have the event."""
    chance = Random(f"{seed}/{number}")
    draws = [(chance.random(), chance.random())[0] for _ in range(subjects)]
    return [draw < true_p for draw in draws]


def test_a_virtual_trial_stops_exactly_where_the_table_says_for_what_was_drawn() -> None:
    virtual = trials()
    stopped = 0
    for number in range(40):
        happened = drawn(number, 1, 0.35, 6)
        crossing = table.crossing(virtual.rule.table, happened)
        one = virtual.run(0.35, number, 1)
        assert (one.stopped is not None) == (crossing is not None)
        assert one.evaluable == one.enrolled == (crossing or 6)
        assert one.events == sum(happened[:crossing])
        stopped += one.stopped is not None
    assert 5 < stopped < 35


def test_nobody_has_an_event_at_a_true_rate_of_nought_and_everybody_at_one() -> None:
    virtual = trials()
    calm, harmful = virtual.run(0.0, 0, 1), virtual.run(1.0, 0, 1)
    assert (calm.stopped, calm.enrolled, calm.events) == (None, 6, 0)
    assert (harmful.stopped, harmful.enrolled, harmful.events) == ("ST-TOX", 2, 2)
    assert harmful.opened["ST-CROSSED"] == 1
    assert calm.opened["ST-CROSSED"] == 0


REPEATED = """
repeats:
  - id: RP-SAME
    title: The same severe event
    when: grade >= 3
    subjects: 2
    source: {document: record}
"""
PAUSED = """
  - id: PAUSE-SAME
    on: trial
    category: stopping
    severity: critical
    when: rp_same_reached
    title: The same event in two subjects
    action: Hold.
    hold: trial
    source: {document: record}
stopping:"""


def test_chance_gives_no_two_virtual_subjects_the_same_event() -> None:
    text = SMALL.replace("\nstopping:", PAUSED, 1) + ELIGIBLE + REPEATED
    happened = trials(text).run(1.0, 0, 1)
    assert (happened.stopped, happened.opened["PAUSE-SAME"]) == ("ST-TOX", 0)


def test_a_held_trial_enrols_and_infuses_nobody_more() -> None:
    harmful = trials(subjects=5, infusions=3).run(1.0, 0, 1)
    assert harmful.stopped is not None
    assert harmful.enrolled < 5
    assert harmful.enrolled + harmful.turned_away >= 5


def test_the_same_seed_makes_the_same_trial_and_another_seed_another() -> None:
    virtual = trials()
    once = [virtual.run(0.4, number, 7) for number in range(12)]
    again = [virtual.run(0.4, number, 7) for number in range(12)]
    other = [virtual.run(0.4, number, 8) for number in range(12)]
    assert once == again
    assert once != other


def test_a_higher_true_rate_only_adds_events_to_the_same_virtual_subjects() -> None:
    few, many = drawn(3, 1, 0.2, 50), drawn(3, 1, 0.5, 50)
    assert all(later for earlier, later in zip(few, many, strict=True) if earlier)


def test_the_virtual_subject_is_the_one_whom_the_file_lets_in() -> None:
    virtual = trials()
    assert virtual.pattern.scenario == "an adult is let in"
    assert [row["type"] for row in virtual.pattern.rows] == [
        "demographics",
        "assessment",
        "enrolment",
    ]


def test_without_such_a_scenario_subjects_begin_with_their_enrolment() -> None:
    virtual = trials(SMALL)
    assert virtual.pattern.rows == ()
    assert virtual.run(0.0, 0, 1).enrolled == 6


def test_dates_and_times_in_the_data_move_with_the_day_and_nothing_else_does() -> None:
    data = {"birth_date": "1980-06-15", "start": "2026-01-05T09:00:00+09:00", "code": "2026"}
    assert moved({"data": [data], "n": 7}, 30) == {
        "data": [
            {"birth_date": "1980-07-15", "start": "2026-02-04T09:00:00+09:00", "code": "2026"}
        ],
        "n": 7,
    }


def test_the_event_that_is_looked_for_is_the_mildest_that_counts() -> None:
    virtual = trials()
    assert virtual.event is not None
    assert virtual.event["data"]["grade"] == 3


def test_an_endpoint_that_no_single_event_meets_says_how_to_hand_one_over() -> None:
    never = (SMALL + ELIGIBLE).replace("endpoint: grade >= 3", "endpoint: hiv == 'positive'")
    with pytest.raises(rules.SimulationError) as told:
        trials(never)
    assert "ST-TOX" in str(told.value)
    assert "--event" in told.value.hint


def test_a_rule_that_the_protocol_lacks_is_named_with_those_it_has() -> None:
    with pytest.raises(rules.SimulationError) as told:
        rules.VirtualTrials(rules.loads(SMALL), rules.Setting(3), "ST-NONE")
    assert "ST-NONE" in str(told.value)
    assert "ST-TOX" in told.value.hint


def test_the_sum_counts_trials_that_stopped_and_alerts_of_every_rule() -> None:
    virtual = trials()
    happened = [virtual.run(0.5, number, 1) for number in range(10)]
    summed = rules.summed(virtual.engine.protocol.definition, 0.5, happened)
    share = sum(one.stopped is not None for one in happened) / 10
    assert summed["stopped"] == summed["stopped_by"]["ST-TOX"] == share
    assert {alert["rule"] for alert in summed["alerts"]} == {"S-FEVER", "S-SAE", "ST-CROSSED"}
    crossed = next(alert for alert in summed["alerts"] if alert["rule"] == "ST-CROSSED")
    assert crossed["trials"] == share


class Extreme(Random):
    """Chance that always draws the same."""

    def __init__(self, drawn: float) -> None:
        super().__init__(0)
        self.drawn = drawn

    def random(self) -> float:
        return self.drawn


@pytest.mark.parametrize("place", [0.0, 0.5, 1 - 2**-53])
def test_events_lie_within_the_time_that_counts(place: float) -> None:
    virtual = trials()
    steps = virtual.courses.of(0, 1.0, Extreme(place))
    infused = next(step.at_us for step in steps if step.asks == "infusion")
    event = next(step.at_us for step in steps if step.row["type"] == "adverse_event")
    assert infused < event < infused + virtual.rule.window_days * DAY_US


def test_an_earlier_screening_pattern_is_read_from_the_flagship_too() -> None:
    pattern = pattern_of(rules.load("rules/protocols/msc-cgvhd.yaml").definition)
    assert pattern.scenario
    assert {row["type"] for row in pattern.rows} >= {"consent", "observation", "enrolment"}


def test_a_hold_of_enrolment_alone_lets_the_infusions_go_on() -> None:
    full = SMALL.replace("st_tox_crossed || enrolled_count > target", "enrolled_count >= 2")
    full = full.replace("    title: Stop\n", "    title: Stop\n    hold: enrolment\n") + ELIGIBLE
    one = trials(full, infusions=3, every_days=1).run(0.0, 0, 1)
    assert (one.enrolled, one.infused) == (2, 6)
