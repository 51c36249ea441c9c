"""What one line alone cannot show: names that clash, rules that cannot be, sources left out.

Who comes in: schema.py with a whole Definition. Who goes out: complaints in the book.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from rules.language.reading import Book
from rules.model import Definition


def fnv1a(name: str) -> int:
    """FNV-1a, 32 bits: how durable-rules tells names apart, never looking at the name itself."""
    value = 0x811C9DC5
    for byte in name.encode():
        value = ((value ^ byte) * 0x01000193) & 0xFFFFFFFF
    return value


def collisions(names: Iterable[str]) -> list[tuple[str, str]]:
    """Pairs of different names with the same hash."""
    seen: dict[int, str] = {}
    found = []
    for name in names:
        other = seen.setdefault(fnv1a(name), name)
        if other != name:
            found.append((other, name))
    return found


def check(definition: Definition, book: Book) -> None:
    """Write down every complaint about the whole."""
    _twice(definition, book)


def _twice(definition: Definition, book: Book) -> None:
    groups: Mapping[str, Iterable[tuple[str, int]]] = {
        "criterion": [(item.id, item.line) for item in definition.criteria],
        "rule": [(item.id, item.line) for item in (*definition.rules, *definition.stopping)],
        "scenario": [(item.name, item.line) for item in definition.scenarios],
    }
    for word, items in groups.items():
        first: dict[str, int] = {}
        for name, line in items:
            if first.setdefault(name, line) != line:
                book.complain(
                    line, f"the {word} `{name}` stands twice", f"first on line {first[name]}"
                )
