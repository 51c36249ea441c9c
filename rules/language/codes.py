"""The codes of a file: what may be published, under which codings, in which units.

Who comes in: schema.py with sections of the tree. Who goes out: Code, and publishers' spellings.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from rules.facts import units
from rules.language.loader import Map, Seq
from rules.language.parameters import known_unit
from rules.language.reading import NAME, NAME_SHAPE, Section
from rules.language.syntax import did_you_mean
from rules.language.values import MOST_SCORE
from rules.language.vocabulary import CODED, NUMERIC, VALUED
from rules.model import Code, Coding
from rules.terms import EventType, ValueType

Codes = dict[tuple[EventType, str], Code]
ValueSets = Mapping[str, tuple[Coding, ...]]


@dataclass
class Declared:
    """The codes of a file, and of each the section that it stands in."""

    codes: Codes = field(default_factory=dict)
    sections: dict[tuple[EventType, str], Section] = field(default_factory=dict)


def value_sets(top: Section) -> dict[str, tuple[Coding, ...]]:
    """`name: [{system, code}]`: codings that several codes may share by name."""
    result: dict[str, tuple[Coding, ...]] = {}
    node = top.mapping("value_sets")
    for name, value in node.items():
        what = f"the value set `{name}`"
        if not NAME.fullmatch(name):
            top.book.complain(node.lines[name], f"{what} must be {NAME_SHAPE}")
        if not isinstance(value, Seq) or not value:
            hint = "[{system: .., code: ..}]"
            top.book.complain(node.lines[name], f"{what} must be a list of codings", hint)
            continue
        holder = Map(node.lines[name])
        holder["codings"], holder.lines["codings"] = value, node.lines[name]
        result[name] = _codings(Section(top.book, holder, what))
    return result


def codes(top: Section, sets: ValueSets) -> Declared:
    """The list of what may be published."""
    result = Declared()
    for item in top.sections("codes", "the code"):
        code = _code(item, sets)
        item.close()
        if code is None:
            continue
        known = result.codes.setdefault((code.type, code.code), code)
        if known is not code:
            item.complain(
                "code", f"is declared twice as {code.type}", f"first on line {known.line}"
            )
        else:
            result.sections[code.type, code.code] = item
    return result


def _code(item: Section, sets: ValueSets) -> Code | None:
    name = item.name("code", NAME, NAME_SHAPE)
    kind = item.choice("type", CODED)
    valued = kind in VALUED
    item.asked.add("applicable_if")  # read with the facts, whose names it may use
    code = Code(
        code=name,
        type=EventType(kind) if kind else EventType.OBSERVATION,
        label=item.text("label", required=True),
        value=item.enum("value", ValueType, required=kind == EventType.OBSERVATION),
        unit=item.text("unit") or None,
        values=item.texts("values"),
        low=item.number("low"),
        high=item.number("high"),
        codings=_all_codings(item, sets),
        line=item.line(),
        molar_mass=item.number("molar_mass"),
        aliases=_aliases(item, "aliases"),
        ctcae=item.text("ctcae"),
        scores=_scores(item),
    )
    _check_value(item, code, valued=valued)
    _check_units(item, code)
    return code if name and kind else None


def _check_value(item: Section, code: Code, *, valued: bool) -> None:
    if code.value is not None and not valued:
        item.complain("value", f"a {code.type} has no value of its own", "its fact is a boolean")
    if code.value is ValueType.CODE and not code.values:
        item.complain("value", "a code needs its `values`", "values: [positive, negative]")
    if code.values and code.value is not ValueType.CODE:
        item.complain("values", "only `value: code` has values")
    if len(set(code.values)) != len(code.values):
        item.complain("values", "a value stands twice")
    if code.scores and (code.type is not EventType.ASSESSMENT or code.value is not None):
        message = "`scores` are those of an assessment without a value of its own"
        item.complain("scores", message, "type: assessment, and no `value`")
    numeric = code.value in NUMERIC
    if not numeric and (code.low is not None or code.high is not None):
        item.complain("low" if code.low is not None else "high", "only a number has low and high")
    if code.low is not None and code.high is not None and code.low > code.high:
        item.complain("low", "`low` is above `high`")


def _check_units(item: Section, code: Code) -> None:
    if code.unit is not None and code.value not in NUMERIC:
        item.complain("unit", "only a number has a unit")
        return
    told = code.unit if code.unit is not None and known_unit(item, "unit", code.unit) else ""
    if code.molar_mass is not None and (code.molar_mass <= 0 or code.unit is None):
        message = "`molar_mass` is in g/mol, above 0, of a number with a unit"
        item.complain("molar_mass", message, "molar_mass: 113.12")
    if code.aliases and code.unit is None:
        item.complain("aliases", "only a number with a unit has aliases of it")
    for spelling, unit in code.aliases.items() if told else ():
        if not units.convertible(unit, told, code.molar_mass):
            message = f"`{spelling}` stands for {unit}, which does not convert into {told}"
            item.complain("aliases", message, "UCUM, case-sensitive")


def _scores(item: Section) -> dict[str, tuple[int, int]]:
    """`{name: [least, most]}` in whole numbers."""
    node = item.mapping("scores")
    result = {}
    for name, span in node.items():
        ends = list(span) if isinstance(span, Seq) else []
        whole = all(isinstance(end, int) and not isinstance(end, bool) for end in ends)
        if not NAME.fullmatch(name):
            message = f"{item.what}: the score `{name}` must be {NAME_SHAPE}"
            item.book.complain(node.lines[name], message)
        elif len(ends) != 2 or not whole or not 0 <= ends[0] < ends[1] <= MOST_SCORE:
            message = f"{item.what}: the score `{name}` must be from one whole number to another"
            item.book.complain(node.lines[name], message, f"[0, 3], at most {MOST_SCORE}")
        else:
            result[name] = (ends[0], ends[1])
    return result


def _aliases(item: Section, key: str) -> dict[str, str]:
    """`{spelling: UCUM unit}`, every unit known."""
    node = item.mapping(key)
    result = {}
    for spelling, unit in node.items():
        line = node.lines[spelling]
        item.book.spend_unit(line, str(unit))
        if not isinstance(unit, str) or not unit:
            item.book.complain(line, f"{item.what}: `{spelling}` must stand for a unit", "quote it")
        elif not units.known(unit):
            message = f"{item.what}: `{spelling}` stands for `{unit}`, which is no UCUM unit"
            item.book.complain(line, message, "as Cel, mm[Hg], mg/dL, {score}")
        else:
            result[spelling] = unit
    for spelling, unit in result.items():
        if result.get(unit, unit) != unit:
            message = f"{item.what}: `{spelling}` stands for {unit}, which stands for another"
            item.book.complain(node.lines[spelling], message, f"{spelling}: {result[unit]}")
    return result


def _all_codings(item: Section, sets: ValueSets) -> tuple[Coding, ...]:
    """The code's own codings and those of its value set, each once."""
    named = item.text("value_set")
    if named and named not in sets:
        near = did_you_mean(named, sets)
        item.complain("value_set", f"unknown value set `{named}`", near or "under `value_sets`")
    return tuple(dict.fromkeys((*_codings(item), *sets.get(named, ()))))


def _codings(item: Section) -> tuple[Coding, ...]:
    found = []
    for part in item.sections("codings", f"{item.what}, coding"):
        found.append(Coding(part.text("system", required=True), part.text("code", required=True)))
        part.close()
    return tuple(found)


def publishers(top: Section, declared: Codes) -> dict[str, dict[str, str]]:
    """By publisher, `*` for every one, how it spells units: `{spelling: UCUM unit}`.

    No spelling may be the very unit of a code: it would not be known which of the two was meant.
    """
    result: dict[str, dict[str, str]] = {}
    of_codes = {code.unit: code.code for code in declared.values() if code.unit is not None}
    for item in top.sections("publishers", "the publisher"):
        source = item.text("source", required=True)
        item.what = f"the publisher `{source}`"
        aliases = _aliases(item, "unit_aliases")
        if source in result:
            item.complain("source", "stands twice", "say all its units in one place")
        for spelling in aliases:
            if spelling in of_codes and aliases[spelling] != spelling:
                message = f"`{spelling}` is itself the unit of the code `{of_codes[spelling]}`"
                item.complain("unit_aliases", message, "an alias is another spelling")
        item.close()
        result[source] = aliases
    return result
