"""Criteria and rules compiled to plain Python functions over a mapping of facts.

Who comes in: Protocol.assess and the knowledge base's cross-check. Who goes out: Assessment,
sets of rule ids. Kleene's logic as two two-valued expressions: T (definitely true) and F
(definitely false); what is neither is unknown. An absent fact makes every leaf neither.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping, Set
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from rules.errors import RuleError
from rules.language.vocabulary import FactType, scopes
from rules.model import (
    And,
    Compare,
    Condition,
    Const,
    Criterion,
    Definition,
    Has,
    In,
    Not,
    Or,
    Scalar,
)
from rules.terms import CriterionKind, Decision, Scope, ValueType, Verdict

Facts = Mapping[str, Scalar]
_NEGATED = {"==": "!=", "!=": "==", "<": ">=", "<=": ">", ">": "<=", ">=": "<"}


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
        op = condition.op if true else _NEGATED[condition.op]
        return f"(f_{condition.fact} is not None and f_{condition.fact} {op} {condition.value!r})"
    if isinstance(condition, In):
        op = "in" if true else "not in"
        return f"(f_{condition.fact} is not None and f_{condition.fact} {op} {condition.values!r})"
    word = " and " if isinstance(condition, And) is true else " or "
    return "(" + word.join(definitely(part, true=true) for part in condition.parts) + ")"


def _missing_lines(condition: Condition, indent: str) -> list[str]:
    """Statements that add to `out` the facts whose absence keeps `condition` unknown."""
    if isinstance(condition, Not):
        return _missing_lines(condition.part, indent)
    if isinstance(condition, Compare | In):
        return [f"{indent}if f_{condition.fact} is None: out[{condition.fact!r}] = None"]
    lines: list[str] = []
    for part in condition.parts if isinstance(condition, And | Or) else ():
        bare: Condition = part
        while isinstance(bare, Not):
            bare = bare.part
        if isinstance(bare, And | Or):
            known = f"{definitely(bare, true=True)} or {definitely(bare, true=False)}"
            lines += [f"{indent}if not ({known}):", f"{indent}    pass"]
            lines += _missing_lines(bare, indent + "    ")
        else:
            lines += _missing_lines(bare, indent)
    return lines


def _load(names: Collection[str]) -> list[str]:
    return [f"    f_{name} = get({name!r})" for name in names]


def _build(name: str, lines: list[str], **given: Any) -> Any:
    """Compile one function from source made only of checked names and reprs of typed constants."""
    space: dict[str, Any] = dict(given)
    exec(compile("\n".join(lines), f"<{name}>", "exec"), space)  # noqa: S102
    return space[name]


@dataclass(frozen=True)
class Program:
    """A protocol's criteria, compiled. `judge(get)` -> (verdicts, decision, not applicable)."""

    criteria: tuple[Criterion, ...]
    judge: Callable[[Callable[[str], Any]], tuple[dict[str, bool | None], Decision, frozenset[str]]]
    missing: Mapping[str, Callable[[Callable[[str], Any]], dict[str, None]]]
    uses: Mapping[str, tuple[str, ...]]
    allowed: Mapping[str, Collection[Any]]

    def assess(self, facts: Facts) -> Assessment:
        """Judge every criterion. Raises RuleError on a name or type the protocol does not know."""
        allowed = self.allowed
        for name, value in facts.items():
            kind = value.__class__
            if name not in allowed or (value if kind is str else kind) not in allowed[name]:
                raise _mistyped(name, allowed)
            if kind is float and not math.isfinite(value):  # type: ignore[arg-type]
                raise RuleError(f"the fact `{name}` is not a finite number")
        return Assessment(self, dict(facts))


class _AnyText:
    """Holds every text and nothing else: the allowed values of a free string."""

    def __contains__(self, value: object) -> bool:
        return isinstance(value, str)


def _mistyped(name: str, allowed: Mapping[str, Any]) -> RuleError:
    if name not in allowed:
        return RuleError(f"the protocol declares no fact `{name}`")
    if any(isinstance(value, str) for value in getattr(allowed[name], "__iter__", tuple)()):
        return RuleError(f"the fact `{name}` is one of {', '.join(sorted(allowed[name]))}")
    kinds = [kind.__name__ for kind in getattr(allowed[name], "__iter__", lambda: [str])()]
    return RuleError(f"the fact `{name}` must be of type {' or '.join(sorted(kinds))}")


def allowed_values(names: Mapping[str, FactType]) -> dict[str, Any]:
    """By name, the Python types a fact may have, or the texts of a code."""
    kinds: dict[ValueType, Any] = {
        ValueType.BOOLEAN: frozenset({bool}),
        ValueType.INTEGER: frozenset({int}),
        ValueType.NUMBER: frozenset({int, float}),
        ValueType.STRING: _AnyText(),
    }
    return {
        name: frozenset(kind.values) if kind.value is ValueType.CODE else kinds[kind.value]
        for name, kind in names.items()
    }


class Assessment:
    """The verdicts over one set of facts; the rest is worked out when asked for."""

    def __init__(self, program: Program, facts: dict[str, Scalar]) -> None:
        """Judge at once; `facts` must be a copy nobody else changes."""
        self._program, self._facts = program, facts
        self.verdicts, self.decision, self.not_applicable = program.judge(facts.get)

    @cached_property
    def verdict_codes(self) -> dict[str, Verdict]:
        """Each criterion's verdict as the contract spells it."""
        words = {True: Verdict.MET, False: Verdict.NOT_MET, None: Verdict.INDETERMINATE}
        aside = self.not_applicable
        return {
            name: Verdict.NOT_APPLICABLE if name in aside else words[verdict]
            for name, verdict in self.verdicts.items()
        }

    @cached_property
    def criterion_missing(self) -> dict[str, tuple[str, ...]]:
        """For each indeterminate criterion the facts that keep it so; empty for the others."""
        get, missing = self._facts.get, self._program.missing
        return {
            name: tuple(missing[name](get)) if verdict is None else ()
            for name, verdict in self.verdicts.items()
        }

    @cached_property
    def missing(self) -> tuple[str, ...]:
        """The facts that keep any criterion indeterminate, in the protocol's order."""
        return tuple(
            dict.fromkeys(name for names in self.criterion_missing.values() for name in names)
        )

    @cached_property
    def criterion_facts(self) -> dict[str, tuple[str, ...]]:
        """The known facts each criterion names."""
        facts = self._facts
        return {
            name: tuple(fact for fact in used if fact in facts)
            for name, used in self._program.uses.items()
        }

    @cached_property
    def evidence(self) -> dict[str, dict[str, Scalar]]:
        """By criterion, the known facts it names and their values."""
        facts = self._facts
        return {
            name: {fact: facts[fact] for fact in used}
            for name, used in self.criterion_facts.items()
        }

    def satisfied(self, overridden: Set[str] = frozenset()) -> dict[str, bool | None]:
        """Whether each criterion lets the subject in; an override does, whatever the verdict."""
        result: dict[str, bool | None] = {}
        for criterion in self._program.criteria:
            verdict = self.verdicts[criterion.id]
            if criterion.id in overridden:
                verdict = True
            elif verdict is not None and criterion.kind is CriterionKind.EXCLUSION:
                verdict = not verdict
            result[criterion.id] = verdict
        return result

    def decide(self, overridden: Set[str] = frozenset()) -> Decision:
        """The decision with these criteria overridden."""
        if not overridden:
            return self.decision
        answers = self.satisfied(overridden).values()
        if any(answer is False for answer in answers):
            return Decision.INELIGIBLE
        return Decision.INDETERMINATE if None in answers else Decision.ELIGIBLE


def compile_criteria(definition: Definition) -> Program:
    """All criteria as one function, and one function each for what is missing."""
    criteria = definition.criteria
    names = scopes(definition.facts, [item.id for item in criteria], definition.stopping)[
        Scope.SUBJECT
    ]
    uses = {item.id: names_in(item.when, item.applicable_if) for item in criteria}
    return Program(
        criteria=criteria,
        judge=_judge(criteria),
        missing={item.id: _missing(item) for item in criteria},
        uses=uses,
        allowed=allowed_values(names),
    )


def _judge(criteria: tuple[Criterion, ...]) -> Any:
    used = names_in(*[part for item in criteria for part in (item.when, item.applicable_if)])
    lines = ["def judge(get):", *_load(used), "    aside = NONE"]
    for index, item in enumerate(criteria):
        verdict = f"True if {definitely(item.when, true=True)} else False if {definitely(item.when, true=False)} else None"
        indent = "    "
        outside = definitely(item.applicable_if, true=False)
        if outside != "False":
            way = item.kind is CriterionKind.INCLUSION
            lines += [
                f"    if {outside}:",
                f"        v{index} = {way}",
                f"        aside |= {{{item.id!r}}}",
                "    else:",
            ]
            indent = "        "
        lines.append(f"{indent}v{index} = {verdict}")
    bad = [f"v{i} is {item.kind is CriterionKind.EXCLUSION}" for i, item in enumerate(criteria)]
    unknown = [f"v{i} is None" for i in range(len(criteria))]
    lines += [
        f"    if {' or '.join(bad) or 'False'}: decision = INELIGIBLE",
        f"    elif {' or '.join(unknown) or 'False'}: decision = INDETERMINATE",
        "    else: decision = ELIGIBLE",
        "    return {"
        + ", ".join(f"{item.id!r}: v{i}" for i, item in enumerate(criteria))
        + "}, decision, aside",
    ]
    return _build("judge", lines, NONE=frozenset(), **{item.name: item for item in Decision})


def _missing(item: Criterion) -> Any:
    lines = ["def missing(get):", *_load(names_in(item.when, item.applicable_if)), "    out = {}"]
    lines += _missing_lines(item.when, "    ")
    known = f"{definitely(item.applicable_if, true=True)} or {definitely(item.applicable_if, true=False)}"
    lines += [
        f"    if not ({known}):",
        "        pass",
        *_missing_lines(item.applicable_if, "        "),
    ]
    return _build("missing", [*lines, "    return out"])


def compile_rules(definition: Definition) -> dict[Scope, Callable[[Facts], frozenset[str]]]:
    """For each scope the function that says which alert rules definitely hold."""
    return {
        scope: compile_firing(
            [(rule.id, rule.when) for rule in definition.rules if rule.scope is scope]
        )
        for scope in Scope
    }


def compile_firing(conditions: list[tuple[str, Condition]]) -> Callable[[Facts], frozenset[str]]:
    """The function that says which of (id, condition) definitely hold."""
    lines = [
        "def fire(facts):",
        "    get = facts.get",
        *_load(names_in(*[when for _, when in conditions])),
    ]
    lines.append("    fired = []")
    for rule_id, when in conditions:
        lines.append(f"    if {definitely(when, true=True)}: fired.append({rule_id!r})")
    result: Callable[[Facts], frozenset[str]] = _build(
        "fire", [*lines, "    return frozenset(fired)"]
    )
    return result


def compile_condition(condition: Condition) -> Callable[[Facts], bool | None]:
    """One condition as a three-valued function: the endpoint of a stopping rule, a test."""
    verdict = f"True if {definitely(condition, true=True)} else False if {definitely(condition, true=False)} else None"
    lines = [
        "def judge(facts):",
        "    get = facts.get",
        *_load(names_in(condition)),
        f"    return {verdict}",
    ]
    result: Callable[[Facts], bool | None] = _build("judge", lines)
    return result
