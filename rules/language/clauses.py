"""Conditions and sources as keys of any section.

Who comes in: the rooms with a section and the names of its scope. Who goes out: Condition, Source.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from rules.language.conditions import compile_condition
from rules.language.parameters import Constants
from rules.language.reading import Section
from rules.language.syntax import ConditionError, UnknownFact, did_you_mean
from rules.language.vocabulary import FactType
from rules.model import Condition, Const, Source

TRUE = Const(value=True)


@dataclass
class Clauses:
    """Reads conditions; of `failed`, facts with a complaint of their own, no more is said."""

    params: Constants
    failed: set[str] = field(default_factory=set)

    def read(
        self, item: Section, key: str, names: Mapping[str, FactType], *, required: bool = True
    ) -> Condition:
        """The condition of a key; always true where it is absent or faulty."""
        item.note(key, "condition")
        value = item.raw(key, required=required)
        if isinstance(value, bool):
            return Const(value)
        if value is None:
            return TRUE
        if not isinstance(value, str):
            item.complain(key, f"`{key}` must be a condition", 'a text, as "ecog in [0, 1, 2]"')
            return TRUE
        item.book.spend(item.line(key), len(value))
        try:
            return compile_condition(value, names, self.params)
        except ConditionError as error:
            self.complain(item, key, error)
            return TRUE

    def complain(self, item: Section, key: str, error: ConditionError) -> None:
        """The fault of an expression at its own line."""
        if isinstance(error, UnknownFact) and error.name in self.failed:
            return
        message = f"{item.what}, `{key}`: {error.message}"
        item.book.complain(item.line(key) + error.line, message, error.hint)


def expression(item: Section, key: str) -> str:
    """A condition as it was written, on one line."""
    value = item.node.get(key)
    if isinstance(value, bool):
        return "true" if value else "false"
    return " ".join(value.split()) if isinstance(value, str) else ""


def source(item: Section, known: Collection[str]) -> Source:
    """The `source` of a statement: its document is one of `protocol.sources`."""
    part = item.section("source", required=True)
    if part is None:
        return Source("")
    document = part.text("document", required=True)
    if document and document not in known:
        near = did_you_mean(document, known)
        part.complain(
            "document", f"unknown source `{document}`", near or "declare it under `sources`"
        )
    found = Source(document, part.text("section"), part.text("quote"), part.text("confidence"))
    part.close()
    return found
