"""YAML text -> a tree of plain values that remembers its lines; nothing YAML guesses survives.

Who comes in: the front door with a protocol's text. Who goes out: schema.py with the tree.
Strings stay strings (`NO`, `1:30`, `012`); only true/false are booleans and only JSON's numbers
are numbers; a duplicate key, an alias, a tag is an error. Built from the parser's events with a
stack of our own, so that no depth of nesting can exhaust Python's.
"""

from __future__ import annotations

import math
import re
from typing import Any

import yaml

from rules.errors import Complaint, ProtocolError

MAX_DEPTH = 40
MAX_BYTES = 1024 * 1024  # a large protocol has a tenth of it
MAX_COMPLAINTS = 100  # whoever has more has another problem
_INTEGER = re.compile(r"-?(?:0|[1-9][0-9]{0,24})\Z")
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?\Z")
_Parser: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # libyaml is ten times as fast

Tree = Any  # None | bool | int | float | str | Map | Seq


class Map(dict[str, Tree]):
    """A mapping; `line` is its own first line, `lines` those of its keys (from 1)."""

    def __init__(self, line: int) -> None:
        """Begin an empty one."""
        super().__init__()
        self.line = line
        self.lines: dict[str, int] = {}


class Seq(list[Tree]):
    """A list; `line` is its own first line, `lines` those of its items (from 1)."""

    def __init__(self, line: int) -> None:
        """Begin an empty one."""
        super().__init__()
        self.line = line
        self.lines: list[int] = []


def parse(text: str, file: str) -> Map:
    """Read one YAML document. Raises ProtocolError with the file and line of every fault."""
    builder = _Builder(file)
    if len(text) > MAX_BYTES:
        raise ProtocolError([Complaint(file, 1, f"longer than {MAX_BYTES} characters")])
    try:
        for event in yaml.parse(text, Loader=_Parser):
            builder.take(event)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        message = f"not YAML: {error.problem or error.context}"
        complaint = Complaint(file, (mark.line if mark else 0) + 1, message, _yaml_hint(text, mark))
        raise ProtocolError([*builder.complaints, complaint]) from None
    except (yaml.YAMLError, UnicodeError) as error:
        at = getattr(error, "position", 0) or 0
        line = text.count("\n", 0, at if isinstance(at, int) else 0) + 1
        complaint = Complaint(file, line, "not YAML: a character that may not stand in a text file")
        raise ProtocolError([complaint]) from error
    return builder.done()


def _yaml_hint(text: str, mark: Any) -> str:
    lines = text.splitlines()
    line = lines[mark.line] if mark and mark.line < len(lines) else ""
    if "\t" in line:
        return "indent with spaces, not tabs"
    return "quote a text that holds one of : # [ ] { } , or begins with ! & * % @"


class _Builder:
    """Takes the parser's events one by one and builds the tree."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.complaints: list[Complaint] = []
        self._stack: list[Map | Seq] = []
        self._keys: list[str | None] = []  # the pending key of each open mapping
        self._root: Tree = None
        self._documents = 0

    def take(self, event: Any) -> None:
        line = event.start_mark.line + 1
        if isinstance(event, yaml.ScalarEvent):
            self._scalar(event, line)
        elif isinstance(event, yaml.CollectionStartEvent):
            self._open(Map(line) if isinstance(event, yaml.MappingStartEvent) else Seq(line), event)
        elif isinstance(event, yaml.CollectionEndEvent):
            self._stack.pop()
            self._keys.pop()
        elif isinstance(event, yaml.AliasEvent):
            self._complain(
                line,
                "an alias is not part of the language",
                "name a list of events under `fixtures`",
            )
            self._put(None, line)
        elif isinstance(event, yaml.DocumentStartEvent):
            self._documents += 1
            if self._documents == 2:
                self._complain(line, "a second document in one file", "one protocol a file")

    def done(self) -> Map:
        if not self.complaints and not isinstance(self._root, Map):
            self._complain(1, "a protocol is a mapping", "begin with `vigil: 1`")
        if self.complaints:
            raise ProtocolError(self.complaints)
        root: Map = self._root
        return root

    def _open(self, node: Map | Seq, event: Any) -> None:
        if event.tag is not None or event.anchor is not None:
            self._complain(node.line, "a tag or an anchor is not part of the language", "remove it")
        if len(self._stack) >= MAX_DEPTH:
            raise ProtocolError(
                [Complaint(self.file, node.line, f"nested deeper than {MAX_DEPTH}")]
            )
        if self._stack and isinstance(self._stack[-1], Map) and self._keys[-1] is None:
            self._complain(node.line, "a key must be a text")
        self._put(node, node.line)
        self._stack.append(node)
        self._keys.append(None)

    def _scalar(self, event: Any, line: int) -> None:
        if event.tag is not None or event.anchor is not None:
            hint = "a value that begins with ! or & must be quoted"
            self._complain(line, "a tag or an anchor is not part of the language", hint)
        parent = self._stack[-1] if self._stack else None
        if isinstance(parent, Map) and self._keys[-1] is None:
            self._key(parent, event.value, line)
        else:
            self._put(event.value if event.style else self._plain(event.value, line), line)

    def _key(self, parent: Map, key: str, line: int) -> None:
        if key in parent:
            first = parent.lines[key]
            self._complain(line, f"the key `{key}` stands twice", f"first on line {first}")
        parent.lines.setdefault(key, line)
        self._keys[-1] = key

    def _put(self, value: Tree, line: int) -> None:
        if not self._stack:
            self._root = value if self._documents <= 1 else self._root
            return
        parent = self._stack[-1]
        if isinstance(parent, Seq):
            parent.append(value)
            parent.lines.append(line)
        else:
            key = self._keys[-1]
            if key is not None:
                parent.setdefault(key, value)
            self._keys[-1] = None

    def _plain(self, text: str, line: int) -> Tree:
        if text in ("true", "false"):
            return text == "true"
        if text in ("null", ""):
            return None
        if _INTEGER.match(text):
            return int(text)
        if not _NUMBER.match(text):
            return text
        number = float(text)
        if not math.isfinite(number):
            self._complain(line, "a number too large to hold")
        return number

    def _complain(self, line: int, message: str, hint: str = "") -> None:
        self.complaints.append(Complaint(self.file, line, message, hint))
        if len(self.complaints) >= MAX_COMPLAINTS:
            raise ProtocolError(self.complaints)
