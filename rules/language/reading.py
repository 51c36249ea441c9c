"""Typed access to the loader's tree, with a complaint instead of an exception for every fault.

Who comes in: schema.py and its parts, with nodes of the tree. Who goes out: plain values; a
faulty one comes back as None (or a harmless default) and leaves its complaint, with its line.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from enum import StrEnum
from typing import TypeVar

from rules.errors import Complaint, ProtocolError
from rules.language.loader import MAX_COMPLAINTS, Map, Seq, Tree
from rules.language.syntax import did_you_mean

E = TypeVar("E", bound=StrEnum)
MAX_TEXT = 20_000
_COMMA = "within { } quote a text that holds a comma"  # the rest of the text is read as a key
MAX_ENTRIES = 1000  # of one list or mapping
# What reading may cost, in characters of conditions (15 microseconds each); a unit costs as many.
MAX_WORK, WORK_OF_UNIT, WORK_OF_EVENT = 200_000, 400, 2
NAME = re.compile(r"[a-z][a-z0-9_]{0,63}")
NAME_SHAPE = "lower-case letters, digits and _, beginning with a letter"


class Book:
    """The complaints of one file."""

    def __init__(self, file: str) -> None:
        """Begin with none."""
        self.file = file
        self.complaints: list[Complaint] = []
        self.work = MAX_WORK
        self.units: set[str] = set()

    def complain(self, line: int, message: str, hint: str = "") -> None:
        """Write one down. Raises ProtocolError where there are more than anybody would mend."""
        complaint = Complaint(self.file, line, message, hint)
        if complaint not in self.complaints:
            self.complaints.append(complaint)
        if len(self.complaints) >= MAX_COMPLAINTS:
            raise ProtocolError(self.complaints)

    def spend(self, line: int, work: int) -> None:
        """Keep count of what reading costs. Raises ProtocolError where a file asks for too much."""
        self.work -= work
        if self.work < 0:
            message = "the conditions, units and events of this file are too many"
            self.complain(line, message, "divide the protocol, or its scenarios")
            raise ProtocolError(self.complaints)

    def spend_unit(self, line: int, unit: str) -> None:
        """The same for a unit, once for each."""
        if unit not in self.units:
            self.units.add(unit)
            self.spend(line, WORK_OF_UNIT)

    def asked(self, node: Map, key: str, **how: object) -> None:
        """A section asks for a key: nothing to a book of complaints; editors.py listens here."""

    def closed(self, node: Map, keys: Collection[str]) -> None:
        """A section knows all keys that may stand in it."""


class Section:
    """One mapping of the file; asks by key and remembers what may stand in it."""

    def __init__(self, book: Book, node: Map, what: str) -> None:
        """`what` names the mapping in complaints: "the criterion `I3`"."""
        self.book, self.node, self.what = book, node, what
        self.asked: set[str] = set()

    def line(self, key: str | None = None) -> int:
        """Where a key stands, or the mapping itself."""
        return self.node.lines.get(key, self.node.line) if key else self.node.line

    def complain(self, key: str | None, message: str, hint: str = "") -> None:
        """A complaint at the key's line."""
        what = f"{self.what}: " if self.what else ""
        self.book.complain(self.line(key), f"{what}{message}", hint)

    def note(self, key: str, kind: str, **more: object) -> None:
        """Say what kind of value the key takes."""
        self.book.asked(self.node, key, kind=kind, **more)

    def raw(self, key: str, *, required: bool = False) -> Tree:
        """The node as it stands, or None."""
        self.asked.add(key)
        self.book.asked(self.node, key, required=required)
        value = self.node.get(key)
        if value is None and (required or key in self.node):
            said = "is empty" if key in self.node else "is missing"
            self.complain(key, f"`{key}` {said}", f"add `{key}:`" if key not in self.node else "")
        return value

    def text(self, key: str, *, required: bool = False, default: str = "") -> str:
        """A text without control characters other than line ends."""
        self.note(key, "text")
        value = self.raw(key, required=required)
        if value is None:
            return default
        if not isinstance(value, str):
            self.complain(key, f"`{key}` must be a text", "quote it")
            return default
        if len(value) > MAX_TEXT or not value.replace("\n", " ").replace("\t", " ").isprintable():
            self.complain(key, f"`{key}` is too long or holds a character that cannot be printed")
        if required and not value.strip():
            self.complain(key, f"`{key}` is empty")
        return value

    def name(self, key: str, pattern: re.Pattern[str], shape: str) -> str:
        """A required text of one shape; '' when it is not."""
        self.note(key, "name", pattern=pattern.pattern, shape=shape)
        value = self.text(key, required=True)
        if value and not pattern.fullmatch(value):
            self.complain(key, f"`{key}` must be {shape}")
            return ""
        return value

    def boolean(self, key: str) -> bool:
        """True or false; false where absent."""
        self.note(key, "boolean")
        value = self.raw(key)
        if value is not None and not isinstance(value, bool):
            self.complain(key, f"`{key}` must be true or false")
        return value is True

    def integer(self, key: str, *, low: int, high: int, required: bool = False) -> int | None:
        """A whole number within bounds, or None."""
        self.note(key, "integer", low=low, high=high)
        return self.whole(key, self.raw(key, required=required), low, high)

    def whole(self, key: str, value: Tree, low: int, high: int) -> int | None:
        """The same for a value already read."""
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            self.complain(key, f"`{key}` must be a whole number from {low} to {high}")
            return None
        return value

    def number(self, key: str) -> float | None:
        """A number, or None."""
        self.note(key, "number")
        value = self.raw(key)
        if value is None or (isinstance(value, int | float) and not isinstance(value, bool)):
            return value
        self.complain(
            key, f"`{key}` must be a number", "without quotes" if isinstance(value, str) else ""
        )
        return None

    def choice(self, key: str, of: Collection[str], *, required: bool = True) -> str:
        """One word of a list; '' when it is not."""
        self.note(key, "choice", of=tuple(map(str, of)))
        value = self.raw(key, required=required)
        if value is None:
            return ""
        if value not in tuple(of):
            near = did_you_mean(str(value), of)
            self.complain(key, f"`{key}` must be one of {', '.join(of)}", near)
            return ""
        return str(value)

    def enum(self, key: str, kind: type[E], *, required: bool = True) -> E | None:
        """One member of an enumeration, or None."""
        value = self.choice(key, [item.value for item in kind], required=required)
        return kind(value) if value else None

    def texts(self, key: str, *, required: bool = False) -> tuple[str, ...]:
        """A list of texts."""
        self.note(key, "texts")
        items = self.items(key, required=required)
        for item in items:
            if not isinstance(item, str) or not item:
                self.complain(key, f"`{key}` must be a list of texts", "quote numbers and booleans")
                return ()
        return tuple(items)

    def items(self, key: str, *, required: bool = False) -> Seq:
        """A list of anything."""
        value = self.raw(key, required=required)
        if isinstance(value, Seq) and len(value) > MAX_ENTRIES:
            self.complain(key, f"`{key}` has more than {MAX_ENTRIES} entries", "divide it")
            return Seq(self.line(key))
        if isinstance(value, Seq):
            return value
        if value is not None:
            self.complain(key, f"`{key}` must be a list", "begin each item with `- `")
        return Seq(self.line(key))

    def section(self, key: str, *, required: bool = False) -> Section | None:
        """A mapping within, or None."""
        value = self.raw(key, required=required)
        if isinstance(value, Map):
            return Section(self.book, value, f"{self.what}, `{key}`" if self.what else f"`{key}`")
        if value is not None:
            self.complain(key, f"`{key}` must be a mapping", "key: value")
        return None

    def sections(self, key: str, word: str) -> Iterable[Section]:
        """A list of mappings, each named by its id, code or name in complaints."""
        items = self.items(key)
        for node, line in zip(items, items.lines, strict=True):
            if isinstance(node, Map):
                label = next((node[k] for k in ("id", "code", "name") if k in node), None)
                yield Section(self.book, node, f"{word} `{label}`" if label is not None else word)
            else:
                self.book.complain(line, f"{word}: must be a mapping", "key: value")

    def mapping(self, key: str, *, required: bool = False) -> Map:
        """A mapping from names of the file's own choosing."""
        section = self.section(key, required=required)
        if section is not None and len(section.node) > MAX_ENTRIES:
            self.complain(key, f"`{key}` has more than {MAX_ENTRIES} entries", "divide it")
            return Map(self.line(key))
        return section.node if section else Map(self.line(key))

    def close(self) -> None:
        """Complain of every key that nobody asked for."""
        self.book.closed(self.node, self.asked)
        for key in self.node:
            if key not in self.asked:
                hint = did_you_mean(key, self.asked) or _COMMA * any(one in key for one in " )")
                self.complain(key, f"unknown key `{key}`", hint)
