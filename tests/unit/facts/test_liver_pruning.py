"""Liver values that are dropped too soon would change an answer: one case for each that is kept."""

from __future__ import annotations

import pytest

from tests.properties.test_liver_pruning import compare, keeping
from tests.support.liver_logs import DAY, unasked
from tests.support.step_logs import START, event

LOW, HIGH, BILIRUBIN = ("alt", 10), ("alt", 130), ("bilirubin", 90)
# Each row: days since the start, the test, its value, what else is told. A quiet value drops what
# may go (KEEP is 1), and what comes after it may still matter.
QUIET = [(day, *LOW) for day in range(20, 26)]
INFUSED = (1, "infusion", 1)
CASES = {
    "the last value up to an infusion is its baseline, though all is older than the infusion": (
        "based",
        [(0, "alt", 90), (0.1, "bilirubin", 10), *((day, "alp", 10) for day in range(2, 8)),
         (8, "infusion", 1), (9, "alt", 200), (9, *BILIRUBIN)],
    ),
    "a value published as the baseline stays it": (
        "based",
        [(0, "alt", 90, {"baseline": True}), *((day, *LOW) for day in range(1, 20)),
         (20, "infusion", 1), (21, "alt", 200), (21, *BILIRUBIN)],
    ),
    "a value published late as the baseline counts for what was settled": (
        "based",
        [(0, "alt", 90), INFUSED, (2, *HIGH), (2.1, *BILIRUBIN), *QUIET,
         (30, "alt", 20, {"baseline": True})],
    ),
    "a phosphatase may still come near the highest transaminase of the window": (
        "based",
        [(0, *HIGH), (0.1, *BILIRUBIN), (3, "alt", 320), (4, *LOW), (4.1, *LOW), (4.2, "alp", 90)],
    ),
    "a phosphatase near the highest transaminase was there before": (
        "based",
        [(0, "alp", 90), (1, "alt", 320), (4, *HIGH), (5, *BILIRUBIN), (6, "alp", 10), (7, *LOW),
         (8, *LOW), (8.1, *LOW)],
    ),
    "a bilirubin from before may belong to the next transaminase": (
        "based",
        [(0, "alp", 10), (0.1, *BILIRUBIN), (0.2, "bilirubin", 10), (1, *LOW), (1.1, *LOW),
         (1.2, *HIGH)],
    ),
    "a higher transaminase may still come into the window": (
        "based",
        [(0, *HIGH), (0.1, *BILIRUBIN), (0.2, "alp", 90), (2.9, *LOW), (3, *LOW), (3.1, "alt", 320)],
    ),
    "the highest transaminase of the window was before": (
        "based",
        [(0, "alt", 320), (0.1, "alp", 90), (3, *HIGH), (5, *BILIRUBIN), (6, *LOW), (7, *LOW),
         (7.1, *LOW)],
    ),
    "that a transaminase was measured, however long ago": (
        "based",
        [(0, *LOW), INFUSED, (2, *LOW), *((day, "bilirubin", 10) for day in range(20, 30))],
    ),
    "a limit that is missing is told before an older value without a bilirubin": (
        "based",
        [(0, *HIGH), *QUIET, (30, "alt", 130, {"reference_high": None})],
    ),
    "of two signals alike the first is told": (
        "based",
        [(0, *HIGH), (0.1, *BILIRUBIN), *QUIET, (30, *HIGH), (30.1, *BILIRUBIN)],
    ),
    "of ALT and AST alike it is the ALT": (
        "based",
        [(0, "ast", 130), (0.1, *BILIRUBIN), *QUIET, (30, *HIGH), (30.1, *BILIRUBIN)],
    ),
    "an infusion that was not given gives its baseline back": (
        "based",
        [(0, "alt", 90), INFUSED, (2, "alt", 130), (2.1, *BILIRUBIN), *QUIET,
         (30, "infusion", 1, {"status": "not_done"})],
    ),
    "an infusion told late is the baseline of what was settled": (
        "late",
        [(0, "alt", 90), (2, "alt", 130), (2.1, *BILIRUBIN), *QUIET,
         (30, "infusion", 1, {"start": "2026-01-11T09:00:00-05:00"})],
    ),
    "the highest multiple of an abnormal baseline": (
        "quadrant",
        [(0, "alt", 60), INFUSED, (2, "alt", 320, {"reference_high": 400}), (2.1, *HIGH), *QUIET],
    ),
    "the highest multiple of all time, of two alike the first": (
        "quadrant",
        [(0, "alt", 200), (0.1, *BILIRUBIN), (1, "alt", 200), (1.1, *BILIRUBIN), *QUIET],
    ),
    "a value without its limit might be higher for ever": (
        "quadrant",
        [(0, "alt", 20, {"reference_high": None}), (0.1, "bilirubin", 10), *QUIET],
    ),
}  # fmt: skip


@pytest.fixture(autouse=True)
def no_hold(monkeypatch):
    monkeypatch.setattr("rules.subject.fold.HOLD_STEPS", 0)


def log(rows):
    made = []
    for n, (days, what, number, *others) in enumerate(rows, start=1):
        time = START + int(days * DAY)
        more = others[0] if others else {}
        if what == "infusion":
            data = {"product": "P", "number": number, "status": "completed", **more}
            made.append(event(n, "administration", time, **data))
            continue
        unit = "umol/L" if what == "bilirubin" else "U/L"
        told = {"code": what, "value": number, "unit": unit, "reference_high": 40, **more}
        known = {key: value for key, value in told.items() if value is not None}
        made.append(event(n, "observation", time, **known))
    return made


@pytest.mark.parametrize("case", CASES)
def test_what_is_dropped_is_missed_by_nobody(case):
    name, rows = CASES[case]
    names = ("based", "quadrant") if name == "quadrant" else (name,)
    held, told = compare(names, log(rows))
    assert held <= told


def test_a_fact_that_no_rule_asks_follows_its_baseline_too():
    """What is shown of it is read from the state; the step must have seen the baseline move."""
    rows = [(0, "alt", 90), INFUSED, (2, *HIGH), (2.1, *BILIRUBIN), *QUIET]
    events = log([*rows, (30, "infusion", 1, {"status": "not_done"})])
    with keeping(1, 2):
        made = unasked()
        state = None
        for n in range(1, len(events) + 1):
            outcome = made.subject_steps("t", "S", state, events[n - 1 : n], lambda n: events[:n])
            state = outcome.state
    assert made.edish_view(state)["quadrant"]["hys_law"] == "cholestasis_unknown"


def test_of_a_long_course_only_its_last_weeks_are_held():
    rows = [(day / 2, ("alt", "ast", "bilirubin", "alp")[day % 4], 30) for day in range(400)]
    held, told = compare(("plain", "quadrant"), log(rows), least=6, every=16)
    assert (held < 120, told) == (True, 400)
