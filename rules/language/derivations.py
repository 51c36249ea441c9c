"""Derived facts: `derive:` and `cases:`, typed, with a fact of its own for each inner comparison.

Who comes in: schema.py with the sections of derived facts and all other facts. Who goes out:
FactSpec with a Derivation; hidden facts `<fact>__1` for comparisons of expressions.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from lark import Token, Tree

from rules.clinical.functions import FUNCTIONS
from rules.facts import units
from rules.language.clauses import Clauses
from rules.language.clinical import clinical
from rules.language.comparing import Deriving
from rules.language.conditions import simplify
from rules.language.expressions import ANY, Told, bare, joint
from rules.language.loader import Map
from rules.language.parameters import constant, known_unit
from rules.language.reading import Section
from rules.language.syntax import ConditionError, UnknownFact, did_you_mean, parse
from rules.language.vocabulary import FactType, declared
from rules.model import (
    Arith,
    Case,
    Condition,
    Const,
    Derivable,
    Derivation,
    FactSpec,
    Name,
    Num,
    Parameter,
)
from rules.terms import ValueType

WORD = "a word of letters, digits and _.+-"


# --- one derived fact -------------------------------------------------------------------------
@dataclass
class _Value:
    """What one case, or the whole, stands for."""

    value: Derivable
    kind: ValueType
    unit: str | None = ANY
    values: tuple[str, ...] = ()  # of a clinical function: the words it may answer


@dataclass
class Derivations:
    """Reads derived facts one after the other, each after those it names."""

    clauses: Clauses
    facts: dict[str, FactSpec]  # grows as they are read
    every: frozenset[str]  # all names, also of facts not read yet, for hints
    names: dict[str, FactType] = field(default_factory=dict)

    def read(self, section: Section, name: str) -> None:
        """Put the fact, and the hidden facts it needs, among the facts; or complain."""
        self.names = declared(self.facts)
        self.names.pop(name, None)
        hidden: list[FactSpec] = []
        reader = Deriving(name, self.names, self.clauses.params, hidden)
        label, unit = section.text("label"), section.text("unit") or None
        section.asked |= {"applicable_if", "derive", "cases", "otherwise", "clinical", "of"}
        if "clinical" in section.node:
            made = _clinical(section, self.names, self.every)
        elif "derive" in section.node:
            made = self._plain(section, reader)
        else:
            made = self._cases(section, reader)
        section.close()
        if made is None or (unit is not None and not known_unit(section, "unit", unit)):
            self.clauses.failed.add(name)
            return
        derivation, value = made
        for spec in hidden:
            self.facts[spec.name] = _placed(spec, section)
        self.facts[name] = FactSpec(
            name, None, "", value.kind, unit=self._unit(section, value, unit),
            values=(value.values or _words(derivation)) if value.kind is ValueType.CODE else (),
            label=label or name.replace("_", " ").capitalize(), line=section.line(),
            derived=derivation,
        )  # fmt: skip

    def _unit(self, section: Section, value: _Value, unit: str | None) -> str | None:
        """The declared unit, which must not contradict the expression's; else the expression's."""
        if unit is not None and value.kind is not ValueType.NUMBER:
            section.complain("unit", "only a number has a unit")
            return None
        if unit is None:
            return value.unit if value.unit not in (ANY, "1") else None
        if value.unit not in (None, ANY) and not units.same(value.unit, unit):
            message = f"the expression is in {value.unit}, not in {unit}"
            section.complain("unit", message, f"unit: {value.unit}")
        return unit

    def _plain(self, section: Section, reader: Deriving) -> tuple[Derivation, _Value] | None:
        for key in ("cases", "otherwise"):
            if key in section.node:
                section.complain(key, f"`{key}` does not stand beside `derive`", "one of them")
        value = self._expression(section, "derive", reader)
        if value is None:
            return None
        value = self._in_unit(section, value)
        text = " ".join(str(section.node["derive"]).split())
        return Derivation((), value.value, text), value

    def _in_unit(self, section: Section, value: _Value) -> _Value:
        """A fact alone, told in another unit: `{derive: creatinine, unit: mg/dL}`.

        Of a fact alone only: a formula that divides by 88.4 has converted already.
        """
        fact, given, wanted = value.value, value.unit, section.node.get("unit")
        if not isinstance(fact, Name) or not isinstance(wanted, str) or given in (None, ANY):
            return value
        molar_mass = self.names[fact.fact].molar_mass
        if not units.known(wanted) or not units.convertible(given, wanted, molar_mass):
            return value
        if units.same(given, wanted) or units.convert(0, given, wanted, molar_mass) != 0:
            return value
        factor = Num(units.convert(1, given, wanted, molar_mass))
        return _Value(Arith("*", fact, factor), value.kind, wanted)

    def _expression(self, section: Section, key: str, reader: Deriving) -> _Value | None:
        """A number or a boolean computed from other facts."""
        text = section.raw(key, required=True)
        if text is None:
            return None
        if isinstance(text, bool) or not isinstance(text, str | int | float):
            section.complain(key, f"`{key}` must be an expression", "a text, as weight / height")
            return None
        reader.text = str(text)
        section.book.spend(section.line(key), len(reader.text))
        try:
            return _computed(parse(reader.text), reader)
        except ConditionError as error:
            self._complain(section, key, error)
            return None

    def _complain(self, section: Section, key: str, error: ConditionError) -> None:
        if isinstance(error, UnknownFact):
            error.hint = error.hint or did_you_mean(error.name, self.every)
        self.clauses.complain(section, key, error)

    # --- cases ---
    def _cases(self, section: Section, reader: Deriving) -> tuple[Derivation, _Value] | None:
        cases, found = [], []
        items = list(section.sections("cases", f"{section.what}, case"))
        for item in items:
            when, value = self._when(item, reader), self._value(item, reader)
            item.close()
            if when is not None and value is not None:
                cases.append(Case(when, value.value))
                found.append(value)
        if not items:
            section.complain("cases", "`cases` is empty", "cases: [{when: .., value: ..}]")
        otherwise = self._otherwise(section, reader)
        if otherwise is not None:
            found.append(otherwise)
        whole = "otherwise" not in section.node or otherwise is not None
        if not items or len(cases) != len(items) or not whole:
            return None
        value = _alike(section, found)
        told = [_told_case(item.node) for item in items]
        text = "; ".join((*told, *_told_rest(section)))
        if value is None:
            return None
        rest = None if otherwise is None else otherwise.value
        return Derivation(tuple(cases), rest, text), value

    def _when(self, item: Section, reader: Deriving) -> Condition | None:
        text = item.raw("when", required=True)
        if isinstance(text, bool):
            return Const(text)
        if text is None or not isinstance(text, str):
            if text is not None:
                item.complain("when", "`when` must be a condition")
            return None
        reader.text = text
        item.book.spend(item.line("when"), len(text))
        try:
            return simplify(reader.condition(parse(text), 0))
        except ConditionError as error:
            self._complain(item, "when", error)
            return None

    def _otherwise(self, section: Section, reader: Deriving) -> _Value | None:
        if "otherwise" not in section.node:
            return None
        if isinstance(section.node["otherwise"], Map):
            part = section.section("otherwise")
            value = self._value(part, reader) if part else None
            if part:
                part.close()
            return value
        return self._literal(section, "otherwise", section.raw("otherwise"))

    def _value(self, item: Section, reader: Deriving) -> _Value | None:
        """`value`: a number, true, false or a word; or `derive`: an expression."""
        if "derive" in item.node:
            if "value" in item.node:
                item.complain("value", "`value` does not stand beside `derive`", "one of them")
            return self._expression(item, "derive", reader)
        return self._literal(item, "value", item.raw("value", required=True))

    def _literal(self, item: Section, key: str, value: object) -> _Value | None:
        unit: str | None = ANY
        if isinstance(value, str) and value.startswith("params."):
            named = self.clauses.params.get(value.removeprefix("params."))
            unit = (named.unit if isinstance(named, Parameter) else None) or ANY
            value = constant(item, key, value, self.clauses.params, unit or "1")
        if value is None:
            return None
        if isinstance(value, bool):
            return _Value(Const(value), ValueType.BOOLEAN)
        if isinstance(value, int | float):
            return _Value(Num(float(value)), ValueType.NUMBER, unit)
        if isinstance(value, str) and _is_word(value) and value not in self.every:
            return _Value(value, ValueType.CODE)
        hint = f"derive: {value}" if isinstance(value, str) else "an expression stands in `derive`"
        item.complain(key, f"`{key}` must be a number, true, false or {WORD}", hint)
        return None


def _clinical(
    section: Section, names: Mapping[str, FactType], every: frozenset[str]
) -> tuple[Derivation, _Value] | None:
    """`clinical` and `of`: a function of the house's clinical knowledge, over facts."""
    for key in ("derive", "cases", "otherwise"):
        if key in section.node:
            section.complain(key, f"`{key}` does not stand beside `clinical`", "one of them")
    made = clinical(section, names, every)
    if made is None:
        return None
    function = FUNCTIONS[made.function]
    told = ", ".join(f"{argument}: {name.fact}" for argument, name in made.arguments)
    value = _Value(made, function.result, values=function.values)
    return Derivation((), made, f"{made.function} of {told}"), value


def _is_word(text: str) -> bool:
    return 0 < len(text) <= 64 and all(c.isalnum() or c in "_.+-" for c in text)


def _computed(tree: Tree[Token], reader: Deriving) -> _Value:
    node = bare(tree)
    if node.data == "relation":
        test = reader.test(node)
        if test is not None:
            return _Value(test, ValueType.BOOLEAN)
    if _is_condition(node, reader):
        return _Value(simplify(reader.condition(node, 0)), ValueType.BOOLEAN)
    told: Told = reader.numbers.number(node)
    return _Value(told.expression, ValueType.NUMBER, told.unit)


def _is_condition(node: Any, reader: Deriving) -> bool:
    if node.data in ("conditionalor", "conditionaland", "relation"):
        return True
    if node.data == "unary":
        return bool(node.children[0].data == "unary_not")
    if node.data == "ident_arg":
        return str(node.children[0]) == "has"
    if node.data == "literal":
        return bool(node.children[0].type == "BOOL_LIT")
    kind = reader.names.get(str(node.children[0])) if node.data == "ident" else None
    return kind is not None and kind.value is ValueType.BOOLEAN


def _alike(section: Section, found: list[_Value]) -> _Value | None:
    """The common type and unit of all cases."""
    kinds = list(dict.fromkeys(value.kind for value in found))
    if len(kinds) > 1:
        section.complain("cases", f"cases are of several types: {', '.join(kinds)}", "of one type")
        return None
    told = [Told(Num(0.0), value.unit) for value in found if value.kind is ValueType.NUMBER]
    try:
        unit = joint(told, "cases", 0)[1] if told else ANY
    except ConditionError as error:
        section.complain("cases", error.message, error.hint)
        return None
    return _Value(found[0].value, kinds[0], unit)


def _words(derivation: Derivation) -> tuple[str, ...]:
    values = [case.value for case in derivation.cases]
    if derivation.otherwise is not None:
        values.append(derivation.otherwise)
    return tuple(dict.fromkeys(value for value in values if isinstance(value, str)))


def _told_case(node: Map) -> str:
    value = node.get("derive", node.get("value"))
    return f"{_spelt(value)} where {_spelt(node.get('when'))}"


def _told_rest(section: Section) -> list[str]:
    told = section.node.get("otherwise")
    told = told.get("derive", told.get("value")) if isinstance(told, Map) else told
    return [] if told is None else [f"{_spelt(told)} otherwise"]


def _spelt(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else " ".join(str(value).split())


def _placed(spec: FactSpec, section: Section) -> FactSpec:
    return FactSpec(
        spec.name, None, "", spec.value, label=spec.label, line=section.line(), derived=spec.derived
    )
