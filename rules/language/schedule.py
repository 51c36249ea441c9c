"""Visits, relations between entities, and what a version amends.

Who comes in: schema.py with sections of the tree. Who goes out: Visit, Relation, Amendment.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass

from rules.language.clauses import TRUE, Clauses, source
from rules.language.codes import Codes
from rules.language.loader import Map
from rules.language.parameters import Constants, resolve
from rules.language.reading import NAME, NAME_SHAPE, Section
from rules.language.syntax import did_you_mean
from rules.language.vocabulary import declared
from rules.language.windows import check_anchor, duration
from rules.model import Amendment, Code, FactSpec, Relation, Visit
from rules.terms import AmendmentKind, EventType, Relate, Scope

FARTHEST = 36_500
OWNERS_OF_RELATIONS = (Scope.ADVERSE_EVENT, Scope.INFUSION, Scope.VISIT, Scope.DEATH)
RELATED = (Scope.INFUSION, Scope.ADVERSE_EVENT)


def procedures(top: Section, codes: Codes) -> None:
    """Each visit is a procedure of its id, which may be published as done or not done."""
    nodes = top.items("schedule")
    for node, line in zip(nodes, nodes.lines, strict=True):
        name = node.get("id") if isinstance(node, Map) else None
        if not isinstance(name, str) or not NAME.fullmatch(name) or "administration" in node:
            continue
        told = node.get("label")
        label = told if isinstance(told, str) and told else name
        codes.setdefault(
            (EventType.PROCEDURE, name), Code(name, EventType.PROCEDURE, label, line=line)
        )


@dataclass(frozen=True)
class Known:
    """What a visit may name."""

    codes: Codes
    facts: dict[str, FactSpec]
    clauses: Clauses
    sources: Collection[str]


def visits(top: Section, known: Known) -> tuple[Visit, ...]:
    """The visits of the schedule, in the order of the file."""
    result: dict[str, Visit] = {}
    for item in top.sections("schedule", "the visit"):
        visit = _visit(item, known)
        item.close()
        first = result.setdefault(visit.id, visit)
        if visit.id and first is not visit:
            item.complain("id", "stands twice", f"first on line {first.line}")
        number = visit.administration
        other = number and next((v for v in result.values() if v.administration == number), visit)
        if other and other is not visit:
            hint = f"first on line {other.line}"
            item.complain("administration", f"infusion {number} stands twice", hint)
    return tuple(result.values())


def _visit(item: Section, known: Known) -> Visit:
    clauses, names = known.clauses, declared(known.facts)
    name = item.name("id", NAME, NAME_SHAPE)
    anchor = item.text("after", required=True)
    if anchor:
        check_anchor(item, "after", anchor, known.facts)
    day = _days(item, "day", clauses.params, -FARTHEST)
    if day is None and "day" not in item.node:
        item.raw("day", required=True)
    applies = clauses.read(item, "applicable_if", names, required=False)
    number = item.whole(
        "administration", resolve(item, "administration", clauses.params, "1"), 1, 1000
    )
    _check_order(item, anchor, number)
    return Visit(
        id=name,
        label=item.text("label", required=True),
        anchor=anchor,
        day=day or 0,
        early_days=_days(item, "early_days", clauses.params, 0) or 0,
        late_days=_days(item, "late_days", clauses.params, 0) or 0,
        source=source(item, known.sources),
        collects=_collects(item, known.codes),
        owner=item.text("owner"),
        applicable_if=None if applies == TRUE else applies,
        line=item.line(),
        administration=number,
    )


def _check_order(item: Section, anchor: str, number: int | None) -> None:
    """An infusion counted from itself, or from one after it, would never be due."""
    first = "infusion_1" if anchor == "first_infusion" else anchor
    numbered = re.fullmatch(r"infusion_([0-9]+)", first, re.ASCII)
    if number is not None and numbered and int(numbered[1]) >= number:
        message = f"infusion {number} would never be due: it is counted from `{anchor}`"
        item.complain("after", message, "count it from what comes before it")


def _days(item: Section, key: str, params: Constants, low: int) -> int | None:
    return item.whole(key, resolve(item, key, params, "d"), low, FARTHEST)


def _collects(item: Section, codes: Codes) -> tuple[str, ...]:
    told = item.texts("collects")
    known = {name for _, name in codes}
    for name in told:
        if name not in known:
            near = did_you_mean(name, known)
            item.complain("collects", f"no code `{name}` is declared", near or "under `codes`")
    return told


def relations(top: Section, params: Constants) -> dict[str, Relation]:
    """`name: {on, to, take, within}`."""
    result: dict[str, Relation] = {}
    node = top.mapping("relations")
    for name, value in node.items():
        line, what = node.lines[name], f"the relation `{name}`"
        if not NAME.fullmatch(name):
            top.book.complain(line, f"{what} must be {NAME_SHAPE}")
        elif not isinstance(value, Map):
            hint = "{on: adverse_event, to: infusion, take: last_before}"
            top.book.complain(line, f"{what} must be a mapping", hint)
        else:
            value.line = line
            made = _relation(Section(top.book, value, what), name, params)
            if made is not None:
                result[name] = made
    return result


def _relation(item: Section, name: str, params: Constants) -> Relation | None:
    on = item.choice("on", OWNERS_OF_RELATIONS)
    to = item.choice("to", RELATED)
    take = item.enum("take", Relate)
    within = duration(item, params, "within")
    item.close()
    if not on or not to or take is None:
        return None
    return Relation(name, Scope(on), Scope(to), take, within, item.line())


def amendment(header: Section, pattern: re.Pattern[str]) -> Amendment | None:
    """`amends: {version, kind, summary, reconsent_within_days}`."""
    part = header.section("amends")
    if part is None:
        return None
    kind = part.enum("kind", AmendmentKind)
    days = part.integer("reconsent_within_days", low=1, high=3650)
    if days is not None and kind is AmendmentKind.MINOR:
        message = "only a major amendment needs consent again"
        part.complain("reconsent_within_days", message, "kind: major")
    version = part.name("version", pattern, 'a short text, as "1.0"')
    if version and version == header.node.get("version"):
        part.complain("version", "a version does not amend itself", "the version before it")
    summary = part.text("summary", required=True)
    part.close()
    return Amendment(version, kind or AmendmentKind.MINOR, summary, days)
