"""Calibrated families: the most liberal boundary whose exact type I error keeps to alpha.

Who comes in: bounds. Who goes out: bound(), statistic() (TITE asks it at real-valued sizes).
Stop iff T(n, y) >= c, T rising with the events y. Only finitely many values of T exist, so c is
looked for among them, equal ones together: no root finding, no bracket, always an end (ADR 14).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import betainc, ndtri, xlogy

from rules.stopping.bounds import Boundary
from rules.stopping.design import Design, Method, given
from rules.stopping.exact import rejection

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_EQUAL = 1e-11  # relative: values of T that differ by less are mathematically the same
_ROUNDING = 1e-13  # of the type I error, against a design whose exact error is alpha itself
NEVER = "never stops: even its strictest boundary exceeds alpha"


def bound(design: Design) -> Boundary:
    """The most liberal boundary of the family with a type I error of alpha at most."""
    ranked = _ranked(design)
    low, high = 0, len(ranked.values)  # rank `high` keeps to alpha (it never stops), `low` - 1 may
    while low < high:
        middle = (low + high) // 2
        if _error(design, ranked, middle) <= given(design.alpha) + _ROUNDING:
            high = middle
        else:
            low = middle + 1
    return _made(design, ranked, high)


def statistic(design: Design, n: Floats, y: Floats) -> Floats:
    """T of the design's family at y events among n (real-valued sizes are allowed).

    Posterior probabilities are given less 1, to keep apart what is near certainty.
    """
    return _STATISTIC[design.method](design, n, y)


def shown(design: Design, value: float) -> float:
    """A value of statistic() as the family's own definition has it."""
    return 1.0 + value if design.method in _LESS_ONE else value


class _Ranked(NamedTuple):
    """The statistic at every look and number of events, as ranks among its distinct values."""

    ranks: Ints  # look x events; beyond the look's size: greater than any
    values: Floats  # of each rank, ascending
    lowest: Floats  # the smallest of the equal values of each rank


def _ranked(design: Design) -> _Ranked:
    sizes = np.asarray(design.looks)[:, None]
    events = np.arange(design.n + 1)[None, :]
    inside = events <= sizes
    n, y = (np.broadcast_to(one, inside.shape)[inside].astype(float) for one in (sizes, events))
    value = statistic(design, n, y)
    order = np.argsort(value, kind="stable")
    ascending = value[order]
    with np.errstate(invalid="ignore"):
        new = np.diff(ascending) > _EQUAL * np.abs(ascending[1:])
    group = np.concatenate([[0], np.cumsum(new)])
    first = np.flatnonzero(np.concatenate([[True], new]))
    ranks = np.full(inside.shape, len(first), dtype=np.int64)
    of_value = np.empty(len(value), dtype=np.int64)
    of_value[order] = group
    ranks[inside] = of_value
    return _Ranked(ranks, ascending[np.append(first[1:], len(value)) - 1], ascending[first])


def _limits(ranked: _Ranked, rank: int) -> Ints:
    """Per look the smallest number of events whose statistic has this rank or more."""
    return np.asarray((ranked.ranks < rank).sum(axis=1))


def _error(design: Design, ranked: _Ranked, rank: int) -> float:
    if ranked.values[rank] == -np.inf:  # what the family itself never lets stop
        return np.inf
    return rejection(design.looks, _limits(ranked, rank), given(design.p0))


def _made(design: Design, ranked: _Ranked, rank: int) -> Boundary:
    limits = _limits(ranked, rank)
    never = rank == len(ranked.values)
    above = ranked.values[rank - 1] if rank else -np.inf
    return Boundary(
        design=design,
        stop_at=tuple(
            int(limit) if limit <= size else None
            for limit, size in zip(limits, design.looks, strict=True)
        ),
        critical=None if never else shown(design, float(ranked.lowest[rank])),
        critical_above=shown(design, float(above)) if np.isfinite(above) else None,
        type_1_error=rejection(design.looks, limits, given(design.p0)),
        notes=(NEVER,) if never else (),
    )


def _pocock(design: Design, n: Floats, y: Floats) -> Floats:
    return -tail(design, n, y)


def tail(design: Design, n: Floats, y: Floats) -> Floats:
    """P(X >= y) of the binomial at p0: I_p0(y, n - y + 1)."""
    found = betainc(np.maximum(y, 0.5), n - y + 1, given(design.p0))
    return np.where(y > 0, found, 1.0)


def _obrien_fleming(design: Design, n: Floats, y: Floats) -> Floats:
    p0 = given(design.p0)
    return np.asarray((y - n * p0) / np.sqrt(design.n * p0 * (1 - p0)))


def _wang_tsiatis(design: Design, n: Floats, y: Floats) -> Floats:
    p0 = given(design.p0)
    shape = (n / design.n) ** (given(design.delta) - 0.5)
    return np.asarray((y - n * p0) / (shape * np.sqrt(n * p0 * (1 - p0))))


def _beta_binomial(design: Design, n: Floats, y: Floats) -> Floats:
    return -_below(design, n, y, given(design.p0))


def _below(design: Design, n: Floats, y: Floats, rate: float) -> Floats:
    """Posterior probability of a rate of at most this one."""
    a, b = design.prior or (1.0, 1.0)
    return np.asarray(betainc(a + y, b + n - y, rate))


def _chen_chaloner(design: Design, n: Floats, y: Floats) -> Floats:
    enough = 1 - _below(design, n, y, given(design.p1)) > given(design.nu)
    return np.where(enough, _beta_binomial(design, n, y), -np.inf)


def _sprt(design: Design, n: Floats, y: Floats) -> Floats:
    p0, p1 = given(design.p0), given(design.p1)
    return np.asarray(y * np.log(p1 / p0) + (n - y) * np.log((1 - p1) / (1 - p0)))


def _max_sprt(design: Design, n: Floats, y: Floats) -> Floats:
    p0 = given(design.p0)
    found = xlogy(y, y / (n * p0)) + xlogy(n - y, (n - y) / (n * (1 - p0)))
    return np.where(y > n * p0, np.maximum(found, 0.0), 0.0)


def _toxbdry(design: Design, n: Floats, y: Floats) -> Floats:
    """clinfun: stop iff P(X >= y) is at most the normal tail of z (n/N)^-delta."""
    return np.asarray(-ndtri(tail(design, n, y)) * (n / design.n) ** given(design.delta))


_STATISTIC: Mapping[Method, Callable[[Design, Floats, Floats], Floats]] = {
    Method.POCOCK: _pocock,
    Method.OBRIEN_FLEMING: _obrien_fleming,
    Method.WANG_TSIATIS: _wang_tsiatis,
    Method.BETA_BINOMIAL: _beta_binomial,
    Method.CHEN_CHALONER: _chen_chaloner,
    Method.SPRT: _sprt,
    Method.MAX_SPRT: _max_sprt,
    Method.TOXBDRY: _toxbdry,
}
_LESS_ONE = (Method.BETA_BINOMIAL, Method.CHEN_CHALONER)
