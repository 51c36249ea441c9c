"""Every boundary that a small trial can have, and those that nothing beats (Goldman 1987, 2001).

Who comes in: the command line. Who goes out: admissible(). A boundary is a limit at each look that
never falls and never rises by more than the units since; for looks after each of n units there are
2^n of them. Nothing is searched: all are computed.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from rules.stopping.bounds import Admissible, Boundary
from rules.stopping.design import Design, DesignError, Method, Problem
from rules.stopping.problems import checked

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

MOST = 2**17  # boundaries: what is computed within a second or two
_ROUNDING = 1e-12  # of probabilities and expectations that are mathematically equal


def admissible(looks: tuple[int, ...], p0: float, p1: float, alpha: float) -> list[Admissible]:
    """The boundaries with the most power at p1 for their expected size, most powerful first.

    Raises DesignError for parameters that are wrong, or where there are more boundaries than MOST.
    """
    design = checked(Design(method=Method.SPRT, looks=looks, p0=p0, p1=p1, alpha=alpha))
    limits = _all(design.looks)
    error, _ = _behaviour(design.looks, limits, p0)
    kept = np.flatnonzero(error <= alpha + _ROUNDING)
    power, size = _behaviour(design.looks, limits[kept], p1)
    return [
        Admissible(
            _bound(looks, limits[kept[i]], p0, float(error[kept[i]])),
            float(power[i]),
            float(size[i]),
        )
        for i in _unbeaten(power, size)
        if power[i] > 0  # else it never stops
    ]


def _all(looks: Sequence[int]) -> Ints:
    """One boundary a row: the first limit from 1, then never down, up by the new units at most."""
    steps = [later - earlier for earlier, later in pairwise((0, *looks))]
    number = math.prod(step + 1 for step in steps)
    if number > MOST:
        said = f"these looks have {number:.3g} boundaries, more than {MOST}"
        raise DesignError((Problem("looks", said, "enumerate 17 evaluable units or fewer"),))
    grid = np.meshgrid(*(np.arange(step + 1) for step in steps), indexing="ij")
    return np.asarray(1 + np.cumsum([axis.ravel() for axis in grid], axis=0).T)


def _behaviour(looks: Sequence[int], limits: Ints, rate: float) -> tuple[Floats, Floats]:
    """Of each boundary: the probability of stopping, and the expected units at the end."""
    alive = np.zeros((len(limits), looks[-1] + 2))
    alive[:, 0] = 1.0
    events = np.arange(looks[-1] + 2)
    stopped, units, size = np.zeros(len(limits)), np.zeros(len(limits)), 0
    for look, reached in enumerate(looks):
        for _ in range(reached - size):
            shifted = alive[:, :-1] * rate
            alive *= 1 - rate
            alive[:, 1:] += shifted
        size = reached
        gone = np.where(events >= limits[:, look, None], alive, 0.0)
        alive -= gone
        weight = gone.sum(axis=1)
        stopped += weight
        units += weight * reached
    return stopped, units + looks[-1] * (1 - stopped)


def _unbeaten(power: Floats, size: Floats) -> list[int]:
    """Those without another of as much power and fewer units; most powerful first."""
    found: list[int] = []
    least = math.inf
    for i in np.lexsort((size, -np.round(power, 12))):
        if size[i] < least - _ROUNDING:
            found.append(int(i))
            least = float(size[i])
    return found


def _bound(looks: tuple[int, ...], limits: Ints, p0: float, error: float) -> Boundary:
    pairs = list(zip(looks, limits.tolist(), strict=True))
    rows = tuple((size, limit) for size, limit in pairs if limit <= size)
    return Boundary(
        design=Design(
            method=Method.TABLE,
            looks=tuple(size for size, _ in rows),
            p0=p0,
            table=rows,
        ),
        stop_at=tuple(limit for _, limit in rows),
        type_1_error=error,
    )
