"""CTCAE grades at the edges that the public vectors do not reach, and the dictionary itself."""

from __future__ import annotations

import pytest

from rules import Given, Grade, dictionary, grade
from rules.facts import units

BOOK = dictionary()


def graded(term: str, unit: str | None, value: float | None, **more: float | bool | None) -> Grade:
    return grade(BOOK.terms[term], unit, Given(value, **more))  # type: ignore[arg-type]


def ranged(term: str, unit: str | None, value: float, **more: float | bool | None) -> object:
    found = graded(term, unit, value, **more)
    assert found.grade == found.max
    return found.min, found.max


def test_the_dictionary_says_its_version_and_every_term_its_words() -> None:
    assert BOOK.version == "5.0"
    assert len(BOOK.terms) == 42
    for term in BOOK.terms.values():
        assert term.analyte in BOOK.analytes
        assert '"' in term.source, term.id
        ranges = [band for bands in term.units.values() for band in bands]
        assert bool(term.open) == (
            any(band.mildest < band.worst for band in ranges)
            or bool(term.without_baseline or term.anticoagulated)
        ), term.id


def test_every_analyte_has_a_term_and_no_name_means_two() -> None:
    seen: dict[str, str] = {}
    for analyte in BOOK.analytes.values():
        assert analyte.terms, analyte.id
        for name in {one.casefold() for one in (analyte.id, *analyte.names, *analyte.loinc)}:
            assert seen.setdefault(name, analyte.id) == analyte.id


def test_every_unit_of_the_dictionary_is_one_that_converts() -> None:
    for term in BOOK.terms.values():
        for unit in term.units:
            assert unit in ("any", "[pH]") or units.known(unit), (term.id, unit)


def test_a_temperature_in_fahrenheit_is_compared_at_twelve_digits() -> None:
    assert graded("fever", "[degF]", 102.2).grade == 1
    assert graded("fever", "[degF]", 102.3).grade == 2
    assert graded("fever", "[degF]", 100.4).grade == 1
    assert graded("fever", "[degF]", 100.3).grade == 0
    assert graded("fever", "Cel", 37.9).grade == 0
    assert ranged("fever", "Cel", 40.1) == (3, 4)
    assert ranged("fever", "Cel", 40.0) == (2, 2)


def test_a_sodium_between_the_whole_numbers_of_the_text_is_a_range() -> None:
    assert ranged("hyponatremia", "mmol/L", 129.5, low=135) == (1, 3)
    assert ranged("hyponatremia", "mmol/L", 130, low=135) == (1, 1)
    assert ranged("hyponatremia", "mmol/L", 129, low=135) == (2, 3)
    assert ranged("hyponatremia", "mmol/L", 124, low=135) == (3, 3)
    assert ranged("hyponatremia", "meq/L", 119.9) == (4, 4)


def test_milliequivalents_are_taken_only_where_the_dictionary_says_so() -> None:
    assert graded("hyperkalemia", "meq/L", 6.5).grade == 3
    assert graded("hypocalcemia", "meq/L", 1.0).grade is None


def test_a_mass_is_graded_by_the_limits_that_the_text_prints_for_masses() -> None:
    # 7.75 mmol/L is 299.7 mg/dL: between the two the unit decides, as the text does.
    assert graded("cholesterol_high", "mg/dL", 299.9, high=200).grade == 1
    assert graded("cholesterol_high", "mmol/L", 7.755, high=5.2).grade == 2
    assert graded("cholesterol_high", "g/L", 4.1).grade == 3
    assert graded("cholesterol_high", "umol/L", 12930).grade == 4


def test_eosinophils_count_above_their_limit_and_above_their_baseline() -> None:
    assert graded("eosinophilia", "10*9/L", 0.8, high=0.5, baseline=0.4).grade == 1
    assert graded("eosinophilia", "10*9/L", 0.8, high=0.5, baseline=0.9).grade == 0
    assert graded("eosinophilia", "10*9/L", 0.4, high=0.5, baseline=0.1).grade == 0
    assert ranged("eosinophilia", "10*9/L", 0.8, high=0.5) == (0, 1)
    assert graded("eosinophilia", "10*9/L", 0.8, baseline=0.4).grade is None


def test_the_inr_is_held_to_its_baseline_only_on_an_anticoagulant() -> None:
    assert graded("inr_increased", None, 1.1, baseline=1.0).grade == 0
    assert graded("inr_increased", None, 1.1, baseline=1.0, anticoagulated=True).grade == 1
    assert ranged("inr_increased", None, 2.6, baseline=2.5, anticoagulated=True) == (1, 3)
    assert graded("inr_increased", None, 1.1, anticoagulated=True).grade is None
    assert graded("inr_increased", None, 1.6, anticoagulated=True).grade == 2


def test_a_baseline_that_was_high_is_held_to_its_own_flag_not_to_a_later_limit() -> None:
    by_flag = graded("alt_increased", "U/L", 70, high=40, baseline=45, baseline_high=False)
    assert by_flag.grade == 1
    assert graded("alt_increased", "U/L", 70, high=40, baseline=45).grade == 1
    assert graded("alt_increased", "U/L", 60, high=40, baseline=45).grade == 0
    assert graded("alt_increased", "U/L", 60, high=40, baseline=45, baseline_high=False).grade == 1
    assert graded("alt_increased", "U/L", 70, high=40, baseline_high=True).grade is None


def test_without_a_baseline_the_limit_decides_and_the_reason_says_so() -> None:
    found = graded("alt_increased", "U/L", 210, high=40)
    assert found.grade == 3
    assert "no baseline" in found.reason


@pytest.mark.parametrize(
    ("term", "unit", "value", "limits", "said"),
    [
        ("anemia", "g/L", None, {"low": 120}, "there is no value"),
        ("anemia", "furlong", 80, {"low": 120}, "the unit is missing"),
        ("anemia", None, 80, {"low": 120}, "the unit is missing"),
        ("anemia", "g/L", 110, {}, "the lower limit of normal is missing"),
        ("alt_increased", "U/L", 110, {}, "the upper limit of normal is missing"),
        ("creatinine_increased", "mg/dL", 1.4, {"baseline": 1.0}, "the upper limit"),
    ],
)
def test_what_is_missing_makes_no_grade_and_is_named(
    term: str, unit: str | None, value: float | None, limits: dict[str, float], said: str
) -> None:
    found = graded(term, unit, value, **limits)
    assert found[:3] == (None, None, None)
    assert said in found.reason


def test_creatinine_is_graded_by_its_baseline_alone_where_the_limit_is_missing() -> None:
    assert graded("creatinine_increased", "mg/dL", 1.6, baseline=1.0).grade == 2
    assert graded("creatinine_increased", "mg/dL", 3.1, baseline=1.0).grade == 3
    assert graded("creatinine_increased", "mg/dL", 1.0, high=1.2).grade == 0


def test_multiples_are_compared_at_twelve_digits() -> None:
    # 1.5 x 0.7 is 1.0499999999999998 to the machine, 3 x 0.1 is 0.30000000000000004.
    assert graded("creatinine_increased", "mg/dL", 1.05, high=1.2, baseline=0.7).grade == 0
    assert graded("creatinine_increased", "mg/dL", 0.3, high=0.2, baseline=0.1).grade == 2


def test_fibrinogen_falls_count_only_below_its_lower_limit() -> None:
    assert graded("fibrinogen_decreased", "g/L", 2.1, low=2.0, baseline=9.0).grade == 0
    assert graded("fibrinogen_decreased", "g/L", 1.9, low=2.0, baseline=3.8).grade == 3
    assert graded("fibrinogen_decreased", "mg/dL", 190, low=200, baseline=760).grade == 4
    assert graded("fibrinogen_decreased", "g/L", 1.9, low=2.0, baseline=2.0).grade == 1
