"""Boundaries whose limit is fixed beforehand: nothing is calibrated, the type I error is reported.

Who comes in: bounds. Who goes out: bound(), finished(), least_beyond().
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray
from scipy.special import betainc

from rules.stopping.bounds import Boundary, characteristics
from rules.stopping.design import Design, Method, given

Floats = NDArray[np.float64]

EQUAL = 1e-11  # relative: what differs from a threshold by less is mathematically equal to it
NEVER = "never stops: no number of events reaches its limit"
AT_ONCE = "stops without a single event: the prior alone exceeds the threshold"


def bound(design: Design) -> Boundary:
    """The boundary that the design's parameters fix, with its exact type I error if p0 is told."""
    return finished(_MAKERS[design.method](design))


def finished(made: Boundary) -> Boundary:
    """The boundary with its type I error and what has to be said about it."""
    notes = [NEVER] if made.never_stops else []
    notes += [AT_ONCE] if any(events == 0 for _, events in made.rows) else []
    p0 = made.design.p0
    error = None if p0 is None else characteristics(made, (p0,))[0].reject
    if error is not None and made.design.alpha is not None and error > made.design.alpha + EQUAL:
        notes.append(f"type I error {error:.6g} exceeds alpha {made.design.alpha:g}")
    return Boundary(
        design=made.design,
        stop_at=made.stop_at,
        go_at=made.go_at,
        type_1_error=error,
        notes=tuple(notes),
    )


def _table(design: Design) -> Boundary:
    return Boundary(design=design, stop_at=tuple(events for _, events in design.table))


def _bayes_threshold(design: Design) -> Boundary:
    """Stop iff P(p > p0 | data) is above the threshold (not strict: or at it)."""
    return Boundary(design=design, stop_at=least_beyond(design, given(design.prior), first=0))


def least_beyond(design: Design, prior: tuple[float, float], first: int) -> tuple[int | None, ...]:
    """Per look the least number of events, from `first` on, whose posterior is beyond."""
    (a, b), share = prior, 1.0 - given(design.threshold)
    limit = share * (1 - EQUAL) if design.strict else share * (1 + EQUAL)
    p0, found = given(design.p0), list[int | None]()
    for size in design.looks:
        events = np.arange(first, size + 1)
        beyond = np.flatnonzero(betainc(a + events, b + size - events, p0) < limit)
        found.append(int(events[beyond[0]]) if beyond.size else None)
    return tuple(found)


def _binomial_sprt(design: Design) -> Boundary:
    """Wald's two lines, rounded outwards to whole events (as gsDesign's binomialSPRT)."""
    p0, p1, alpha, beta = map(given, (design.p0, design.p1, design.alpha, design.beta))
    low, high = math.log((1 - p1) / (1 - p0)), math.log(p1 / p0)
    slope, scale = -low / (high - low), high - low
    above, below = math.log((1 - beta) / alpha) / scale, math.log(beta / (1 - alpha)) / scale
    upper = (math.ceil(slope * size + above - EQUAL * size) for size in design.looks)
    lower = (math.floor(slope * size + below + EQUAL * size) for size in design.looks)
    return Boundary(
        design=design,
        stop_at=tuple(
            u if u <= size else None for u, size in zip(upper, design.looks, strict=True)
        ),
        go_at=tuple(one if one >= 0 else None for one in lower),
    )


_MAKERS: Mapping[Method, Callable[[Design], Boundary]] = {
    Method.TABLE: _table,
    Method.BAYES_THRESHOLD: _bayes_threshold,
    Method.BINOMIAL_SPRT: _binomial_sprt,
}
