"""CTCAE v5.0 of 27 November 2017 read by hand, one branch a term: no file of limits, no floats.

Who comes in: tests that hold the dictionary's grades against it. Who goes out: the range of grades
that the text leaves open, None where it cannot be told. Numbers are exact fractions.
"""

from __future__ import annotations

from fractions import Fraction
from typing import NamedTuple

Range = tuple[int, int] | None
F = Fraction


class Told(NamedTuple):
    """One value with what is known beside it, all in the unit of `kind`."""

    value: Fraction
    lln: Fraction | None = None
    uln: Fraction | None = None
    base: Fraction | None = None
    base_high: bool | None = None
    anticoagulated: bool = False


# Of each term the units that the text prints, by what they measure.
COUNT, MASS, AMOUNT, PLAIN = "10*9/L", "mass", "mmol/L", "plain"
KINDS: dict[str, dict[str, str]] = {
    "anemia": {MASS: "g/L", AMOUNT: "mmol/L"},
    "hemoglobin_increased": {MASS: "g/L"},
    "hypoalbuminemia": {MASS: "g/L"},
    "fibrinogen_decreased": {MASS: "g/L"},
    "cholesterol_high": {MASS: "mg/dL", AMOUNT: "mmol/L"},
    "hypertriglyceridemia": {MASS: "mg/dL", AMOUNT: "mmol/L"},
    "hypercalcemia": {MASS: "mg/dL", AMOUNT: "mmol/L"},
    "hypocalcemia": {MASS: "mg/dL", AMOUNT: "mmol/L"},
    "hypermagnesemia": {MASS: "mg/dL", AMOUNT: "mmol/L"},
    "hypomagnesemia": {MASS: "mg/dL", AMOUNT: "mmol/L"},
    "hypoglycemia": {MASS: "mg/dL", AMOUNT: "mmol/L"},
    "hypercalcemia_ionized": {AMOUNT: "mmol/L"},
    "hypocalcemia_ionized": {AMOUNT: "mmol/L"},
    "hyperkalemia": {AMOUNT: "mmol/L"},
    "hypokalemia": {AMOUNT: "mmol/L"},
    "hypernatremia": {AMOUNT: "mmol/L"},
    "hyponatremia": {AMOUNT: "mmol/L"},
    "leukocytosis": {COUNT: "10*9/L"},
    "leukocytes_decreased": {COUNT: "10*9/L"},
    "neutrophils_decreased": {COUNT: "10*9/L"},
    "lymphocytes_decreased": {COUNT: "10*9/L"},
    "lymphocytes_increased": {COUNT: "10*9/L"},
    "platelets_decreased": {COUNT: "10*9/L"},
    "cd4_decreased": {COUNT: "10*9/L"},
    "eosinophilia": {COUNT: "10*9/L"},
    "alt_increased": {PLAIN: "U/L"},
    "ast_increased": {PLAIN: "U/L"},
    "alp_increased": {PLAIN: "U/L"},
    "ggt_increased": {PLAIN: "U/L"},
    "ldh_increased": {PLAIN: "U/L"},
    "cpk_increased": {PLAIN: "U/L"},
    "lipase_increased": {PLAIN: "U/L"},
    "amylase_increased": {PLAIN: "U/L"},
    "bilirubin_increased": {PLAIN: "mg/dL"},
    "creatinine_increased": {PLAIN: "mg/dL"},
    "hyperuricemia": {PLAIN: "mg/dL"},
    "haptoglobin_decreased": {PLAIN: "g/L"},
    "aptt_prolonged": {PLAIN: "s"},
    "inr_increased": {PLAIN: "1"},
    "acidosis": {PLAIN: "[pH]"},
    "alkalosis": {PLAIN: "[pH]"},
    "fever": {PLAIN: "Cel"},
}


def read(term: str, kind: str, told: Told) -> Range:
    """The grades that the text leaves open, the mildest and the worst; None: not to be told."""
    if term in _MULTIPLES:
        return _of_multiples(term, told)
    if term == "hypertriglyceridemia":
        return _triglycerides(kind, told)
    if term in _OWN:
        return _OWN[term](told)
    if term in _LOW:
        limits = _LOW[term][kind]
        return _below(told, [None if one is None else F(one) for one in limits])
    limits = _HIGH[term][kind]
    return _above(told, [None if one is None else F(one) for one in limits])


# Grade 2, 3 and 4 begin below these; grade 1 below the lower limit of normal; None: no such grade.
_LOW: dict[str, dict[str, tuple[str | None, str | None, str | None]]] = {
    "anemia": {MASS: ("100", "80", None), AMOUNT: ("6.2", "4.9", None)},
    "hypoalbuminemia": {MASS: ("30", "20", None)},
    "hypocalcemia": {MASS: ("8.0", "7.0", "6.0"), AMOUNT: ("2.0", "1.75", "1.5")},
    "hypocalcemia_ionized": {AMOUNT: ("1.0", "0.9", "0.8")},
    "hypomagnesemia": {MASS: ("1.2", "0.9", "0.7"), AMOUNT: ("0.5", "0.4", "0.3")},
    "hypoglycemia": {MASS: ("55", "40", "30"), AMOUNT: ("3.0", "2.2", "1.7")},
    "leukocytes_decreased": {COUNT: ("3.0", "2.0", "1.0")},
    "neutrophils_decreased": {COUNT: ("1.5", "1.0", "0.5")},
    "lymphocytes_decreased": {COUNT: ("0.8", "0.5", "0.2")},
    "platelets_decreased": {COUNT: ("75", "50", "25")},
    "cd4_decreased": {COUNT: ("0.5", "0.2", "0.05")},
    "acidosis": {PLAIN: (None, "7.3", None)},
    "haptoglobin_decreased": {PLAIN: (None, None, None)},
}
# The same above the upper limit of normal.
_HIGH: dict[str, dict[str, tuple[str | None, str | None, str | None]]] = {
    "cholesterol_high": {MASS: ("300", "400", "500"), AMOUNT: ("7.75", "10.34", "12.92")},
    "hypercalcemia": {MASS: ("11.5", "12.5", "13.5"), AMOUNT: ("2.9", "3.1", "3.4")},
    "hypercalcemia_ionized": {AMOUNT: ("1.5", "1.6", "1.8")},
    "hyperkalemia": {AMOUNT: ("5.5", "6.0", "7.0")},
    "hypernatremia": {AMOUNT: ("150", "155", "160")},
    "hypermagnesemia": {MASS: (None, "3.0", "8.0"), AMOUNT: (None, "1.23", "3.30")},
    "alkalosis": {PLAIN: (None, "7.5", None)},
    "ldh_increased": {PLAIN: (None, None, None)},
}


def _below(told: Told, limits: list[Fraction | None]) -> Range:
    for grade, limit in ((4, limits[2]), (3, limits[1]), (2, limits[0])):
        if limit is not None and told.value < limit:
            return grade, grade
    if told.lln is None:
        return None
    return (1, 1) if told.value < told.lln else (0, 0)


def _above(told: Told, limits: list[Fraction | None]) -> Range:
    for grade, limit in ((4, limits[2]), (3, limits[1]), (2, limits[0])):
        if limit is not None and told.value > limit:
            return grade, grade
    if told.uln is None:
        return None
    return (1, 1) if told.value > told.uln else (0, 0)


# "if baseline was normal": where grades 2, 3 and 4 begin; "if abnormal": where grade 1 begins too.
_MULTIPLES = {
    "alt_increased": (("3", "5", "20"), "1.5"),
    "ast_increased": (("3", "5", "20"), "1.5"),
    "alp_increased": (("2.5", "5", "20"), "2"),
    "ggt_increased": (("2.5", "5", "20"), "2"),
    "bilirubin_increased": (("1.5", "3", "10"), None),  # above the baseline itself
}


def _of_multiples(term: str, told: Told) -> Range:
    (two, three, four), one = _MULTIPLES[term]
    if told.uln is None:
        return None
    abnormal = told.base_high
    if abnormal is None:
        abnormal = told.base is not None and told.base > told.uln
    if abnormal and not told.base:
        return None
    of = told.base if abnormal and told.base else told.uln
    for grade, times in ((4, four), (3, three), (2, two)):
        if told.value > F(times) * of:
            return grade, grade
    if abnormal and one is not None:
        return (1, 1) if told.value >= F(one) * of else (0, 0)
    return (1, 1) if told.value > of else (0, 0)


def _hemoglobin_increased(told: Told) -> Range:
    if told.uln is None:
        return None
    increase = told.value - told.uln  # g/L
    if increase > 40:
        return 3, 3
    if increase > 20:
        return 2, 2
    return (1, 1) if increase > 0 else (0, 0)


def _fibrinogen(told: Told) -> Range:
    if told.value < F("0.5"):  # 50 mg/dL
        return 4, 4
    if told.lln is None:
        return None
    if told.value >= told.lln:
        return 0, 0
    fall = None if not told.base else 100 * (told.base - told.value) / told.base
    for grade, part, percent in ((4, "0.25", 75), (3, "0.5", 50), (2, "0.75", 25)):
        if told.value < F(part) * told.lln or (fall is not None and fall >= percent):
            return grade, grade
    return 1, 1


def _triglycerides(kind: str, told: Told) -> Range:
    """Its grade 1 has a limit of its own, and holds it: "150 mg/dL - 300 mg/dL"."""
    mass, amounts = ("150", "300", "500", "1000"), ("1.71", "3.42", "5.7", "11.4")
    one, two, three, four = map(F, mass if kind == MASS else amounts)
    if told.value > four:
        return 4, 4
    if told.value > three:
        return 3, 3
    if told.value > two:
        return 2, 2
    return (1, 1) if told.value >= one else (0, 0)


def _creatinine(told: Told) -> Range:
    if told.uln is not None and told.value > 6 * told.uln:
        return 4, 4
    for grade, times in ((3, F(3)), (2, F("1.5"))):
        if told.uln is not None and told.value > times * told.uln:
            return grade, grade
        if told.base and told.value > times * told.base:
            return grade, grade
    if told.uln is None:
        return None
    return (1, 1) if told.value > told.uln else (0, 0)


def _cpk(told: Told) -> Range:
    return _times(told, ((10, 4, 4), (5, 3, 3), (F("2.5"), 2, 2), (1, 1, 1)))


def _aptt(told: Told) -> Range:
    return _times(told, ((F("2.5"), 3, 3), (F("1.5"), 2, 2), (1, 1, 1)))


def _pancreas(told: Told) -> Range:
    return _times(told, ((5, 3, 4), (2, 2, 3), (F("1.5"), 2, 2), (1, 1, 1)))


def _urate(told: Told) -> Range:
    return _times(told, ((1, 1, 3),))


def _times(told: Told, steps: tuple[tuple[Fraction | int, int, int], ...]) -> Range:
    if told.uln is None:
        return None
    for times, mildest, worst in steps:
        if told.value > times * told.uln:
            return mildest, worst
    return 0, 0


def _inr(told: Told) -> Range:
    plain = 0
    for grade, limit in ((1, "1.2"), (2, "1.5"), (3, "2.5")):
        plain = grade if told.value > F(limit) else plain
    if not told.anticoagulated:
        return plain, plain
    if not told.base:
        return (plain, plain) if plain else None
    held = 0
    for grade, times in ((1, "1"), (2, "1.5"), (3, "2.5")):
        held = grade if told.value > F(times) * told.base else held
    return min(plain, held), max(plain, held)


def _potassium_low(told: Told) -> Range:
    if told.value < F("2.5"):
        return 4, 4
    if told.value < 3:
        return 3, 3
    if told.lln is None:
        return None
    return (1, 2) if told.value < told.lln else (0, 0)


def _sodium_low(told: Told) -> Range:
    """125-129 and 120-124: between two whole numbers the text is silent, so both neighbours."""
    if told.value < 120:
        return 4, 4
    if told.value <= 124:
        return 3, 3
    if told.value <= 129:
        return 2, 3
    if told.value < 130:
        return 1, 3
    if told.lln is None:
        return None
    return (1, 1) if told.value < told.lln else (0, 0)


def _eosinophils(told: Told) -> Range:
    """Both must be exceeded: below either of them is enough for none."""
    if told.base is not None and told.value <= told.base:
        return 0, 0
    if told.uln is None:
        return None
    if told.value <= told.uln:
        return 0, 0
    return (0, 1) if told.base is None else (1, 1)


def _fever(told: Told) -> Range:
    if told.value > 40:
        return 3, 4
    if told.value > 39:
        return 2, 2
    return (1, 1) if told.value >= 38 else (0, 0)


def _leukocytosis(told: Told) -> Range:
    return (3, 3) if told.value > 100 else (0, 0)


def _lymphocytes_high(told: Told) -> Range:
    return (3, 3) if told.value > 20 else (2, 2) if told.value > 4 else (0, 0)


_OWN = {
    "hemoglobin_increased": _hemoglobin_increased,
    "fibrinogen_decreased": _fibrinogen,
    "creatinine_increased": _creatinine,
    "cpk_increased": _cpk,
    "aptt_prolonged": _aptt,
    "lipase_increased": _pancreas,
    "amylase_increased": _pancreas,
    "hyperuricemia": _urate,
    "inr_increased": _inr,
    "hypokalemia": _potassium_low,
    "hyponatremia": _sodium_low,
    "eosinophilia": _eosinophils,
    "fever": _fever,
    "leukocytosis": _leukocytosis,
    "lymphocytes_increased": _lymphocytes_high,
}
