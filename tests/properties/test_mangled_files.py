"""A file of every construct with one thing in it replaced or left out: told of, never a traceback."""

import copy
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import rules
from rules.language.loader import parse
from rules.language.scenarios import plain

EXEMPLAR = Path(rules.__file__).parent / "language" / "exemplar.yaml"
TREE = plain(parse(EXEMPLAR.read_text(encoding="utf-8"), EXEMPLAR.name))
LEFT_OUT = object()
ODD: list[Any] = [
    None,
    True,
    5,
    -1.5,
    "",
    "x y",
    "a +",
    [],
    [1],
    ["a", "a"],
    {},
    {"a": 1},
    [{"a": 1}],
    [[1]],
]
ODD += ["params.x", 10**30, [None], LEFT_OUT]


def places(node, path=()):
    """The way to everything in the file."""
    pairs = node.items() if isinstance(node, dict) else enumerate(node)
    for key, value in pairs if isinstance(node, dict | list) else ():
        yield (*path, key)
        if isinstance(value, dict | list):
            yield from places(value, (*path, key))


def mangled(path, odd):
    tree = copy.deepcopy(TREE)
    node = tree
    for key in path[:-1]:
        node = node[key]
    if odd is LEFT_OUT:
        del node[path[-1]]
    else:
        node[path[-1]] = odd
    return json.dumps(tree)


def complaints(text):
    try:
        rules.loads(text, "p.yaml")
    except rules.ProtocolError as error:
        return error.complaints
    return []


@settings(max_examples=60, deadline=None)
@given(path=st.sampled_from(list(places(TREE))), odd=st.sampled_from(ODD))
def test_whatever_stands_anywhere_is_read_or_told_of(path, odd):
    assert all(told.line >= 1 and told.message for told in complaints(mangled(path, odd)))


@pytest.mark.parametrize(
    ("path", "odd"),
    [(("facts", "factor", "cases", 0), None), (("fixtures", "adult", 0, "type"), [])],
)
def test_what_once_was_a_traceback_is_told_of(path, odd):
    assert complaints(mangled(path, odd))
