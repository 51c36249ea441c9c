"""What is wrong with a planned stopping rule: one clear sentence for each fault.

Who comes in: whoever takes a design from a person. Who goes out: problems(), checked().
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import Any

from rules.stopping.design import Design, DesignError, Method, Outcome, Problem

# The parameters that a method cannot do without, and those that it knows besides.
_NEEDS: Mapping[tuple[Outcome, Method], tuple[str, ...]] = {
    (Outcome.BINARY, Method.TABLE): ("table",),
    (Outcome.BINARY, Method.POCOCK): ("p0", "alpha"),
    (Outcome.BINARY, Method.OBRIEN_FLEMING): ("p0", "alpha"),
    (Outcome.BINARY, Method.WANG_TSIATIS): ("p0", "alpha", "delta"),
    (Outcome.BINARY, Method.BETA_BINOMIAL): ("p0", "alpha", "prior"),
    (Outcome.BINARY, Method.CHEN_CHALONER): ("p0", "alpha", "p1", "prior", "nu"),
    (Outcome.BINARY, Method.SPRT): ("p0", "alpha", "p1"),
    (Outcome.BINARY, Method.MAX_SPRT): ("p0", "alpha"),
    (Outcome.BINARY, Method.BINOMIAL_SPRT): ("p0", "alpha", "p1", "beta"),
    (Outcome.BINARY, Method.BAYES_THRESHOLD): ("p0", "prior", "threshold"),
    (Outcome.BINARY, Method.BOIN): ("p0", "threshold"),
    (Outcome.BINARY, Method.THALL_SIMON): ("prior", "standard_prior", "delta", "threshold"),
    (Outcome.BINARY, Method.TOXBDRY): ("p0", "alpha", "delta"),
    (Outcome.TIME_TO_EVENT, Method.POCOCK): ("p0", "alpha", "window_days"),
    (Outcome.TIME_TO_EVENT, Method.OBRIEN_FLEMING): ("p0", "alpha", "window_days"),
    (Outcome.TIME_TO_EVENT, Method.WANG_TSIATIS): ("p0", "alpha", "delta", "window_days"),
    (Outcome.TIME_TO_EVENT, Method.SPRT): ("p0", "alpha", "p1", "window_days"),
    (Outcome.TIME_TO_EVENT, Method.MAX_SPRT): ("p0", "alpha", "window_days"),
    (Outcome.TIME_TO_EVENT, Method.GAMMA_POISSON): ("p0", "alpha", "prior", "window_days"),
    (Outcome.TITE, Method.POCOCK): ("p0", "alpha", "window_days"),
    (Outcome.TITE, Method.OBRIEN_FLEMING): ("p0", "alpha", "window_days"),
    (Outcome.TITE, Method.WANG_TSIATIS): ("p0", "alpha", "delta", "window_days"),
    (Outcome.TITE, Method.BETA_BINOMIAL): ("p0", "alpha", "prior", "window_days"),
    (Outcome.TITE, Method.CHEN_CHALONER): ("p0", "alpha", "p1", "prior", "nu", "window_days"),
    (Outcome.TITE, Method.SPRT): ("p0", "alpha", "p1", "window_days"),
    (Outcome.TITE, Method.MAX_SPRT): ("p0", "alpha", "window_days"),
}
_KNOWS: Mapping[Method, tuple[str, ...]] = {
    Method.TOXBDRY: ("p1", "power"),
    Method.BOIN: ("p1", "p_safe"),
}
_ANYWAY = ("p0", "alpha", "window_days")  # a declared alpha is checked; the window serves accrual
_PARAMETERS = (
    *("p0", "alpha", "p1", "p_safe", "beta", "power", "delta", "prior", "standard_prior"),
    *("nu", "threshold", "window_days", "table"),
)
_OPEN = (
    "p0",
    "alpha",
    "p1",
    "p_safe",
    "beta",
    "power",
    "threshold",
)  # between 0 and 1, neither of them
_PRIORS = ("prior", "standard_prior")
_MEANS = {
    "p0": "the rate that is still acceptable, as 0.2",
    "alpha": "the type I error allowed at p0, as 0.05",
    "p1": "a rate that is too high, as 0.4",
    "p_safe": "a rate below p0, as 0.12",
    "beta": "the type II error allowed at p1, as 0.2",
    "power": "the probability of stopping wished at p1, as 0.9",
    "delta": "a number from 0 to 0.5",
    "prior": "two positive numbers a,b of its Beta(a, b), as 0.4,1.6",
    "standard_prior": "two positive numbers a,b of the standard's Beta(a, b), as 20,80",
    "nu": "a probability, as 0.2",
    "threshold": "a posterior probability, as 0.95",
    "window_days": "the days after which a unit has given its answer, as 30",
    "table": "rows of evaluable and stop_at, as [[3, 2], [10, 4]]",
}
_GREATEST_TARGET = 0.6  # of BOIN, as published: 1.4 times it must stay below 1
_MOST_UNITS, _MOST_PLACES = (
    20_000,
    4_000_000,
)  # what is computed within seconds: units, looks x units
_FIRMEST = 100_000_000  # a + b of a standard's prior: firmer ones are a number, not a prior
_LOOKS = "numbers of evaluable units such as 5,10,15"


def checked(design: Design) -> Design:
    """The design itself.

    Raises DesignError with every problem that it has.
    """
    found = problems(design)
    if found:
        raise DesignError(found)
    return design


def problems(design: Design) -> tuple[Problem, ...]:
    """Everything that is wrong with the design; empty: a boundary can be made of it."""
    needed = _NEEDS.get((design.outcome, design.method))
    if needed is None:
        return (_no_such(design),)
    return (
        *_looks(design.looks),
        *_events_look(design),
        *_presence(design, needed),
        *_ranges(design),
        *_between(design),
        *_table(design),
    )


def methods(outcome: Outcome) -> tuple[Method, ...]:
    """The methods that exist for such outcomes."""
    return tuple(method for kind, method in _NEEDS if kind is outcome)


def _no_such(design: Design) -> Problem:
    known = ", ".join(methods(design.outcome))
    said = f"method {design.method} does not exist for outcome {design.outcome}"
    return Problem("method", said, f"choose among {known}")


def _looks(looks: tuple[int, ...]) -> Iterator[Problem]:
    if not looks:
        yield Problem("looks", "there is no look at which to stop", f"give n, or looks: {_LOOKS}")
    elif looks[0] < 1:
        yield Problem("looks", f"a look needs 1 evaluable unit or more, not {looks[0]}", _LOOKS)
    elif any(later <= earlier for earlier, later in pairwise(looks)):
        yield Problem("looks", "looks must increase, each greater than the one before", _LOOKS)
    elif looks[-1] > _MOST_UNITS or looks[-1] * len(looks) > _MOST_PLACES:
        yield Problem("looks", f"{len(looks)} looks at up to {looks[-1]} are too many", _LOOKS)


def _events_look(design: Design) -> Iterator[Problem]:
    every = tuple(range(1, design.n + 1))
    if design.outcome is not Outcome.BINARY and design.looks not in ((), every):
        said = f"outcome {design.outcome} has no looks of its own: every event is one"
        yield Problem("looks", said, "give n alone, the greatest number of units")


def _presence(design: Design, needed: tuple[str, ...]) -> Iterator[Problem]:
    known = {*needed, *_KNOWS.get(design.method, ()), *_ANYWAY}
    for name in _PARAMETERS:
        given = getattr(design, name) not in (None, ())
        if name in needed and not given:
            yield Problem(name, f"method {design.method} needs {name}", _MEANS[name])
        elif given and name not in known:
            said = f"method {design.method} does not use {name}"
            yield Problem(name, said, f"leave it out; it uses {', '.join(needed)}")


def _ranges(design: Design) -> Iterator[Problem]:
    for name in _OPEN:
        value = getattr(design, name)
        if value is not None and not 0 < value < 1:
            yield _outside(name, "must lie between 0 and 1", value)
    if design.nu is not None and not 0 <= design.nu < 1:
        yield _outside("nu", "must be 0 or more and below 1", design.nu)
    if design.delta is not None and not 0 <= design.delta <= _greatest_delta(design):
        yield _outside("delta", f"must lie from 0 to {_greatest_delta(design):g}", design.delta)
    if design.window_days is not None and not 0 < design.window_days < math.inf:
        yield _outside("window_days", "must be more than 0 days", design.window_days)
    for name in _PRIORS:
        prior = getattr(design, name)
        if prior is not None and not all(0 < one < math.inf for one in prior):
            yield _outside(name, "must be two positive numbers", f"{prior[0]:g},{prior[1]:g}")
    if sum(design.standard_prior or ()) > _FIRMEST:
        said = f"standard_prior weighs more than {_FIRMEST:,} subjects"
        yield Problem("standard_prior", said, _MEANS["standard_prior"])
    if design.min_evaluable < 1:
        yield Problem("min_evaluable", "min_evaluable must be 1 or more", "3, as BOIN has it")


def _greatest_delta(design: Design) -> float:
    return 1.0 if design.method is Method.THALL_SIMON else 0.5


def _outside(name: str, rule: str, value: Any) -> Problem:
    said = f"{value:g}" if isinstance(value, float) else str(value)
    return Problem(name, f"{name} {rule}, not {said}", _MEANS[name])


def _between(design: Design) -> Iterator[Problem]:
    p0, p1 = design.p0, design.p1
    if p0 is not None and p1 is not None and p1 <= p0:
        yield Problem("p1", f"p1 must be greater than p0: {p1:g} is not above {p0:g}", _MEANS["p1"])
    if p0 is not None and design.p_safe is not None and design.p_safe >= p0:
        yield Problem("p_safe", f"p_safe must be below p0, {p0:g}", _MEANS["p_safe"])
    if p0 is not None and p0 > _GREATEST_TARGET and design.method is Method.BOIN:
        yield Problem("p0", f"boin takes a p0 of at most {_GREATEST_TARGET:g}", _MEANS["p0"])
    alpha, beta = design.alpha, design.beta
    if alpha is not None and beta is not None and alpha + beta >= 1:
        yield Problem("beta", "alpha and beta together must stay below 1", _MEANS["beta"])


def _table(design: Design) -> Iterator[Problem]:
    if not design.table:
        return
    if tuple(size for size, _ in design.table) != design.looks:
        said = "looks of a table are its numbers of evaluable units"
        yield Problem("looks", said, "give the table alone")
    for size, events in design.table:
        if not 1 <= events <= size:
            said = f"a table cannot stop at {events} events among {size} evaluable"
            yield Problem("table", said, "stop_at lies from 1 to the number of evaluable units")
