"""What YAML may not do behind an author's back."""

import pytest

from rules.errors import ProtocolError
from rules.language.loader import parse


def fault(text):
    with pytest.raises(ProtocolError) as caught:
        parse(text, "p.yaml")
    return [str(complaint) for complaint in caught.value.complaints]


def test_words_and_odd_numbers_stay_text():
    tree = parse(
        "a: NO\nb: 1:30\nc: 012\nd: yes\ne: 2026-01-05\nf: ~\ng: +1\nh: .5\ni: 0x10\nj: 'true'\nk: 1_000\nl: True",
        "p",
    )
    assert tree == {
        "a": "NO", "b": "1:30", "c": "012", "d": "yes", "e": "2026-01-05", "f": "~", "g": "+1",
        "h": ".5", "i": "0x10", "j": "true", "k": "1_000", "l": "True",
    }  # fmt: skip


def test_only_json_numbers_booleans_and_null_are_typed():
    tree = parse("a: 1\nb: -1.5\nc: 1e3\nd: true\ne: false\nf: null\ng:\nh: [1, 2.0]\n", "p")
    assert list(tree.values()) == [1, -1.5, 1000.0, True, False, None, None, [1, 2.0]]
    assert isinstance(tree["h"][1], float)


def test_every_key_and_item_remembers_its_line():
    tree = parse("a: 1\nb:\n  - x\n  - y: 2\n", "p")
    assert tree.lines == {"a": 1, "b": 2}
    assert tree["b"].lines == [3, 4]
    assert tree["b"][1].line == 4


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a: 1\nb: 2\na: 3", "p.yaml:3: the key `a` stands twice (first on line 1)"),
        ("a: &x 1", "p.yaml:1: a tag or an anchor is not part of the language (a value that begins with ! or & must be quoted)"),
        ("a:\n  b: !unfit", "p.yaml:2: a tag or an anchor is not part of the language (a value that begins with ! or & must be quoted)"),
        ("a: 1e999", "p.yaml:1: a number too large to hold"),
        ("- 1\n- 2", "p.yaml:1: a protocol is a mapping (begin with `vigil: 1`)"),
        ("", "p.yaml:1: a protocol is a mapping (begin with `vigil: 1`)"),
        ("a: 1\n---\nb: 2", "p.yaml:2: a second document in one file (one protocol a file)"),
        ("? [a]\n: 1", "p.yaml:1: a key must be a text"),
    ],
)  # fmt: skip
def test_a_trap_of_yaml_is_an_error_with_its_line(text, expected):
    assert expected in fault(text)


def test_an_alias_is_refused():
    complaints = fault("a: &x [1]\nb: *x")
    assert any(line.startswith("p.yaml:2: an alias") for line in complaints)


def test_what_is_not_yaml_names_its_line_and_a_hint():
    (complaint,) = fault("a: 1\nb: c: d\n")
    assert complaint.startswith("p.yaml:2: not YAML")
    assert "quote" in complaint
    (complaint,) = fault("a:\n\tb: 1\n")
    assert "spaces, not tabs" in complaint


def test_nothing_nests_deep_enough_to_hurt():
    assert "nested deeper" in fault("a: " + "[" * 20000)[0]
    assert "nested deeper" in fault("a: " + "{b: " * 20000)[0]


def test_a_character_that_no_text_file_holds_is_refused():
    assert "p.yaml:1" in fault("a: \x00")[0]
