"""One subject at hand: its plan, state and timeline, and the knowledge base as a step asks it.

Who comes in: the fold, once a call. Who goes out: Subject, which the rooms of this house share.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from rules.anchors import Judged
from rules.events import Event
from rules.facts.projections import UNKNOWN, Reading
from rules.facts.relations import Other
from rules.facts.timeline import Timeline
from rules.findings import Findings, Step, fingerprint
from rules.gating import Asked
from rules.model import Definition, Scalar
from rules.plan import Plan
from rules.state import SubjectState
from rules.terms import Scope, Verdict

Log = Callable[[int], Sequence[Event]]
OVERRIDES = "@overrides"


class Fired(Protocol):
    """What the knowledge base says of one snapshot."""

    @property
    def rules(self) -> frozenset[str]: ...
    @property
    def disagreement(self) -> frozenset[str]: ...


class Knowledge(Protocol):
    """The knowledge base as a step asks it."""

    def fire(self, scope: Scope, snapshot: Mapping[str, Scalar]) -> Fired: ...

    def confirm(
        self, snapshot: Mapping[str, Scalar], verdicts: Mapping[str, Verdict]
    ) -> frozenset[str]: ...


class House(Protocol):
    """Every version of the protocol that the stream may stand under."""

    def definition(self, version: str) -> Definition: ...
    def at(self, pins: Sequence[str]) -> tuple[Plan, Knowledge]: ...


@dataclass
class Subject:
    """One subject within one call; `state` is changed in place."""

    plan: Plan
    knowledge: Knowledge
    name: str
    state: SubjectState
    timeline: Timeline
    findings: Findings
    judged: Judged | None = None  # of the present step, once computed
    disagreed: bool | None = None  # None: nothing was asked in this step
    others: dict[Scope, list[Other]] = field(default_factory=dict)  # of the present step
    find: Callable[[str], Definition] | None = None  # the trial's versions by name

    def gate(self) -> Asked | None:
        """The gate before this subject's infusions; None where no rule looks at it."""
        plan = self.plan
        if plan.gates is None or not plan.gated:
            return None
        find = self.find or (lambda _version: plan.definition)
        return Asked(plan, plan.gates, self.state, self.timeline, find)

    def begin(self) -> None:
        """Forget what the step before had worked out."""
        self.judged, self.disagreed, self.others = None, None, {}

    def confirm(self, judged: Judged) -> None:
        """The criteria's rules in the knowledge base must say the same."""
        disagreement = self.knowledge.confirm(judged.facts, judged.verdicts)
        self.disagreed = bool(self.disagreed) or bool(disagreement)

    def fire(self, scope: Scope, snapshot: Mapping[str, Scalar]) -> frozenset[str]:
        """The rules of a scope that hold over this snapshot."""
        if not self.plan.by_scope[scope]:
            return frozenset()
        fired = self.knowledge.fire(scope, snapshot)
        self.disagreed = bool(self.disagreed) or bool(fired.disagreement)
        return fired.rules

    def fire_entity(
        self, entity: str, scope: Scope, snapshot: Mapping[str, Scalar], judged: Judged | None
    ) -> frozenset[str]:
        """What fires for an entity; an unchanged one is not asked about again.

        `judged` None: its rules ask for no judgement of the criteria.
        """
        known = [snapshot] if judged is None else [snapshot, judged.facts, judged.verdicts]
        seen = fingerprint(known)
        if self.state.asked.get(entity) == seen:
            return frozenset(self.state.findings.get(entity, {}))
        self.state.asked[entity] = seen
        if judged is not None:
            self.confirm(judged)
        return self.fire(scope, snapshot)

    def forget(self, step: Step, entity: str, *, wrong: bool = True) -> None:
        """End whatever was found of an entity that is no more."""
        self.state.asked.pop(entity, None)
        if entity in self.state.findings:
            self.findings.differ(step, entity, (), lambda _name: UNKNOWN, wrong=wrong)


def snapshot_of(plan: Plan, scope: Scope, readings: Mapping[str, Reading]) -> dict[str, Scalar]:
    """What the scope's rules may see: the known values that their conditions name."""
    return {
        name: value
        for name in plan.when[scope]
        if name in readings and (value := readings[name].value) is not None
    }
