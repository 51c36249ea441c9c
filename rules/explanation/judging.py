"""Each criterion as a function of its own, and what a search over facts needs to know of it.

Who comes in: counterfactual and worklist. Who goes out: Judge, once per protocol. It says what
`Assessment.satisfied` says; a test holds them together.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import Any

from rules.explanation.cells import Space, holds, leaves, spaces
from rules.language.functions import (
    build,
    compile_condition,
    definitely,
    load,
    missing_lines,
    names_in,
    three_valued,
    undecided,
)
from rules.model import Compare, Criterion, Definition, Has, In, Not, Scalar
from rules.terms import CriterionKind, Decision, EventType

Facts = Mapping[str, Scalar]
Satisfied = Callable[[Callable[[str], Any]], bool | None]


@dataclass(frozen=True)
class Rule:
    """One criterion. `satisfied(get)`: whether it lets the subject in."""

    id: str
    waivable: bool
    uses: tuple[str, ...]
    satisfied: Satisfied
    missing: Callable[[Callable[[str], Any]], dict[str, None]]
    applies: Callable[[Facts], bool | None]
    asks: bool  # names has(): what is definite may change as data come in
    pivotal: frozenset[str]  # named once, by a comparison that can be true and can be false


@dataclass(frozen=True)
class Judge:
    """All criteria of one protocol."""

    rules: tuple[Rule, ...]
    spaces: Mapping[str, Space]
    users: Mapping[str, tuple[Rule, ...]]  # by fact
    place: Mapping[str, int]  # the facts' order in the protocol
    applicable: Mapping[str, Callable[[Facts], bool | None]]  # of facts that may not apply
    fixed: frozenset[str]  # facts from demographics
    # Of the worklist's searches, by which facts are missing and in which cells the others lie.
    kept: dict[Any, Any] = field(default_factory=dict, compare=False)

    def aside(self, facts: Facts) -> frozenset[str]:
        """The unknown facts that definitely do not apply."""
        return frozenset(
            name
            for name, applies in self.applicable.items()
            if name not in facts and applies(facts) is False
        )

    def answers(self, facts: Facts, overridden: AbstractSet[str]) -> dict[str, bool | None]:
        """Each criterion's `satisfied`."""
        get = facts.get
        return {
            rule.id: True if rule.id in overridden else rule.satisfied(get) for rule in self.rules
        }


def decide(answers: Mapping[str, bool | None]) -> Decision:
    """The decision of these answers."""
    values = answers.values()
    if False in values:
        return Decision.INELIGIBLE
    return Decision.INDETERMINATE if None in values else Decision.ELIGIBLE


def judge(definition: Definition) -> Judge:
    """Compile the criteria of a protocol."""
    found = spaces(definition)
    rules = tuple(_rule(item, found) for item in definition.criteria)
    facts = dict.fromkeys(name for rule in rules for name in rule.uses)
    specs = definition.facts
    return Judge(
        rules=rules,
        spaces=found,
        users={name: tuple(rule for rule in rules if name in rule.uses) for name in facts},
        place={name: number for number, name in enumerate(facts)},
        applicable={
            name: compile_condition(applies)
            for name in facts
            if name in specs and (applies := specs[name].applicable_if) is not None
        },
        fixed=frozenset(
            name for name in facts if name in specs and specs[name].origin is EventType.DEMOGRAPHICS
        ),
    )


def _rule(item: Criterion, found: Mapping[str, Space]) -> Rule:
    named = leaves(item.when, item.applicable_if)
    return Rule(
        id=item.id,
        waivable=item.waivable,
        uses=names_in(item.when, item.applicable_if),
        satisfied=_satisfied(item),
        missing=_missing(item),
        applies=compile_condition(item.applicable_if),
        asks=any(isinstance(leaf, Has) for leaf in named),
        pivotal=_pivotal(item, named, found),
    )


def _pivotal(item: Criterion, named: list[Any], found: Mapping[str, Space]) -> frozenset[str]:
    """Facts that one comparison of `when` names, and nothing else, and that can go either way."""
    counted: dict[str, int] = {}
    for leaf in named:
        counted[leaf.fact] = counted.get(leaf.fact, 0) + 1
    return frozenset(
        leaf.fact
        for leaf in leaves(item.when)
        if isinstance(leaf, Compare | In)
        and counted[leaf.fact] == 1
        and leaf.fact in found
        and len({holds(leaf, cell.value) for cell in found[leaf.fact].cells}) == 2
    )


def _satisfied(item: Criterion) -> Satisfied:
    way = item.when if item.kind is CriterionKind.INCLUSION else Not(item.when)
    outside = definitely(item.applicable_if, true=False)
    lines = ["def satisfied(get):", *load(names_in(item.when, item.applicable_if))]
    if outside != "False":
        lines.append(f"    if {outside}: return True")
    function: Satisfied = build("satisfied", [*lines, f"    return {three_valued(way)}"])
    return function


def _missing(item: Criterion) -> Any:
    """The facts whose absence keeps it open: those not under a clause that is settled."""
    lines = ["def missing(get):", *load(names_in(item.when, item.applicable_if)), "    out = {}"]
    lines += missing_lines(item.when, "    ")
    lines += [f"    if {undecided(item.applicable_if)}:", "        pass"]
    lines += missing_lines(item.applicable_if, "        ")
    return build("missing", [*lines, "    return out"])
