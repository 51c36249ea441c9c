"""Doses of the product in its own unit, and per kg of the subject's weight.

Who comes in: the fold with what an administration tells. Who goes out: the same in the product's
unit; the dose per kg as of the infusion.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rules.errors import EvaluationError
from rules.facts import units
from rules.facts.entities import Merged
from rules.facts.reading import Reading
from rules.model import Product

PER_KG = "dose_per_kg"


def per_kg(product: Product) -> str:
    """The unit of a dose that is told per kg."""
    return f"{product.dose_unit}/kg"


def tells(product: Product, unit: str) -> bool:
    """Whether a dose in this unit can be told in the product's, or per kg."""
    return any(units.convertible(unit, one) for one in (product.dose_unit, per_kg(product)))


def in_product_unit(told: Mapping[str, Any], product: Product) -> dict[str, Any]:
    """What an administration tells, its dose in the product's unit; or as a dose per kg."""
    dose, unit = told.get("dose"), told.get("unit")
    if dose is None or not unit:
        return dict(told)
    if units.convertible(unit, product.dose_unit):
        dose = units.convert(dose, unit, product.dose_unit)
        return {**told, "dose": dose, "unit": product.dose_unit, PER_KG: None}
    if units.convertible(unit, per_kg(product)):
        dose = units.convert(dose, unit, per_kg(product))
        return {**told, "dose": None, "unit": per_kg(product), PER_KG: dose}
    raise EvaluationError("a dose does not convert into the product's unit")


def dose_per_kg(merged: Merged, weight: Reading, unit: str | None) -> Reading:
    """The dose of an infusion per kg: as it was told, else by the weight; unknown without both."""
    told = merged.reading(PER_KG)
    dose: Any = merged.values.get("dose")
    if told.value is not None or dose is None or weight.value is None:
        return told if told.value is not None else Reading(None)
    kg = units.convert(float(weight.value), unit or "kg", "kg")
    if kg <= 0:
        return Reading(None)
    return merged.reading("dose")._replace(value=units.rounded(dose / kg))
