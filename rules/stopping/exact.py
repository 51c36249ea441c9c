"""Exact operating characteristics of a binary rule: the distribution of events, look after look.

Who comes in: bounds, the calibrated families. Who goes out: characteristics(), rejection().
After Schultz et al. 1973: f_0(0) = 1; each unit adds a Bernoulli event; at a look the part of the
distribution at or beyond a limit stops and leaves. Nothing is simulated or approximated.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import betainc

from rules.stopping.bounds import Accrual, Boundary, Characteristics

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


class _Walk(NamedTuple):
    """Of each look (rows) and true rate (columns): what stops there."""

    stopped: Floats  # probability of stopping at the upper limit
    accepted: Floats  # probability of stopping at the lower limit
    events: Floats  # per rate: expected events among evaluable units at the end


def rejection(looks: Sequence[int], limits: Ints, rate: float) -> float:
    """The probability of ever reaching one of the limits (beyond its look's size: none there)."""
    none = np.full(len(limits), -1)
    return float(_walk(looks, limits, none, np.array([rate])).stopped.sum())


def characteristics(
    bound: Boundary, true_p: Sequence[float], accrual: Accrual | None = None
) -> tuple[Characteristics, ...]:
    """How a binary boundary behaves at each of the true rates, in their order."""
    looks = bound.design.looks
    beyond = looks[-1] + 1
    upper = np.array([beyond if one is None else one for one in bound.stop_at])
    lower = np.array([-1 if one is None else one for one in bound.go_at or (None,) * len(looks)])
    rates = np.asarray(true_p, dtype=float)
    walk = _walk(looks, upper, lower, rates)
    ends = walk.stopped + walk.accepted
    surviving = 1.0 - ends.sum(axis=0)
    evaluable = np.asarray(looks, dtype=float) @ ends + looks[-1] * surviving
    rows = tuple(
        Characteristics(
            p=float(rate),
            reject=float(walk.stopped[:, i].sum()),
            accept=float(walk.accepted[:, i].sum()),
            expected_events=float(walk.events[i]),
            expected_evaluable=float(evaluable[i]),
            stop_probability=tuple(walk.stopped[:, i].tolist()),
        )
        for i, rate in enumerate(rates)
    )
    return rows if accrual is None else _accrued(rows, looks, ends, accrual)


def _walk(looks: Sequence[int], upper: Ints, lower: Ints, rates: Floats) -> _Walk:
    """Carry the distribution of events from look to look; rows of `alive` are the rates."""
    p, q = rates[:, None], 1.0 - rates[:, None]
    alive = np.zeros((len(rates), looks[-1] + 2))
    alive[:, 0] = 1.0
    counts = np.arange(looks[-1] + 2, dtype=float)
    stopped, accepted = np.zeros((2, len(looks), len(rates)))
    events = np.zeros(len(rates))
    size, top = 0, 0  # evaluable units so far; the greatest number of events still alive
    for look, (reached, limit, floor) in enumerate(zip(looks, upper, lower, strict=True)):
        for _ in range(reached - size):
            top += 1
            shifted = alive[:, :top] * p
            alive[:, : top + 1] *= q
            alive[:, 1 : top + 1] += shifted
        size = reached
        stopped[look], gone = _leave(alive, counts, int(limit), top + 1)
        accepted[look], held = _leave(alive, counts, 0, min(int(floor), top) + 1)
        events += gone + held
        top = min(top, max(int(limit) - 1, 0))
    events += alive @ counts
    return _Walk(stopped, accepted, events)


def _leave(alive: Floats, counts: Floats, start: int, end: int) -> tuple[Floats, Floats]:
    """Take the states start..end-1 out; what they weigh, and the events that they hold."""
    part = alive[:, start:end]
    if not part.size:
        return np.zeros(len(alive)), np.zeros(len(alive))
    weight, events = part.sum(axis=1), part @ counts[start:end]
    part[:] = 0.0
    return weight, events


def _accrued(
    rows: tuple[Characteristics, ...], looks: Sequence[int], ends: Floats, accrual: Accrual
) -> tuple[Characteristics, ...]:
    """The same with what accrual adds: N units arrive evenly; each is evaluable after a window."""
    n, days = looks[-1], accrual.accrual_days
    pending = _pending(looks, accrual) @ ends
    entered = np.asarray(looks, dtype=float) @ ends + n * (1.0 - ends.sum(axis=0))
    calendar = days * entered / (n + 1) + accrual.window_days
    return tuple(
        Characteristics(
            p=row.p,
            reject=row.reject,
            accept=row.accept,
            expected_events=row.expected_events,
            expected_evaluable=row.expected_evaluable,
            stop_probability=row.stop_probability,
            expected_pending=float(pending[i]),
            expected_enrolled=row.expected_evaluable + float(pending[i]),
            expected_events_enrolled=row.expected_events + row.p * float(pending[i]),
            expected_calendar_days=float(calendar[i]),
        )
        for i, row in enumerate(rows)
    )


def _pending(looks: Sequence[int], accrual: Accrual) -> Floats:
    """Per look: units expected to have entered, within a window, after the look's last one.

    The i-th later one has with probability P(Binomial(N, window / accrual) >= i).
    """
    n = looks[-1]
    share = min(1.0, accrual.window_days / accrual.accrual_days)
    later = np.arange(1, n + 1)
    upto = np.concatenate([[0.0], np.cumsum(betainc(later, n + 1 - later, share))])
    return np.asarray(upto[n - np.asarray(looks)], dtype=float)
