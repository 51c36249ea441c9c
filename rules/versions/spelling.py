"""Values of a definition as JSON has them and conditions as the language writes them.

Who comes in: differences, with any value of a definition. Who goes out: JSON.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from enum import StrEnum
from typing import Any

from rules.model import And, Compare, Const, Has, In, Not, Or
from rules.versions.readers import CONDITIONS

# Where something stands in the file, and what was worked out of what stands there.
PLACES = {"line", "lines", "stated", "stated_if", *CONDITIONS.values()}


def plain(value: Any) -> Any:
    """A value as JSON has it; conditions as the language writes them."""
    if isinstance(value, And | Or | Not | Compare | In | Has | Const):
        return spell(value)
    if isinstance(value, StrEnum):
        return value.value
    if isinstance(value, Mapping):
        return {str(key): plain(one) for key, one in value.items()}
    if isinstance(value, tuple | list):
        return [plain(one) for one in value]
    if hasattr(value, "__dataclass_fields__"):
        shown = {one.name: plain(getattr(value, one.name)) for one in fields(value)}
        return {name: one for name, one in shown.items() if name not in PLACES and one is not None}
    return value


def spell(condition: Any) -> str:
    """A condition as the language writes it, its limits as numbers."""
    if isinstance(condition, And | Or):
        sign = " && " if isinstance(condition, And) else " || "
        return sign.join(
            f"({spell(part)})" if isinstance(part, And | Or) else spell(part)
            for part in condition.parts
        )
    if isinstance(condition, Not):
        return f"!({spell(condition.part)})"
    if isinstance(condition, Has):
        return f"has(facts.{condition.fact})"
    if isinstance(condition, In):
        return f"{condition.fact} in [{', '.join(_constant(one) for one in condition.values)}]"
    if isinstance(condition, Compare):
        return f"{condition.fact} {condition.op} {_constant(condition.value)}"
    return _constant(condition.value)


def _constant(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return f'"{value}"' if isinstance(value, str) else f"{value:.12g}"
