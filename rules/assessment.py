"""Criteria and rules compiled to plain Python functions over a mapping of facts.

Who comes in: Protocol.assess and the knowledge base's cross-check. Who goes out: Assessment,
sets of rule ids. Kleene's logic as two two-valued expressions: T (definitely true) and F
(definitely false); what is neither is unknown. An absent fact makes every leaf neither.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from rules.errors import RuleError
from rules.facts.derived import Value, compile_derivation
from rules.language.dependencies import behind, inputs, ordered
from rules.language.functions import (
    Facts,
    build,
    compile_condition,
    compile_firing,
    definitely,
    load,
    missing_lines,
    names_in,
    three_valued,
    undecided,
)
from rules.language.vocabulary import FactType, scopes_of
from rules.model import Criterion, Definition, FactSpec, Scalar
from rules.terms import CriterionKind, Decision, Scope, ValueType, Verdict

__all__ = [
    "Assessment",
    "Facts",
    "Program",
    "compile_condition",
    "compile_criteria",
    "compile_firing",
    "compile_rules",
    "names_in",
]


@dataclass(frozen=True)
class Program:
    """A protocol's criteria, compiled. `judge(get)` -> (verdicts, decision, not applicable)."""

    criteria: tuple[Criterion, ...]
    judge: Callable[[Callable[[str], Any]], tuple[dict[str, bool | None], Decision, frozenset[str]]]
    missing: Mapping[str, Callable[[Callable[[str], Any]], dict[str, None]]]
    uses: Mapping[str, tuple[str, ...]]
    allowed: Mapping[str, Collection[Any]]
    derived: tuple[tuple[str, Value], ...] = ()  # what criteria need, each after what it needs
    inputs: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def assess(self, facts: Facts) -> Assessment:
        """Judge every criterion. Raises RuleError on a name or type the protocol does not know."""
        allowed = self.allowed
        for name, value in facts.items():
            kind = value.__class__
            if name not in allowed or (value if kind is str else kind) not in allowed[name]:
                raise _mistyped(name, allowed)
            if kind is float and not math.isfinite(value):  # type: ignore[arg-type]
                raise RuleError(f"the fact `{name}` is not a finite number")
        return Assessment(self, self.derive(facts))

    def derive(self, facts: Facts) -> dict[str, Scalar]:
        """The facts, and what follows from them where nobody said it."""
        whole = dict(facts)
        for name, derive in self.derived:
            if name not in whole:
                value = derive(whole.get)
                if value is not None:
                    whole[name] = value
        return whole

    def wanted(self, names: Iterable[str], facts: Facts) -> tuple[str, ...]:
        """Unknown facts as what must be found out: of a derived one, its unknown inputs."""
        found: dict[str, None] = {}
        for name in names:
            unknown = [one for one in self.inputs.get(name, ()) if one not in facts]
            found |= dict.fromkeys(self.wanted(unknown, facts) if unknown else (name,))
        return tuple(found)


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
        program, facts = self._program, self._facts
        get, missing = facts.get, program.missing
        found = {
            name: tuple(missing[name](get)) if verdict is None else ()
            for name, verdict in self.verdicts.items()
        }
        if program.derived:
            return {name: program.wanted(names, facts) for name, names in found.items()}
        return found

    @cached_property
    def missing(self) -> tuple[str, ...]:
        """The facts that keep any criterion indeterminate, in the protocol's order."""
        program, get = self._program, self._facts.get
        missing, found = program.missing, dict[str, None]()
        for name, verdict in self.verdicts.items():
            if verdict is None:
                found |= missing[name](get)
        return program.wanted(tuple(found), self._facts) if program.derived else tuple(found)

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

    def satisfied(self, overridden: AbstractSet[str] = frozenset()) -> dict[str, bool | None]:
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

    def decide(self, overridden: AbstractSet[str] = frozenset()) -> Decision:
        """The decision with these criteria overridden."""
        if not overridden:
            return self.decision
        answers = self.satisfied(overridden).values()
        if any(answer is False for answer in answers):
            return Decision.INELIGIBLE
        return Decision.INDETERMINATE if None in answers else Decision.ELIGIBLE


def compile_criteria(
    definition: Definition,
    criteria: tuple[Criterion, ...] | None = None,
    names: Mapping[str, FactType] | None = None,
) -> Program:
    """All criteria as one function, and one function each for what is missing.

    `criteria`: others than the protocol's own, over `names`.
    """
    criteria = definition.criteria if criteria is None else criteria
    names = scopes_of(definition)[Scope.SUBJECT] if names is None else names
    uses = {item.id: names_in(item.when, item.applicable_if) for item in criteria}
    derived = _derived(definition.facts, {name for used in uses.values() for name in used})
    return Program(
        criteria=criteria,
        judge=_judge(criteria),
        missing={item.id: _missing(item) for item in criteria},
        uses=uses,
        allowed=allowed_values(names),
        derived=tuple((name, compile_derivation(definition.facts[name])) for name in derived),
        inputs={name: _inputs(definition.facts[name]) for name in derived},
    )


def _derived(facts: Mapping[str, FactSpec], used: Iterable[str]) -> list[str]:
    """The derived facts that these need, each after those it needs itself."""
    wanted = frozenset(behind(used, facts))
    return [name for name in ordered(facts) if name in wanted and facts[name].derived is not None]


def _inputs(spec: FactSpec) -> tuple[str, ...]:
    return inputs(spec.derived) if spec.derived is not None else ()


def _judge(criteria: tuple[Criterion, ...]) -> Any:
    used = names_in(*[part for item in criteria for part in (item.when, item.applicable_if)])
    lines = ["def judge(get):", *load(used), "    aside = NONE"]
    for index, item in enumerate(criteria):
        verdict = three_valued(item.when)
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
    return build("judge", lines, NONE=frozenset(), **{item.name: item for item in Decision})


def _missing(item: Criterion) -> Any:
    lines = ["def missing(get):", *load(names_in(item.when, item.applicable_if)), "    out = {}"]
    lines += missing_lines(item.when, "    ")
    lines += [
        f"    if {undecided(item.applicable_if)}:",
        "        pass",
        *missing_lines(item.applicable_if, "        "),
    ]
    return build("missing", [*lines, "    return out"])


def compile_rules(definition: Definition) -> dict[Scope, Callable[[Facts], frozenset[str]]]:
    """For each scope the function that says which alert rules definitely hold."""
    return {
        scope: compile_firing(
            [(rule.id, rule.when) for rule in definition.rules if rule.scope is scope]
        )
        for scope in Scope
    }
