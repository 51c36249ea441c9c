"""The missing data that can still change the decision, most decisive first.

Who comes in: views. Who goes out: items. A missing fact is listed where there is a completion of
the other missing data (each of them some value, or missing still) in which knowing it decides
otherwise than not knowing it. Where a criterion speaks against the subject for good, nothing is
listed; one that may be waived does not speak for good.

Most decisive first: the facts of which one value alone would decide, those that could decide either
way before those that could decide one way; then by how many open criteria some value would settle;
then in the protocol's order.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from itertools import product
from typing import Any

from rules.explanation.judging import Facts, Judge, Rule, decide
from rules.model import Scalar
from rules.terms import Decision

MOST_COMPLETIONS = 4096  # of one group of criteria that share facts; past it all its facts count
MOST_KEPT = 1024
_OUT, _OPEN, _IN = range(3)


@dataclass(frozen=True)
class Wanted:
    """One missing fact. `decides`: the decisions that some value of it alone would bring about."""

    fact: str
    criteria: tuple[str, ...]
    decides: tuple[str, ...]
    settles: int


@dataclass
class _Group:
    """Criteria that share missing facts: which of those matter, and how, whatever is outside."""

    ends: set[int] = field(default_factory=set)  # of _OUT, _OPEN, _IN: what they can come to
    out: dict[str, set[str]] = field(default_factory=dict)  # fact -> criteria: to or from _OUT
    shut: dict[str, set[str]] = field(default_factory=dict)  # between _OPEN and _IN


def worklist(
    judge: Judge, facts: Facts, overridden: AbstractSet[str] = frozenset()
) -> tuple[Wanted, ...]:
    """The missing facts that can still change the decision."""
    get = facts.get
    waived = {
        rule.id
        for rule in judge.rules
        if rule.waivable and rule.id not in overridden and rule.satisfied(get) is False
    }
    found = {item.fact: item for item in _listed(judge, facts, frozenset(overridden) | waived)}
    if waived:
        found |= {item.fact: item for item in _listed(judge, facts, frozenset(overridden))}
    place = judge.place
    return tuple(
        sorted(
            found.values(),
            key=lambda item: (-len(item.decides), -item.settles, place[item.fact]),
        )
    )


def _listed(judge: Judge, facts: Facts, overridden: AbstractSet[str]) -> Iterator[Wanted]:
    groups = _groups(judge, facts, overridden)
    if groups is None:
        return
    now = judge.answers(facts, overridden)
    for number, group in enumerate(groups):
        others = groups[:number] + groups[number + 1 :]
        mattering: dict[str, set[str]] = {}
        if all(other.ends - {_OUT} for other in others):
            mattering |= group.out
        if all(_IN in other.ends for other in others):
            for fact, criteria in group.shut.items():
                mattering[fact] = mattering.get(fact, set()) | criteria
        for fact, criteria in mattering.items():
            movable = [rule for rule in judge.users[fact] if _may_move(rule, now, overridden)]
            yield _wanted(judge, facts, now, fact, movable, criteria)


def _may_move(rule: Rule, now: Mapping[str, bool | None], overridden: AbstractSet[str]) -> bool:
    """What is satisfied stays so when data come in, unless it asks whether they have."""
    return rule.id not in overridden and (rule.asks or now[rule.id] is not True)


def _groups(judge: Judge, facts: Facts, overridden: AbstractSet[str]) -> list[_Group] | None:
    """The criteria by the missing facts they share; None: one is against the subject for good."""
    aside, get = judge.aside(facts), facts.get
    moving: list[tuple[Rule, tuple[str, ...]]] = []
    groups: list[_Group] = []
    for rule in judge.rules:
        if rule.id in overridden:
            continue
        names = _open(judge, rule, facts, aside)
        if names:
            moving.append((rule, names))
            continue
        answer = rule.satisfied(get)
        if answer is False:
            return None
        if answer is None:
            groups.append(_Group(ends={_OPEN}))
    for rules, shared in _together(moving):
        groups.append(_group(judge, facts, rules, shared))
    return groups


def _open(judge: Judge, rule: Rule, facts: Facts, aside: frozenset[str]) -> tuple[str, ...]:
    """The missing facts by which a criterion may yet move."""
    if rule.asks or (rule.applies(facts) is None):
        names = [name for name in rule.uses if name not in facts]
    elif rule.satisfied(facts.get) is not None:
        return ()
    else:
        names = list(rule.missing(facts.get))
    return tuple(name for name in names if name not in aside and name in judge.spaces)


def _together(
    moving: Sequence[tuple[Rule, tuple[str, ...]]],
) -> list[tuple[list[Rule], list[str]]]:
    """Groups of criteria that share a missing fact, directly or through others."""
    groups: list[tuple[list[Rule], dict[str, None]]] = []
    for rule, names in moving:
        mine: tuple[list[Rule], dict[str, None]] = ([], {})
        apart = []
        for group in groups:
            if group[1].keys().isdisjoint(names):
                apart.append(group)
            else:
                mine[0].extend(group[0])
                mine[1].update(group[1])
        mine[0].append(rule)
        mine[1].update(dict.fromkeys(names))
        groups = [*apart, mine]
    return [(rules, list(names)) for rules, names in groups]


def _group(judge: Judge, facts: Facts, rules: list[Rule], names: list[str]) -> _Group:
    if len(rules) == 1 and _simple(rules[0], facts, names):
        return _Group({_OUT, _OPEN, _IN}, {name: {rules[0].id} for name in names})
    size = 1
    for name in names:
        size *= len(judge.spaces[name].cells) + 1
    if size > MOST_COMPLETIONS:
        named = {name: {rule.id for rule in rules if name in rule.uses} for name in names}
        return _Group({_OUT, _OPEN, _IN}, named)
    return _completed(judge, facts, rules, names)


def _completed(judge: Judge, facts: Facts, rules: list[Rule], names: list[str]) -> _Group:
    """The same search is made once for all subjects whose data the criteria cannot tell apart."""
    used = dict.fromkeys(name for rule in rules for name in rule.uses if name in judge.spaces)
    cells = tuple(judge.spaces[name].index(facts.get(name)) for name in used)
    if any(cell is None and name in facts for name, cell in zip(used, cells, strict=True)):
        return _complete(judge, facts, rules, names)
    key = (tuple(rule.id for rule in rules), tuple(names), cells)
    group = judge.kept.get(key)
    if group is None:
        if len(judge.kept) >= MOST_KEPT:
            judge.kept.clear()
        group = judge.kept[key] = _complete(judge, facts, rules, names)
    return group


def _simple(rule: Rule, facts: Facts, names: list[str]) -> bool:
    """One open criterion that names each of these once: any of them can be what it hangs on."""
    sure = not rule.asks and rule.applies(facts) is True
    return sure and rule.pivotal.issuperset(names)


def _complete(judge: Judge, facts: Facts, rules: list[Rule], names: list[str]) -> _Group:
    """Every completion of these facts, with what it makes of the criteria."""
    values: list[tuple[Scalar | None, ...]] = [
        (None, *(cell.value for cell in judge.spaces[name].cells)) for name in names
    ]
    known = dict(facts)
    seen: dict[tuple[int, ...], tuple[bool | None, ...]] = {}
    for place in product(*(range(len(several)) for several in values)):
        for name, several, number in zip(names, values, place, strict=True):
            known[name] = several[number]  # type: ignore[assignment]  # None reads as missing
        seen[place] = tuple(rule.satisfied(known.get) for rule in rules)
    group = _Group({_end(answers) for answers in seen.values()})
    for place, answers in seen.items():
        for number, name in enumerate(names):
            if place[number]:
                without = seen[(*place[:number], 0, *place[number + 1 :])]
                _compare(group, name, rules, without, answers)
    return group


def _compare(
    group: _Group,
    name: str,
    rules: list[Rule],
    without: tuple[bool | None, ...],
    answers: tuple[bool | None, ...],
) -> None:
    ends = {_end(without), _end(answers)}
    if len(ends) == 1:
        return
    changed = {
        rule.id
        for rule, one, other in zip(rules, without, answers, strict=True)
        if one is not other
    }
    (group.out if _OUT in ends else group.shut).setdefault(name, set()).update(changed)


def _end(answers: tuple[bool | None, ...]) -> int:
    if False in answers:
        return _OUT
    return _OPEN if None in answers else _IN


def _wanted(
    judge: Judge,
    facts: Facts,
    now: Mapping[str, bool | None],
    fact: str,
    movable: Sequence[Rule],
    criteria: AbstractSet[str],
) -> Wanted:
    """What a fact could do alone, of all its values, to the criteria that it may move."""
    present = decide(now)
    known: dict[str, Any] = dict(facts)
    decided: set[Decision] = set()
    settles = 0
    for cell in judge.spaces[fact].cells:
        known[fact] = cell.value
        after = {rule.id: rule.satisfied(known.get) for rule in movable}
        decided.add(decide({**now, **after}))
        open_now = [name for name in after if now[name] is None]
        settles = max(settles, sum(after[name] is not None for name in open_now))
    order = tuple(item.id for item in judge.rules if item.id in criteria)
    decides = [
        decision.value
        for decision in (Decision.ELIGIBLE, Decision.INELIGIBLE)
        if decision in decided and decision is not present
    ]
    return Wanted(fact, order, tuple(decides), settles)
