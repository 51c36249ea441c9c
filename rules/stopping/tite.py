"""TITE rules: a unit still observed counts by its share of the window (Cheung, Chappell 2000).

Who comes in: bounds. Who goes out: bound(), bound_at(), characteristics(), simulated(). The cuts
are exact: the binary family's statistic at a real-valued size, and its critical value from the
continuous binary calibration 1..n. How they behave is simulated, with a seed: it depends on how
units arrive and when within the window events come.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from rules.stopping import calibrated
from rules.stopping.bounds import Accrual, Boundary, Characteristics
from rules.stopping.design import Design, Method, Outcome, continuous, given

Floats = NDArray[np.float64]

CALIBRATED = "type I error is the binary rule's, every window whole; looks in between add to it"
SIMULATED = "characteristics are simulated with a fixed seed, units arriving evenly"
_EQUAL = 1e-11  # relative: mathematically the same value of the statistic
_WHOLE = 1e-9  # a cut so near a whole number of units is that number
_HALVINGS = 60
_RUNS, _FEWEST_RUNS = 10_000, 1_000
_CELLS = 4_000_000  # of one block of simulated units


class Times(StrEnum):
    """When in the window an event comes, if it comes."""

    POWER = "power"  # F(t) = p (t/window)^shape
    WEIBULL = "weibull"  # F(t) = 1 - exp(-rate t^shape), p at the window's end


@dataclass(frozen=True, slots=True)
class Course:
    """How a trial is simulated; shape below 1: events come early in the window, above: late."""

    times: Times = Times.POWER
    shape: float = 1.0
    runs: int = _RUNS
    seed: int = 1


def bound(design: Design) -> Boundary:
    """The cuts in effective units: the d-th event stops iff the sample is at most that."""
    binary = calibrated.bound(_binary(design))
    if binary.critical is None:
        return replace(binary, design=design, stop_at=(), notes=(*binary.notes, CALIBRATED))
    return replace(
        _made(design, binary.critical, 1 - _EQUAL),
        critical_above=binary.critical_above,
        type_1_error=binary.type_1_error,
    )


def bound_at(design: Design, critical: float) -> Boundary:
    """The cuts that a given critical value makes, whatever their type I error.

    A printed critical value comes from a root finder and lies at the open end of its interval: what
    equals it does not stop.
    """
    return _made(design, critical, 1 + _EQUAL)


def _made(design: Design, critical: float, rounding: float) -> Boundary:
    binary = _binary(design)
    limit = critical - calibrated.shown(binary, 0.0)
    limit *= rounding if limit > 0 else 2 - rounding
    events = np.arange(1.0, design.n + 1)

    def stops(size: Floats) -> NDArray[np.bool_]:
        return calibrated.statistic(binary, size, events) >= limit

    low, high = events.copy(), np.full_like(events, design.n)
    possible, always = stops(low), stops(high)  # events alone; whatever else there is
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        reached = stops(middle)
        low, high = np.where(reached, middle, low), np.where(reached, high, middle)
    whole = np.rint(low)
    cuts = np.where(np.abs(low - whole) < _WHOLE * whole, whole, low)
    cuts = np.where(always, design.n, cuts)
    last = int(np.searchsorted(cuts >= design.n, True)) + 1  # then every further event stops too
    rows = zip(range(1, last + 1), possible.tolist(), cuts.tolist(), strict=False)
    return Boundary(
        design=design,
        exposure=tuple((d, float(cut)) for d, stopping, cut in rows if stopping),
        critical=critical,
        notes=(CALIBRATED, SIMULATED),
    )


def characteristics(
    bound: Boundary, true_p: Sequence[float], accrual: Accrual | None = None
) -> tuple[Characteristics, ...]:
    """How the cuts behave at each true probability of an event, simulated.

    10,000 trials each, fewer for more than 100 units. Without an accrual one unit arrives per
    window on average. expected_evaluable is the expected effective sample at the end.
    """
    window = given(bound.design.window_days)
    arrival = accrual or Accrual(window, window * bound.design.n)
    runs = min(_RUNS, max(_FEWEST_RUNS, 100 * _RUNS // bound.design.n))
    return simulated(bound, true_p, arrival, Course(runs=runs))


def simulated(
    bound: Boundary, true_p: Sequence[float], accrual: Accrual, course: Course
) -> tuple[Characteristics, ...]:
    """The same under a course of one's own; the same seed gives the same figures."""
    return tuple(_row(bound, float(p), accrual, course) for p in true_p)


def _binary(design: Design) -> Design:
    """The binary design whose statistic it is: Pocock's is that on the scale of z."""
    pocock = design.method is Method.POCOCK
    return replace(
        design,
        outcome=Outcome.BINARY,
        method=Method.WANG_TSIATIS if pocock else design.method,
        delta=0.5 if pocock else design.delta,
        looks=continuous(design.n),
    )


# ----------------------------------------------------------------------------------- simulation


class _Trials(NamedTuple):
    """Simulated trials (rows) of units (columns), in days since the first could arrive."""

    starts: Floats  # ascending
    events: Floats  # infinite: none in the window


class _Ends(NamedTuple):
    """Of each trial where it ended."""

    stopped: NDArray[np.bool_]
    events: Floats
    effective: Floats
    enrolled: Floats
    pending: Floats
    days: Floats


@functools.lru_cache(maxsize=256)  # a page asks for the same figures again and again
def _row(bound: Boundary, p: float, accrual: Accrual, course: Course) -> Characteristics:
    generator = np.random.default_rng(course.seed)
    block = max(1, _CELLS // bound.design.n)
    sizes = [min(block, course.runs - done) for done in range(0, course.runs, block)]
    parts = [
        _ended(bound, _drawn(bound.design.n, size, p, accrual, course, generator), accrual)
        for size in sizes
    ]
    mean = [float(np.concatenate(column).mean()) for column in zip(*parts, strict=True)]
    ends = dict(zip(_Ends._fields, mean, strict=True))
    return Characteristics(
        p=p,
        reject=ends["stopped"],
        expected_events=ends["events"],
        expected_evaluable=ends["effective"],
        expected_pending=ends["pending"],
        expected_enrolled=ends["enrolled"],
        expected_calendar_days=ends["days"],
    )


def _drawn(
    n: int, runs: int, p: float, accrual: Accrual, course: Course, generator: np.random.Generator
) -> _Trials:
    starts = np.sort(generator.uniform(0.0, accrual.accrual_days, (runs, n)), axis=1)
    chance = generator.uniform(size=(runs, n))
    with np.errstate(divide="ignore", invalid="ignore"):
        share = chance / p
        if course.times is Times.WEIBULL:
            share = np.log1p(-chance) / math.log1p(-p) if p < 1 else np.zeros_like(chance)
        after = accrual.window_days * share ** (1 / course.shape)
    return _Trials(starts, np.where(chance < p, starts + after, np.inf))


def _ended(bound: Boundary, trials: _Trials, accrual: Accrual) -> _Ends:
    """Follow every trial from event to event: between two of them nothing can stop it."""
    runs, n = trials.starts.shape
    window = accrual.window_days
    order = np.sort(trials.events, axis=1)
    at = trials.starts[:, -1] + window
    going, events = np.ones(runs, dtype=bool), np.isfinite(order).sum(axis=1).astype(float)
    for d, most in bound.exposure:
        rows = np.flatnonzero(going & np.isfinite(order[:, d - 1]))
        when = order[rows, d - 1]
        one = _Trials(trials.starts[rows], trials.events[rows])
        halted = _effective(one, when, window) <= most * (1 + _WHOLE)
        rows, when = rows[halted], when[halted]
        going[rows], events[rows], at[rows] = False, d, when
    begun = trials.starts <= at[:, None]
    known = (trials.events <= at[:, None]) | (trials.starts + window <= at[:, None])
    return _Ends(
        stopped=~going,
        events=events,
        effective=np.where(going, n, _effective(trials, at, window)),
        enrolled=begun.sum(axis=1).astype(float),
        pending=(begun & ~known).sum(axis=1).astype(float),
        days=at,
    )


def _effective(trials: _Trials, at: Floats, window: float) -> Floats:
    """Per trial the units at an instant, each by its share of the window, 1 with an event."""
    share = np.clip((at[:, None] - trials.starts) / window, 0.0, 1.0)
    return np.asarray(np.where(trials.events <= at[:, None], 1.0, share).sum(axis=1))
