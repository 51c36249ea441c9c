"""Cases made for every comparison of every criterion and rule: at its limit, beside it, missing.

Who comes in: checking. Who goes out: a table for people, complaints where an answer is not right.
For each comparison the other facts are chosen so that it alone decides; then its fact takes the
values about the limit, and none. Every answer must be the same from the compiled functions, from
durable-rules and from the clause tree as it stands; and a missing datum must decide nothing.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import product

from rules.errors import Complaint, EngineFailure
from rules.knowledge import KnowledgeBase
from rules.language.places import bounds, places, stated, stated_if
from rules.language.plainly import truth
from rules.language.reasoning import (
    Bounds,
    Budget,
    Exhausted,
    Space,
    Want,
    holds,
    leaves,
    space,
    words,
)
from rules.language.vocabulary import FactType, declared
from rules.language.written import spelt, written
from rules.model import (
    AlertRule,
    And,
    Compare,
    Condition,
    Const,
    Criterion,
    Has,
    In,
    Not,
    Or,
    Scalar,
)
from rules.protocol import Protocol
from rules.terms import ValueType, Verdict

MAX_CASES = 3000  # of one file; each asks the engine
MAX_VALUES = 9  # of one comparison
STEPS = 300_000
FIRES, SILENT = "fires", "silent"
_NOWHERE = "?"  # a name that is never known: what is put where a datum is missing


@dataclass(frozen=True)
class Case:
    """One value (None: missing) and what it makes of the criterion or rule."""

    value: Scalar | None
    answer: str


@dataclass(frozen=True)
class Row:
    """One comparison with its cases; `others`: the facts under which it alone decides."""

    what: str
    line: int
    fact: str
    clause: str
    others: Mapping[str, Scalar]
    cases: tuple[Case, ...]

    def __str__(self) -> str:
        """As a person reviews it: `I3 ecog in [0, 1, 2]: 2 -> met, 3 -> not met, missing -> ..`."""
        told = ", ".join(
            f"{'missing' if case.value is None else spelt(case.value)} -> {_words(case.answer)}"
            for case in self.cases
        )
        given = ", ".join(f"{name} {spelt(value)}" for name, value in self.others.items())
        return f"{self.what} {self.clause}: {told}" + (f" (with {given})" if given else "")


@dataclass(frozen=True)
class Cases:
    """Every row, what is wrong, and the comparisons that never decide alone."""

    rows: tuple[Row, ...]
    complaints: tuple[Complaint, ...]
    notes: tuple[Complaint, ...]


def _words(answer: str) -> str:
    return answer.replace("_", " ")


# --- one subject of cases: a criterion or a rule ----------------------------------------------
@dataclass(frozen=True)
class _Judge:
    """A criterion or rule with its three readers."""

    what: str
    place: str
    line: int
    item: Criterion | AlertRule
    names: Mapping[str, FactType]
    protocol: Protocol
    knowledge: KnowledgeBase

    @property
    def when(self) -> Condition:
        return self.item.when

    @property
    def written(self) -> Condition:
        if isinstance(self.item, Criterion):
            return stated(self.item)
        return self.item.when if self.item.stated is None else self.item.stated

    @property
    def applies(self) -> Condition:
        return self.item.applicable_if if isinstance(self.item, Criterion) else Const(value=True)

    def named(self) -> tuple[str, ...]:
        """The facts that a condition of it, as written, asks about with has()."""
        conditions = [self.written]
        if isinstance(self.item, Criterion):
            conditions.append(stated_if(self.item))
        return tuple(leaf.fact for leaf in leaves(*conditions) if isinstance(leaf, Has))

    def answers(self, facts: Mapping[str, Scalar]) -> tuple[str, str, str]:
        """What the compiled function, durable-rules and the plain reading say."""
        if isinstance(self.item, Criterion):
            return (
                self.protocol.assess(facts).verdict_codes[self.item.id].value,
                self.knowledge.verdicts(facts)[self.item.id].value,
                _verdict(self.item, facts),
            )
        fired = self.knowledge.fire(self.item.scope, facts)
        differs = self.item.id in fired.disagreement or "*" in fired.disagreement
        first = _word(self.item.id in fired.rules)
        plain = _word(truth(self.item.when, facts) is True)
        return first, "disagrees" if differs else first, plain


def _word(fires: bool) -> str:
    return FIRES if fires else SILENT


def _verdict(item: Criterion, facts: Mapping[str, Scalar]) -> str:
    if truth(item.applicable_if, facts) is False:
        return Verdict.NOT_APPLICABLE.value
    spoken = {True: Verdict.MET, False: Verdict.NOT_MET, None: Verdict.INDETERMINATE}
    return spoken[truth(item.when, facts)].value


# --- all of them ------------------------------------------------------------------------------
def generate(protocol: Protocol, knowledge: KnowledgeBase) -> Cases:
    """The cases of every criterion and rule of a protocol."""
    definition = protocol.definition
    limits, budget = bounds(definition, asked=False), Budget(STEPS)
    rows: list[Row] = []
    complaints: list[Complaint] = []
    notes: list[Complaint] = []
    for judge in _judges(protocol, knowledge):
        for leaf in _comparisons(judge):
            try:
                made = _row(judge, leaf, limits, budget)
            except Exhausted:
                made = None
            if budget.left <= 0 or sum(len(row.cases) for row in rows) > MAX_CASES:
                message = f"{judge.place}: too much to try; from here on there are no cases"
                notes.append(Complaint(definition.file, judge.line, message))
                return Cases(tuple(rows), tuple(complaints), tuple(notes))
            if made is None:
                message = f"{judge.place}: no case was found where `{written(leaf)}` alone decides"
                notes.append(Complaint(definition.file, judge.line, message))
                continue
            row, wrong = made
            rows.append(row)
            complaints += [Complaint(definition.file, judge.line, message) for message in wrong]
    return Cases(tuple(rows), tuple(complaints), tuple(notes))


def _judges(protocol: Protocol, knowledge: KnowledgeBase) -> Iterator[_Judge]:
    definition = protocol.definition
    items: dict[str, Criterion | AlertRule] = {}
    items |= {f"the criterion `{item.id}`, `when`": item for item in definition.criteria}
    items |= {f"the rule `{item.id}`, `when`": item for item in definition.rules}
    for place in places(definition):
        if (item := items.get(place.what)) is not None:
            names = {**declared(definition.facts), **place.names}
            yield _Judge(item.id, place.what, place.line, item, names, protocol, knowledge)


def _comparisons(judge: _Judge) -> list[Compare | In]:
    found = [leaf for leaf in leaves(judge.written) if not isinstance(leaf, Has)]
    return list(dict.fromkeys(found))


def _row(
    judge: _Judge, leaf: Compare | In, limits: Mapping[str, Bounds], budget: Budget
) -> tuple[Row, list[str]] | None:
    """The cases of one comparison and what is wrong with them; None: it never decides alone."""
    values = about(leaf, judge.names[leaf.fact], limits.get(leaf.fact, Bounds()))
    others = _others(judge, leaf, values, limits, budget)
    if others is None:
        return None
    cases, wrong = [], []
    for value in (*values, None):
        facts = dict(others) if value is None else {**others, leaf.fact: value}
        case, fault = _case(judge, leaf, value, facts)
        cases.append(case)
        wrong += fault
    row = Row(judge.what, judge.line, leaf.fact, written(leaf), others, tuple(cases))
    return row, wrong


def _case(
    judge: _Judge, leaf: Compare | In, value: Scalar | None, facts: Mapping[str, Scalar]
) -> tuple[Case, list[str]]:
    told = "missing" if value is None else spelt(value)
    what = f"{judge.what} with {leaf.fact} {told}"
    try:
        compiled, engine, plain = judge.answers(facts)
    except EngineFailure:
        return Case(value, "indeterminate"), [f"{what}: the engine does not answer"]
    if not compiled == engine == plain:
        return Case(value, compiled), [f"{what}: {compiled}, {engine} and {plain} at once"]
    decided = compiled in (Verdict.MET.value, Verdict.NOT_MET.value, FIRES)
    if value is None and decided and leaf.fact not in judge.named():
        return Case(value, compiled), [f"{what}: {_words(compiled)}, though nothing says so"]
    return Case(value, compiled), []


# --- which values, among which others ---------------------------------------------------------
def about(leaf: Compare | In, kind: FactType, limit: Bounds) -> tuple[Scalar, ...]:
    """The values about a comparison's limits that its fact can have, in order."""
    constants = leaf.values if isinstance(leaf, In) else (leaf.value,)
    if kind.value is ValueType.BOOLEAN:
        return (True, False)
    if kind.value is ValueType.CODE:
        known = words(kind, limit)
        others = [value for value in known if value not in constants]
        return tuple(
            [value for value in known if value in constants][: MAX_VALUES - 1] + others[:1]
        )
    if kind.value is ValueType.STRING:
        return (*[str(value) for value in constants][: MAX_VALUES - 1], "another text")
    low = -math.inf if limit.low is None else limit.low
    high = math.inf if limit.high is None else limit.high
    beside = sorted(set(near(constants, whole=kind.value is ValueType.INTEGER)))
    found = [value for value in beside if low <= value <= high]
    if len(found) > MAX_VALUES:  # a long list: its ends tell most
        found = [*found[:5], *found[-4:]]
    return tuple(found)


def near(constants: Iterable[Scalar], *, whole: bool) -> Iterator[float]:
    """The values at and beside each limit."""
    for constant in constants:
        limit = float(constant)
        if whole:
            yield from {math.ceil(limit) - 1, math.floor(limit), math.ceil(limit)}
            yield math.floor(limit) + 1
        else:
            step = _step(limit)
            yield from (round(limit - step, 12), limit, round(limit + step, 12))


def _step(limit: float) -> float:
    """One in the last place that a person wrote, and not more than a tenth."""
    digits = f"{limit:.12g}".partition(".")[2].partition("e")[0]
    return min(0.1, 10.0 ** -len(digits)) if abs(limit) >= 0.001 else abs(limit) / 10 or 0.1


def _others(
    judge: _Judge,
    leaf: Compare | In,
    values: Iterable[Scalar],
    limits: Mapping[str, Bounds],
    budget: Budget,
) -> dict[str, Scalar] | None:
    """Other facts under which the comparison decides, and nothing does where it is missing."""
    values = tuple(values)
    yes = [value for value in values if holds(leaf, value)]
    no = [value for value in values if not holds(leaf, value)]
    known = _space(judge, limits, budget)
    for open_ in (True, False):
        for one, other in list(product(yes, no))[:6]:
            for true, false in ((one, other), (other, one)):
                found = known.possible(*_goals(judge, leaf.fact, true, false, open_=open_))
                if found is not None:
                    found.pop(leaf.fact, None)
                    return {name: found[name] for name in judge.names if name in found}
    return None


def _space(judge: _Judge, limits: Mapping[str, Bounds], budget: Budget) -> Space:
    nowhere = {_NOWHERE: FactType(ValueType.BOOLEAN)}
    probe = Compare(_NOWHERE, "==", value=True)
    return space(
        [judge.when, judge.applies, probe],
        {**judge.names, **nowhere},
        {**limits, _NOWHERE: Bounds(never=True)},
        budget,
    )


def _goals(
    judge: _Judge, fact: str, true: Scalar, false: Scalar, *, open_: bool
) -> list[tuple[Condition, Want]]:
    goals = [
        (fixed(judge.when, fact, true), Want.TRUE),
        (fixed(judge.when, fact, false), Want.FALSE),
        *((fixed(judge.applies, fact, value), Want.NOT_FALSE) for value in (true, false)),
    ]
    if open_:
        missing = fixed(judge.when, fact, None)
        goals += [(missing, Want.NOT_TRUE), (missing, Want.NOT_FALSE)]
        goals.append((fixed(judge.applies, fact, None), Want.TRUE))
    return goals


def fixed(node: Condition, fact: str, value: Scalar | None) -> Condition:
    """A condition in which one fact has this value, or is not known."""
    if isinstance(node, Not):
        return Not(fixed(node.part, fact, value))
    if isinstance(node, And | Or):
        return type(node)(tuple(fixed(part, fact, value) for part in node.parts))
    if isinstance(node, Const) or node.fact != fact:
        return node
    if isinstance(node, Has):
        return Const(value is not None)
    if value is None:
        return Compare(_NOWHERE, "==", value=True)
    return Const(holds(node, value))
