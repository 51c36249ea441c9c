"""The manual of the protocol language, taken apart: its samples, its commands, what they print.

The first word behind a fence says what stands in it, the second how it is meant:
`yaml start FILE`, `yaml add FILE`, `yaml scenarios FILE`: a reader's file as it grows;
`yaml part`: keys that belong into that file; `yaml wrong`, then `complaint`: what is refused and how;
`console`: commands and what they print (`console head`: how it begins); `file NAME`: saved as that.
A comment `in FILE: "A" becomes "B"` is a change that the text asks for.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

from rules.language.loader import parse
from rules.language.scenarios import plain

ROOT = Path(__file__).resolve().parents[2]
MANUAL = ROOT / "rules" / "protocols" / "README.md"
_STEP = re.compile(
    r'^```(?P<kind>[^\n]*)\n(?P<body>.*?)^```$|^<!-- in (?P<file>\S+): "(?P<old>[^\n]*)" becomes "(?P<new>[^\n]*)" -->$',
    re.MULTILINE | re.DOTALL,
)
# What one entry of a list in a protocol file is known by.
_KEYS = {"codes": ("type", "code"), "publishers": ("source",), "scenarios": ("name",)}


@dataclass(frozen=True)
class Block:
    """One fenced sample: what it is, what stands in it, where."""

    kind: str
    body: str
    line: int


@dataclass
class Reader:
    """A newcomer's folder, changed step by step as the manual says."""

    folder: Path
    files: dict[str, str] = field(default_factory=dict)

    def follow(self) -> Iterator[Block]:
        """Every sample in turn, each after what the text before it asks for."""
        for block, change in steps():
            if change is not None:
                name, old, new = change
                assert self.files[name].count(old) == 1, f"line {block.line}: {old!r}"
                self._write(name, self.files[name].replace(old, new))
                continue
            what, *rest = block.kind.split() or [""]
            if what == "yaml" and len(rest) == 2:
                self._grow(rest[0], rest[1], block.body)
            elif what == "file":
                self._write(rest[0], block.body)
            yield block

    def _grow(self, how: str, name: str, body: str) -> None:
        text = self.files.get(name, "")
        if how == "scenarios":
            above, below = text.split("\nrules:\n")
            self._write(name, f"{above}{body}\nrules:\n{below}")
        else:
            self._write(name, f"{text}\n{body}" if how == "add" else body)

    def _write(self, name: str, text: str) -> None:
        self.files[name] = text
        (self.folder / name).write_text(text, encoding="utf-8")


def steps() -> Iterator[tuple[Block, tuple[str, str, str] | None]]:
    """Every fence and every change that is asked for, from the first line to the last."""
    text = MANUAL.read_text(encoding="utf-8")
    for found in _STEP.finditer(text):
        line = text.count("\n", 0, found.start()) + 1
        change = (found["file"], found["old"], found["new"]) if found["file"] else None
        yield Block((found["kind"] or "").strip(), found["body"] or "", line), change


def blocks(kind: str) -> list[Block]:
    """All samples of one kind."""
    return [block for block, change in steps() if change is None and block.kind == kind]


def tutorial() -> dict[str, Any]:
    """The tutorial's finished file without its scenarios, as data."""
    text = ""
    for block, change in steps():
        if change is None and block.kind in ("yaml start first.yaml", "yaml add first.yaml"):
            text += "\n" + block.body
    tree = data_of(text)
    return {key: value for key, value in tree.items() if key not in ("scenarios", "fixtures")}


def data_of(text: str) -> dict[str, Any]:
    """YAML as the language reads it, as plain data."""
    return dict(plain(parse(text, "sample.yaml")))


def wrapped(sample: str) -> str:
    """The sample within the tutorial's file: what bears the same name replaces, the rest is added."""
    whole = tutorial()
    for key, value in data_of(sample).items():
        whole[key] = _joined(key, whole.get(key), value)
    return orjson.dumps(whole).decode()


def _joined(key: str, old: Any, new: Any) -> Any:
    if isinstance(old, dict):
        return old | new
    if not isinstance(old, list):
        return new
    names = _KEYS.get(key, ("id",))
    given = {tuple(item[name] for name in names): item for item in [*old, *new]}
    return list(given.values())
