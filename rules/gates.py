"""The gate of a protocol, compiled: its items, and the rules that hold an infusion.

Who comes in: the plan, once a version. Who goes out: Gates, asked by gating.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Any

from rules.assessment import compile_condition, compile_criteria, names_in
from rules.explanation.clauses import Tree, compile_trees
from rules.explanation.words import Names
from rules.language.vocabulary import HELD, gate_names, scopes_of
from rules.model import Definition
from rules.terms import Hold, Scope

NAMES = ("gate", "gate_closed_by", "gate_missing")  # what a rule about an infusion may ask


class Gates:
    """A protocol's gate, compiled once; nothing is kept of a subject."""

    def __init__(self, definition: Definition) -> None:
        """Compile the items, and the rules over the subject that hold the next infusion."""
        self.items = definition.gate
        self.names = gate_names(scopes_of(definition)[Scope.SUBJECT])
        self.program = compile_criteria(definition, self.items, self.names)
        self._definition = definition
        holding = [rule for rule in definition.rules if rule.hold is Hold.INFUSION]
        # A rule that looks at the gate cannot also be what keeps it closed.
        own = [rule for rule in holding if set(NAMES).isdisjoint(names_in(rule.when))]
        self.holding = frozenset(rule.id for rule in own)
        self.now = {
            rule.id: (names_in(rule.when), compile_condition(rule.when))
            for rule in own
            if rule.scope is Scope.SUBJECT
        }
        self.series = {
            rule.id: (names_in(rule.when), compile_condition(rule.when))
            for rule in own
            if rule.scope is Scope.LABORATORY
        }

    @cached_property
    def asks_holds(self) -> bool:
        """Whether an item asks whether a rule of the protocol holds the infusion."""
        return any(HELD in names_in(item.when, item.applicable_if) for item in self.items)

    @cached_property
    def explain(self) -> Callable[[Callable[[str], Any]], dict[str, Tree]]:
        """By item the clause tree of its condition as written."""
        it = self._definition
        names = Names(it.facts, self.names, frozenset(item.id for item in it.criteria))
        conditions = {
            item.id: item.when if item.stated is None else item.stated for item in self.items
        }
        return compile_trees(conditions, names)
