"""TITE rules: cuts where the binary rule has them, simulated behaviour that can be had again."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from rules.stopping import (
    Accrual,
    Boundary,
    Design,
    DesignError,
    Method,
    Outcome,
    boundary,
    boundary_at,
    characteristics,
    continuous,
    tite,
)
from rules.stopping.tite import Course, Times, simulated
from tests.support.vectors import cases

WINDOW_DAYS = 30.0
METHODS = {
    "Pocock": Method.POCOCK,
    "OBF": Method.OBRIEN_FLEMING,
    "WT": Method.WANG_TSIATIS,
    "BB": Method.BETA_BINOMIAL,
    "SPRT": Method.SPRT,
    "MaxSPRT": Method.MAX_SPRT,
}
SIMULATED = [case for case in cases().values() if "oc_monte_carlo" in case["expect"]]


def planned(method: Method, n: int, p0: float, alpha: float, **other: object) -> Design:
    return Design(
        method=method,
        outcome=Outcome.TITE,
        looks=continuous(n),
        p0=p0,
        alpha=alpha,
        window_days=WINDOW_DAYS,
        **other,  # type: ignore[arg-type]
    )


@pytest.mark.parametrize(
    ("method", "other"),
    [
        (Method.OBRIEN_FLEMING, {}),
        (Method.WANG_TSIATIS, {"delta": 0.25}),
        (Method.BETA_BINOMIAL, {"prior": (0.4, 1.6)}),
        (Method.CHEN_CHALONER, {"prior": (0.4, 1.6), "p1": 0.4, "nu": 0.3}),
        (Method.SPRT, {"p1": 0.4}),
        (Method.MAX_SPRT, {}),
    ],
)
def test_with_every_window_whole_it_stops_exactly_where_the_binary_rule_does(
    method: Method, other: dict[str, object]
) -> None:
    for n, p0, alpha in ((10, 0.2, 0.05), (10, 0.2, 0.1), (17, 0.1, 0.1), (30, 0.25, 0.05)):
        timed = boundary(planned(method, n, p0, alpha, **other))
        plain = boundary(
            Design(method=method, looks=continuous(n), p0=p0, alpha=alpha, **other)  # type: ignore[arg-type]
        )
        cuts = dict(timed.exposure)
        last = max(cuts)
        for size, least in zip(continuous(n), plain.stop_at, strict=True):
            stops = [d for d in range(1, size + 1) if size <= cuts.get(min(d, last), 0.0)]
            assert min(stops, default=None) == least, (size, cuts)
        assert timed.type_1_error == plain.type_1_error
        assert timed.critical == plain.critical


def test_cuts_rise_and_the_last_one_is_everybody() -> None:
    for method in (Method.POCOCK, Method.OBRIEN_FLEMING, Method.MAX_SPRT):
        cuts = [most for _, most in boundary(planned(method, 25, 0.15, 0.05)).exposure]
        assert cuts == sorted(cuts)
        assert cuts[-1] == 25


def test_a_rule_that_can_never_stop_says_so() -> None:
    bound = boundary(planned(Method.OBRIEN_FLEMING, 1, 0.2, 0.05))
    assert bound.never_stops
    assert "never stops" in bound.notes[0]
    assert characteristics(bound, [0.5])[0].reject == 0


@pytest.mark.parametrize("case", SIMULATED, ids=lambda case: str(case["id"]))
def test_our_simulation_agrees_with_another_tools(case: dict) -> None:
    bound = of_case(case)
    for row in case["expect"]["oc_monte_carlo"]:
        accrual = Accrual(row["tau"], row["A"])
        course = Course(Times(row["family"]), row["s"], runs=20_000, seed=1)
        (ours,) = simulated(bound, [row["p"]], accrual, course)
        error = math.sqrt(row["reject"] * (1 - row["reject"]) * (1 / row["MC"] + 1 / 20_000))
        assert abs(ours.reject - row["reject"]) < 4 * error
        assert ours.expected_events == pytest.approx(row["e_events"], abs=0.15)
        assert ours.expected_enrolled == pytest.approx(row["e_enrolled"], abs=0.6)


def of_case(case: dict) -> Boundary:
    given, method = case["input"], METHODS[case["method"]]
    names = ("p1", "delta") if method is not Method.POCOCK else ()
    other = {name: given[name] for name in names if name in given}
    if "prior" in given:
        other["prior"] = tuple(given["prior"])
    design = planned(method, given["n"], given["p0"], given["alpha"], **other)
    return open_end(boundary_at(design, given["given_cval"]))


def open_end(bound: Boundary) -> Boundary:
    """A cut at a whole number below n: there T equals the given value, and the tool goes on."""
    whole = (cut == round(cut) < bound.design.n for _, cut in bound.exposure)
    pairs = zip(bound.exposure, whole, strict=True)
    return replace(bound, exposure=tuple((d, cut - 1e-6 * at) for (d, cut), at in pairs))


@pytest.mark.parametrize(("times", "shape"), [(Times.POWER, 0.5), (Times.WEIBULL, 2.0)])
def test_a_plain_simulation_trial_by_trial_agrees(times: Times, shape: float) -> None:
    bound = boundary(planned(Method.MAX_SPRT, 12, 0.2, 0.1))
    accrual, p = Accrual(WINDOW_DAYS, 100.0), 0.35
    (ours,) = simulated(bound, [p], accrual, Course(times, shape, runs=20_000, seed=2))
    generator, runs = np.random.default_rng(9), 4000
    ends = [plainly(generator, bound, p, accrual, times, shape) for _ in range(runs)]
    stopped, enrolled = (np.array(column) for column in zip(*ends, strict=True))
    error = math.sqrt(ours.reject * (1 - ours.reject) * (1 / runs + 1 / 20_000))
    assert abs(stopped.mean() - ours.reject) < 4 * error
    assert ours.expected_enrolled is not None
    spread = enrolled.std() * math.sqrt(1 / runs + 1 / 20_000)
    assert abs(enrolled.mean() - ours.expected_enrolled) < 4 * spread


def plainly(
    generator: np.random.Generator,
    bound: Boundary,
    p: float,
    accrual: Accrual,
    times: Times,
    shape: float,
) -> tuple[bool, int]:
    """One trial: at each event in turn, everybody's share added up."""
    cuts, n = dict(bound.exposure), bound.design.n
    starts = [generator.uniform(0, accrual.accrual_days) for _ in range(n)]
    after = [time_to_event(generator, p, times, shape) for _ in range(n)]
    happened = sorted(s + t for s, t in zip(starts, after, strict=True) if t < math.inf)
    for d, at in enumerate(happened, start=1):
        amount = 0.0
        for start, wait in zip(starts, after, strict=True):
            seen = min(max(at - start, 0.0), WINDOW_DAYS) / WINDOW_DAYS
            amount += 1.0 if start + wait <= at else seen
        if amount <= cuts.get(min(d, max(cuts)), 0.0):
            return True, sum(start <= at for start in starts)
    return False, n


def time_to_event(generator: np.random.Generator, p: float, times: Times, shape: float) -> float:
    """Whether it happens is drawn first, when it does second."""
    if generator.uniform() >= p:
        return math.inf
    share = generator.uniform()
    if times is Times.POWER:
        return float(WINDOW_DAYS * share ** (1 / shape))
    rate = -math.log(1 - p) / WINDOW_DAYS**shape
    return float((-math.log(1 - p * share) / rate) ** (1 / shape))


def test_the_same_seed_gives_the_same_figures_and_another_one_others() -> None:
    bound = boundary(planned(Method.POCOCK, 10, 0.2, 0.1))
    accrual = Accrual(WINDOW_DAYS, 300.0)
    first = simulated(bound, [0.3], accrual, Course(runs=500, seed=4))
    tite._row.cache_clear()  # drawn anew, not remembered
    assert simulated(bound, [0.3], accrual, Course(runs=500, seed=4)) == first
    assert simulated(bound, [0.3], accrual, Course(runs=500, seed=5)) != first


def test_nobody_and_everybody_can_be_simulated() -> None:
    bound = boundary(planned(Method.POCOCK, 10, 0.2, 0.1))
    never, always = characteristics(bound, [0.0, 1.0])
    assert (never.reject, never.expected_events) == (0, 0)
    assert never.expected_evaluable == pytest.approx(10)
    assert always.reject == 1


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"window_days": None}, "method pocock needs window_days"),
        ({"looks": (5, 10)}, "outcome tite has no looks of its own: every event is one"),
        (
            {"method": Method.SPRT, "p1": 0.2},
            "p1 must be greater than p0: 0.2 is not above 0.2",
        ),
        (
            {"method": Method.BETA_BINOMIAL, "prior": (1.0, -1.0)},
            "prior must be two positive numbers, not 1,-1",
        ),
        (
            {"method": Method.GAMMA_POISSON, "prior": (1.0, 1.0)},
            "method gamma_poisson does not exist for outcome tite",
        ),
    ],
)
def test_a_bad_parameter_is_one_clear_sentence(change: dict[str, object], sentence: str) -> None:
    right: dict[str, object] = {
        "method": Method.POCOCK,
        "outcome": Outcome.TITE,
        "looks": continuous(10),
        "p0": 0.2,
        "alpha": 0.05,
        "window_days": 30.0,
    }
    with pytest.raises(DesignError) as refused:
        boundary(Design(**{**right, **change}))  # type: ignore[arg-type]
    assert [problem.message for problem in refused.value.problems] == [sentence]


def test_a_given_critical_value_is_for_cuts_in_exposure_only() -> None:
    binary = Design(method=Method.POCOCK, looks=continuous(5), p0=0.2, alpha=0.1)
    with pytest.raises(ValueError, match="cuts in exposure only"):
        boundary_at(binary, 0.1)
