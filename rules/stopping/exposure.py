"""Rules over the time under observation: cuts in exposure, their calibration, their behaviour.

Who comes in: bounds. Who goes out: bound(), characteristics(). Events are a Poisson process with
rate lambda per day of exposure, lambda0 = -ln(1 - p0)/window. The d-th event stops iff the total
exposure is then at most cut[d]. Between two events exposure only grows, which leads away from
stopping: a crossing can only happen at the instant of an event. Everything here is exact.

Lengths are counted in events expected at p0 (x = lambda0 U), so that no unit of time remains.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.special import gammaincinv, gammaln, lambertw, pdtrc, xlogy

from rules.stopping.bounds import Accrual, Boundary, Characteristics
from rules.stopping.design import Design, DesignError, MaxInfo, Method, Problem, given

Floats = NDArray[np.float64]

FIRST_EVENT = "alpha is more than the probability of any event: the very first event stops"
POISSON = "exact for events that come at a constant rate while a unit is observed"
CALIBRATED = "type I error is that up to {0:g} days of exposure, to which the rule is calibrated"
_ROUNDING = 4 * sys.float_info.epsilon
_HALVINGS = 70  # of an interval: beyond what a float can tell apart
_LEAST = -1e9  # no critical value is looked for below
_SUREST = 512.0  # -ln(1 - c) beyond which a float cannot tell a posterior probability from 1
_BARE = (1.0, 1.0)
_FIRMEST = 1e4  # events expected at p0 in a prior's days: more cuts are not computed in seconds
_TOO_FIRM = Problem(
    "prior",
    "the prior rests on so many days that more than 10,000 events were expected in them at p0",
    "shape,rate: the second is days already seen, as those of a few subjects' windows",
)
_TOO_SURE = Problem(
    "prior",
    "the prior is so sure of a high rate that no posterior probability keeps to alpha",
    "a prior of less weight, or one whose mean is nearer to the rate at p0",
)


def bound(design: Design) -> Boundary:
    """The cuts whose exact type I error, exposure cut off at the design's most, equals alpha.

    Where alpha is out of reach (any event at all is rarer) the first event stops, and a note says
    so.
    """
    scale = _scale(design)
    if design.method is Method.GAMMA_POISSON and (design.prior or _BARE)[1] * scale.rate > _FIRMEST:
        raise DesignError((_TOO_FIRM,))
    if given(design.alpha) >= -math.expm1(-scale.calibrated):
        return _made(design, scale, None, np.array([scale.whole]))
    at = _calibrated(design, scale)
    return _made(design, scale, at, _cuts(design, scale, at, scale.whole))


def bound_at(design: Design, critical: float) -> Boundary:
    """The cuts that a given critical value makes, whatever their type I error.

    Raises ValueError for a posterior probability outside of 0 to 1.
    """
    at = critical
    if design.method is Method.GAMMA_POISSON:
        if not 0 <= critical < 1:
            raise ValueError("a posterior probability to be reached lies from 0 to below 1")
        at = -math.log1p(-critical)
    scale = _scale(design)
    return _made(design, scale, at, _cuts(design, scale, at, scale.whole))


def characteristics(
    bound: Boundary, true_p: Sequence[float], accrual: Accrual | None = None
) -> tuple[Characteristics, ...]:
    """How the cuts behave, up to everybody's whole window, at each true probability of an event.

    expected_evaluable is the expected exposure at the end in whole windows. An accrual changes
    nothing: exposure has no calendar.
    """
    del accrual
    scale = _scale(bound.design)
    cuts = np.array([days * scale.rate for _, days in bound.exposure])
    first = bound.exposure[0][0]
    return tuple(_behaviour(scale, first, cuts, float(p)) for p in true_p)


class _Scale(NamedTuple):
    """Lengths in events expected at p0, but for the rate per day that makes them of days."""

    rate: float
    window: float  # one unit's whole window
    whole: float  # everybody's whole window
    calibrated: float  # up to where type I error is counted


class _Walk(NamedTuple):
    stopped: Floats  # probability of stopping at each cut's event
    surviving: Floats  # of each number of events at the end, without a stop


def _scale(design: Design) -> _Scale:
    window = -math.log1p(-given(design.p0))
    whole = design.n * window
    expected = design.n * given(design.p0)
    calibrated = whole if design.max_info is MaxInfo.MAXIMUM else expected
    return _Scale(window / given(design.window_days), window, whole, calibrated)


def _made(design: Design, scale: _Scale, at: float | None, cuts: Floats) -> Boundary:
    whole_days = design.n * given(design.window_days)
    rows = tuple(
        (events, whole_days if cut >= scale.whole else float(cut) / scale.rate)
        for events, cut in enumerate(cuts.tolist(), start=1)
        if cut > 0
    )
    notes = (POISSON, CALIBRATED.format(scale.calibrated / scale.rate))
    return Boundary(
        design=design,
        exposure=rows,
        critical=_shown(design, at),
        type_1_error=_error(np.minimum(cuts, scale.calibrated)),
        notes=notes if at is not None else (FIRST_EVENT, *notes),
    )


# ------------------------------------------------------------------------------------ calibration


def _calibrated(design: Design, scale: _Scale) -> float:
    """The critical value with a type I error of alpha; the error falls steadily as it rises.

    Both ends of the bracket are found by doubling, so there always are two. Where even the
    family's most liberal cuts keep to alpha, those. Raises DesignError for a prior whose certainty
    no limit can answer.
    """
    floor = 0.0 if design.method in (Method.MAX_SPRT, Method.GAMMA_POISSON) else _LEAST

    def excess(at: float) -> float:
        return _error(_cuts(design, scale, at, scale.calibrated)) - given(design.alpha)

    low, high = 0.0, 1.0
    while excess(low) <= 0:
        if low <= floor:
            return low
        low = 2 * low - 1
    while excess(high) > 0:
        low, high = high, 2 * high
        if design.method is Method.GAMMA_POISSON and high > _SUREST:
            raise DesignError((_TOO_SURE,))
    return float(brentq(excess, low, high, xtol=1e-15, rtol=_ROUNDING, maxiter=1000))


def _shown(design: Design, at: float | None) -> float | None:
    """The critical value as the family has it."""
    return -math.expm1(-at) if at is not None and design.method is Method.GAMMA_POISSON else at


# ------------------------------------------------------------------------------------------ cuts


def _cuts(design: Design, scale: _Scale, critical: float, most: float) -> Floats:
    """The cut of each event d = 1, 2, .. up to the first that reaches `most`, where it is cut off.

    A cut is where the rule's limit f(x) equals d; 0 where the d-th event never stops.
    """
    size = 16 + 2 * int(most)
    while True:
        found = _CUT[design.method](design, scale, critical, np.arange(1.0, size + 1))
        beyond = np.flatnonzero(found >= most)
        if beyond.size:
            return np.clip(found[: int(beyond[0]) + 1], 0.0, most)
        size *= 2


def _pocock(_design: Design, _scale: _Scale, critical: float, events: Floats) -> Floats:
    """Cut where d = x + c sqrt(x)."""
    root = np.sqrt(critical**2 + 4 * events)
    apart = 2 * events / (root + critical) if critical > 0 else (root - critical) / 2
    return np.asarray(apart**2)


def _obrien_fleming(_design: Design, scale: _Scale, critical: float, events: Floats) -> Floats:
    """Cut where d = x + c sqrt(x_max)."""
    return np.asarray(events - critical * math.sqrt(scale.calibrated))


def _wang_tsiatis(design: Design, scale: _Scale, critical: float, events: Floats) -> Floats:
    """Cut where d = x + c x_max^(1/2 - delta) x^delta, halving from both ends."""
    delta = given(design.delta)
    if delta == 0:
        return _obrien_fleming(design, scale, critical, events)
    weight = critical * scale.calibrated ** (0.5 - delta)
    low, high = np.zeros_like(events), np.maximum(events, 2 * scale.whole + 1)
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        below = middle + weight * middle**delta < events
        low, high = np.where(below, middle, low), np.where(below, high, middle)
    return high


def _sprt(design: Design, _scale: _Scale, critical: float, events: Floats) -> Floats:
    """Cut where d ln(r) = c + (r - 1) x, with r the ratio of the two rates."""
    ratio = math.log1p(-given(design.p1)) / math.log1p(-given(design.p0))
    return np.asarray((events * math.log(ratio) - critical) / (ratio - 1))


def _max_sprt(_design: Design, _scale: _Scale, critical: float, events: Floats) -> Floats:
    """Cut where d ln(d / x) - (d - x) = c below d, by Lambert's W."""
    if critical <= 0:
        return events
    at: Any = -np.exp(-1 - critical / events)
    return np.asarray(-events * np.real(lambertw(at)))


def _gamma_poisson(design: Design, scale: _Scale, critical: float, events: Floats) -> Floats:
    """P(rate > lambda0 | d, x) = c under a gamma prior of the rate (shape, rate in days).

    Here and where it is looked for the critical value is -ln(1 - c), so that c may be near 1.
    """
    if critical <= 0:
        return np.full_like(events, np.inf)
    shape, days = design.prior or _BARE
    return np.asarray(gammaincinv(shape + events, math.exp(-critical)) - days * scale.rate)


_CUT: Mapping[Method, Callable[[Design, _Scale, float, Floats], Floats]] = {
    Method.POCOCK: _pocock,
    Method.OBRIEN_FLEMING: _obrien_fleming,
    Method.WANG_TSIATIS: _wang_tsiatis,
    Method.SPRT: _sprt,
    Method.MAX_SPRT: _max_sprt,
    Method.GAMMA_POISSON: _gamma_poisson,
}


# ------------------------------------------------------------------------------------- behaviour


def _error(cuts: Floats) -> float:
    """The probability of a stop at p0; cuts as _cuts gives them."""
    open_from = int(np.searchsorted(cuts > 0, True))
    return float(_walk(open_from + 1, cuts[open_from:]).stopped.sum())


def _walk(first: int, cuts: Floats) -> _Walk:
    """Carry the distribution of the number of events from cut to cut; the first is `first`'s.

    A stop between two cuts is a stop at the event that belongs to the later one, and is seen there:
    so many events by then.
    """
    alive, stopped = np.ones(1), np.zeros(len(cuts))
    for place, length in enumerate(np.diff(cuts, prepend=0.0)):
        limit = first + place
        known = np.arange(len(alive))
        stopped[place] = alive @ pdtrc(limit - 1 - known, length)
        alive = np.convolve(alive, _poisson(length, limit))[:limit]
    return _Walk(stopped, alive)


def _poisson(mean: float, size: int) -> Floats:
    """The probabilities of 0, 1, .. events; what is beyond `size` or negligible is left out."""
    counts = np.arange(min(size, int(mean + 10 * math.sqrt(mean)) + 30))
    return np.asarray(np.exp(xlogy(counts, mean) - mean - gammaln(counts + 1)))


def _behaviour(scale: _Scale, first: int, cuts: Floats, p: float) -> Characteristics:
    """At one true rate. Exposure and events are tied by Wald: E(events) = rate x E(exposure)."""
    if p in (0.0, 1.0):
        windows = 0.0 if p else scale.whole / scale.window
        return Characteristics(p=p, reject=p, expected_events=p * first, expected_evaluable=windows)
    hazard = -math.log1p(-p)
    walk = _walk(first, cuts * hazard / scale.window)
    events = float((first + np.arange(len(cuts))) @ walk.stopped)
    events += float(np.arange(len(walk.surviving)) @ walk.surviving)
    return Characteristics(
        p=p,
        reject=float(walk.stopped.sum()),
        expected_events=events,
        expected_evaluable=events / hazard,
        stop_probability=tuple(walk.stopped.tolist()),
    )
