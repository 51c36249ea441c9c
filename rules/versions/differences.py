"""What one version of a protocol changes of another, for a person to read and to judge.

Who comes in: the front door, with two versions. Who goes out: plain dicts, or text.
Everything but its place in the file counts; a change of words alone is said to be one.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import fields
from enum import StrEnum
from typing import Any

from rules.facts import units
from rules.model import (
    AlertRule,
    And,
    Code,
    Compare,
    Const,
    Criterion,
    Definition,
    Has,
    In,
    Not,
    Or,
    StoppingRule,
)
from rules.protocol import Protocol
from rules.stopping.design import Design
from rules.terms import AmendmentKind, Category
from rules.versions import expectation, renaming

Json = dict[str, Any]


class Touches(StrEnum):
    """What a change is about; words alone touch nothing that is judged."""

    ELIGIBILITY = "eligibility"
    SAFETY = "safety"  # safety, stopping, response, conduct: what protects every subject
    PROCEDURES = "procedures"  # what subjects consented to
    PUBLISHING = "publishing"  # what may be sent
    TEXT = "text"


_PLACES = {"line", "lines", "stated", "stated_if", "expression", "among_expression"}
_WORDS = {
    "text", "source", "interpretation", "title", "detail", "action", "label", "reason", "owner",
}  # fmt: skip
_WRITTEN = {"when": "expression", "endpoint": "expression", "among": "among_expression"}
_HEAD = (
    *("title", "time_zone", "sponsor_time_zone", "dictionaries", "target", "sex"),
    *("outcomes", "sources", "product"),
)
_SECTIONS = (
    *("criteria", "gate", "rules", "stopping", "repeats", "schedule", "clocks"),
    *("facts", "parameters", "codes"),
)
_TITLES = {
    "protocol": "The trial", "criteria": "Criteria", "gate": "Gate before an infusion",
    "rules": "Rules", "stopping": "Stopping rules",
    "repeats": "The same event in several subjects",
    "schedule": "Visits", "clocks": "Reporting clocks", "facts": "Facts",
    "parameters": "Parameters", "codes": "What may be published",
}  # fmt: skip
_PARAMETER = re.compile(r"\bparams\.([A-Za-z_][A-Za-z0-9_]*)")


def diff(old: Protocol, new: Protocol) -> Json:
    """Every difference from `old` to `new`, and warnings where the amendment says otherwise."""
    before, after = _written(old.definition), _written(new.definition)
    readers = _Readers(before, after)
    found = [*_head(before, after)]
    for section in _SECTIONS:
        found += _section(section, _items(before, section), _items(after, section), readers)
    amends = new.definition.amends
    return {
        "from": {"version": old.version, "digest": old.digest},
        "to": {"version": new.version, "digest": new.digest},
        "amends": None if amends is None else plain(amends),
        "changes": found,
        "touches": sorted({touch for change in found for touch in change["touches"]}),
        "warnings": _warnings(old, new, found),
    }


def _written(definition: Definition) -> Definition:
    """With conditions as they stand in the file."""
    return definition.as_written or definition


def _items(definition: Definition, section: str) -> dict[str, Any]:
    """The declarations of one section, by name."""
    found = getattr(definition, section)
    if section == "codes":
        return {f"{kind.value} {code}": item for (kind, code), item in found.items()}
    return dict(found) if isinstance(found, Mapping) else {item.id: item for item in found}


def _head(before: Definition, after: Definition) -> Iterator[Json]:
    keys = [
        {"key": name, "from": plain(getattr(before, name)), "to": plain(getattr(after, name))}
        for name in _HEAD
        if getattr(before, name) != getattr(after, name)
    ]
    one, other = expectation.told(before), expectation.told(after)
    keys += [
        {"key": name, "from": one[name], "to": other[name]}
        for name in one
        if one[name] != other[name]
    ]
    if keys:
        words = all(item["key"] in {"title", "outcomes", "sources"} for item in keys)
        touches = [Touches.TEXT.value if words else Touches.SAFETY.value]
        yield _change("protocol", after.id, "changed", touches, keys)


def _section(
    section: str, before: Mapping[str, Any], after: Mapping[str, Any], readers: _Readers
) -> Iterator[Json]:
    for name in dict.fromkeys((*before, *after)):
        one, other = before.get(name), after.get(name)
        if one is None or other is None:
            item = other if one is None else one
            what = "added" if one is None else "removed"
            keys = _all_keys(item, added=one is None)
            yield _change(section, name, what, readers.touched(section, name, item), keys)
        elif keys := _keys(one, other):
            words = all(item["key"] in _WORDS for item in keys)
            touched = readers.touched(section, name, one) | readers.touched(section, name, other)
            yield _change(section, name, "changed", {Touches.TEXT} if words else touched, keys)


def _change(section: str, name: str, what: str, touches: Collection[str], keys: list[Json]) -> Json:
    return {
        "section": section,
        "id": name,
        "what": what,
        "touches": sorted(str(touch) for touch in touches),
        "keys": keys,
    }


def _keys(one: Any, other: Any) -> list[Json]:
    """The keys of one declaration whose values differ."""
    left, right = _held(one), _held(other)
    return [
        {"key": name, "from": said[0], "to": said[1]}
        for name in dict.fromkeys((*left, *right))
        if left.get(name) != right.get(name)
        for said in [_both(one, other, name)]
    ]


def _held(item: Any) -> dict[str, Any]:
    """What a declaration says, by key; a stopping rule's design and limits beside the rest."""
    found = {one.name: getattr(item, one.name) for one in fields(item)}
    if isinstance(item, StoppingRule):
        found |= _planned(found.pop("design"))
        found |= {"table": item.table, "exposure": item.exposure}
    return {name: value for name, value in found.items() if name not in _PLACES}


def _planned(design: Design) -> dict[str, Any]:
    """What a design says that is no default; a table's looks stand in the table."""
    return {
        one.name: value
        for one in fields(design)
        if (value := getattr(design, one.name)) != one.default
        and one.name not in {"window_days", "table"}
        and not (one.name == "looks" and design.table)
    }


def _both(one: Any, other: Any, name: str) -> tuple[Any, Any]:
    """A key's two values: as written where that shows the difference, else as it is meant."""
    left, right = _shown(one, name), _shown(other, name)
    if left == right:
        return plain(_held(one).get(name)), plain(_held(other).get(name))
    return left, right


def _shown(item: Any, name: str) -> Any:
    written = getattr(item, _WRITTEN.get(name, ""), "")
    return " ".join(written.split()) if written else plain(_held(item).get(name))


def _all_keys(item: Any, *, added: bool) -> list[Json]:
    """What a declaration says that came or went."""
    found = []
    for name in _held(item):
        value = _shown(item, name)
        if value not in (None, "", [], {}, False):
            found.append({"key": name, "from": None, "to": value})
    if not added:
        found = [{**one, "from": one["to"], "to": None} for one in found]
    return found


# --- values as a person reads them ------------------------------------------------------------
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
        return {name: one for name, one in shown.items() if name not in _PLACES and one is not None}
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


# --- what a change is about -------------------------------------------------------------------
class _Readers:
    """Who reads a fact, a code or a parameter, in either version."""

    def __init__(self, *versions: Definition) -> None:
        self.facts: dict[str, set[Touches]] = {}
        self.codes: dict[str, set[Touches]] = {}
        self.parameters: dict[str, set[Touches]] = {}
        for definition in versions:
            for part in (*definition.criteria, *definition.rules, *definition.stopping):
                self._follow(definition, part)
            for item in definition.gate:
                self._follow(definition, item, Touches.SAFETY)
            for clock in definition.clocks:
                for name in _PARAMETER.findall(clock.expression):
                    self.parameters.setdefault(name, set()).add(Touches.SAFETY)
            for visit in definition.schedule:
                for name in (visit.id, *visit.collects):
                    self._fact(definition, name, Touches.PROCEDURES)

    def touched(self, section: str, name: str, item: Any) -> set[Touches]:
        """What a declaration of that section is about; without readers, publishing alone."""
        if section == "schedule":
            return {Touches.PROCEDURES}
        if section in {"clocks", "gate"}:
            return {Touches.SAFETY}
        if section in {"criteria", "rules", "stopping"}:
            return {_about(item)}
        kept = {"facts": self.facts, "codes": self.codes, "parameters": self.parameters}[section]
        also = {Touches.PUBLISHING} if section == "codes" else set()
        return kept.get(name, set()) | also or {Touches.TEXT}

    def _follow(self, definition: Definition, part: Any, about: Touches | None = None) -> None:
        about = about or _about(part)
        texts = f"{part.expression} {getattr(part, 'among_expression', '')}"
        for name in _PARAMETER.findall(texts):
            self.parameters.setdefault(name, set()).add(about)
        for name in _named(part):
            self._fact(definition, name, about)

    def _fact(self, definition: Definition, name: str, about: Touches) -> None:
        spec = definition.facts.get(name)
        if spec is None or about in self.facts.get(name, ()):
            return
        self.facts.setdefault(name, set()).add(about)
        for code in (spec.code, *spec.also):
            if spec.origin is not None:
                self.codes.setdefault(f"{spec.origin.value} {code}", set()).add(about)
        for text in (spec.derived.expression if spec.derived else "",):
            for parameter in _PARAMETER.findall(text):
                self.parameters.setdefault(parameter, set()).add(about)
        for other in renaming.facts_behind(spec):
            self._fact(definition, other, about)


def _named(part: Any) -> Iterable[str]:
    if isinstance(part, Criterion):
        return (*renaming.names_of(part.when), *renaming.names_of(part.applicable_if))
    if isinstance(part, AlertRule):
        return renaming.mentioned(part)
    return (*renaming.names_of(part.endpoint), *renaming.names_of(part.among))


def _about(item: Any) -> Touches:
    if isinstance(item, Criterion):
        return Touches.ELIGIBILITY
    if isinstance(item, AlertRule) and item.category is Category.ELIGIBILITY:
        return Touches.ELIGIBILITY
    return Touches.SAFETY


def concerning(found: Json, *versions: Protocol) -> dict[str, list[Json]]:
    """By criterion, rule and stopping rule: the changes in `found` of what it says or rests on."""
    changes = {(change["section"], change["id"]): change for change in found["changes"]}
    result: dict[str, list[Json]] = {}
    for one in versions:
        definition = _written(one.definition)
        for section in ("criteria", "rules", "stopping"):
            for part in getattr(definition, section):
                names = {(section, part.id), *_behind(definition, part)}
                told = result.setdefault(part.id, [])
                told += [changes[name] for name in changes if name in names]
    return {name: _once(told) for name, told in result.items()}


def clashes(old: Protocol, new: Protocol) -> list[str]:
    """Codes of which `new` cannot read what was published under `old`: another type of value, a
    unit that does not convert, a word that is no longer one of its values.
    """
    return [
        code
        for (kind, code), one in old.definition.codes.items()
        if (other := new.definition.codes.get((kind, code))) is not None
        and not _readable(one, other)
    ]


def _readable(one: Code, other: Code) -> bool:
    if one.value is not other.value or not set(one.values) <= set(other.values):
        return False
    if one.unit is None or other.unit is None:
        return one.unit == other.unit
    if one.molar_mass is not None and other.molar_mass is None:  # both mass and amount were taken
        return False
    return units.convertible(one.unit, other.unit, other.molar_mass)


def _behind(definition: Definition, part: Any) -> Iterator[tuple[str, str]]:
    """The facts, codes and parameters that a criterion or rule rests on."""
    texts = [part.expression, getattr(part, "among_expression", "")]
    waiting, seen = list(_named(part)), set()
    while waiting:
        name = waiting.pop()
        spec = definition.facts.get(name)
        if name in seen:
            continue
        seen.add(name)
        if spec is None:
            yield from _judging(definition, name)
            continue
        yield "facts", name
        if spec.origin is not None:
            yield from (
                ("codes", f"{spec.origin.value} {code}") for code in (spec.code, *spec.also)
            )
        if spec.derived is not None:
            texts.append(spec.derived.expression)
        waiting += renaming.facts_behind(spec)
    for name in _PARAMETER.findall(" ".join(texts)):
        yield "parameters", name


def _judging(definition: Definition, name: str) -> Iterator[tuple[str, str]]:
    """The criteria behind a name that is no fact: the decision's, or one criterion's own."""
    for item in definition.criteria:
        if name in {"decision", item.id}:
            yield "criteria", item.id
            yield from _behind(definition, item)


def _once(several: list[Json]) -> list[Json]:
    return list({(one["section"], one["id"]): one for one in several}.values())


# --- warnings and text ------------------------------------------------------------------------
def _warnings(old: Protocol, new: Protocol, found: Iterable[Json]) -> list[str]:
    amends = new.definition.amends
    if amends is None:
        hint = f'amends: {{version: "{old.version}", kind: minor | major, summary: ..}}'
        return [f"the version does not say what it amends; add {hint}"]
    warnings = []
    if amends.version != old.version:
        warnings.append(f"the version says that it amends {amends.version}, not {old.version}")
    if amends.kind is AmendmentKind.MINOR:
        warnings += [
            f"{_said(change)}, yet the amendment is declared minor: nobody is asked to consent anew"
            for change in found
            if change["touches"] != [Touches.TEXT.value] and _weighs(change)
        ]
    return warnings


def _weighs(change: Json) -> bool:
    """Criteria, what they rest on, consented procedures and stopping rules."""
    consented = {Touches.ELIGIBILITY.value, Touches.PROCEDURES.value}
    return change["section"] == "stopping" or bool(consented.intersection(change["touches"]))


def _said(change: Json) -> str:
    return f"{_TITLES[change['section']].lower()}: {change['id']} is {change['what']}"


def diff_text(found: Json) -> str:
    """The differences as lines for a terminal."""
    lines = [f"From version {found['from']['version']} to {found['to']['version']}"]
    if found["amends"] is not None:
        lines.append(f"A {found['amends']['kind']} amendment: {found['amends']['summary']}")
    lines += [f"WARNING: {text}" for text in found["warnings"]]
    section = ""
    for change in found["changes"]:
        if change["section"] != section:
            section = change["section"]
            lines += ["", _TITLES[section]]
        lines.append(f"  {change['id']} {change['what']} ({', '.join(change['touches'])})")
        lines += [f"    {line}" for item in change["keys"] for line in _key_lines(item)]
    return "\n".join(lines if found["changes"] else [*lines, "", "Nothing differs."])


def _key_lines(item: Json) -> Iterator[str]:
    if item["from"] is None or item["to"] is None:
        value = item["to"] if item["from"] is None else item["from"]
        yield f"{item['key']}: {_text(value)}"
        return
    yield f"{item['key']}:"
    yield f"  from {_text(item['from'])}"
    yield f"  to   {_text(item['to'])}"


def _text(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {_text(one)}" for key, one in value.items())
    if isinstance(value, list):
        return ", ".join(_text(one) for one in value)
    return " ".join(str(value).split())
