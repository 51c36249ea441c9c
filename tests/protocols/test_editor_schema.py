"""The schema that editors use says what the reader says: it comes from what the reader asks."""

from __future__ import annotations

import copy
import json
from pathlib import Path

import jsonschema
import pytest

import rules
from rules.language import schema
from rules.language.editors import _Listener, exemplar
from rules.language.loader import Map, Seq, parse
from rules.language.reading import Section
from rules.language.scenarios import plain
from tests.support.small import SMALL

PROTOCOLS = sorted((Path(__file__).resolve().parents[2] / "rules" / "protocols").rglob("*.yaml"))
TEXTS = {
    "small": SMALL,
    "exemplar": exemplar(),
    **{file.stem: file.read_text(encoding="utf-8") for file in PROTOCOLS},
}
SCHEMA = rules.json_schema()
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)


def test_it_is_a_schema_of_its_dialect_and_plain_json() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    assert json.loads(json.dumps(SCHEMA)) == SCHEMA
    assert rules.json_schema() == SCHEMA


def test_the_exemplar_holds() -> None:
    rules.loads(exemplar(), "exemplar.yaml")


@pytest.mark.parametrize("name", TEXTS)
def test_every_protocol_of_the_repository_validates(name: str) -> None:
    VALIDATOR.validate(plain(parse(TEXTS[name], name)))


@pytest.mark.parametrize("name", TEXTS)
def test_a_key_that_the_reader_does_not_know_is_refused_wherever_it_stands(name: str) -> None:
    tree = parse(TEXTS[name], name)
    book = _Listener()
    schema.listen(book, Section(book, tree, ""))
    whole = plain(tree)
    assert VALIDATOR.is_valid(whole)
    for path in sections(tree, book):
        bent = copy.deepcopy(whole)
        part = bent
        for step in path:
            part = part[step]
        part["no_such_key"] = 1
        assert not VALIDATOR.is_valid(bent), path


def sections(tree: Map, book: _Listener) -> list[tuple[object, ...]]:
    """Where each mapping stands whose keys the reader knows: one of each place, lists aside."""
    found: dict[tuple[object, ...], tuple[object, ...]] = {}
    stack: list[tuple[object, tuple[object, ...]]] = [(tree, ())]
    while stack:
        node, path = stack.pop()
        if isinstance(node, Map):
            if id(node) in book.sections:
                place = tuple("[]" if isinstance(step, int) else step for step in path)
                found.setdefault(place, path)
            stack.extend((value, (*path, key)) for key, value in node.items())
        elif isinstance(node, Seq):
            stack.extend((value, (*path, index)) for index, value in enumerate(node))
    return list(found.values())


FAULTS = [
    ("vigil: 1\n", "", "'vigil' is a required property"),
    ("target: 10", "target: ten", "is not of type 'integer'"),
    ("kind: inclusion", "kind: include", "is not one of"),
    ("severity: critical", "severity: loud", "is not one of"),
    ("waivable: true", "waivable: maybe", "is not of type 'boolean'"),
    ("- id: I1", "- id: i1", "does not match"),
]


@pytest.mark.parametrize(("old", "new", "message"), FAULTS)
def test_what_the_reader_refuses_for_its_kind_the_schema_refuses(
    old: str, new: str, message: str
) -> None:
    text = SMALL.replace(old, new, 1)
    with pytest.raises(rules.ProtocolError):
        rules.loads(text)
    errors = [error.message for error in VALIDATOR.iter_errors(plain(parse(text, "p")))]
    assert any(message in error for error in errors), errors


def test_every_key_is_described() -> None:
    assert undescribed(SCHEMA, "") == []


def undescribed(part: object, place: str) -> list[str]:
    found: list[str] = []
    if isinstance(part, dict):
        for key, value in part.get("properties", {}).items():
            if not value.get("description"):
                found.append(f"{place}.{key}")
        for key, value in part.items():
            if isinstance(value, dict):
                found += undescribed(value, f"{place}.{key}")
            elif isinstance(value, list):
                for one in value:
                    found += undescribed(one, place)
    return found
