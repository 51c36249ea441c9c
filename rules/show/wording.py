"""Windows, conditions and choices in words.

Who comes in: paragraphs.py. Who goes out: short texts for people.
"""

from __future__ import annotations

from rules.language.written import written
from rules.model import Condition, Window
from rules.terms import Ends

_ENDS = {
    Ends.BOTH: "",
    Ends.FIRST: ", the last moment not included",
    Ends.LAST: ", the first moment not included",
    Ends.NEITHER: ", neither end included",
}


def window(item: Window | None) -> str:
    """`28 days up to enrolment`, `day 25 to 31 after first infusion`..."""
    if item is None:
        return ""
    anchor = (item.anchor or "now").replace("_", " ")
    return f"{_span(item, anchor)}{_ENDS[item.ends]}"


def _span(item: Window, anchor: str) -> str:
    unit = item.unit.replace("_", " ")
    low, high = item.low, item.high
    if low is None or high is None:
        return f"up to {anchor}" if low is None else f"from {anchor} on"
    if high == 0:
        return f"{-low:g} {unit} up to {anchor}"
    if low == 0:
        return f"{high:g} {unit} from {anchor} on"
    if high < 0:
        return f"{-high:g} to {-low:g} {unit} before {anchor}"
    if low > 0:
        return f"{low:g} to {high:g} {unit} after {anchor}"
    return f"from {-low:g} {unit} before to {high:g} {unit} after {anchor}"


def length(item: Window | None) -> str:
    """`14 days`."""
    if item is None or item.low is None:
        return ""
    return f"{-item.low:g} {item.unit.replace('_', ' ')}"


def condition(item: Condition | None) -> str:
    """As the language writes it; nothing where there is none."""
    return "" if item is None else written(item)
