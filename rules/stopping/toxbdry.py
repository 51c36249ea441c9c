"""Repeated significance tests in the power family, as clinfun's toxbdry searches them.

Who comes in: bounds, the command line. Who goes out: bound(), details(). At level a a look of n
stops iff P(X >= y; n, p0) is at most the normal tail of z_a (n/N)^-delta. Published designs name
the tool's own search, which may end one step before the most liberal boundary: it is followed
here, and the note says where an exact calibration stops earlier.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri

from rules.stopping import calibrated
from rules.stopping.bounds import Boundary, characteristics
from rules.stopping.design import Design, given
from rules.stopping.exact import rejection

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_STEPS = 11  # of narrowing, at most
_WIDER = 1.4  # how much a level is raised that crosses too seldom
_CLOSE = 0.01  # levels this close are narrowed by false position, others by halves
_EQUAL = 1e-11  # relative: levels that differ by less are mathematically equal


class Tried(NamedTuple):
    """One pointwise level, its limits and how often they are reached at p0."""

    level: float
    limits: Ints
    crossing: float


def bound(design: Design) -> Boundary:
    """The stricter boundary of the searched pair: the one that keeps to alpha."""
    best = calibrated.bound(design)
    looser, found = searched(design)
    stop_at = stops(design, found.limits)
    if looser is found or stop_at == best.stop_at:  # the tool gives up, or ends at the very best
        return best
    return Boundary(
        design=design,
        stop_at=stop_at,
        type_1_error=found.crossing,
        notes=(_earlier(design, stop_at, best.stop_at),),
    )


def details(bounded: Boundary) -> dict[str, Any]:
    """The searched pair as the tool prints it: `lo` just above alpha, `hi` keeps to it.

    max_acceptable: the greatest number of events that does not stop. power: of `hi`, at p1.
    """
    design = bounded.design
    low = _looser(bounded)
    return {
        "lo_max_acceptable": _acceptable(low),
        "hi_max_acceptable": _acceptable(bounded),
        "lo_type_1_error": low.type_1_error,
        "power": None if design.p1 is None else characteristics(bounded, (design.p1,))[0].reject,
    }


def _looser(bounded: Boundary) -> Boundary:
    """The other one of the searched pair: the boundary whose error is just above alpha."""
    found = searched(bounded.design)[0]
    stop_at = stops(bounded.design, found.limits)
    return replace(bounded, stop_at=stop_at, type_1_error=found.crossing, notes=())


def _acceptable(bounded: Boundary) -> list[int]:
    pairs = zip(bounded.stop_at, bounded.design.looks, strict=True)
    return [size if events is None else events - 1 for events, size in pairs]


def searched(design: Design) -> tuple[Tried, Tried]:
    """The boundaries just above alpha and below it, by the tool's search.

    Where no level reaches alpha both are the most liberal one that there is.
    """
    tails = _tails(design)
    alpha = given(design.alpha)
    low = _tried(design, tails, alpha / len(design.looks))
    high = _tried(design, tails, alpha)
    while high.crossing < alpha:
        if high.level * _WIDER >= 1:
            return high, high
        low, high = high, _tried(design, tails, high.level * _WIDER)
    for _ in range(_STEPS):
        if (low.limits - high.limits).sum() <= 1:
            break
        middle = _tried(design, tails, _between(low, high, alpha))
        low, high = (middle, high) if middle.crossing < alpha else (low, middle)
    return high, low


def _between(low: Tried, high: Tried, alpha: float) -> float:
    if high.level - low.level > _CLOSE:
        return (high.level + low.level) / 2
    share = (alpha - low.crossing) / (high.crossing - low.crossing)
    return low.level + (high.level - low.level) * share


def _tails(design: Design) -> Floats:
    """P(X >= y) at p0 by look and number of events; events beyond the look's size have 0."""
    sizes = np.asarray(design.looks, dtype=float)[:, None]
    events = np.arange(design.n + 1, dtype=float)[None, :]
    return np.where(events <= sizes, calibrated.tail(design, sizes, events), 0.0)


def _tried(design: Design, tails: Floats, level: float) -> Tried:
    share = np.asarray(design.looks) / design.n
    levels = ndtr(ndtri(level) / share ** given(design.delta))
    limits = (tails > levels[:, None] * (1 + _EQUAL)).sum(axis=1)
    return Tried(level, limits, rejection(design.looks, limits, given(design.p0)))


def stops(design: Design, limits: Ints) -> tuple[int | None, ...]:
    """The limits as a boundary has them: None where a look is too small to reach its own."""
    pairs = zip(limits, design.looks, strict=True)
    return tuple(int(limit) if limit <= size else None for limit, size in pairs)


def _earlier(design: Design, found: tuple[int | None, ...], best: tuple[int | None, ...]) -> str:
    differ = [
        f"{events} of {size}"
        for size, mine, events in zip(design.looks, found, best, strict=True)
        if mine != events
    ]
    return (
        "clinfun's search ends before the most liberal boundary of the family, which keeps to "
        f"alpha and also stops at {', '.join(differ)}"
    )
