"""Thall and Simon 1994: stop iff the rate is, with the asked probability, above the standard's.

Who comes in: bounds. Who goes out: bound(), details(), posterior(). p_E ~ Beta(aE + y, bE + n - y),
p_S ~ Beta(aS, bS): stop iff P(p_E > p_S + delta) >= threshold.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import betainc, betaln, expit, log_expit

from rules.stopping.bounds import Boundary
from rules.stopping.design import Design, given
from rules.stopping.fixed import EQUAL, finished

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_REACH = 6.0  # of the double exponential rule: exp(-pi sinh 6) is 1e-275
_COARSEST = 0.05  # its step, where nothing is peaked
_FINENESS = 0.6  # of the narrowest standard deviation: the rule's error is then below 1e-13
_NEGLIGIBLE = 1e-20  # weight


def bound(design: Design) -> Boundary:
    """The boundary: the posterior probability rises with the events, so each look is bisected."""
    sizes = np.asarray(design.looks)
    low, high = np.zeros_like(sizes), sizes + 1  # the limit lies from low to high
    while (low < high).any():
        middle = np.minimum((low + high) // 2, sizes)
        reached = posterior(design, sizes, middle) >= given(design.threshold) * (1 - EQUAL)
        undecided = low < high
        high = np.where(undecided & reached, middle, high)
        low = np.where(undecided & ~reached, middle + 1, low)
    stop_at = tuple(
        int(events) if events <= size else None for events, size in zip(low, sizes, strict=True)
    )
    return finished(Boundary(design=design, stop_at=stop_at))


def details(bounded: Boundary) -> dict[str, Any]:
    """The posterior probability at the last look, for each number of events from 0."""
    n = bounded.design.n
    found = posterior(bounded.design, np.full(n + 1, n), np.arange(n + 1))
    return {"posterior_at_last_look_by_events": found.tolist()}


def posterior(design: Design, n: Ints, y: Ints) -> Floats:
    """P(p_E > p_S + delta) after y events among n, for arrays of the same length."""
    (a, b), margin = given(design.prior), given(design.delta)
    rest, weight = _nodes(design)
    above = betainc((b + n - y)[:, None], (a + y)[:, None], (1 - margin) * rest[None, :])
    return np.asarray(above @ weight)


def _nodes(design: Design) -> tuple[Floats, Floats]:
    """Double exponential quadrature over p_S from 0 to 1 - delta.

    What is left above each node, as a share of 1 - delta, and its weight under p_S's density. A
    density without bound at an end (a parameter below 1) costs this rule nothing.
    """
    (a, b), margin = given(design.standard_prior), given(design.delta)
    width = 1 - margin
    narrowest = 0.5 / np.sqrt(max(design.n + sum(given(design.prior)), a + b) + 1)
    step = min(_COARSEST, _FINENESS * narrowest)
    t = np.arange(-_REACH, _REACH + step / 2, step)
    odds = np.pi * np.sinh(t)
    rest = expit(-odds)
    log_share, log_rest = log_expit(odds), log_expit(-odds)
    # 1 - p of the standard: delta + width * rest, exact at the end where delta is 0
    upper = np.log(width) + log_rest if not margin else np.log(margin + width * rest)
    log_density = (a - 1) * (np.log(width) + log_share) + (b - 1) * upper - betaln(a, b)
    slope = np.log(np.pi * np.cosh(t) * step * width) + log_share + log_rest
    weight = np.exp(log_density + slope)
    kept = weight > _NEGLIGIBLE
    return rest[kept], weight[kept]
