"""Roundings of conversions never keep a value from a limit that it reached where it was told."""

import itertools

import pytest

from rules import model
from rules.facts.aggregates import changed
from rules.facts.derived import compile_derivation
from rules.facts.laboratory import _percent
from rules.facts.units import convert, risen, settled
from rules.model import Arith, Derivation, FactSpec, Name, Num
from rules.terms import EventType, ValueType

TOLD = [round(0.05 * step, 2) for step in range(4, 60)]  # mg/dL
IN_UNIT = {told: convert(told, "mg/dL", "umol/L", 113.12) for told in TOLD}
FACT = FactSpec("creatinine", EventType.OBSERVATION, "creatinine", ValueType.NUMBER)


def with_change(change):
    return FactSpec(
        "creatinine", EventType.OBSERVATION, "creatinine", ValueType.NUMBER, change=change
    )


@pytest.mark.parametrize(("factor", "percent"), [(1.5, 50), (2, 100), (1.1, 10), (0.75, -25)])
def test_a_value_that_rose_by_half_where_it_was_told_has_risen_by_half(factor, percent):
    for base in TOLD:
        value = convert(round(base * factor, 6), "mg/dL", "umol/L", 113.12)
        assert changed(value, IN_UNIT[base], with_change("percent")) == percent
        assert changed(value, IN_UNIT[base], with_change("ratio")) == factor
        assert _percent(value, IN_UNIT[base]) == percent


@pytest.mark.parametrize("op", [">=", "<=", "=="])
def test_a_derived_comparison_holds_at_a_limit_that_was_told_in_another_unit(op):
    left = Name("value")
    right = Arith("*", Name("base"), Num(1.5))
    holds = compile_derivation(derived(model.Test(left, op, right)))
    strictly = compile_derivation(derived(model.Test(left, "<", right)))
    for base in TOLD:
        value = convert(round(base * 1.5, 6), "mg/dL", "umol/L", 113.12)
        known = {"value": value, "base": IN_UNIT[base]}
        assert (holds(known.get), strictly(known.get)) == (True, False)


def derived(test):
    return FactSpec("derived", None, "", ValueType.BOOLEAN, derived=Derivation((), test))


def test_what_lies_apart_by_more_than_a_rounding_stays_as_it_is():
    for value, base in itertools.product((1 / 3, 2 / 7, 49.9999999, 1e-9, 0.0), repeat=2):
        assert settled(value) == value
        assert base == 0 or risen(value, base) == pytest.approx((value - base) / base * 100)
