"""A condition as text again, in the language it was written in.

Who comes in: complaints, notes and tables that speak of one clause. Who goes out: one line.
"""

from __future__ import annotations

from rules.model import And, Compare, Condition, Const, Has, In, Not, Or, Scalar


def written(node: Condition) -> str:
    """The text of a condition; what reads it back gets the same tree."""
    if isinstance(node, Const):
        return "true" if node.value else "false"
    if isinstance(node, Has):
        return f"has(facts.{node.fact})"
    if isinstance(node, In):
        return f"{node.fact} in [{', '.join(map(spelt, node.values))}]"
    if isinstance(node, Compare):
        bare = node.op == "==" and node.value is True
        return node.fact if bare else f"{node.fact} {node.op} {spelt(node.value)}"
    if isinstance(node, Not):
        inner = written(node.part)
        plain = isinstance(node.part, Has | Const) or inner.isidentifier()
        return f"!{inner}" if plain else f"!({inner})"
    word = " && " if isinstance(node, And) else " || "
    return word.join(_part(part) for part in node.parts)


def _part(node: Condition) -> str:
    return f"({written(node)})" if isinstance(node, And | Or) else written(node)


def spelt(value: Scalar) -> str:
    """A constant as the language writes it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return f'"{value}"' if isinstance(value, str) else repr(value)
