"""The probability of reaching the boundary yet, against every course that the rest may take."""

from __future__ import annotations

from fractions import Fraction
from itertools import product

import pytest

from rules.stopping.prediction import crossing_probability

ROWS = ((2, 2), (4, 3), (7, 3), (9, 5))
PRIOR = (Fraction(2, 5), Fraction(8, 5))


def enumerated(rows: tuple[tuple[int, int], ...], evaluable: int, events: int) -> Fraction:
    """Over all sequences of the units to come, each with its own exact weight."""
    last = max(size for size, _ in rows)
    return sum(
        (
            weight(evaluable, events, course)
            for course in product((0, 1), repeat=max(0, last - evaluable))
            if reaches(rows, evaluable, events, course)
        ),
        Fraction(0),
    )


def weight(evaluable: int, events: int, course: tuple[int, ...]) -> Fraction:
    total = Fraction(1)
    for event in course:
        chance = (PRIOR[0] + events) / (sum(PRIOR) + evaluable)
        total *= chance if event else 1 - chance
        evaluable, events = evaluable + 1, events + event
    return total


def reaches(
    rows: tuple[tuple[int, int], ...], evaluable: int, events: int, course: tuple[int, ...]
) -> bool:
    limits = dict(rows)
    path = [(evaluable + i, events + sum(course[:i])) for i in range(len(course) + 1)]
    return any(happened >= limits.get(size, size + 1) for size, happened in path)


@pytest.mark.parametrize(("evaluable", "events"), [(n, s) for n in range(10) for s in range(n + 1)])
def test_it_is_the_sum_over_all_courses_that_cross(evaluable: int, events: int) -> None:
    prior = (float(PRIOR[0]), float(PRIOR[1]))
    found = crossing_probability(ROWS, evaluable, events, prior)
    assert found == pytest.approx(float(enumerated(ROWS, evaluable, events)), abs=1e-13)


def test_what_is_certain_is_one_and_beyond_the_last_row_nothing_is_reached() -> None:
    assert crossing_probability(ROWS, 5, 5, (1, 1)) == pytest.approx(1.0, abs=1e-15)
    assert crossing_probability(ROWS, 10, 9, (1, 1)) == 0
    assert crossing_probability((), 3, 1, (1, 1)) == 0


@pytest.mark.parametrize(
    ("evaluable", "events", "prior", "sentence"),
    [
        (5, 1, (0.0, 1.0), "the prior's two numbers must be positive"),
        (5, 6, (1.0, 1.0), "events lie from 0 to the number of evaluable units"),
    ],
)
def test_impossible_numbers_are_refused(
    evaluable: int, events: int, prior: tuple[float, float], sentence: str
) -> None:
    with pytest.raises(ValueError, match=sentence):
        crossing_probability(ROWS, evaluable, events, prior)
