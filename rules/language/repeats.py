"""The same adverse event in several subjects: what counts as such, and from how many on.

Who comes in: schema.py with the top of the file. Who goes out: Repeat.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from rules.language.clauses import Clauses, expression, source
from rules.language.parameters import resolve
from rules.language.reading import Section
from rules.language.stopping import RULE_ID
from rules.language.vocabulary import FactType
from rules.model import Repeat

MOST = 1000


def repeats(
    top: Section,
    clauses: Clauses,
    sources: Collection[str],
    names: Mapping[str, FactType],
    stopping: Collection[str] = (),
) -> tuple[Repeat, ...]:
    """Everything under `repeats`; `names`: what a condition over one adverse event may name.

    `stopping`: the ids of stopping rules, which count subjects under theirs and share none.
    """
    found: dict[str, Repeat] = {}
    for item in top.sections("repeats", "the repeat"):
        made = Repeat(
            id=item.name("id", RULE_ID, "capital letters, digits and -, as RP-SAME"),
            title=item.text("title", required=True),
            when=clauses.read(item, "when", names),
            subjects=_subjects(item, clauses),
            source=source(item, sources),
            expression=expression(item, "when"),
            line=item.line(),
            lines=item.node.lines,
        )
        item.close()
        if found.setdefault(made.id, made) is not made:
            item.complain("id", "stands twice", f"first on line {found[made.id].line}")
        if made.id in stopping:
            item.complain("id", f"`{made.id}` is a stopping rule's id", "choose another")
    return tuple(found.values())


def _subjects(item: Section, clauses: Clauses) -> int:
    told = resolve(item, "subjects", clauses.params, "1")
    if told is None and "subjects" not in item.node:
        item.raw("subjects", required=True)
    return item.whole("subjects", told, 2, MOST) or 2
