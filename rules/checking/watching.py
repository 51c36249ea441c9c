"""An engine that remembers which facts it judged: what the scenarios of a file exercise.

Who comes in: scenarios, with a protocol to check. Who goes out: an Engine like any other, and Seen.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from rules.assessment import Assessment
from rules.errors import EvaluationError
from rules.knowledge import KnowledgeBase
from rules.model import Definition, Expected, Scalar
from rules.protocol import Protocol
from rules.step import Engine
from rules.subject.context import Fired, Knowledge
from rules.terms import Scope, Verdict

Facts = Mapping[str, Scalar]
CRITERIA = "criteria"
MAX_STEPS = 40_000  # eight times what the flagship takes: some seconds


@dataclass
class Group:
    """The different sets of facts that one group of conditions was judged over, each once."""

    held: dict[frozenset[tuple[str, str, Scalar]], Facts] = field(default_factory=dict)

    def add(self, facts: Facts) -> None:
        """Keep a copy, unless the same was seen."""
        key = frozenset((name, type(value).__name__, value) for name, value in facts.items())
        if key not in self.held:
            self.held[key] = dict(facts)


@dataclass
class Told:
    """One expectation, with what the criteria and the rules were judged over, in order of time."""

    expected: Expected
    judged: list[Facts] = field(default_factory=list)
    asked: list[tuple[Scope, Facts]] = field(default_factory=list)


@dataclass
class Seen:
    """Everything that was judged, by group: `criteria`, a scope, or a stopping rule's id."""

    groups: dict[str, Group] = field(default_factory=dict)
    told: list[Told] = field(default_factory=list)

    def add(self, group: str, facts: Facts) -> None:
        """Note one judgement."""
        self.groups.setdefault(group, Group()).add(facts)

    def of(self, group: str) -> list[Facts]:
        """The different sets of facts of one group, in order of their first coming."""
        return list(self.groups[group].held.values()) if group in self.groups else []


class _Watched:
    """A knowledge base that notes what it is asked."""

    def __init__(self, knowledge: Knowledge, seen: Seen) -> None:
        self._knowledge, self._seen = knowledge, seen

    def fire(self, scope: Scope, snapshot: Facts) -> Fired:
        self._seen.add(scope.value, snapshot)
        if self._seen.told:
            self._seen.told[-1].asked.append((scope, dict(snapshot)))
        return self._knowledge.fire(scope, snapshot)

    def confirm(self, snapshot: Facts, verdicts: Mapping[str, Verdict]) -> frozenset[str]:
        return self._knowledge.confirm(snapshot, verdicts)


@dataclass
class Allowance:
    """How many steps the scenarios of a file may take: whoever sends one must not hold the house.

    A step weighs more the more a protocol asks at each; a re-fold also weighs its events.
    """

    weight: int
    left: int = MAX_STEPS

    def spend(self, events: int) -> None:
        """Raises EvaluationError where there is nothing left."""
        self.left -= self.weight * (1 + events // 20)
        if self.left < 0:
            raise EvaluationError(
                f"the scenarios of this file take more than {MAX_STEPS} steps (events, and instants"
                " at which time alone may change something); divide them, or shorten their time"
            )


def weight(definition: Definition) -> int:
    """What one step of a protocol weighs: 1 for an ordinary one."""
    asked = len(definition.rules) + len(definition.criteria) + len(definition.facts)
    return 1 + asked // 150


def watched(protocol: Protocol, seen: Seen, knowledge: Knowledge | None = None) -> Engine:
    """An engine of its own for this protocol; what it judges is noted in `seen`."""
    own = copy.copy(protocol)

    def assess(facts: Facts) -> Assessment:
        seen.add(CRITERIA, facts)
        if seen.told:
            seen.told[-1].judged.append(dict(facts))
        return protocol.assess(facts)

    own.assess = assess
    engine = Engine(
        own, lambda _definition: _Watched(knowledge or KnowledgeBase(own.definition), seen)
    )
    endpoints = engine.plan.endpoints
    engine.spend = Allowance(weight(own.definition)).spend
    engine.plan.endpoints = {name: _noting(name, judge, seen) for name, judge in endpoints.items()}
    return engine


def _noting(
    name: str, judge: Callable[[Facts], bool | None], seen: Seen
) -> Callable[[Facts], bool | None]:
    def noted(facts: Facts) -> bool | None:
        seen.add(name, facts)
        return judge(facts)

    return noted
