"""How a value stands in an alert's text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_ODD = {"completed_years": "", "days_since": "d", "count": "", "consecutive": ""}


def unit(spec: Mapping[str, Any] | None, codes: Mapping[Any, Any]) -> str:
    """What a number of this fact is told in; nothing for an age, a ratio, or what is no fact."""
    spec = spec or {}
    take, change = spec.get("take", "latest"), spec.get("change")
    ratio = "ratio" in {change, *take.split("_"), *spec.get("measure", "").split("_")}
    if take in _ODD or ratio:
        return _ODD.get(take, "")
    if change == "percent" or "unit" in spec or "from" not in spec:
        return "%" if change == "percent" else str(spec.get("unit", ""))
    code = spec.get("code", "")
    first = code[0] if isinstance(code, list) else code
    return str(codes.get((spec["from"], first), {}).get("unit", ""))


def spelt(value: Any, unit: str = "") -> str:
    """A value as a detail shows it: numbers with their unit, but for scores and ages."""
    if value is None:
        return "not recorded"
    if isinstance(value, bool):
        return "yes" if value else "no"
    number = isinstance(value, int | float)
    tail = f" {unit}" if number and unit and not unit.startswith("{") else ""
    return (f"{value:.12g}" if number else str(value)) + tail
