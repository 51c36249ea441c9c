"""What can go wrong in the knowledge. No text here ever holds a subject's value."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, order=True)
class Complaint:
    """One fault of a protocol file; prints as `FILE:LINE: message (hint)`."""

    file: str
    line: int
    message: str
    hint: str = ""

    def __str__(self) -> str:
        """The form that `vigil protocol check` prints: one line, whatever words the file has."""
        hint = f" ({self.hint})" if self.hint else ""
        return " ".join(f"{self.file}:{self.line}: {self.message}{hint}".splitlines())


class RuleError(Exception):
    """The root of the tree."""


class ProtocolError(RuleError):
    """A protocol file that must not be trusted: a bad one is never half loaded."""

    def __init__(self, complaints: list[Complaint]) -> None:
        """Keep every complaint, in the order of the file."""
        self.complaints = sorted(complaints)
        super().__init__("\n".join(str(complaint) for complaint in self.complaints))


class EngineFailure(RuleError):
    """durable-rules did not answer as it must: no canary, an exception, a dead session."""


class EvaluationError(RuleError):
    """A step could not be made; it is never a quiet 'no alert'."""


class LogNeeded(RuleError):
    """The step must fold the subject again from its log: call again with `log`."""


class SimulationError(RuleError):
    """Virtual trials cannot be run as asked; `hint` says how to mend it."""

    def __init__(self, message: str, hint: str = "") -> None:
        """A sentence, and what to do."""
        super().__init__(message)
        self.hint = hint
