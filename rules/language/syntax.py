"""CEL's syntax: text -> cel-python's parse tree, and what its nodes and literals say.

Who comes in: conditions.py. Who goes out: trees, literals, ConditionError with a hint.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from functools import lru_cache
from typing import Any, cast

from celpy.celparser import CELParseError, CELParser
from lark import Token, Tree

from rules.model import Scalar

MAX_LENGTH = 4000
MAX_STRING = 250  # at most 1 kB of UTF-8
STAND_IN = "\N{REPLACEMENT CHARACTER}"  # never a constant: may stand for any odd text


class ConditionError(ValueError):
    """A fault of one condition; `line` counts within its text, from 0."""

    def __init__(self, message: str, hint: str = "", line: int = 0) -> None:
        """Keep the parts for the complaint."""
        super().__init__(message)
        self.message, self.hint, self.line = message, hint, line


class UnknownFact(ConditionError):
    """A name that is no fact here; nothing is said of one that has its own complaint already."""

    def __init__(self, name: str, known: Iterable[str], line: int) -> None:
        """`known`: what may have been meant."""
        super().__init__(f"unknown fact `{name}`", did_you_mean(name, known), line)
        self.name = name


@lru_cache(maxsize=512)
def parse(text: str) -> Tree[Token]:
    if not text.strip():
        raise ConditionError("an empty condition", "write `true` for what always holds")
    if len(text) > MAX_LENGTH:
        raise ConditionError(f"a condition longer than {MAX_LENGTH} characters", "divide it")
    try:
        return cast("Tree[Token]", CELParser().parse(text))
    except CELParseError as error:
        where = f" at column {error.column}" if error.column and error.column > 0 else " at its end"
        line = (error.line or 1) - 1
        raise ConditionError(
            f"not an expression: stuck{where}", _syntax_hint(text), max(line, 0)
        ) from None


def _syntax_hint(text: str) -> str:
    if text.count("(") > text.count(")"):
        return "a bracket is not closed; within { } quote what holds a comma"
    padded = f" {text} "
    for wrong, right in (
        (" and ", "&&"),
        (" or ", "||"),
        (" not ", "!"),
        (" AND ", "&&"),
        (" OR ", "||"),
    ):
        if wrong in padded:
            return f"write {right} for{wrong.rstrip()}"
    return "write == to compare, not =" if " = " in padded else "&& || ! == != < <= > >= in [..]"


PASS = {
    *("expr", "conditionalor", "conditionaland", "relation", "addition", "multiplication"),
    *("unary", "member", "primary", "paren_expr"),
}
WORDS = {
    "addition": "arithmetic",
    "multiplication": "arithmetic",
    "expr": "the ternary ? :",
    "ident_arg": "a function",
    "member_dot_arg": "a method",
    "member_index": "an index",
    "list_lit": "a list outside `in`",
    "map_lit": "a map",
    "relation": "a comparison inside a comparison",
    "conditionalor": "|| inside a comparison",
    "conditionaland": "&& inside a comparison",
    "unary": "! inside a comparison",
}


def descend(tree: Any) -> Any:
    """Skip the grammar's levels that hold a single child."""
    while len(tree.children) == 1 and tree.data in PASS and isinstance(tree.children[0], Tree):
        tree = tree.children[0]
    if tree.data in ("expr", "addition", "multiplication"):
        raise outside(WORDS[tree.data], tree)
    return tree


def operands(node: Any) -> list[Any]:
    """`a && b && c` parses to the left; give [a, b, c] without recursion."""
    parts: list[Any] = []
    kind = node.data
    while node.data == kind and len(node.children) == 2:
        parts.append(node.children[1])
        node = node.children[0]
    return [node, *reversed(parts)]


def outside(what: str, node: Any) -> ConditionError:
    return ConditionError(
        f"{what} is not part of the language", "declare a fact or a parameter for it", line_of(node)
    )


def line_of(node: Any) -> int:
    line = getattr(getattr(node, "meta", None), "line", None)
    return int(line) - 1 if line else 0


def literal(token: Token) -> Scalar:
    text = str(token)
    if token.type == "BOOL_LIT":
        return text == "true"
    if token.type == "INT_LIT":
        return int(text, 16) if "x" in text else int(text)
    if token.type == "FLOAT_LIT":
        return float(text)
    if token.type == "STRING_LIT" and text[0] in "\"'":
        inner = text[1:-1]
        if not plain_text(inner):
            message = f'a text with \\, ", a control character or over {MAX_STRING} characters'
            raise ConditionError(message, "codes are plain words", (token.line or 1) - 1)
        return inner
    words = {"NULL_LIT": "null", "UINT_LIT": "an unsigned number", "BYTES_LIT": "a bytes literal"}
    hint = "use has(facts.<name>)" if token.type == "NULL_LIT" else ""
    what = words.get(token.type or "", "a raw or triple-quoted text")
    raise ConditionError(f"{what} is not part of the language", hint, (token.line or 1) - 1)


def plain_text(text: str) -> bool:
    """Whether durable-rules reads and compares a text exactly."""
    odd = "\\" in text or '"' in text or STAND_IN in text
    return len(text) <= MAX_STRING and text.isprintable() and not odd


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """`did you mean x?`, or nothing when nothing is near."""
    names = {name.lower(): name for name in known}
    near = difflib.get_close_matches(word.lower(), list(names), n=1, cutoff=0.6)
    return f"did you mean {names[near[0]]}?" if near else ""
