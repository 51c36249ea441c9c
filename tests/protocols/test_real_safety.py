"""The pilot study's safety through the engine alone, against a computation over the tables.

Grades, clocks, seriousness, deaths and livers; the same through a service are tests/e2e's.
"""

from __future__ import annotations

import pytest

import rules
from tests.support import cdisc, pilot_truth

pytestmark = pytest.mark.skipif(
    not cdisc.available(), reason="the pilot study's tables are not beside this checkout"
)
UNITS = {
    **dict.fromkeys(("ALT", "AST", "ALP", "GGT", "CK"), "U/L"),
    **dict.fromkeys(("BILI", "CREAT", "URATE"), "umol/L"),
    **dict.fromkeys(("ALB", "HGB"), "g/L"),
    **dict.fromkeys(("PLAT", "WBC", "LYM", "EOS"), "10*9/L"),
    **dict.fromkeys(("K", "SODIUM", "CHOL", "GLUC"), "mmol/L"),
}


def test_every_graded_value_of_the_real_study_has_the_grade_counted_from_its_table() -> None:
    dictionary, number, other = rules.dictionary(), 0, []
    for one in pilot_truth.results():
        given = rules.Given(
            one.value,
            one.low,
            one.high,
            one.baseline,
            None if one.baseline is None else one.baseline_high,
        )
        found = {
            str(term.direction): rules.grade(term, UNITS[one.test], given)
            for term in dictionary.named(one.test)
        }
        low, high = (found.get(side) for side in ("low", "high"))
        number += 1
        if tuple(side and (side.min, side.max) for side in (low, high)) != one.grades:
            other.append((one, low, high))
    assert number == 32_618
    assert other == []
