"""Conditions and values as a person reads them.

Who comes in: the other modules of the package. Who goes out: text.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from rules.language.vocabulary import FactType
from rules.model import And, Compare, Condition, Const, FactSpec, Has, In, Not, Or, Scalar
from rules.terms import said


@dataclass(frozen=True)
class Names:
    """What the names in conditions are called, and in which unit their values are."""

    specs: Mapping[str, FactSpec]
    types: Mapping[str, FactType]
    criteria: frozenset[str] = frozenset()
    raw: bool = False  # facts under the names they have here, for who reads them again

    def said(self, name: str) -> str:
        """The name as the subject's own version has it."""
        return name if self.raw else said(name)

    def label(self, name: str) -> str:
        """The declared label; a criterion is called one; else the name as words."""
        if name in self.criteria:
            return f"Criterion {name}"
        spec, kind = self.specs.get(name), self.types.get(name)
        found = (spec.label if spec else "") or (kind.label if kind else "")
        return found or said(name).replace("_", " ")

    def unit(self, name: str) -> str | None:
        """UCUM, or None."""
        spec, kind = self.specs.get(name), self.types.get(name)
        return spec.unit if spec else kind.unit if kind else None


def literal(value: Scalar) -> str:
    """A constant as the language writes it; numbers without needless digits."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return f'"{value}"'
    return f"{value:.12g}" if isinstance(value, float) else str(value)


def text(condition: Condition) -> str:
    """A condition as the language writes it, parameters replaced by their values."""
    if isinstance(condition, And | Or):
        word = " && " if isinstance(condition, And) else " || "
        return word.join(_within(part, condition) for part in condition.parts)
    if isinstance(condition, Not):
        bare = isinstance(condition.part, Has | Const) or _plain(condition.part)
        return f"!{text(condition.part)}" if bare else f"!({text(condition.part)})"
    return _leaf(condition)


def _leaf(leaf: Const | Compare | In | Has) -> str:
    if isinstance(leaf, Const):
        return literal(leaf.value)
    if isinstance(leaf, Has):
        return f"has({said(leaf.fact)})"
    if isinstance(leaf, In):
        return f"{said(leaf.fact)} in [{', '.join(map(literal, leaf.values))}]"
    return said(leaf.fact) if _plain(leaf) else f"{said(leaf.fact)} {leaf.op} {literal(leaf.value)}"


def _plain(condition: Condition) -> bool:
    """A bare boolean fact."""
    return isinstance(condition, Compare) and condition.op == "==" and condition.value is True


def _within(part: Condition, whole: Condition) -> str:
    """A part in brackets where it would read otherwise without."""
    if isinstance(part, And | Or) and type(part) is not type(whole):
        return f"({text(part)})"
    return text(part)
