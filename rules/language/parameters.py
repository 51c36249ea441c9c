"""The parameters of a file, and values that name one.

Who comes in: schema.py and every room whose keys may say `params.<name>`. Who goes out: Parameter.
"""

from __future__ import annotations

from collections.abc import Mapping

from rules.facts import units
from rules.language.loader import Map
from rules.language.reading import NAME, NAME_SHAPE, Book, Section
from rules.language.syntax import did_you_mean
from rules.model import Parameter, Scalar

Constants = Mapping[str, Scalar | Parameter]


def parameters(node: Map, book: Book) -> dict[str, Parameter]:
    """`name: {value, unit, source, reason}`; what is not in the record needs its reason."""
    result: dict[str, Parameter] = {}
    for name, value in node.items():
        if not NAME.fullmatch(name):
            book.complain(node.lines[name], f"the parameter `{name}` must be {NAME_SHAPE}")
        if not isinstance(value, Map):
            message = f"the parameter `{name}` must be a mapping"
            book.complain(node.lines[name], message, "{value: .., source: ..}")
            continue
        section = Section(book, value, f"the parameter `{name}`")
        result[name] = _parameter(section, name)
        section.close()
    return result


def _parameter(section: Section, name: str) -> Parameter:
    value = section.raw("value", required=True)
    if value is not None and not isinstance(value, bool | int | float | str):
        section.complain("value", "`value` must be a number, a text or true/false")
        value = None
    source = section.text("source", required=True)
    reason = section.text("reason")
    if source == "not in the record" and not reason:
        section.complain("source", "what is not in the record needs a `reason`")
    unit = section.text("unit") or None
    if unit is not None and (isinstance(value, bool) or not isinstance(value, int | float | None)):
        section.complain("unit", "only a number has a unit")
        unit = None
    elif unit is not None:
        unit = unit if known_unit(section, "unit", unit) else None
    return Parameter(name, 0 if value is None else value, source, reason, unit)


def known_unit(section: Section, key: str, unit: str) -> bool:
    """Whether a unit is UCUM's; complains where it is not."""
    section.book.spend_unit(section.line(key), unit)
    known = units.known(unit)
    if not known:
        section.complain(key, f"`{unit}` is no UCUM unit", "as Cel, mm[Hg], mg/dL, {score}")
    return known


def resolve(section: Section, key: str, params: Constants, unit: str) -> object:
    """A value in `unit`, or that of the parameter it names as `params.<name>`."""
    section.note(key, "constant")
    return constant(section, key, section.raw(key), params, unit)


def constant(section: Section, key: str, value: object, params: Constants, unit: str) -> object:
    """The same for a value already read: one of a list."""
    if isinstance(value, str) and value.startswith("params."):
        name = value.removeprefix("params.")
        if name not in params:
            section.complain(key, f"unknown parameter `{name}`", did_you_mean(name, params))
            return None
        found = params[name]
        if not isinstance(found, Parameter):
            return found
        if found.unit is not None and not units.same(found.unit, unit):
            section.complain(key, f"`{value}` is in {found.unit}, not in {unit}")
            return None
        return found.value
    return value
