"""A condition with the value of each of its clauses, over one set of facts.

Who comes in: views (criteria) and findings (rules), through compiled functions. Who goes out:
nested dicts, ready for JSON. A node is `{"text", "holds"}`; `holds` is "true", "false", "unknown"
or "not_applicable". A group adds `op` ("and", "or", "not") and `parts`, a leaf `fact`, `label`,
`unit` and `value` (null: not known).

A leaf whose fact is not known and definitely does not apply is "not_applicable"; such parts are
passed over by their group, and a group of nothing else is not applicable itself. So the tree of a
condition as written says what the rewritten condition decides.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from rules.explanation.words import Names, text
from rules.language.functions import build, definitely, load, names_in
from rules.model import And, Compare, Condition, Const, Has, In, Not, Or, Scalar

Tree = dict[str, Any]
Get = Callable[[str], Scalar | None]
Explain = Callable[[Get], Tree]

TRUE, FALSE, UNKNOWN, ASIDE = "true", "false", "unknown", "not_applicable"
_WORDS = {"TRUE": TRUE, "FALSE": FALSE, "UNKNOWN": UNKNOWN, "ASIDE": ASIDE}


def compile_trees(conditions: Mapping[str, Condition], names: Names) -> Callable[[Get], Any]:
    """The function that gives the tree of each condition, by its key, in one pass."""
    writer = _Writer(names)
    roots = {key: writer.node(condition) for key, condition in conditions.items()}
    result = ", ".join(f"{key!r}: {writer.dicts[root]}" for key, root in roots.items())
    used = names_in(*conditions.values())
    applying = [spec for name in used if (spec := writer.applies(name)) is not None]
    lines = [
        "def explain(get):",
        *load(tuple(dict.fromkeys((*used, *names_in(*applying))))),
        *writer.lines,
        f"    return {{{result}}}",
    ]
    function: Callable[[Get], Any] = build("explain", lines, **_WORDS)
    return function


def compile_tree(condition: Condition, names: Names) -> Explain:
    """The tree of one condition."""
    function = compile_trees({"": condition}, names)
    return lambda get: function(get)[""]


def because(tree: Tree) -> tuple[str, ...]:
    """The facts of the leaves that make a definite tree what it is."""
    found: dict[str, None] = {}
    stack = [tree]
    while stack:
        node = stack.pop()
        if "fact" in node:
            found[node["fact"]] = None
            continue
        parts = node.get("parts", ())
        wanted = {TRUE: FALSE, FALSE: TRUE}.get(node["holds"]) if node.get("op") == "not" else ""
        stack += [part for part in reversed(parts) if part["holds"] == (wanted or node["holds"])]
    return tuple(found)


class _Writer:
    """Source for nodes: each becomes a local `h<n>` and the text of the dict that shows it."""

    def __init__(self, names: Names) -> None:
        self.names = names
        self.lines: list[str] = []
        self.dicts: list[str] = []
        self._aside: list[bool] = []  # whether a node can be not applicable

    def applies(self, name: str) -> Condition | None:
        """Where the fact applies; None: everywhere."""
        spec = self.names.specs.get(name)
        return spec.applicable_if if spec is not None else None

    def node(self, condition: Condition) -> int:
        """Write one node and all below it; its number."""
        if isinstance(condition, And | Or):
            return self._group(condition)
        if isinstance(condition, Not):
            return self._not(condition)
        if isinstance(condition, Const):
            return self._add(str(condition.value is True).upper(), self._head(condition))
        return self._leaf(condition)

    def _add(self, holds: str, shown: str, *, aside: bool = False) -> int:
        number = len(self.dicts)
        self.lines.append(f"    h{number} = {holds}")
        self.dicts.append(f"{{{shown.replace('<h>', f'h{number}')}}}")
        self._aside.append(aside)
        return number

    @staticmethod
    def _head(condition: Condition) -> str:
        return f"'text': {text(condition)!r}, 'holds': <h>"

    def _leaf(self, leaf: Compare | In | Has) -> int:
        fact, names = f"f_{leaf.fact}", self.names
        shown = (
            f"{self._head(leaf)}, 'fact': {names.said(leaf.fact)!r}, "
            f"'label': {names.label(leaf.fact)!r}, 'unit': {names.unit(leaf.fact)!r}, "
            f"'value': {fact}"
        )
        if isinstance(leaf, Has):
            return self._add(f"FALSE if {fact} is None else TRUE", shown)
        held = f"{fact} {leaf.op} {leaf.value!r}" if isinstance(leaf, Compare) else ""
        held = held or f"{fact} in {leaf.values!r}"  # type: ignore[union-attr]
        applicable = self.applies(leaf.fact)
        absent = "UNKNOWN"
        if applicable is not None:
            absent = f"(ASIDE if {definitely(applicable, true=False)} else UNKNOWN)"
        holds = f"{absent} if {fact} is None else TRUE if {held} else FALSE"
        return self._add(holds, shown, aside=applicable is not None)

    def _not(self, condition: Not) -> int:
        part = self.node(condition.part)
        shown = f"{self._head(condition)}, 'op': 'not', 'parts': [{self.dicts[part]}]"
        holds = f"FALSE if h{part} is TRUE else TRUE if h{part} is FALSE else h{part}"
        return self._add(holds, shown, aside=self._aside[part])

    def _group(self, condition: And | Or) -> int:
        both = isinstance(condition, And)
        parts = [self.node(part) for part in condition.parts]
        strong, weak = ("FALSE", "TRUE") if both else ("TRUE", "FALSE")
        holds = f"{strong} if {_any(parts, strong)} "
        aside = all(self._aside[part] for part in parts)
        if aside:
            every = " and ".join(f"h{part} is ASIDE" for part in parts)
            holds += f"else ASIDE if {every} "
        holds += f"else UNKNOWN if {_any(parts, 'UNKNOWN')} else {weak}"
        children = ", ".join(self.dicts[part] for part in parts)
        word = "and" if both else "or"
        shown = f"{self._head(condition)}, 'op': {word!r}, 'parts': [{children}]"
        return self._add(holds, shown, aside=aside)


def _any(parts: list[int], word: str) -> str:
    return " or ".join(f"h{part} is {word}" for part in parts)
