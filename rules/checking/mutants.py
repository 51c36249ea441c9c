"""Slips of the pen that no scenario of a file would notice.

Who comes in: checking, for `--coverage`. Who goes out: the mutants that survive.
Each clause is changed a little: another limit or operator, its contrary, one word more or less,
left out; each group's && becomes || and back. What says the same of every subject is no mutant. One
is noticed where an expectation, over the facts that were judged for it, would come out otherwise.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from rules.assessment import compile_condition
from rules.checking.cases import near
from rules.checking.watching import Facts, Seen, Told
from rules.language.normal import NEGATED
from rules.language.places import bounds
from rules.language.reasoning import Bounds, Budget, Exhausted, space, words
from rules.language.sense import same
from rules.language.vocabulary import FactType, declared, scopes_of
from rules.language.written import written
from rules.model import (
    AlertRule,
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
)
from rules.terms import CriterionKind, Decision, Scope, ValueType, Verdict

STEPS = 300_000
MAX_MUTANTS = 3000
_EDGE = {"<": "<=", "<=": "<", ">": ">=", ">=": ">"}
_ONE_SNAPSHOT = (Scope.SUBJECT, Scope.TRIAL)
Judge = Callable[[Facts], bool | None]


@dataclass(frozen=True)
class Mutant:
    """A change of one clause that nobody noticed."""

    what: str
    line: int
    clause: str
    instead: str


@dataclass(frozen=True)
class _Change:
    clause: Condition
    instead: Condition | None  # None: left out
    whole: Condition


def surviving(definition: Definition, seen: Seen) -> list[Mutant]:
    """Every mutant that the file's scenarios let through, in the order of the file."""
    limits, budget = bounds(definition, asked=False), Budget(STEPS)
    found: list[Mutant] = []
    tried = 0
    for item, names in _items(definition):
        key = "when"
        word = "criterion" if isinstance(item, Criterion) else "rule"
        line = item.lines.get(key, item.line)
        notices = _notices(definition, item, seen)
        for change in changes(item.when, names, limits):
            tried += 1
            if tried > MAX_MUTANTS:
                return found
            known = space([item.when, change.whole], names, limits, budget)
            try:
                if same(item.when, change.whole, known):
                    continue
            except Exhausted:
                return found
            if not notices(change.whole):
                what = f"the {word} `{item.id}`, `{key}`"
                instead = "(left out)" if change.instead is None else written(change.instead)
                found.append(Mutant(what, line, written(change.clause), instead))
    return found


def _items(
    definition: Definition,
) -> Iterator[tuple[Criterion | AlertRule, Mapping[str, FactType]]]:
    names, by_scope = declared(definition.facts), scopes_of(definition)
    for criterion in definition.criteria:
        yield criterion, names
    for rule in definition.rules:
        yield rule, by_scope[rule.scope]


# --- changes ----------------------------------------------------------------------------------
def changes(
    node: Condition, names: Mapping[str, FactType], limits: Mapping[str, Bounds]
) -> Iterator[_Change]:
    """Every condition that differs from this one by one slip."""
    if isinstance(node, Const):
        return
    if isinstance(node, Not):
        for change in changes(node.part, names, limits):
            yield _Change(change.clause, change.instead, Not(change.whole))
    elif isinstance(node, And | Or):
        yield from _of_group(node, names, limits)
    else:
        for instead in _of_leaf(node, names[node.fact], limits.get(node.fact, Bounds())):
            yield _Change(node, instead, instead)


def _of_group(
    node: And | Or, names: Mapping[str, FactType], limits: Mapping[str, Bounds]
) -> Iterator[_Change]:
    kind = type(node)
    other = Or(node.parts) if isinstance(node, And) else And(node.parts)
    yield _Change(node, other, other)
    for index, part in enumerate(node.parts):
        before, after = node.parts[:index], node.parts[index + 1 :]
        rest = (*before, *after)
        yield _Change(part, None, rest[0] if len(rest) == 1 else kind(rest))
        for change in changes(part, names, limits):
            whole = kind((*before, change.whole, *after))
            yield _Change(change.clause, change.instead, whole)


def _of_leaf(leaf: Compare | In | Has, kind: FactType, limit: Bounds) -> Iterator[Condition]:
    if isinstance(leaf, Has):
        yield Not(leaf)
        return
    if isinstance(leaf, In):
        yield Not(leaf)
        yield from _of_list(leaf, kind, limit)
        return
    yield Compare(leaf.fact, NEGATED[leaf.op], leaf.value)
    if kind.value not in (ValueType.INTEGER, ValueType.NUMBER):
        return
    if leaf.op in _EDGE:
        yield Compare(leaf.fact, _EDGE[leaf.op], leaf.value)
    whole = kind.value is ValueType.INTEGER
    for value in sorted(set(near([leaf.value], whole=whole))):
        if value != leaf.value:
            yield Compare(leaf.fact, leaf.op, value)


def _of_list(leaf: In, kind: FactType, limit: Bounds) -> Iterator[Condition]:
    for value in leaf.values if len(leaf.values) > 1 else ():
        yield In(leaf.fact, tuple(one for one in leaf.values if one != value))
    others: list[str] | list[float] = []
    if kind.value is ValueType.CODE:
        others = [word for word in words(kind, limit) if word not in leaf.values]
    elif kind.value is not ValueType.STRING:
        near_by = near(leaf.values, whole=kind.value is ValueType.INTEGER)
        others = sorted({value for value in near_by if value not in leaf.values})
    for value in others[:4]:
        yield In(leaf.fact, (*leaf.values, value))


# --- who notices ------------------------------------------------------------------------------
def _notices(
    definition: Definition, item: Criterion | AlertRule, seen: Seen
) -> Callable[[Condition], bool]:
    """Whether some expectation would come out otherwise with another condition."""
    if isinstance(item, AlertRule):
        return _rule_notices(item, seen)
    return _criterion_notices(definition, item, seen)


def _rule_notices(rule: AlertRule, seen: Seen) -> Callable[[Condition], bool]:
    asked = [
        (told, snapshots)
        for told in seen.told
        if told.expected.alerts is not None or told.expected.opened is not None
        if told.expected.concerns(rule.id)
        for snapshots in [[facts for scope, facts in told.asked if scope is rule.scope]]
        if snapshots
    ]
    judge = compile_condition(rule.when)
    before = [_fires(rule.scope, judge, told, snapshots) for told, snapshots in asked]

    def notices(instead: Condition) -> bool:
        other = compile_condition(instead)
        return any(
            _fires(rule.scope, other, told, snapshots) != was
            for (told, snapshots), was in zip(asked, before, strict=True)
        )

    return notices


def _fires(scope: Scope, judge: Judge, told: Told, snapshots: list[Facts]) -> tuple[bool, bool]:
    """Whether it is open at the end and whether it ever was, as far as somebody looks."""
    ever = any(judge(facts) is True for facts in snapshots)
    now = judge(snapshots[-1]) is True if scope in _ONE_SNAPSHOT else ever
    return now and told.expected.alerts is not None, ever and told.expected.opened is not None


def _criterion_notices(
    definition: Definition, item: Criterion, seen: Seen
) -> Callable[[Condition], bool]:
    verdicts = {
        one.id: _verdict(compile_condition(one.when), compile_condition(one.applicable_if))
        for one in definition.criteria
    }
    own = verdicts[item.id]
    applies = compile_condition(item.applicable_if)
    wanted: list[tuple[Facts, Verdict]] = []  # a verdict that somebody expects
    decided: list[tuple[Facts, dict[str, Verdict], Decision]] = []  # the same of decisions
    for told in seen.told:
        expected = told.expected.verdicts.get(item.id)
        held = [facts for facts in told.judged if own(facts).value == expected]
        if held:
            wanted.append((held[-1], own(held[-1])))
        if told.expected.decision is not None and told.judged:
            facts = told.judged[-1]
            said = {name: judge(facts) for name, judge in verdicts.items()}
            decided.append((facts, said, _decision(definition, said)))

    def notices(instead: Condition) -> bool:
        other = _verdict(compile_condition(instead), applies)
        return any(other(facts) is not verdict for facts, verdict in wanted) or any(
            _decision(definition, {**said, item.id: other(facts)}) is not decision
            for facts, said, decision in decided
        )

    return notices


def _verdict(when: Judge, applies: Judge) -> Callable[[Facts], Verdict]:
    spoken = {True: Verdict.MET, False: Verdict.NOT_MET, None: Verdict.INDETERMINATE}
    return lambda facts: Verdict.NOT_APPLICABLE if applies(facts) is False else spoken[when(facts)]


def _decision(definition: Definition, verdicts: Mapping[str, Verdict]) -> Decision:
    bad = {
        CriterionKind.INCLUSION: Verdict.NOT_MET,
        CriterionKind.EXCLUSION: Verdict.MET,
    }
    if any(verdicts[item.id] is bad[item.kind] for item in definition.criteria):
        return Decision.INELIGIBLE
    open_ = Verdict.INDETERMINATE in verdicts.values()
    return Decision.INDETERMINATE if open_ else Decision.ELIGIBLE
