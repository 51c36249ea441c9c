"""Rules over exposure: calibrated where others abort, and behaving as plain simulation does."""

from __future__ import annotations

import math
import random

import numpy as np
import pytest

from rules.stopping import (
    Design,
    DesignError,
    MaxInfo,
    Method,
    Outcome,
    boundary,
    characteristics,
    continuous,
)
from rules.stopping.exposure import bound_at

WINDOW_DAYS = 30.0
FAMILIES = (
    Method.POCOCK,
    Method.OBRIEN_FLEMING,
    Method.WANG_TSIATIS,
    Method.SPRT,
    Method.MAX_SPRT,
    Method.GAMMA_POISSON,
)


def planned(method: Method, n: int, p0: float, alpha: float, **other: object) -> Design:
    """A design with middling values of what its method needs besides."""
    needed: dict[Method, dict[str, object]] = {
        Method.WANG_TSIATIS: {"delta": 0.25},
        Method.SPRT: {"p1": min(p0 + 0.2, 0.9)},
        Method.GAMMA_POISSON: {"prior": (0.5, 0.5 * WINDOW_DAYS / -math.log1p(-p0))},
    }
    given = {"window_days": WINDOW_DAYS, **needed.get(method, {}), **other}
    return Design(
        method=method,
        outcome=Outcome.TIME_TO_EVENT,
        looks=continuous(n),
        p0=p0,
        alpha=alpha,
        **given,  # type: ignore[arg-type]
    )


def some_designs() -> list[Design]:
    """A random grid, most of it where n p0 <= 1 or little more."""
    chance = random.Random(5)
    return [
        planned(
            method,
            n=chance.choice([1, 2, 3, 5, 8, 10, 15, 25, 40, 60]),
            p0=round(math.exp(chance.uniform(math.log(0.005), math.log(0.5))), 4),
            alpha=round(chance.uniform(0.01, 0.2), 3),
            max_info=chance.choice(list(MaxInfo)),
            **({"delta": chance.choice([0.0, 0.1, 0.4, 0.5])} if "wang" in method else {}),
        )
        for method in FAMILIES
        for _ in range(60)
    ]


def most_events(design: Design) -> float:
    """Events expected at p0 up to where the rule is calibrated."""
    assert design.p0 is not None
    rate = -math.log1p(-design.p0)
    return design.n * (rate if design.max_info is MaxInfo.MAXIMUM else design.p0)


def test_type_1_error_equals_alpha_wherever_any_event_at_all_is_likelier_than_alpha() -> None:
    few = 0
    for design in some_designs():
        reachable = -math.expm1(-most_events(design))
        few += most_events(design) <= 1
        assert design.alpha is not None
        wanted = min(design.alpha, reachable)
        assert boundary(design).type_1_error == pytest.approx(wanted, abs=1e-10), design
    assert few > 100


def test_cuts_rise_with_the_events_up_to_everybodys_whole_window() -> None:
    for design in some_designs():
        events, cuts = zip(*boundary(design).exposure, strict=True)
        assert list(events) == list(range(events[0], events[-1] + 1))
        assert all(cut > 0 for cut in cuts)
        assert list(cuts) == sorted(cuts)
        assert cuts[-1] == design.n * WINDOW_DAYS


def test_where_alpha_is_out_of_reach_the_first_event_stops_and_a_note_says_so() -> None:
    bound = boundary(planned(Method.POCOCK, n=2, p0=0.01, alpha=0.05))
    assert bound.exposure == ((1, 60.0),)
    assert bound.type_1_error == pytest.approx(-math.expm1(-0.02))
    assert "the very first event stops" in bound.notes[0]


def test_an_alpha_that_the_familys_most_liberal_cuts_keep_to_gives_those() -> None:
    bound = boundary(planned(Method.MAX_SPRT, n=30, p0=0.5, alpha=0.97))
    assert bound.critical == 0
    assert bound.type_1_error is not None
    assert bound.type_1_error < 0.97


def test_delta_leads_from_obrien_fleming_to_pocock() -> None:
    for delta, other in ((0.0, Method.OBRIEN_FLEMING), (0.5, Method.POCOCK)):
        bent = boundary(planned(Method.WANG_TSIATIS, 20, 0.1, 0.05, delta=delta))
        plain = boundary(planned(other, 20, 0.1, 0.05))
        assert np.allclose(bent.exposure, plain.exposure, rtol=1e-9)


def test_a_thousand_units_are_no_trouble() -> None:
    bound = boundary(planned(Method.POCOCK, n=1000, p0=0.3, alpha=0.05))
    assert bound.type_1_error == pytest.approx(0.05, abs=1e-10)


@pytest.mark.parametrize("method", FAMILIES)
def test_a_plain_simulation_of_the_process_stops_as_often(method: Method) -> None:
    design = planned(method, n=10, p0=0.15, alpha=0.1)
    bound = boundary(design)
    generator = np.random.default_rng(11)
    for row in characteristics(bound, [0.15, 0.4]):
        rate = -math.log1p(-row.p) / WINDOW_DAYS
        trials = [
            simulated(generator, rate, dict(bound.exposure), 10 * WINDOW_DAYS) for _ in range(4000)
        ]
        for place, exact in enumerate((row.reject, row.expected_events, row.expected_evaluable)):
            values = np.array([one[place] for one in trials])
            error = values.std() / math.sqrt(len(values))
            assert abs(values.mean() - exact) < 4 * error, (row.p, place)


def simulated(
    generator: np.random.Generator, rate: float, cuts: dict[int, float], whole_days: float
) -> tuple[bool, int, float]:
    """One trial, event by event: stopped, events, exposure at the end in whole windows."""
    exposure, events = 0.0, 0
    while True:
        exposure += generator.exponential(1 / rate)
        if exposure > whole_days:
            return False, events, whole_days / WINDOW_DAYS
        events += 1
        if exposure <= cuts.get(min(events, max(cuts)), 0.0):
            return True, events, exposure / WINDOW_DAYS


def test_units_that_end_with_their_event_stop_as_often_while_events_are_rare() -> None:
    # the Poisson process is the model; units observed one after another, each once, are the trial
    bound = boundary(planned(Method.OBRIEN_FLEMING, n=400, p0=0.01, alpha=0.1))
    (row,) = characteristics(bound, [0.01])
    generator, cuts, runs = np.random.default_rng(3), dict(bound.exposure), 4000
    rate = -math.log1p(-0.01) / WINDOW_DAYS
    times = generator.exponential(1 / rate, (runs, 400))
    exposure = np.minimum(times, WINDOW_DAYS).cumsum(axis=1)
    events = (times < WINDOW_DAYS).cumsum(axis=1)
    most = np.array([cuts.get(min(d, max(cuts)), 0.0) for d in range(events.max() + 1)])
    stopped = ((times < WINDOW_DAYS) & (exposure <= most[events])).any(axis=1)
    assert abs(stopped.mean() - row.reject) < 4 * math.sqrt(row.reject * (1 - row.reject) / runs)


def test_no_event_never_stops_and_a_certain_one_does_at_once() -> None:
    bound = boundary(planned(Method.POCOCK, n=10, p0=0.2, alpha=0.05))
    never, always = characteristics(bound, [0.0, 1.0])
    assert (never.reject, never.expected_events, never.expected_evaluable) == (0, 0, 10)
    assert (always.reject, always.expected_events) == (1, bound.exposure[0][0])


def test_a_given_critical_value_makes_its_own_cuts() -> None:
    design = planned(Method.SPRT, 10, 0.1, 0.05)
    calibrated = boundary(design)
    assert calibrated.critical is not None
    assert bound_at(design, calibrated.critical).exposure == calibrated.exposure
    stricter = bound_at(design, calibrated.critical + 1)
    assert stricter.exposure[0] < calibrated.exposure[0] or stricter.exposure[0][0] > 1


def test_a_posterior_probability_very_near_1_is_found_and_one_beyond_numbers_is_refused() -> None:
    sure = planned(Method.GAMMA_POISSON, 10, 0.05, 0.05, prior=(60.0, 4000.0))
    bound = boundary(sure)
    assert bound.type_1_error == pytest.approx(0.05, abs=1e-10)
    assert bound.critical is not None
    assert bound.critical > 1 - 1e-9
    with pytest.raises(DesignError, match="so sure of a high rate"):
        boundary(planned(Method.GAMMA_POISSON, 10, 0.05, 0.05, prior=(3000.0, 1000.0)))
    with pytest.raises(ValueError, match="from 0 to below 1"):
        bound_at(sure, 1.0)


@pytest.mark.parametrize("prior", [(1e-300, 1e300), (1.0, 1e9)])
def test_a_prior_of_more_days_than_can_be_computed_is_refused_at_once(prior) -> None:
    with pytest.raises(DesignError, match="rests on so many days"):
        boundary(planned(Method.GAMMA_POISSON, 10, 0.2, 0.05, prior=prior))


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"window_days": None}, "method pocock needs window_days"),
        ({"window_days": 0.0}, "window_days must be more than 0 days, not 0"),
        ({"looks": (5, 10)}, "outcome time_to_event has no looks of its own: every event is one"),
        ({"looks": ()}, "there is no look at which to stop"),
        ({"p0": 1.0}, "p0 must lie between 0 and 1, not 1"),
        ({"alpha": 0.0}, "alpha must lie between 0 and 1, not 0"),
        (
            {"method": Method.SPRT, "p1": 0.1},
            "p1 must be greater than p0: 0.1 is not above 0.2",
        ),
        (
            {"method": Method.GAMMA_POISSON, "prior": (0.0, 10.0)},
            "prior must be two positive numbers, not 0,10",
        ),
        (
            {"method": Method.CHEN_CHALONER},
            "method chen_chaloner does not exist for outcome time_to_event",
        ),
    ],
)
def test_a_bad_parameter_is_one_clear_sentence(change: dict[str, object], sentence: str) -> None:
    right: dict[str, object] = {
        "method": Method.POCOCK,
        "outcome": Outcome.TIME_TO_EVENT,
        "looks": continuous(10),
        "p0": 0.2,
        "alpha": 0.05,
        "window_days": 30.0,
    }
    with pytest.raises(DesignError) as refused:
        boundary(Design(**{**right, **change}))  # type: ignore[arg-type]
    assert [problem.message for problem in refused.value.problems] == [sentence]
