"""What must hold before an infusion: the section `gate`, and the product that is infused.

Who comes in: schema.py with the top of the file. Who goes out: criteria that close the gate where
they hold, and Product.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from rules.facts import units
from rules.language.clauses import Clauses, expression, source
from rules.language.reading import Section
from rules.language.syntax import did_you_mean
from rules.language.vocabulary import NUMERIC, FactType
from rules.model import Criterion, FactSpec, Product
from rules.terms import CriterionKind

ITEM_ID = re.compile(r"[A-Z][A-Z0-9_]{0,31}")


@dataclass(frozen=True)
class Reader:
    """What an item may name. `names`: of the subject, and what the gate alone knows."""

    names: Mapping[str, FactType]
    clauses: Clauses
    sources: Mapping[str, str]


def gate(top: Section, known: Reader) -> tuple[Criterion, ...]:
    """The items in the order of the file: each keeps the infusion out while it holds."""
    found: dict[str, Criterion] = {}
    for item in top.sections("gate", "the gate item"):
        made = Criterion(
            id=item.name("id", ITEM_ID, "capital letters, digits and _, as FEVER"),
            kind=CriterionKind.EXCLUSION,
            text=item.text("text", required=True),
            when=known.clauses.read(item, "closed_when", known.names),
            source=source(item, known.sources),
            applicable_if=known.clauses.read(item, "applicable_if", known.names, required=False),
            interpretation=item.text("interpretation"),
            expression=expression(item, "closed_when"),
            line=item.line(),
            lines=item.node.lines,
        )
        item.close()
        first = found.setdefault(made.id, made)
        if made.id and first is not made:
            item.complain("id", "stands twice", f"first on line {first.line}")
    return tuple(found.values())


def product(top: Section, facts: Mapping[str, FactSpec]) -> Product | None:
    """`{name, dose_unit, weight}`; None: doses are told as they come, in whatever unit."""
    part = top.section("product")
    if part is None:
        return None
    name = part.text("name", required=True)
    unit = part.text("dose_unit", required=True)
    if unit and not units.known(unit):
        part.complain("dose_unit", f"`{unit}` is no UCUM unit", "as 10*6 or mg, case-sensitive")
    weight = part.text("weight")
    if weight:
        _weighs(part, weight, facts)
    part.close()
    return Product(name, unit, weight or None)


def _weighs(part: Section, weight: str, facts: Mapping[str, FactSpec]) -> None:
    """The weight is a fact in a unit of mass."""
    spec = facts.get(weight)
    if spec is None:
        near = did_you_mean(weight, facts)
        part.complain("weight", f"no fact `{weight}` is declared", near or "under `facts`")
    elif spec.value not in NUMERIC or not units.convertible(spec.unit or "1", "kg"):
        part.complain("weight", f"the fact `{weight}` is no weight", "a number in kg")
