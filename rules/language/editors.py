"""The JSON Schema of protocol files, for editors: made of what the reader itself asks.

Who comes in: `vigil protocol schema`. Who goes out: a schema of draft 2020-12, as plain data.
There is no second grammar: schema.py reads `exemplar.yaml`, which holds one of every construct, and
a Book that listens learns which keys each section asks for, of which kind, from which words, and
which must be there. What it cannot know (names, units, conditions) the check says.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import resources
from typing import Any

from rules.language import schema
from rules.language.descriptions import describe
from rules.language.loader import Map, Seq, Tree, parse
from rules.language.reading import Book, Section

DIALECT = "https://json-schema.org/draft/2020-12/schema"
Json = dict[str, Any]

_SCALAR: Json = {"type": ["string", "number", "boolean"]}
_KINDS: Mapping[str, Json] = {
    "text": {"type": "string"},
    "boolean": {"type": "boolean"},
    "number": {"type": "number"},
    "texts": {"type": "array", "items": {"type": "string"}},
    "condition": {"type": ["string", "boolean"]},
    "constant": {"anyOf": [{"type": "number"}, {"type": "string", "pattern": r"^params\."}]},
}


@dataclass
class _Asked:
    """What a reader asked of one key of one section."""

    raw: bool = False
    required: bool = False
    kinds: dict[str, dict[str, Any]] = field(default_factory=dict)


class _Listener(Book):
    """Notes what is asked of each mapping; complaints are of no interest."""

    def __init__(self) -> None:
        super().__init__("exemplar")
        self.notes: dict[int, dict[str, _Asked]] = {}
        self.sections: set[int] = set()  # those whose keys are known, all of them

    def complain(self, line: int, message: str, hint: str = "") -> None:
        """Nothing: an emptied section is no fault here."""

    def spend(self, line: int, work: int) -> None:
        """Nothing: the exemplar is small."""

    def asked(self, node: Map, key: str, **how: Any) -> None:
        found = self.notes.setdefault(id(node), {}).setdefault(key, _Asked())
        if "kind" in how:
            found.kinds[how.pop("kind")] = how
        else:
            found.raw, found.required = True, found.required or bool(how.get("required"))

    def closed(self, node: Map, keys: Collection[str]) -> None:
        self.sections.add(id(node))
        notes = self.notes.setdefault(id(node), {})
        for key in sorted(keys):
            notes.setdefault(key, _Asked())


def exemplar() -> str:
    """The file that holds one of every construct."""
    return resources.files("rules.language").joinpath("exemplar.yaml").read_text(encoding="utf-8")


def json_schema() -> Json:
    """The schema of the language that this version reads."""
    tree = parse(exemplar(), "exemplar")
    maker = _Maker(tree, _listen(tree))
    return {"$schema": DIALECT, "title": "Vigil protocol", **maker.schema([tree], "")}


def _listen(tree: Map) -> _Listener:
    book = _Listener()
    schema.listen(book, Section(book, tree, ""))
    return book


@dataclass
class _Maker:
    """Makes the schema of all nodes that stand in one place of the grammar."""

    tree: Map
    book: _Listener

    def schema(self, nodes: Sequence[Tree], place: str) -> Json:
        """What any of these nodes may be; `place` names them for descriptions."""
        shapes = []
        if maps := [node for node in nodes if isinstance(node, Map)]:
            shapes.append(self._object(maps, place))
        if lists := [node for node in nodes if isinstance(node, Seq)]:
            items = [item for one in lists for item in one]
            inner = self.schema(items, f"{place}[]") if self._known(items) else {}
            shapes.append({"type": "array", "items": inner} if inner else {"type": "array"})
        if any(not isinstance(node, Map | Seq) for node in nodes):
            shapes.append(_SCALAR)
        return _any_of(shapes)

    def _known(self, nodes: Sequence[Tree]) -> bool:
        """Whether a section stands among them, or within."""
        return any(id(node) in self.book.sections for node in _maps(nodes))

    def _object(self, maps: list[Map], place: str) -> Json:
        sections = [one for one in maps if id(one) in self.book.sections]
        if not sections:
            values = [value for one in maps for value in one.values()]
            inner = self.schema(values, f"{place}.*") if self._known(values) else {}
            return (
                {"type": "object", "additionalProperties": inner} if inner else {"type": "object"}
            )
        keys = dict.fromkeys(key for one in sections for key in self.book.notes[id(one)])
        made: Json = {
            "type": "object",
            "properties": {key: self._key(sections, key, place) for key in keys},
            "additionalProperties": False,
        }
        if required := self._required(sections):
            made["required"] = required
        return made

    def _required(self, sections: list[Map]) -> list[str]:
        """The keys that are missed where a section is empty, and that all of these have."""
        one = sections[0]
        held = dict(one)
        one.clear()
        notes = _listen(self.tree).notes.get(id(one), {})
        one.update(held)
        missed = [key for key, asked in notes.items() if asked.required]
        return [key for key in missed if all(key in section for section in sections)]

    def _key(self, sections: list[Map], key: str, place: str) -> Json:
        here = f"{place}.{key}".lstrip(".")
        asked = [notes[key] for one in sections if key in (notes := self.book.notes[id(one)])]
        kinds: dict[str, dict[str, Any]] = {}
        for one in asked:
            for kind, how in one.kinds.items():
                kinds[kind] = _joined(kinds.get(kind, {}), how)
        if "name" in kinds:
            kinds.pop("text", None)
        shapes = [_leaf(kind, how) for kind, how in kinds.items()]
        nodes = [one[key] for one in sections if one.get(key) is not None]
        inner = [node for node in nodes if isinstance(node, Map | Seq)] if kinds else nodes
        inner = [node for node in inner if not (isinstance(node, Seq) and "texts" in kinds)]
        if any(one.raw for one in asked) and inner:
            shapes.append(self.schema(inner, here))
        text = describe(here, key)
        return {**({"description": text} if text else {}), **_any_of(shapes)}


def _maps(nodes: Sequence[Tree]) -> Iterator[Map]:
    stack = list(nodes)
    while stack:
        node = stack.pop()
        if isinstance(node, Map):
            yield node
            stack.extend(node.values())
        elif isinstance(node, Seq):
            stack.extend(node)


def _joined(one: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    words = tuple(dict.fromkeys((*one.get("of", ()), *other.get("of", ()))))
    return {**one, **other, **({"of": words} if words else {})}


def _leaf(kind: str, how: Mapping[str, Any]) -> Json:
    if kind == "choice":
        return {"enum": list(how["of"])}
    if kind == "name":
        return {"type": "string", "pattern": f"^(?:{how['pattern']})$"}
    if kind == "integer":
        return {"type": "integer", "minimum": how["low"], "maximum": how["high"]}
    return dict(_KINDS[kind])


def _any_of(shapes: list[Json]) -> Json:
    """One shape as it is; several as alternatives; none: anything."""
    different = [shape for index, shape in enumerate(shapes) if shape not in shapes[:index]]
    if len(different) > 1:
        return {"anyOf": different}
    return different[0] if different else {}
