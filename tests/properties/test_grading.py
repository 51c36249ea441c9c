"""What holds of every term of the dictionary, whatever the value."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rules import Given, Term, dictionary, grade
from rules.clinical.ctcae import Direction

TERMS = sorted(dictionary().terms.values(), key=lambda term: term.id)
SIZES = st.floats(min_value=1e-3, max_value=1e6, allow_nan=False, allow_infinity=False)
LIMITS = st.none() | SIZES
terms = st.sampled_from(TERMS)
flags = st.none() | st.booleans()


def unit_of(term: Term) -> str | None:
    return next((unit for unit in term.units if unit != "any"), None)


@settings(deadline=None)
@given(terms, SIZES, SIZES, LIMITS, LIMITS, LIMITS, flags, st.booleans())
def test_a_more_abnormal_value_never_has_a_milder_grade(
    term: Term,
    one: float,
    other: float,
    low: float | None,
    high: float | None,
    base: float | None,
    flag: bool | None,
    treated: bool,
) -> None:
    mild, bad = sorted((one, other), reverse=term.direction is Direction.LOW)
    found = [
        grade(term, unit_of(term), Given(value, low, high, base, flag, treated))
        for value in (mild, bad)
    ]
    if found[0].grade:  # where a limit is missing, what is no worse than the baseline is still 0
        assert found[1].grade is not None
    if found[1].grade is not None:
        assert (found[1].max or 0) >= (found[0].max or 0)


@settings(deadline=None)
@given(terms, LIMITS, LIMITS, LIMITS, LIMITS, flags, st.booleans())
def test_a_range_holds_its_grade_at_its_upper_end_and_says_why(
    term: Term,
    value: float | None,
    low: float | None,
    high: float | None,
    base: float | None,
    flag: bool | None,
    treated: bool,
) -> None:
    found = grade(term, unit_of(term), Given(value, low, high, base, flag, treated))
    assert found.reason
    assert found.grade == found.max
    if found.grade is None:
        assert found.min is None
    else:
        assert found.min is not None
        assert 0 <= found.min <= found.grade <= 4


@settings(deadline=None)
@given(SIZES, SIZES, SIZES)
def test_no_value_is_abnormal_in_both_directions_of_an_analyte(
    value: float, one: float, other: float
) -> None:
    """Where its limits of normal are those of some laboratory: wider than what CTCAE grades 2."""
    potassium = dictionary().analytes["potassium"].terms
    low, high = 3.5 + one % 0.5, 4.5 + other % 0.5
    grades = [grade(term, "mmol/L", Given(value, low, high)).grade or 0 for term in potassium]
    assert min(grades) == 0


@settings(deadline=None)
@given(st.sampled_from(["10*9/L", "10*3/uL", "/uL", "10*6/L"]), st.integers(1, 2_000_000), terms)
def test_counts_of_cells_have_one_grade_in_every_unit(unit: str, per_ul: int, term: Term) -> None:
    if "10*9/L" not in term.units:
        return
    factor = {"10*9/L": 1e-3, "10*3/uL": 1e-3, "/uL": 1, "10*6/L": 1}[unit]
    low, high = 1800, 11000
    wanted = grade(term, "/uL", Given(per_ul, low, high))
    found = grade(term, unit, Given(per_ul * factor, low * factor, high * factor))
    assert found[:3] == wanted[:3]


MASSES = [
    ("anemia", "g/L", "g/dL", 10),
    ("hemoglobin_increased", "g/L", "g/dL", 10),
    ("hypoalbuminemia", "g/L", "g/dL", 10),
    ("fibrinogen_decreased", "mg/dL", "g/L", 100),
]


@pytest.mark.parametrize(("name", "one", "other", "factor"), MASSES)
def test_the_limits_of_both_sets_of_units_are_one_where_the_text_did_not_round(
    name: str, one: str, other: str, factor: int
) -> None:
    """Every tenth up to 250, in hemoglobin's and albumin's g/L and fibrinogen's mg/dL."""
    term = dictionary().terms[name]
    for tenths in range(1, 2501):
        value, low, high, base = tenths / 10, 125.0, 160.0, 210.0
        wanted = grade(term, one, Given(value, low, high, base))
        told = Given(value / factor, low / factor, high / factor, base / factor)
        assert grade(term, other, told)[:3] == wanted[:3], value
