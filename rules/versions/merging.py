"""One protocol out of two or three versions: what a subject consented to beside what protects all.

Who comes in: the engine's house, once for each combination. Who goes out: a Definition that plan,
fold and knowledge base take like any other.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TypeVar

from rules.facts.sources import identified
from rules.language.events import EventChecker
from rules.model import AlertRule, Code, Coding, Condition, Criterion, Definition, FactSpec
from rules.protocol import Protocol
from rules.terms import CONSENTED, PINNED, Category, EventType, Scope, Verdict
from rules.versions import renaming
from rules.versions.renaming import Names

K = TypeVar("K")
V = TypeVar("V")


def merged(eligibility: Definition, schedule: Definition, active: Definition) -> Definition:
    """Criteria and eligibility rules of the first, visits of the second, all else of the third.

    A fact that is declared otherwise than in `active`, or rests on one that is, stands beside it
    under a name with a suffix that `terms.said` takes off again.
    """
    if eligibility.digest == schedule.digest == active.digest:
        return active
    facts, judging = _beside(identified(active), eligibility, _asked(eligibility), PINNED)
    if schedule.digest == eligibility.digest:
        facts, visiting = _beside(facts, schedule, _visited(schedule), PINNED, given=judging)
    else:
        facts, visiting = _beside(facts, schedule, _visited(schedule), CONSENTED)
    criteria = tuple(renaming.criterion(item, judging) for item in eligibility.criteria)
    every = (eligibility, schedule, active)
    return replace(
        active,
        codes=_united(item.codes for item in every),
        facts=facts,
        parameters=_united(item.parameters for item in every),
        relations=_united(item.relations for item in every),
        sources=_united(item.sources for item in every),
        criteria=criteria,
        gate=_gate(eligibility, active),
        rules=_rules(eligibility, active, judging),
        schedule=tuple(renaming.visit(item, visiting) for item in schedule.schedule),
        scenarios=(),
        digest=hashlib.sha256("|".join(item.digest for item in every).encode()).hexdigest(),
        criteria_version=eligibility.version,
        as_written=None,
    )


def accepting(active: Definition, others: Iterable[Definition]) -> Definition:
    """What may be published while subjects are pinned to `others`: the active version's codes and
    criteria, and those that only an earlier version has. Good for judging events, nothing else.
    """
    every = [*others, active]
    criteria = {item.id: item for one in every for item in one.criteria}
    return replace(active, codes=_codes(every), criteria=tuple(criteria.values()))


def _codes(several: Sequence[Definition]) -> dict[tuple[EventType, str], Code]:
    """The last one's say counts, but for codings that only an earlier one has: those stay."""
    result = _united(item.codes for item in several)
    meant = {
        (kind, item.system, item.code): name
        for one in several
        for (kind, name), code in one.codes.items()
        for item in code.codings
    }
    told: dict[tuple[EventType, str], dict[Coding, None]] = {key: {} for key in result}
    for one in several:
        for (kind, name), code in one.codes.items():
            own = (item for item in code.codings if meant[kind, item.system, item.code] == name)
            told[kind, name] |= dict.fromkeys(own)
    return {key: replace(code, codings=tuple(told[key])) for key, code in result.items()}


def door(active: Protocol, others: Iterable[Protocol]) -> EventChecker:
    """What judges published events while subjects are pinned to `others`."""
    pinned = [one.definition for one in others]
    if not pinned:
        return active.checker
    return EventChecker(accepting(active.definition, pinned))


def _united(several: Iterable[Mapping[K, V]]) -> dict[K, V]:
    """The last one's say counts."""
    result: dict[K, V] = {}
    for one in several:
        result |= one
    return result


# --- facts ------------------------------------------------------------------------------------
def _asked(definition: Definition) -> list[str]:
    """What judging eligibility names."""
    conditions = [part for item in definition.criteria for part in (item.when, item.applicable_if)]
    names = [name for part in conditions for name in renaming.names_of(part)]
    return names + [
        name for rule in definition.rules if is_pinned(rule) for name in renaming.mentioned(rule)
    ]


def _visited(definition: Definition) -> list[str]:
    """What the schedule names: whether each visit was, when it is due, what it collects."""
    names: list[str] = []
    for visit in definition.schedule:
        names += [visit.id, visit.anchor, *visit.collects]
        names += renaming.names_of(visit.applicable_if)
    return names


def _beside(
    facts: Mapping[str, FactSpec],
    version: Definition,
    asked: Iterable[str],
    suffix: str,
    given: Names | None = None,
) -> tuple[dict[str, FactSpec], dict[str, str]]:
    """`facts` and those that `version` needs for the names `asked`; how these are now called.

    `given`: how some of the version's facts are called already.
    """
    own = identified(version)
    needed = _behind(own, asked)
    names = dict(given or {})
    names |= {name: name + suffix for name in _differing(facts, own, needed)}
    united = dict(facts)
    for name in needed:
        united.setdefault(names.get(name, name), renaming.fact(own[name], names))
    return united, names


def _behind(facts: Mapping[str, FactSpec], asked: Iterable[str]) -> dict[str, None]:
    """The facts asked for and all that they rest on, in the order of their declaration."""
    found: set[str] = set()
    waiting = [name for name in asked if name in facts]
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += [one for one in renaming.facts_behind(facts[name]) if one in facts]
    return {name: None for name in facts if name in found}


def _differing(
    facts: Mapping[str, FactSpec], own: Mapping[str, FactSpec], needed: Iterable[str]
) -> set[str]:
    """Names that mean something else in `facts`, by their own declaration or by what is behind."""
    shared = [name for name in needed if name in facts]
    different = {name for name in shared if not same(facts[name], own[name])}
    growing = True
    while growing:
        more = {
            name
            for name in shared
            if name not in different and different.intersection(_all_behind(own, name))
        }
        different |= more
        growing = bool(more)
    return different


def _all_behind(facts: Mapping[str, FactSpec], name: str) -> dict[str, None]:
    return _behind(facts, renaming.facts_behind(facts[name]))


def same(one: FactSpec, other: FactSpec) -> bool:
    """Whether two declarations read alike, whatever they are called and wherever they stand."""
    return _bare(one) == _bare(other)


def _bare(spec: FactSpec) -> FactSpec:
    return replace(spec, line=0, label="")


# --- rules ------------------------------------------------------------------------------------
def is_pinned(rule: AlertRule) -> bool:
    """Whether a rule is about the eligibility of one subject."""
    return rule.category is Category.ELIGIBILITY and rule.scope is not Scope.TRIAL


def _rules(eligibility: Definition, active: Definition, names: Names) -> tuple[AlertRule, ...]:
    """The active version's, but for eligibility's; where ids meet, the active version's stays."""
    gone = {item.id for item in active.criteria} - {item.id for item in eligibility.criteria}
    kept = [_without(rule, gone) for rule in active.rules if not is_pinned(rule)]
    taken = {rule.id for rule in kept}
    pinned = [rule for rule in eligibility.rules if is_pinned(rule) and rule.id not in taken]
    return (*(renaming.rule(rule, names) for rule in pinned), *kept)


def _gate(eligibility: Definition, active: Definition) -> tuple[Criterion, ...]:
    """The active version's; criteria that the subject's own version lacks do not apply to it."""
    gone = {item.id for item in active.criteria} - {item.id for item in eligibility.criteria}
    result = []
    for item in active.gate:
        when: Condition = item.when
        for name in gone:
            when = renaming.settled(when, name, Verdict.NOT_APPLICABLE.value)
        result.append(item if when == item.when else replace(item, when=when, stated=None))
    return tuple(result)


def _without(rule: AlertRule, gone: Iterable[str]) -> AlertRule:
    """The rule for a subject whose version lacks some criteria: those do not apply to it."""
    when: Condition = rule.when
    for name in gone:
        when = renaming.settled(when, name, Verdict.NOT_APPLICABLE.value)
    return rule if when == rule.when else replace(rule, when=when)
