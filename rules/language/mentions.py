"""What the expressions of a derived fact name, before anything is known of its types.

Who comes in: factbook.py, to read derived facts in order. Who goes out: names.
"""

from __future__ import annotations

from lark import Token, Tree

from rules.language.expressions import bare
from rules.language.loader import Map, Seq
from rules.language.reading import Section
from rules.language.syntax import ConditionError, parse

DERIVED = ("derive", "cases", "clinical")
_FACTS = Tree("ident", [Token("IDENT", "facts")])


def is_derived(section: Section) -> bool:
    """Whether a fact is computed from others."""
    return any(key in section.node for key in DERIVED)


def mentions(section: Section) -> set[str]:
    """Every identifier in the expressions of a derived fact, as far as they can be read."""
    node = section.node
    texts = [node.get("derive")]
    cases = node.get("cases")
    for case in cases if isinstance(cases, Seq) else []:
        if isinstance(case, Map):
            texts += [case.get("when"), case.get("derive")]
    otherwise = node.get("otherwise")
    if isinstance(otherwise, Map):
        texts.append(otherwise.get("derive"))
    arguments = node.get("of")
    named = arguments.values() if isinstance(arguments, Map) else ()
    idents = {name for text in texts if isinstance(text, str) for name in _idents(text)}
    return idents | {name for name in named if isinstance(name, str)}


def _idents(text: str) -> set[str]:
    try:
        tree = parse(text)
    except ConditionError:
        return set()
    found = {str(node.children[0]) for node in tree.find_data("ident")}
    dotted = tree.find_data("member_dot")
    return found | {str(it.children[1]) for it in dotted if bare(it.children[0]) == _FACTS}
