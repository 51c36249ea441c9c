"""Corrections that come first, in circles, in chains: none poisons a stream, none is lost."""

from __future__ import annotations

from typing import Any

import pytest

from rules.facts.calendar import Calendar
from rules.facts.log import effective
from rules.terms import Change
from tests.support.step_logs import ZONE, at, engine, event, protocol, run

UNFIT = "OPS-CORRECTION-UNFIT"
NOON = "2026-01-12T12:00:00"
TARGETS: dict[str, dict[str, Any]] = {
    "observation": {"code": "temp", "value": 36.9, "unit": "Cel"},
    "demographics": {"birth_date": "1980-06-15", "sex": "male"},
    "consent": {"document": "informed_consent", "given_by": "subject", "status": "given"},
    "condition": {"code": "infarct", "status": "active", "onset": "2026-01-01"},
    "procedure": {"code": "stent", "status": "done", "start": "2026-01-01"},
    "administration": {"product": "MSC", "number": 1, "status": "completed"},
    "adverse_event": {"ae": "A", "grade": 3, "onset": "2026-01-12"},
    "assessment": {"code": "ecog", "value": 1},
    "enrolment": {"status": "screened"},
    "death": {"causality": "related"},
}
USELESS = [
    {"nothing": None},
    {"code": ["x"], "status": 7, "onset": {"a": 1}},
    {"code": "temp", "value": "hot", "unit": "kg"},
    {"code": "temp", "value": [1], "unit": ["Cel"]},
    {"birth_date": "2019-02-31", "sex": {"a": 1}},
    {"document": ["x"], "given_by": 3, "status": 7},
    {"number": [1], "status": "flying", "start": "yesterday"},
    {"ae": ["A"], "grade": "x", "causality": [1]},
    {"ae": "A", "grade": 99, "onset": "never"},
    {"code": "ecog", "value": "1", "expires": "soon"},
]


def corrects(n, target, received=NOON, /, **data):
    return event(n, "correction", received, corrects={"source": "lab", "id": f"e{target}"}, **data)


def told(outcome):
    """What is open at the end, by rule."""
    held = {}
    for result in outcome.results:
        for change in result.changes:
            held[change.rule, change.key] = change
    ended = {Change.CLEARED, Change.SUPERSEDED}
    return {rule for (rule, _), change in held.items() if change.change not in ended}


def counting(*log):
    return effective(log, Calendar(str(ZONE)), protocol().checker).events


@pytest.mark.parametrize("kind", TARGETS)
@pytest.mark.parametrize("data", USELESS)
def test_one_that_came_first_and_does_not_fit_is_told_and_changes_nothing(kind, data):
    log = [
        corrects(1, 2, data=data),
        event(2, kind, NOON, **TARGETS[kind]),
        event(3, "observation", NOON, code="temp", value=39.5, unit="Cel"),
    ]
    outcome = run(log)
    assert UNFIT in told(outcome)
    plain = run([event(1, kind, NOON, **TARGETS[kind]), event(2, log[2].type, NOON, **log[2].data)])
    assert told(outcome) == told(plain) | {UNFIT}
    mine, theirs = (engine().view(one.state)["criteria"] for one in (outcome, plain))
    assert [one["verdict"] for one in mine] == [one["verdict"] for one in theirs]


def test_one_that_the_door_could_not_judge_leaves_the_earlier_correction_in_force():
    log = [
        event(1, "assessment", NOON, code="ecog", value=1),
        corrects(2, 1, data={"code": "ecog", "value": 3}),
        corrects(3, 1, data={"code": "ecog", "value": "3"}),  # stored at the same moment
    ]
    assert counting(*log)[0].data["value"] == 3
    assert told(run(log)) == {UNFIT}


def test_what_is_told_names_the_correction_and_ends_with_one_that_fits():
    log = [
        corrects(1, 2, data={"code": "temp", "value": "hot"}),
        event(2, "observation", NOON, code="temp", value=36.9, unit="Cel"),
    ]
    (change,) = [one for one in run(log).results[-1].changes if one.rule == UNFIT]
    assert change.change is Change.OPENED
    assert change.key == "correction:ev1"
    assert [one["event"] for one in change.evidence] == ["ev1"]
    log.append(corrects(3, 2, data={"code": "temp", "value": 37.0, "unit": "Cel"}))
    assert told(run(log)) == set()
    log[2] = corrects(3, 1, entered_in_error=True)
    assert told(run(log)) == set()


def test_one_that_came_first_and_fits_is_applied_in_canonical_form():
    log = [
        corrects(1, 2, data={"code": "ecog", "value": 2.0}),
        event(2, "assessment", NOON, code="ecog", value=4),
    ]
    assert counting(*log)[0].data == {"code": "ecog", "value": 2}
    assert told(run(log)) == set()


def test_an_override_is_not_corrected_by_what_came_before_it():
    override = {"criterion": "E3", "by": "dr", "reason": "r"}
    log = [
        corrects(1, 2, data={**override, "by": "nobody"}),
        event(2, "override", NOON, **override),
    ]
    assert counting(*log)[0].data == override
    assert told(run(log)) == {UNFIT}


def test_a_correction_taken_back_before_it_came_corrects_nothing():
    target = event(3, "assessment", NOON, code="ecog", value=1)
    log = [corrects(1, 2, entered_in_error=True), corrects(2, 3, entered_in_error=True), target]
    assert counting(*log) == [target]


def test_a_correction_of_a_correction_that_came_first_can_only_take_it_back():
    target = event(3, "assessment", NOON, code="ecog", value=1)
    log = [
        corrects(1, 2, data={**corrects(1, 3).data, "entered_in_error": True}),
        corrects(2, 3, entered_in_error=True),
        target,
    ]
    assert told(run(log)) == {UNFIT}
    assert counting(*log) == []


def test_corrections_in_a_circle_correct_nothing_else():
    target = event(4, "assessment", NOON, code="ecog", value=1)
    ring = [corrects(n, m, entered_in_error=True) for n, m in ((1, 2), (2, 3), (3, 1))]
    assert counting(*ring, target) == [target]
    pair = [corrects(1, 2, entered_in_error=True), corrects(2, 1, entered_in_error=True)]
    itself = corrects(3, 3, entered_in_error=True)
    assert counting(*pair, itself, target) == [target]
    assert told(run([*pair, itself, target])) == set()


@pytest.mark.parametrize("ahead", [False, True])
def test_a_chain_of_thousands_of_corrections_is_followed_to_its_end(ahead):
    length = 5_001
    target = event(1, "assessment", NOON, code="ecog", value=1)
    chain = [corrects(n, n - 1, entered_in_error=True) for n in range(2, length + 2)]
    log = [target, *chain]
    if ahead:  # the same, received in the opposite order
        order = dict(enumerate(reversed(log), 1))
        log = [
            event(n, one.type, NOON, **dict[str, Any](one.data))
            if one is target
            else corrects(n, n + 1, entered_in_error=True)
            for n, one in order.items()
        ]
    # An odd number: the last takes back the last but one, and so on: the first correction stands.
    assert counting(*log) == []
    longer = [*log, corrects(length + 2, length + 1, entered_in_error=True)]
    if not ahead:
        assert len(counting(*longer)) == 1


def test_a_corrected_time_within_the_day_of_a_date_is_exact():
    target = event(1, "observation", "2026-01-12T00:00:00", NOON, precision="day", code="temp")
    (exact,) = counting(target, corrects(2, 1, time="2026-01-11T07:30:00-05:00"))
    assert (exact.time_us, exact.timeprecision) == (at("2026-01-11T07:30:00"), "second")
    (other,) = counting(target, corrects(2, 1, time="2026-01-11T00:00:00-05:00"))
    assert (other.time_us, other.timeprecision) == (at("2026-01-11T00:00:00"), "day")
