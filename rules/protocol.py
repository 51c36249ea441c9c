"""A protocol ready to judge: its definition and the functions compiled from it.

Who comes in: the front door. Who goes out: Protocol.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

from rules.assessment import compile_criteria
from rules.errors import Complaint, ProtocolError
from rules.explanation.explainer import Explainer
from rules.language import schema
from rules.language.events import EventChecker
from rules.model import Definition, Scalar


class Protocol:
    """One version of one trial's protocol. Immutable; safe to share within a process."""

    def __init__(self, definition: Definition) -> None:
        """Compile the criteria of a definition that the language has checked."""
        self.definition = definition
        self.id, self.version, self.digest = definition.id, definition.version, definition.digest
        self.program = compile_criteria(definition)
        self.assess = self.program.assess

    @cached_property
    def checker(self) -> EventChecker:
        """Judges published events against the declarations."""
        return EventChecker(self.definition)

    @cached_property
    def explainer(self) -> Explainer:
        """Says why, what if, and what is still to be found out."""
        return Explainer(self.definition)

    def explain(self, facts: Mapping[str, Scalar]) -> dict[str, dict[str, Any]]:
        """By criterion the clause tree of its condition, with each clause's value over `facts`."""
        return self.explainer.explain(facts)

    def problems(
        self, kind: str, data: object, time_us: int, source: str = ""
    ) -> list[tuple[str, str, str]]:
        """What is wrong with one event's data: (pointer, detail, hint) each; empty if nothing."""
        return self.checker.check(kind, data, time_us, source)[1]


def load(path: str | Path) -> Protocol:
    """Read and compile a protocol file. Raises ProtocolError with every complaint."""
    file = Path(path)
    try:
        text = file.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise ProtocolError(
            [Complaint(str(path), 1, "not UTF-8 text", "save it as UTF-8")]
        ) from None
    except OSError as error:
        reason = error.strerror or "cannot be read"
        raise ProtocolError([Complaint(str(path), 1, f"cannot be read: {reason}")]) from None
    return loads(text, str(path))


def loads(text: str, file: str = "<protocol>") -> Protocol:
    """The same for a text; `file` stands in complaints."""
    return Protocol(schema.read(text, file))
