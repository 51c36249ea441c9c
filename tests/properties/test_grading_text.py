"""The dictionary's grades against a reading of the CTCAE text by hand, in every unit of a kind."""

from __future__ import annotations

import random
from collections.abc import Iterator
from fractions import Fraction

import pytest

from rules import Given, dictionary, grade
from tests.support.ctcae_text import COUNT, KINDS, MASS, PLAIN, Told, read

F = Fraction
# Of each unit that the text is read in, others with their factor: how many of them one of it is.
UNITS: dict[str, dict[str, Fraction]] = {
    "10*9/L": {"10*9/L": F(1), "10*3/uL": F(1), "/uL": F(1000), "10*6/L": F(1000), "/nL": F(1)},
    "g/L": {"g/L": F(1), "g/dL": F("0.1"), "mg/dL": F(100), "mg/mL": F(1), "ug/L": F(10**6)},
    "mg/dL": {"mg/dL": F(1), "g/L": F("0.01"), "mg/L": F(10), "ug/mL": F(10)},
    "mmol/L": {"mmol/L": F(1), "umol/L": F(1000), "mol/m3": F(1), "nmol/mL": F(1000)},
}
MULTIPLES = tuple(
    map(F, ("0.25", "0.5", "0.75", "1", "1.5", "2", "2.5", "3", "5", "6", "10", "20"))
)
CUTS = {
    COUNT: "0.05 0.2 0.5 0.8 1 1.5 2 3 4 20 25 50 75 100",
    MASS: "0.5 0.7 0.9 1.2 3 6 7 8 11.5 12.5 13.5 20 30 40 55 80 100 150 300 400 500 1000",
    "mmol/L": "0.3 0.4 0.5 0.8 0.9 1 1.23 1.5 1.6 1.7 1.71 1.75 1.8 2 2.2 2.5 2.9 3 3.1 3.3 3.4 "
    "3.42 4.9 5.5 5.7 6 6.2 7 7.75 10.34 11.4 12.92 120 124 125 129 130 150 155 160",
    PLAIN: "1.2 1.5 2.5 7.3 7.5 38 39 40",
}
STEPS = tuple(map(F, ("-0.1", "-0.0003", "-0.000001", "0", "0.000001", "0.0003", "0.1")))
CASES = 800  # a term: every limit is met several times from either side


def cases(term: str) -> Iterator[tuple[str, str, Fraction, Told]]:
    """A kind of unit, a unit with its factor, and a value at, near or far from some limit."""
    dice = random.Random(term)  # the same of every run

    def number() -> Fraction:
        return F(dice.randint(1, 20_000), 100)

    def limit() -> Fraction | None:
        return dice.choice((None, F(0), *(number() for _ in range(6))))

    for _ in range(CASES):
        kind, unit = dice.choice(sorted(KINDS[term].items()))
        other, factor = dice.choice(sorted(UNITS.get(unit, {unit: F(1)}).items()))
        low, high, base = limit(), limit() or None, limit()
        edges = [F(one) for one in CUTS[kind].split()] * 2
        edges += [times * one for one in (low, high, base) if one for times in MULTIPLES]
        edges += [high + F(plus) for plus in (20, 40) if high]
        value = dice.choice([*edges, number()]) * (1 + dice.choice(STEPS))
        flag, treated = dice.choice((None, False, True)), dice.random() < 0.5
        yield kind, other, factor, Told(value, low, high, base, flag, treated)


def given_in(told: Told, factor: Fraction) -> Given:
    """The same as floats of another unit, as a laboratory would tell them."""

    def of(number: Fraction | None) -> float | None:
        return None if number is None else float(number * factor)

    numbers = (of(told.value), of(told.lln), of(told.uln), of(told.base))
    return Given(*numbers, told.base_high, told.anticoagulated)


@pytest.mark.parametrize("term", sorted(KINDS))
def test_every_value_is_graded_as_the_text_reads_in_every_unit(term: str) -> None:
    for kind, unit, factor, told in cases(term):
        found = grade(dictionary().terms[term], unit, given_in(told, factor))
        wanted = read(term, kind, told)
        range_ = None if found.grade is None else (found.min, found.max)
        assert (range_, found.grade) == (wanted, wanted and wanted[1]), (unit, told, found.reason)


def test_every_term_of_the_dictionary_has_been_read_by_hand() -> None:
    assert sorted(KINDS) == sorted(dictionary().terms)


def test_a_fever_told_in_fahrenheit_is_graded_as_its_exact_celsius() -> None:
    for tenths in range(900, 1100):
        exact = (F(tenths, 10) - 32) * F(5, 9)
        found = grade(dictionary().terms["fever"], "[degF]", Given(tenths / 10))
        assert (found.min, found.max) == read("fever", PLAIN, Told(exact)), tenths
