"""What one version of a protocol changes of another, for a person to read and to judge.

Who comes in: the front door, with two versions. Who goes out: plain dicts, or text.
Everything but its place in the file counts; a change of words alone is said to be one.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import fields
from typing import Any

from rules.facts import units
from rules.model import Code, Definition, StoppingRule
from rules.protocol import Protocol
from rules.stopping.design import Design
from rules.versions import expectation, wording
from rules.versions.readers import CONDITIONS, JUDGING, Readers, Touches, behind
from rules.versions.spelling import PLACES, plain

Json = dict[str, Any]

_WORDS = {
    "text", "source", "interpretation", "title", "detail", "action", "label", "reason", "owner",
}  # fmt: skip
HEAD = (
    *("title", "time_zone", "sponsor_time_zone", "dictionaries", "target", "sex"),
    *("outcomes", "sources", "product", "consent_version", "aliases"),
)
SECTIONS = (
    *("criteria", "gate", "rules", "stopping", "repeats", "response", "schedule", "clocks"),
    *("facts", "parameters", "codes"),
)


def diff(old: Protocol, new: Protocol) -> Json:
    """Every difference from `old` to `new`, and warnings where the amendment says otherwise."""
    before, after = _written(old.definition), _written(new.definition)
    readers = Readers(before, after)
    found = [*_head(before, after)]
    for section in SECTIONS:
        found += _section(section, _items(before, section), _items(after, section), readers)
    amends = new.definition.amends
    return {
        "from": {"version": old.version, "digest": old.digest},
        "to": {"version": new.version, "digest": new.digest},
        "amends": None if amends is None else plain(amends),
        "changes": found,
        "touches": sorted({touch for change in found for touch in change["touches"]}),
        "warnings": wording.warnings(old, new, found),
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
        for name in HEAD
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
    section: str, before: Mapping[str, Any], after: Mapping[str, Any], readers: Readers
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


# Keys that the file calls otherwise.
_CALLED = {
    ("gate", "when"): "closed_when",
    ("response", "evaluable_when"): "evaluable",
    ("response", "responder_when"): "responder",
}


def _change(section: str, name: str, what: str, touches: Collection[str], keys: list[Json]) -> Json:
    return {
        "section": section,
        "id": name,
        "what": what,
        "touches": sorted(str(touch) for touch in touches),
        "keys": [{**one, "key": _CALLED.get((section, one["key"]), one["key"])} for one in keys],
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
    return {name: value for name, value in found.items() if name not in PLACES}


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
    written = getattr(item, CONDITIONS.get(name, ""), "")
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


def concerning(found: Json, *versions: Protocol) -> dict[str, list[Json]]:
    """By criterion, rule and stopping rule: the changes in `found` of what it says or rests on."""
    changes = {(change["section"], change["id"]): change for change in found["changes"]}
    result: dict[str, list[Json]] = {}
    for one in versions:
        definition = _written(one.definition)
        for section in JUDGING:
            for part in getattr(definition, section):
                names = {(section, part.id), *behind(definition, part)}
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


def _once(several: list[Json]) -> list[Json]:
    return list({(one["section"], one["id"]): one for one in several}.values())
