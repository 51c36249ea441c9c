"""Conditions as Python source, compiled: the functions that decide.

Who comes in: assessment.py and the knowledge base's cross-check. Who goes out: plain functions over
a mapping of facts. Kleene's logic as two two-valued expressions: T (definitely true) and F
(definitely false); what is neither is unknown. An absent fact makes every leaf neither.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any

from rules.language.normal import NEGATED
from rules.model import And, Compare, Condition, Const, Has, In, Not, Or, Scalar

Facts = Mapping[str, Scalar]


def names_in(*conditions: Condition) -> tuple[str, ...]:
    """Every fact the conditions name, in order of first mention."""
    found: dict[str, None] = {}
    stack = list(reversed(conditions))
    while stack:
        node = stack.pop()
        if isinstance(node, And | Or):
            stack.extend(reversed(node.parts))
        elif isinstance(node, Not):
            stack.append(node.part)
        elif not isinstance(node, Const):
            found[node.fact] = None
    return tuple(found)


# --- source: each returns a Python expression over locals f_<fact>, None where unknown ---------
def definitely(condition: Condition, *, true: bool) -> str:
    """The expression that holds where `condition` is definitely true (or false)."""
    if isinstance(condition, Const):
        return str(condition.value is true)
    if isinstance(condition, Not):
        return definitely(condition.part, true=not true)
    if isinstance(condition, Has):
        return f"f_{condition.fact} is {'not ' if true else ''}None"
    if isinstance(condition, Compare):
        op = condition.op if true else NEGATED[condition.op]
        return f"(f_{condition.fact} is not None and f_{condition.fact} {op} {condition.value!r})"
    if isinstance(condition, In):
        op = "in" if true else "not in"
        return f"(f_{condition.fact} is not None and f_{condition.fact} {op} {condition.values!r})"
    word = " and " if isinstance(condition, And) is true else " or "
    return "(" + word.join(definitely(part, true=true) for part in condition.parts) + ")"


def three_valued(condition: Condition) -> str:
    """The expression that is True, False, or None where unknown."""
    true, false = definitely(condition, true=True), definitely(condition, true=False)
    return f"True if {true} else False if {false} else None"


def undecided(condition: Condition) -> str:
    """The expression that holds where `condition` is unknown."""
    true, false = definitely(condition, true=True), definitely(condition, true=False)
    return f"not ({true} or {false})"


def missing_lines(condition: Condition, indent: str) -> list[str]:
    """Statements that add to `out` the facts whose absence keeps `condition` unknown."""
    if isinstance(condition, Not):
        return missing_lines(condition.part, indent)
    if isinstance(condition, Compare | In):
        return [f"{indent}if f_{condition.fact} is None: out[{condition.fact!r}] = None"]
    lines: list[str] = []
    for part in condition.parts if isinstance(condition, And | Or) else ():
        bare: Condition = part
        while isinstance(bare, Not):
            bare = bare.part
        if isinstance(bare, And | Or):
            lines += [f"{indent}if {undecided(bare)}:", f"{indent}    pass"]
            lines += missing_lines(bare, indent + "    ")
        else:
            lines += missing_lines(bare, indent)
    return lines


def load(names: Collection[str]) -> list[str]:
    return [f"    f_{name} = get({name!r})" for name in names]


def build(name: str, lines: list[str], **given: Any) -> Any:
    """Compile one function from source made only of checked names and reprs of typed constants."""
    space: dict[str, Any] = dict(given)
    exec(compile("\n".join(lines), f"<{name}>", "exec"), space)  # noqa: S102
    return space[name]


def compile_firing(conditions: list[tuple[str, Condition]]) -> Callable[[Facts], frozenset[str]]:
    """The function that says which of (id, condition) definitely hold."""
    lines = [
        "def fire(facts):",
        "    get = facts.get",
        *load(names_in(*[when for _, when in conditions])),
    ]
    lines.append("    fired = []")
    for rule_id, when in conditions:
        lines.append(f"    if {definitely(when, true=True)}: fired.append({rule_id!r})")
    result: Callable[[Facts], frozenset[str]] = build(
        "fire", [*lines, "    return frozenset(fired)"]
    )
    return result


def compile_condition(condition: Condition) -> Callable[[Facts], bool | None]:
    """One condition as a three-valued function: the endpoint of a stopping rule, a test."""
    verdict = three_valued(condition)
    lines = [
        "def judge(facts):",
        "    get = facts.get",
        *load(names_in(condition)),
        f"    return {verdict}",
    ]
    result: Callable[[Facts], bool | None] = build("judge", lines)
    return result
