"""The smallest changes of facts that would flip the decision: statements of logic, no advice.

Who comes in: views. Who goes out: sets of changes. For whom is not eligible: every smallest set of
facts (at most three) that would make the subject eligible; for whom is eligible: every single fact
that would end it. Overridden criteria stay overridden. A fact that does not apply is not touched.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from itertools import product
from typing import Any

from rules.explanation.cells import told
from rules.explanation.judging import Facts, Judge, Rule, decide
from rules.explanation.words import Names
from rules.model import Scalar
from rules.terms import Decision

MOST_CHANGES = 3
MOST_SETS = 24
MOST_TRIES = 20_000  # facts tried in one search; a search that needs more says that it was cut


@dataclass
class _Search:
    """Looks for sets of changes, deeper and deeper."""

    judge: Judge
    facts: dict[str, Scalar]
    overridden: AbstractSet[str]
    aside: frozenset[str]
    tries: int = 0
    found: dict[frozenset[str], set[tuple[tuple[str, int], ...]]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """An overridden criterion stands in nobody's way."""
        self.rules = [rule for rule in self.judge.rules if rule.id not in self.overridden]

    def deepen(self) -> bool:
        """Find every smallest set; whether the search came to its end."""
        get = self.facts.get
        bad = [rule for rule in self.rules if rule.satisfied(get) is not True]
        for size in range(1, MOST_CHANGES + 1):
            self._look(size, {}, bad)
            if self.tries >= MOST_TRIES:
                return False
            if self.found:
                return True
        return True

    def _look(self, left: int, changed: dict[str, int], bad: list[Rule]) -> None:
        """Any way to the goal changes a fact of the first criterion that is still in the way."""
        if not bad:
            place = tuple(sorted(changed.items()))
            self.found.setdefault(frozenset(changed), set()).add(place)
            return
        if left < self._apart(bad, changed):
            return
        for name in bad[0].uses:
            if name in changed or name in self.aside or name not in self.judge.spaces:
                continue
            self._try(name, left, changed, bad)

    def _try(self, name: str, left: int, changed: dict[str, int], bad: list[Rule]) -> None:
        space, before = self.judge.spaces[name], self.facts.get(name)
        for number in space.order(before):
            self.tries += 1
            if self.tries >= MOST_TRIES:
                break
            self.facts[name] = space.cells[number].value
            self._look(left - 1, {**changed, name: number}, self._after(name, bad))
        if before is None:
            self.facts.pop(name, None)
        else:
            self.facts[name] = before

    def _after(self, name: str, bad: list[Rule]) -> list[Rule]:
        """The criteria in the way once a fact has changed: only its users are judged again."""
        get, before = self.facts.get, {rule.id for rule in bad}
        now = {rule.id: rule.satisfied(get) is not True for rule in self.judge.users[name]}
        return [rule for rule in self.rules if now.get(rule.id, rule.id in before)]

    def _apart(self, bad: Iterable[Rule], changed: Mapping[str, int]) -> int:
        """At least so many more facts: one for each criterion that shares none with another."""
        taken: set[str] = set(changed)
        count = 0
        for rule in bad:
            if taken.isdisjoint(rule.uses):
                taken.update(rule.uses)
                count += 1
        return max(count, 1)


def counterfactual(
    judge: Judge,
    names: Names,
    facts: Facts,
    overridden: AbstractSet[str] = frozenset(),
) -> dict[str, Any]:
    """`{"decision", "to", "changes", "complete"}`; each of `changes` is one way, `{"set", "text"}`.

    `to`: the decision that each way leads to. `complete` false: the search was cut, there may be
    more. No way and complete: it takes more than three changes.
    """
    decision = decide(judge.answers(facts, overridden))
    search = _Search(judge, dict(facts), overridden, judge.aside(facts))
    if decision is Decision.ELIGIBLE:
        ways, complete = list(_ends(search, facts)), True
        goal = Decision.INELIGIBLE
    else:
        complete = search.deepen()
        ways = [_widen(search, facts, sets) for sets in search.found.values()]
        goal = Decision.ELIGIBLE
    ways.sort(key=lambda way: [judge.place[name] for name in way])
    return {
        "decision": decision.value,
        "to": goal.value,
        "changes": [_told(judge, names, facts, way, goal) for way in ways[:MOST_SETS]],
        "complete": complete and len(ways) <= MOST_SETS,
    }


Way = dict[str, list[int]]  # fact -> cells, any of which will do


def _widen(search: _Search, facts: Facts, places: set[tuple[tuple[str, int], ...]]) -> Way:
    """From the nearest values on, all those that do as well whatever is chosen of the others."""
    spaces = search.judge.spaces
    ranks = {name: spaces[name].order(facts.get(name)) for name, _ in next(iter(places))}
    nearest = min(places, key=lambda place: [ranks[name].index(cell) for name, cell in place])
    way = {name: [cell] for name, cell in nearest}
    for name, cell in nearest:
        others = [way[other] for other in sorted(way) if other != name]
        good = [
            candidate
            for candidate in ranks[name]
            if all(_place(way, name, candidate, rest) in places for rest in product(*others))
        ]
        way[name] = spaces[name].run(good, cell)
    return way


def _place(way: Way, name: str, cell: int, rest: tuple[int, ...]) -> tuple[tuple[str, int], ...]:
    others = dict(zip((other for other in sorted(way) if other != name), rest, strict=True))
    return tuple(sorted({**others, name: cell}.items()))


def _ends(search: _Search, facts: Facts) -> Iterator[Way]:
    """Each fact that alone would make an eligible subject ineligible."""
    judge = search.judge
    for name, users in judge.users.items():
        if name in search.aside or name not in judge.spaces:
            continue
        space = judge.spaces[name]
        rules = [rule for rule in users if rule.id not in search.overridden]
        good = []
        for number in space.order(facts.get(name)):
            get = {**facts, name: space.cells[number].value}.get
            if any(rule.satisfied(get) is False for rule in rules):
                good.append(number)
        if good:
            yield {name: space.run(good, good[0])}


def _told(judge: Judge, names: Names, facts: Facts, way: Way, goal: Decision) -> dict[str, Any]:
    ordered = sorted(way, key=judge.place.__getitem__)
    changes = [_change(judge, names, facts, name, way[name]) for name in ordered]
    return {
        "set": changes,
        "text": f"{goal.value} if {' and '.join(change['text'] for change in changes)}",
    }


def _change(
    judge: Judge, names: Names, facts: Facts, name: str, cells: list[int]
) -> dict[str, Any]:
    needed, unit = judge.spaces[name].needed(cells), names.unit(name)
    return {
        "fact": names.said(name),
        "label": names.label(name),
        "unit": unit,
        "value": facts.get(name),
        "needed": needed,
        "changeable": name not in judge.fixed,
        "text": told(names.said(name), needed, unit),
    }
