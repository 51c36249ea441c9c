"""What adverse events are read against: groups of terms, and the reference safety information.

Who comes in: schema.py with the top of the file. Who goes out: Reference.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable

from rules.clinical.adverse import FATAL_GRADE, folded
from rules.language.clauses import source
from rules.language.loader import Map
from rules.language.reading import NAME, NAME_SHAPE, Section
from rules.language.syntax import did_you_mean
from rules.model import EventGroup, Listed, Reference

_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
_HINT = "{label: Anaphylaxis, terms: [Anaphylactic reaction], source: {..}}"


def reference(top: Section, sources: Collection[str]) -> Reference:
    """`event_groups` and `reference_safety`; without the latter nothing is said of expectation."""
    groups = tuple(_groups(top, sources))
    if "reference_safety" not in top.node:
        top.asked.add("reference_safety")
        return Reference(None, groups)
    entries = top.sections("reference_safety", "the reference safety information")
    return Reference(tuple(_listed(item, groups, sources) for item in entries), groups)


def _groups(top: Section, sources: Collection[str]) -> Iterable[EventGroup]:
    node = top.mapping("event_groups")
    for name, value in node.items():
        line, what = node.lines[name], f"the event group `{name}`"
        if not NAME.fullmatch(name):
            top.book.complain(line, f"{what} must be {NAME_SHAPE}")
        elif not isinstance(value, Map):
            top.book.complain(line, f"{what} must be a mapping", _HINT)
        else:
            value.line = line
            yield _group(Section(top.book, value, what), name, sources)


def _group(item: Section, name: str, sources: Collection[str]) -> EventGroup:
    made = EventGroup(
        name=name,
        label=item.text("label", required=True),
        terms=frozenset(map(folded, item.texts("terms"))),
        codings=frozenset(_codings(item)),
        source=source(item, sources),
    )
    if not made.terms and not made.codings:
        item.complain("terms", "names neither a term nor a coding", "terms: [Anaphylactic shock]")
    item.close()
    return made


def _codings(item: Section) -> Iterable[str]:
    """`system|code` of each."""
    for one in item.sections("codings", f"{item.what}, a coding"):
        system, code = one.text("system", required=True), one.text("code", required=True)
        one.close()
        yield f"{system}|{code}"


def _listed(item: Section, groups: Iterable[EventGroup], sources: Collection[str]) -> Listed:
    since, until = _day(item, "from"), _day(item, "until")
    if since and until and until <= since:
        item.complain("until", f"`until` must be after `from`, which is {since}")
    made = Listed(
        terms=frozenset(map(folded, item.texts("terms"))) | _of_groups(item, groups),
        max_grade=item.integer("max_grade", low=1, high=FATAL_GRADE),
        fatal=item.boolean("fatal"),
        since=since,
        until=until,
        source=source(item, sources),
    )
    if made.max_grade == FATAL_GRADE and not made.fatal:
        item.complain(
            "max_grade", "grade 5 is death, which only `fatal: true` lists", "fatal: true"
        )
    if not made.terms and not item.node.get("groups"):
        item.complain("terms", "names no term", "terms: [Pyrexia], or groups: [..]")
    item.close()
    return made


def _of_groups(item: Section, groups: Iterable[EventGroup]) -> frozenset[str]:
    """The terms of the groups that it lists."""
    known = {one.name: one.terms for one in groups}
    found: frozenset[str] = frozenset()
    for name in item.texts("groups"):
        if name in known:
            found |= known[name]
        else:
            near = did_you_mean(name, known)
            item.complain("groups", f"unknown event group `{name}`", near or "under `event_groups`")
    return found


def _day(item: Section, key: str) -> str:
    told = item.text(key)
    if told and not _DAY.fullmatch(told):
        item.complain(key, f"`{key}` must be a day", 'as "2026-03-01"')
        return ""
    return told
