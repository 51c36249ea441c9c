"""The boundary of a design, and how it behaves: which module makes which one.

Who comes in: protocols, the command line, the live trial. Who goes out: boundary(),
characteristics() and their shapes. The modules named here need numpy and scipy and are loaded when
the first boundary is asked for, so that processes that never ask stay small.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any, NamedTuple

from rules.stopping.design import Design, Method, Outcome
from rules.stopping.problems import checked

# (outcome, method) -> the module beside this one whose `bound(design)` makes the boundary.
_MAKERS: Mapping[tuple[Outcome, Method], str] = {
    (Outcome.BINARY, Method.POCOCK): "calibrated",
    (Outcome.BINARY, Method.OBRIEN_FLEMING): "calibrated",
    (Outcome.BINARY, Method.WANG_TSIATIS): "calibrated",
    (Outcome.BINARY, Method.BETA_BINOMIAL): "calibrated",
    (Outcome.BINARY, Method.CHEN_CHALONER): "calibrated",
    (Outcome.BINARY, Method.SPRT): "calibrated",
    (Outcome.BINARY, Method.MAX_SPRT): "calibrated",
    (Outcome.BINARY, Method.TOXBDRY): "toxbdry",
    (Outcome.BINARY, Method.TABLE): "fixed",
    (Outcome.BINARY, Method.BINOMIAL_SPRT): "fixed",
    (Outcome.BINARY, Method.BAYES_THRESHOLD): "fixed",
    (Outcome.BINARY, Method.BOIN): "boin",
    (Outcome.BINARY, Method.THALL_SIMON): "thall_simon",
    (Outcome.TIME_TO_EVENT, Method.POCOCK): "exposure",
    (Outcome.TIME_TO_EVENT, Method.OBRIEN_FLEMING): "exposure",
    (Outcome.TIME_TO_EVENT, Method.WANG_TSIATIS): "exposure",
    (Outcome.TIME_TO_EVENT, Method.SPRT): "exposure",
    (Outcome.TIME_TO_EVENT, Method.MAX_SPRT): "exposure",
    (Outcome.TIME_TO_EVENT, Method.GAMMA_POISSON): "exposure",
    (Outcome.TITE, Method.POCOCK): "tite",
    (Outcome.TITE, Method.OBRIEN_FLEMING): "tite",
    (Outcome.TITE, Method.WANG_TSIATIS): "tite",
    (Outcome.TITE, Method.BETA_BINOMIAL): "tite",
    (Outcome.TITE, Method.CHEN_CHALONER): "tite",
    (Outcome.TITE, Method.SPRT): "tite",
    (Outcome.TITE, Method.MAX_SPRT): "tite",
}
# outcome -> the module whose `characteristics(bound, true_p, accrual)` says how it behaves.
_BEHAVIOUR: Mapping[Outcome, str] = {
    Outcome.BINARY: "exact",
    Outcome.TIME_TO_EVENT: "exposure",
    Outcome.TITE: "tite",
}
# method -> the module whose `details(bound)` has what the method tells besides its boundary.
_DETAILS: Mapping[Method, str] = {
    Method.BOIN: "boin",
    Method.THALL_SIMON: "thall_simon",
    Method.TOXBDRY: "toxbdry",
}


@dataclass(frozen=True, slots=True)
class Boundary:
    """A design made exact.

    stop_at: for each of design.looks the smallest number of events that stops; None: no number
    does. go_at (binomial_sprt): the greatest number that accepts p0 there. exposure (time to event,
    TITE): (events d, the greatest exposure in days, resp. effective sample size, at which the d-th
    event stops). critical: the statistic's limit; every value above critical_above and up to
    critical makes the same rule. type_1_error: at p0, None without a p0.
    """

    design: Design
    stop_at: tuple[int | None, ...] = ()
    go_at: tuple[int | None, ...] = ()
    exposure: tuple[tuple[int, float], ...] = ()
    critical: float | None = None
    critical_above: float | None = None
    type_1_error: float | None = None
    notes: tuple[str, ...] = ()

    @property
    def rows(self) -> tuple[tuple[int, int], ...]:
        """The looks that can stop, as rows (evaluable, stop_at) of a stopping table."""
        pairs = zip(self.design.looks, self.stop_at, strict=False)
        return tuple((size, events) for size, events in pairs if events is not None)

    @property
    def never_stops(self) -> bool:
        """Whether no course of events whatever reaches the boundary."""
        return not self.rows and not self.exposure


class Accrual(NamedTuple):
    """How units arrive: each observed for window_days, all N evenly over accrual_days."""

    window_days: float
    accrual_days: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Characteristics:
    """How a boundary behaves at the true rate p; exact for binary outcomes.

    reject: probability of reaching the boundary; accept: of reaching the lower one (binomial_sprt).
    expected_events are among evaluable units. The last four need an Accrual and are None without:
    units still pending at the stop, enrolled, events with those of the pending, calendar days.
    """

    p: float
    reject: float
    expected_events: float
    expected_evaluable: float
    stop_probability: tuple[float, ...] = ()
    accept: float = 0.0
    expected_pending: float | None = None
    expected_enrolled: float | None = None
    expected_events_enrolled: float | None = None
    expected_calendar_days: float | None = None


class Admissible(NamedTuple):
    """A boundary that no other with a type I error of alpha at most beats in both respects."""

    bound: Boundary
    power: float  # probability of stopping at p1
    expected_evaluable: float  # units at the stop at p1


class Joint(NamedTuple):
    """Several rules over the same units and endpoint, at the true rate p."""

    p: float
    reject: float  # probability that any of them is reached
    alone: tuple[float, ...]  # and each of them, were it the only one
    expected_events: float
    expected_evaluable: float


@functools.lru_cache(maxsize=1024)
def boundary(design: Design) -> Boundary:
    """The boundary of the design.

    Raises DesignError where the design has problems.
    """
    maker = _MAKERS[checked(design).outcome, design.method]
    made: Boundary = import_module(f"rules.stopping.{maker}").bound(design)
    return made


def boundary_at(design: Design, critical: float) -> Boundary:
    """The exposure cuts that a given critical value makes, whatever their type I error.

    Raises DesignError where the design has problems, ValueError for a binary outcome.
    """
    maker = _MAKERS[checked(design).outcome, design.method]
    if design.outcome is Outcome.BINARY:
        raise ValueError("a given critical value makes cuts in exposure only")
    made: Boundary = import_module(f"rules.stopping.{maker}").bound_at(design, critical)
    return made


def characteristics(
    bound: Boundary, true_p: Sequence[float], accrual: Accrual | None = None
) -> tuple[Characteristics, ...]:
    """How the boundary behaves at each of the true rates, in their order.

    Raises ValueError for a rate outside 0 to 1.
    """
    if not all(0 <= rate <= 1 for rate in true_p):
        raise ValueError("true rates lie between 0 and 1")
    module = import_module(f"rules.stopping.{_BEHAVIOUR[bound.design.outcome]}")
    found: tuple[Characteristics, ...] = module.characteristics(bound, true_p, accrual)
    return found


def details(bound: Boundary) -> dict[str, Any]:
    """What the method tells besides its boundary, under the names of its tool; mostly nothing."""
    maker = _DETAILS.get(bound.design.method)
    if maker is None:
        return {}
    found: dict[str, Any] = import_module(f"rules.stopping.{maker}").details(bound)
    return found


def admissible(looks: tuple[int, ...], p0: float, p1: float, alpha: float) -> list[Admissible]:
    """All boundaries of a small trial are computed: those that nothing beats, most powerful first.

    Raises DesignError for parameters that are wrong, and for looks with too many boundaries.
    """
    module = import_module("rules.stopping.admissible")
    found: list[Admissible] = module.admissible(looks, p0, p1, alpha)
    return found


def joint(bounds: Sequence[Boundary], true_p: Sequence[float]) -> tuple[Joint, ...]:
    """How rules over the same units and the same endpoint behave together, and each alone.

    Raises ValueError for rules that are not binary, or that accept at a lower limit.
    """
    module = import_module("rules.stopping.joint")
    found: tuple[Joint, ...] = module.joint(bounds, true_p)
    return found
