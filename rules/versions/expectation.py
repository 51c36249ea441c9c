"""What adverse events are read against, in words that two versions can be compared by.

Who comes in: differences. Who goes out: lists of short texts by key of the file.
"""

from __future__ import annotations

from rules.model import Definition, EventGroup, Listed


def told(definition: Definition) -> dict[str, list[str] | None]:
    """`event_groups` and `reference_safety`; the latter None where none is declared."""
    reference = definition.reference
    listed = reference.listed
    return {
        "event_groups": [_group(one) for one in reference.groups],
        "reference_safety": None if listed is None else [_listed(one) for one in listed],
    }


def _group(group: EventGroup) -> str:
    return f"{group.name}: {', '.join(sorted({*group.terms, *group.codings}))}"


def _listed(one: Listed) -> str:
    grade = "any grade" if one.max_grade is None else f"up to grade {one.max_grade}"
    since = f", from {one.since}" if one.since else ""
    until = f", until {one.until}" if one.until else ""
    fatal = ", fatal too" if one.fatal else ""
    return f"{', '.join(sorted(one.terms))}: {grade}{fatal}{since}{until}"
