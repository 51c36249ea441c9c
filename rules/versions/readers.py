"""What a declaration of a protocol is about, by who reads it and what it rests on.

Who comes in: differences, with the definitions of two versions. Who goes out: Touches, names.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from enum import StrEnum
from typing import Any

from rules.model import AlertRule, Definition, FactSpec
from rules.terms import Category
from rules.versions import renaming

# Of which sections the parts judge, and so read facts.
JUDGING = ("criteria", "gate", "rules", "stopping", "repeats", "response")
# The conditions of a part that judges, each with the key of its text as it stands in the file.
CONDITIONS = {
    "when": "expression",
    "applicable_if": "",
    "endpoint": "expression",
    "among": "among_expression",
    "evaluable_when": "evaluable_expression",
    "responder_when": "responder_expression",
}
PARAMETER = re.compile(r"\bparams\.([A-Za-z_][A-Za-z0-9_]*)")


class Touches(StrEnum):
    """What a change is about; words alone touch nothing that is judged."""

    ELIGIBILITY = "eligibility"
    SAFETY = "safety"  # safety, stopping, response, conduct: what protects every subject
    PROCEDURES = "procedures"  # what subjects consented to
    PUBLISHING = "publishing"  # what may be sent
    TEXT = "text"


class Readers:
    """Who reads a fact, a code or a parameter, in either version."""

    def __init__(self, *versions: Definition) -> None:
        self._kept: dict[str, dict[str, set[Touches]]] = {
            section: {} for section in ("facts", "codes", "parameters")
        }
        for definition in versions:
            for section in JUDGING:
                for part in getattr(definition, section):
                    self._follow(definition, part, about(section, part))
            for clock in definition.clocks:
                self._parameters(clock.expression, Touches.SAFETY)
            for visit in definition.schedule:
                for name in (visit.id, *visit.collects):
                    self._fact(definition, name, Touches.PROCEDURES)

    def touched(self, section: str, name: str, item: Any) -> set[Touches]:
        """What a declaration of that section is about; without readers, publishing alone."""
        if section not in self._kept:
            return {about(section, item)}
        also = {Touches.PUBLISHING} if section == "codes" else set()
        return self._kept[section].get(name, set()) | also or {Touches.TEXT}

    def _follow(self, definition: Definition, part: Any, touch: Touches) -> None:
        self._parameters(_texts(part), touch)
        for name in _named(part):
            self._fact(definition, name, touch)

    def _parameters(self, text: str, touch: Touches) -> None:
        for name in PARAMETER.findall(text):
            self._keep("parameters", name, touch)

    def _keep(self, section: str, name: str, touch: Touches) -> None:
        self._kept[section].setdefault(name, set()).add(touch)

    def _fact(self, definition: Definition, name: str, touch: Touches) -> None:
        spec = definition.facts.get(name)
        if spec is None or touch in self._kept["facts"].get(name, ()):
            return
        self._keep("facts", name, touch)
        for code in _codes(spec):
            self._keep("codes", code, touch)
        self._parameters(spec.derived.expression if spec.derived else "", touch)
        for other in renaming.facts_behind(spec):
            self._fact(definition, other, touch)


def about(section: str, item: Any) -> Touches:
    """What a part that judges, or a visit, is about."""
    if section == "schedule":
        return Touches.PROCEDURES
    eligible = isinstance(item, AlertRule) and item.category is Category.ELIGIBILITY
    return Touches.ELIGIBILITY if section == "criteria" or eligible else Touches.SAFETY


def behind(definition: Definition, part: Any) -> Iterator[tuple[str, str]]:
    """The facts, codes and parameters that a part which judges rests on, by section and name."""
    texts = [_texts(part)]
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
        yield from (("codes", code) for code in _codes(spec))
        if spec.derived is not None:
            texts.append(spec.derived.expression)
        waiting += renaming.facts_behind(spec)
    for name in PARAMETER.findall(" ".join(texts)):
        yield "parameters", name


def _judging(definition: Definition, name: str) -> Iterator[tuple[str, str]]:
    """The criteria behind a name that is no fact: the decision's, or one criterion's own."""
    for item in definition.criteria:
        if name in {"decision", item.id}:
            yield "criteria", item.id
            yield from behind(definition, item)


def _conditions(part: Any) -> Iterator[tuple[Any, str]]:
    """Its conditions, each with its text in the file."""
    for condition, text in CONDITIONS.items():
        if getattr(part, condition, None) is not None:
            yield getattr(part, condition), getattr(part, text, "")


def _texts(part: Any) -> str:
    return " ".join(text for _, text in _conditions(part))


def _named(part: Any) -> Iterator[str]:
    if isinstance(part, AlertRule):
        yield from renaming.mentioned(part)
        return
    for condition, _ in _conditions(part):
        yield from renaming.names_of(condition)


def _codes(spec: FactSpec) -> Iterator[str]:
    if spec.origin is not None:
        yield from (f"{spec.origin.value} {code}" for code in (spec.code, *spec.also))
