"""What holds for every binary stopping rule, over random plans of them."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise, product

import numpy as np
import pytest

from rules.stopping import (
    Boundary,
    Design,
    Method,
    admissible,
    boundary,
    characteristics,
    continuous,
    joint,
    table,
)
from rules.stopping.calibrated import statistic
from tests.support.every_path import counted
from tests.support.random_designs import CALIBRATED, FIXED, designs

EXACT = 1e-12
TIES = 1e-11
RATES = (0.0, 0.07, 0.3, 0.65, 1.0)
# The statistic rises along (n, y) -> (n + 1, y + 1) and falls along (n, y) -> (n + 1, y).
RISING = tuple(method for method in (*CALIBRATED, *FIXED) if method is not Method.TOXBDRY)


@pytest.mark.parametrize("method", [*CALIBRATED, *FIXED])
def test_the_characteristics_are_the_sums_over_every_course_of_events(method: Method) -> None:
    sizes = (1, 2, 5, 8)
    for seed, most in enumerate(sizes):
        for design in designs(3, seed, most, (method,)):
            assert_summed(boundary(design))


def test_so_they_are_with_twelve_units_whether_looked_at_singly_or_in_groups() -> None:
    for looks in (continuous(12), (3, 6, 9, 12), (12,), (5, 12), continuous(12, first=7)):
        design = Design(method=Method.POCOCK, looks=looks, p0=0.2, alpha=0.1)
        assert_summed(boundary(design), (0.2, 0.45))


def assert_summed(bound: Boundary, rates: Sequence[float] = RATES) -> None:
    for rate, row in zip(rates, characteristics(bound, rates), strict=True):
        by_hand = counted(bound.design.looks, bound.stop_at, rate, bound.go_at)
        for name, value in by_hand._asdict().items():
            assert getattr(row, name) == pytest.approx(value, rel=0, abs=EXACT), (bound, name)


@pytest.mark.parametrize("method", CALIBRATED)
def test_the_type_1_error_of_250_random_plans_keeps_to_alpha(method: Method) -> None:
    # Eight methods: 2,000 designs, p0 .01 to .5, n 1 to 60, alpha .01 to .2.
    for design in designs(250, 17, methods=(method,)):
        bound = boundary(design)
        assert design.p0 is not None
        assert design.alpha is not None
        (row,) = characteristics(bound, [design.p0])
        assert row.reject == pytest.approx(bound.type_1_error, abs=EXACT)
        assert row.reject <= design.alpha + EXACT, design
        assert bound.never_stops == bool(bound.notes and "never stops" in bound.notes[0]), design


@pytest.mark.parametrize("method", [m for m in CALIBRATED if m is not Method.TOXBDRY])
def test_the_next_more_liberal_boundary_of_the_family_would_exceed_alpha(method: Method) -> None:
    for design in designs(60, 23, methods=(method,)):
        bound = boundary(design)
        if bound.critical_above is None:
            continue
        stop_at = reached(design, bound.critical_above)
        (row,) = characteristics(Boundary(design=design, stop_at=stop_at), [design.p0 or 0])
        assert row.reject > (design.alpha or 0), design
        if bound.critical is not None:
            assert reached(design, bound.critical) == bound.stop_at, design


def reached(design: Design, critical: float) -> tuple[int | None, ...]:
    """Look by look the least number of events whose statistic reaches the critical value."""
    less = 1.0 if design.method in {Method.BETA_BINOMIAL, Method.CHEN_CHALONER} else 0.0
    found: list[int | None] = []
    for size in design.looks:
        events = np.arange(size + 1.0)
        value = statistic(design, np.full(size + 1, float(size)), events) + less
        beyond = np.flatnonzero(value >= critical - TIES * abs(critical))
        found.append(int(beyond[0]) if beyond.size else None)
    return tuple(found)


@pytest.mark.parametrize("p0", [Fraction(1, 10), Fraction(1, 4), Fraction(1, 3), Fraction(1, 2)])
def test_pococks_rule_is_the_one_that_fractions_find(p0: Fraction) -> None:
    for n, alpha in product((1, 3, 6, 8), (Fraction(1, 20), Fraction(1, 10), Fraction(1, 64))):
        design = Design(method=Method.POCOCK, looks=continuous(n), p0=float(p0), alpha=float(alpha))
        assert boundary(design).stop_at == by_fractions(n, p0, alpha), (n, p0, alpha)


def by_fractions(n: int, p0: Fraction, alpha: Fraction) -> tuple[int | None, ...]:
    """The most liberal pointwise level whose exact error, over all courses, keeps to alpha."""
    tails = {(k, y): tail(k, y, p0) for k in range(1, n + 1) for y in range(k + 1)}
    best: tuple[int | None, ...] = (None,) * n
    for level in sorted(set(tails.values())):
        rule = tuple(
            next((y for y in range(k + 1) if tails[k, y] <= level), None) for k in range(1, n + 1)
        )
        if error(rule, p0) > alpha:
            break
        best = rule
    return best


def tail(size: int, events: int, p0: Fraction) -> Fraction:
    """P(X >= events), course by course."""
    return sum(
        (weight(course, p0) for course in product((0, 1), repeat=size) if sum(course) >= events),
        Fraction(0),
    )


def error(rule: Sequence[int | None], p0: Fraction) -> Fraction:
    """The probability of the courses that reach the rule."""
    return sum(
        (
            weight(course, p0)
            for course in product((0, 1), repeat=len(rule))
            if any(
                limit is not None and sum(course[: place + 1]) >= limit
                for place, limit in enumerate(rule)
            )
        ),
        Fraction(0),
    )


def weight(course: Sequence[int], p0: Fraction) -> Fraction:
    """The probability of one course of events."""
    events = sum(course)
    return p0**events * (1 - p0) ** (len(course) - events)


@pytest.mark.parametrize("method", RISING)
def test_the_limit_never_falls_with_more_units_nor_rises_by_more_than_the_units(
    method: Method,
) -> None:
    for design in designs(60, 29, methods=(method,)):
        limits = boundary(design).stop_at
        ends = list(zip(design.looks, limits, strict=True))
        for (size, limit), (later, next_limit) in pairwise(ends):
            if limit is None:
                continue
            if method is Method.BOIN and next_limit is None:
                raise AssertionError(design)
            assert next_limit is not None, design
            assert limit <= next_limit <= limit + later - size, design


@pytest.mark.parametrize("method", [*CALIBRATED, *FIXED])
def test_a_further_event_never_moves_the_trial_away_from_stopping(method: Method) -> None:
    for design in designs(15, 31, most=14, methods=(method,)):
        rows = boundary(design).rows
        for evaluable, events in product(range(design.n), range(design.n)):
            if events > evaluable:
                continue
            instead = margins(rows, evaluable, events), margins(rows, evaluable, events + 1)
            assert instead[0] <= instead[1], design
            quiet = margins(rows, evaluable + 1, events)
            assert quiet <= margins(rows, evaluable + 1, events + 1), design


def margins(rows: Sequence[tuple[int, int]], evaluable: int, events: int) -> int:
    """Events less the limit; far from stopping where there is no limit."""
    found = table.margin(rows, evaluable, events)
    return -1000 if found is None else found


def test_a_course_with_one_more_event_stops_as_early_or_earlier() -> None:
    for design in designs(40, 37, most=9, methods=(*CALIBRATED, *FIXED)):
        rows = boundary(design).rows
        for course in product((False, True), repeat=min(design.n, 7)):
            stopped = table.crossing(rows, course)
            for place, event in enumerate(course):
                if not event:
                    more = (*course[:place], True, *course[place + 1 :])
                    then = table.crossing(rows, more)
                    assert stopped is None or (then is not None and then <= stopped), design


def test_no_calibrated_rule_beats_the_best_of_all_boundaries() -> None:
    for n, p0, p1, alpha in ((4, 0.3, 0.6, 0.2), (7, 0.1, 0.4, 0.1), (10, 0.2, 0.4, 0.05)):
        best = admissible(continuous(n), p0, p1, alpha)
        for one in best:
            (row,) = characteristics(one.bound, [p1])
            assert one.power == pytest.approx(row.reject, abs=EXACT)
            assert one.expected_evaluable == pytest.approx(row.expected_evaluable, abs=EXACT)
            (null,) = characteristics(one.bound, [p0])
            assert null.reject == pytest.approx(one.bound.type_1_error, abs=EXACT)
            assert null.reject <= alpha + EXACT
        for method in (Method.POCOCK, Method.OBRIEN_FLEMING, Method.MAX_SPRT):
            bound = boundary(Design(method=method, looks=continuous(n), p0=p0, alpha=alpha))
            (row,) = characteristics(bound, [p1])
            assert any(
                one.power >= row.reject - EXACT
                and one.expected_evaluable <= row.expected_evaluable + EXACT
                for one in best
            ), (method, n)


def test_the_best_of_all_boundaries_are_those_that_trying_each_one_finds() -> None:
    looks, p0, p1, alpha = (2, 3, 5), 0.25, 0.5, 0.15
    tried = [
        (counted(looks, limits, p1), limits)
        for limits in product((1, 2, 3), (1, 2, 3, 4), (1, 2, 3, 4, 5, 6))
        if counted(looks, limits, p0).reject <= alpha
    ]
    best = {
        (round(one.reject, 9), round(one.expected_evaluable, 9))
        for one, _ in tried
        if one.reject > 0
        and not any(
            other.reject >= one.reject - EXACT
            and other.expected_evaluable <= one.expected_evaluable + EXACT
            and other.reject - other.expected_evaluable
            > one.reject - one.expected_evaluable + EXACT
            for other, _ in tried
        )
    }
    found = admissible(looks, p0, p1, alpha)
    assert {(round(one.power, 9), round(one.expected_evaluable, 9)) for one in found} == best


def test_rules_over_one_endpoint_stop_together_on_the_courses_that_stop_any_of_them() -> None:
    early = Design(method=Method.POCOCK, looks=continuous(8), p0=0.2, alpha=0.2)
    late = Design(method=Method.OBRIEN_FLEMING, looks=continuous(8), p0=0.2, alpha=0.1)
    seldom = Design(method=Method.POCOCK, looks=(3, 7, 9), p0=0.1, alpha=0.1)
    for first, second in ((early, late), (late, early), (seldom, late), (early, seldom)):
        bounds = boundary(first), boundary(second)
        for rate, row in zip(RATES, joint(bounds, RATES), strict=True):
            stops = 0.0
            for course in product((0, 1), repeat=max(first.n, second.n)):
                if any(reaches(bound, course) for bound in bounds):
                    stops += float(weight(course, Fraction(rate)))
            assert row.reject == pytest.approx(stops, abs=EXACT), bounds
            alone = [characteristics(bound, [rate])[0].reject for bound in bounds]
            assert row.alone == pytest.approx(tuple(alone), abs=EXACT)


def reaches(bound: Boundary, course: Sequence[int]) -> bool:
    """Whether the course ever has so many events at a look as stop there."""
    return any(sum(course[:size]) >= events for size, events in bound.rows)


def test_rules_that_cannot_be_taken_together_are_refused() -> None:
    (two_sided,) = designs(1, 1, methods=(Method.BINOMIAL_SPRT,))
    with pytest.raises(ValueError, match="one-sided binary"):
        joint([boundary(two_sided)], [0.2])


@pytest.mark.soak
def test_every_method_on_each_of_2000_random_plans_keeps_to_alpha() -> None:
    for method in CALIBRATED:
        for design in designs(2000, 41, methods=(method,)):
            bound = boundary(design)
            assert (bound.type_1_error or 0) <= (design.alpha or 0) + EXACT, design
