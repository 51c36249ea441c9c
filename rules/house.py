"""The versions of one trial's protocol under one roof: each merged plan is made once a process.

Who comes in: Engine, with the version in force. Who goes out: plans and knowledge bases for what
subjects are pinned to.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import NamedTuple

from rules.assessment import compile_rules
from rules.errors import EvaluationError
from rules.knowledge import KnowledgeBase
from rules.model import Definition, Scalar
from rules.plan import Plan
from rules.protocol import Protocol
from rules.subject.context import Knowledge
from rules.terms import Scope, Verdict
from rules.versions.merging import merged

Others = Callable[[str], Protocol | None]
KnowledgeMaker = Callable[[Definition], Knowledge]
# Merged versions that are kept; each holds a knowledge base of a few MB.
_KEPT = 16


def alone(_version: str) -> Protocol | None:
    """No other version is known."""
    return None


class Told(NamedTuple):
    """What fired; functions never disagree with themselves."""

    rules: frozenset[str]
    disagreement: frozenset[str] = frozenset()


class Functions:
    """The rules as compiled functions alone: for who reads a past state and tells nobody.

    Alerts are fired by the knowledge base, in the worker. Several threads may ask at once.
    """

    def __init__(self, definition: Definition) -> None:
        """Compile the rules of every scope."""
        self._rules = compile_rules(definition)

    def fire(self, scope: Scope, snapshot: Mapping[str, Scalar]) -> Told:
        """The rules of a scope that hold over this snapshot."""
        return Told(self._rules[scope](snapshot))

    def confirm(
        self, _snapshot: Mapping[str, Scalar], _verdicts: Mapping[str, Verdict]
    ) -> frozenset[str]:
        """Nothing stands against them."""
        return frozenset()


class Room:
    """One plan, and its knowledge base once it is asked."""

    def __init__(self, plan: Plan, make: KnowledgeMaker | None) -> None:
        """`make` None: the real knowledge base."""
        self.plan, self._make = plan, make

    @cached_property
    def knowledge(self) -> Knowledge:
        """The knowledge base, built in the process that asks first."""
        if self._make is not None:
            return self._make(self.plan.definition)
        return KnowledgeBase(self.plan.definition)


class House:
    """The active version, and what it makes together with earlier ones."""

    def __init__(self, protocol: Protocol, make: KnowledgeMaker | None, others: Others) -> None:
        """`others` gives the trial's further versions by name."""
        self.protocol, self._make, self._others = protocol, make, others
        self.active = Room(Plan(protocol), make)
        self._rooms: OrderedDict[tuple[str, ...], Room] = OrderedDict()

    def definition(self, version: str) -> Definition:
        """One version. Raises EvaluationError where the trial has none of that name."""
        if version == self.protocol.version:
            return self.protocol.definition
        found = self._others(version)
        if found is None:
            raise EvaluationError("a protocol version that the log names is not known")
        return found.definition

    def room(self, pins: Sequence[str]) -> Room:
        """The room of a subject pinned to these: criteria's version, schedule's version."""
        if all(version == self.protocol.version for version in pins):
            return self.active
        key = tuple(pins)
        room = self._rooms.get(key)
        if room is None:
            room = self._rooms[key] = Room(Plan(Protocol(self._merged(*pins))), self._make)
            while len(self._rooms) > _KEPT:
                _, gone = self._rooms.popitem(last=False)
                _close(gone)
        self._rooms.move_to_end(key)
        return room

    def at(self, pins: Sequence[str]) -> tuple[Plan, Knowledge]:
        """Plan and knowledge base of that room."""
        room = self.room(pins)
        return room.plan, room.knowledge

    def close(self) -> None:
        """Give back what the knowledge bases of this process hold; they may be asked again."""
        for room in (self.active, *self._rooms.values()):
            _close(room)

    def _merged(self, criteria: str, schedule: str) -> Definition:
        return merged(
            self.definition(criteria), self.definition(schedule), self.protocol.definition
        )


def _close(room: Room) -> None:
    """Give an engine's memory back, where one was built."""
    knowledge = room.__dict__.get("knowledge")
    if isinstance(knowledge, KnowledgeBase):
        knowledge.close()
