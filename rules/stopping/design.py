"""What a stopping rule is planned as: its method, its looks and its parameters; nothing computed.

Who comes in: protocols, the command line. Who goes out: Design (hashable) and its vocabulary; what
is wrong with one is said by stopping.problems, the boundary is made by stopping.bounds.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple, TypeVar

from rules.errors import RuleError

_T = TypeVar("_T")


class Method(StrEnum):
    """How a boundary is made."""

    TABLE = "table"  # given row by row
    POCOCK = "pocock"  # exact binomial, the same pointwise level at every look (Ivanova 2005)
    OBRIEN_FLEMING = "obrien_fleming"
    WANG_TSIATIS = "wang_tsiatis"
    BETA_BINOMIAL = "beta_binomial"  # calibrated posterior probability (Geller 2003)
    CHEN_CHALONER = "chen_chaloner"  # the same, and P(p > p1) > nu (2006)
    SPRT = "sprt"  # truncated, one-sided
    MAX_SPRT = "max_sprt"
    BINOMIAL_SPRT = "binomial_sprt"  # Wald's limits, two-sided, truncated
    BAYES_THRESHOLD = "bayes_threshold"  # fixed threshold of the posterior probability
    BOIN = "boin"  # elimination by the fixed posterior of the BOIN design
    THALL_SIMON = "thall_simon"  # against a standard treatment's rate (1994)
    TOXBDRY = "toxbdry"  # repeated significance tests, power family (clinfun)
    GAMMA_POISSON = "gamma_poisson"
    TITE = "tite"


class Outcome(StrEnum):
    """What one unit contributes."""

    BINARY = "binary"
    TIME_TO_EVENT = "time_to_event"
    TITE = "tite"  # binary, where pending units count by their share of the window


class MaxInfo(StrEnum):
    """Up to which exposure a time-to-event rule is calibrated."""

    EXPECTED = "expected"  # the exposure expected at p0
    MAXIMUM = "maximum"  # everybody's whole window


@dataclass(frozen=True, slots=True, kw_only=True)
class Design:
    """A planned stopping rule; None: not given. Rates are probabilities of an event per unit.

    looks: cumulative numbers of evaluable units, increasing (after every unit: 1, 2, .., n).
    p0: the rate that is still acceptable; p1: the one that is not; alpha: type I error at p0.
    """

    method: Method
    looks: tuple[int, ...]
    p0: float | None = None
    outcome: Outcome = Outcome.BINARY
    alpha: float | None = None
    p1: float | None = None
    p_safe: float | None = None  # boin: escalate below it (0.6 p0); its p1: go back above (1.4 p0)
    beta: float | None = None  # binomial_sprt: type II error at p1
    power: float | None = None  # toxbdry: wished at p1; reported, never calibrated to
    delta: float | None = None  # shape of Wang-Tsiatis and toxbdry; Thall-Simon: the margin
    prior: tuple[float, float] | None = None  # Beta(a, b); gamma_poisson: (shape, rate per day)
    standard_prior: tuple[float, float] | None = None  # Thall-Simon: of the standard's rate
    nu: float | None = None  # Chen-Chaloner: P(p > p1) that has to be exceeded
    threshold: float | None = None  # posterior probability at which to stop
    strict: bool = True  # bayes_threshold: above the threshold only, not at it
    min_evaluable: int = 3  # boin: nothing is eliminated with fewer
    window_days: float | None = None
    max_info: MaxInfo = MaxInfo.EXPECTED
    table: tuple[tuple[int, int], ...] = ()  # (evaluable, stop at so many events)

    @property
    def n(self) -> int:
        """The greatest number of evaluable units; 0 without a look."""
        return self.looks[-1] if self.looks else 0


def continuous(n: int, first: int = 1) -> tuple[int, ...]:
    """A look after every evaluable unit from the first one that counts up to n."""
    return tuple(range(first, n + 1))


def given(value: _T | None) -> _T:
    """A parameter that the design's method needs: problems() has seen to it that it is there."""
    assert value is not None, "a design is checked before its boundary is made"
    return value


def gamma_rate(shape: float, p0: float, window_days: float) -> float:
    """The rate, per day, of the Gamma prior of this shape whose mean is the hazard at p0."""
    return shape * window_days / -math.log1p(-p0)


class Problem(NamedTuple):
    """One thing that is wrong with a design: which parameter, what, and how to mend it."""

    parameter: str
    message: str
    hint: str


class DesignError(RuleError):
    """A design that no boundary can be made of; `problems` says why, one sentence each."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__("; ".join(f"{one.message} ({one.hint})" for one in problems))
        self.problems = tuple(problems)
