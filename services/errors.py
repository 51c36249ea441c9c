"""What can go wrong in the corridor, by name. No HTTP here: api.py maps these to statuses."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Problem:
    """One complaint about one place of the input; `pointer` is a JSON pointer within the event."""

    pointer: str
    detail: str
    hint: str = ""
    index: int = 0


class ServiceError(Exception):
    """The root of the tree; its text never holds a clinical value or a subject."""


class ConfigError(ServiceError):
    """A setting is wrong: the text names the variable and what was expected."""


@dataclass
class Rejected(ServiceError):
    """The input is well-formed and wrong; nothing of it was stored."""

    problems: list[Problem] = field(default_factory=list)


class Malformed(ServiceError):
    """The input cannot be read at all: broken JSON, a duplicate key, not UTF-8."""


class TooLarge(ServiceError):
    """More bytes or more events than one request may bring."""


class UnsupportedContent(ServiceError):
    """A content type that this door does not read."""


class Conflict(ServiceError):
    """The same name was used before for something else; `problems` says where, if in a list."""

    def __init__(self, message: str = "", problems: Iterable[Problem] = ()) -> None:
        """Keep the places beside the text."""
        super().__init__(message)
        self.problems = list(problems)


class NotFound(ServiceError):
    """There is no such thing, or the key may not know that there is."""


class Unauthenticated(ServiceError):
    """No key, or one that is unknown or revoked."""


class Forbidden(ServiceError):
    """The key's role or trials do not reach this."""


class Busy(ServiceError):
    """The store cannot take it now; the same request will succeed later."""


class NewerEngine(ServiceError):
    """The stream's state was written by a newer engine: this worker leaves it alone."""


class ChannelError(ServiceError):
    """A delivery failed; `permanent` says that trying again cannot help."""

    def __init__(self, message: str, *, permanent: bool = False) -> None:
        """Keep `message` free of clinical values: it is stored with the attempt."""
        super().__init__(message)
        self.permanent = permanent
