"""The engine: a stream's state and events in, results and the new state out. No clock is read.

Who comes in: evaluation, replay, scenarios. Who goes out: Outcome.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from rules import explaining, views, worklists
from rules import state as states
from rules.errors import EvaluationError
from rules.events import Event, Outcome
from rules.house import House, KnowledgeMaker, Others, alone
from rules.model import Scalar
from rules.protocol import Protocol
from rules.state import ENGINE_VERSION, SubjectState
from rules.subject import Knowledge, Log, SubjectFold, clocks, consenting
from rules.subject.fold import Spend, free
from rules.trial import (
    TrialFold,
    accrual_view,
    counts_view,
    response_view,
    stopping_events,
    stopping_view,
)


class Engine:
    """One protocol version at work; one per process, for the knowledge base must not be forked."""

    def __init__(
        self,
        protocol: Protocol,
        knowledge: KnowledgeMaker | None = None,
        others: Others = alone,
    ) -> None:
        """Compile the protocol; the knowledge base is built when first asked.

        `others` gives the trial's further versions by name: some subjects are pinned to them.
        """
        self.protocol = protocol
        self.house = House(protocol, knowledge, others)
        self.plan = self.house.active.plan
        self.spend: Spend = free  # a check of a file sets a limit here

    @property
    def knowledge(self) -> Knowledge:
        """The knowledge base of the active version in this process."""
        return self.house.active.knowledge

    def close(self) -> None:
        """Free the knowledge bases that this process built for it; the next step builds them anew.

        Nothing else frees them: the memory is the C engine's, about 2 MB a version.
        """
        self.house.close()

    def subject_steps(
        self,
        trial: str,
        subject: str,
        state: bytes | None,
        events: Sequence[Event],
        log: Log,
        until_us: int | None = None,
        *,
        began: str | None = None,
    ) -> Outcome:
        """Fold `events` in order, each after what was due by its receipt; then up to `until_us`.

        `log(n)` gives the stream's events 1..n; it is asked for only where a re-fold is needed.
        `began`: the version in force at the stream's first event, for a state that does not know
        it; None: this one. Raises EvaluationError where a step cannot be made.
        """
        known = self._subject(state)
        known.began = known.began or began or self.protocol.version
        fold = SubjectFold(*self.house.at(known.pins), subject, known, log, self.house, self.spend)
        for event in events:
            fold.fold(event)
        if until_us is not None:
            fold.due_until(until_us)
        fold.settle()
        held = fold.state
        held.reached_us = max(held.reached_us, held.at_us)
        return Outcome(
            state=states.dumps(held),
            results=tuple(fold.results),
            next_due_us=fold.next_due_us(),
            reached_us=held.reached_us,
            status=held.enrolment[-1][4].get("status") if held.enrolment else None,
            decision=held.decision,
            pinned_version=held.pins[1] if held.pins else self.protocol.version,
            criteria_version=held.pins[0] if held.pins else self.protocol.version,
            owed=_owed(fold),
            clocks=clocks.owed(fold.plan, held),
        )

    def trial_steps(
        self,
        trial: str,
        state: bytes | None,
        events: Sequence[Event],
        log: Log,
        until_us: int | None = None,
    ) -> Outcome:
        """Fold the trial's own stream: events of type `contribution`, data as Contribution's."""
        fold = TrialFold(self.plan, self.knowledge, state, log)
        for event in events:
            fold.fold(event)
        return fold.outcome(until_us)

    def view(self, state: bytes | None) -> dict[str, Any]:
        """The eligibility checklist of a state: contract section 3, without the stream's keys."""
        known = self._subject(state)
        return views.eligibility(self.house.room(known.pins).plan, known)

    def facts(self, state: bytes | None, names: Iterable[str]) -> dict[str, Scalar | None]:
        """Declared facts as they stand at the last instant of a state; None: unknown."""
        known = self._subject(state)
        return views.facts(self.house.room(known.pins).plan, known, names)

    def explanation(self, state: bytes | None) -> dict[str, Any]:
        """The checklist with the clause tree of each criterion, and what would change it."""
        known = self._subject(state)
        return explaining.explanation(self.house.room(known.pins).plan, known)

    def worklist(self, state: bytes | None) -> dict[str, Any]:
        """What is still to be found out about a subject, most decisive first."""
        known = self._subject(state)
        return worklists.worklist(self.house.room(known.pins).plan, known)

    def laboratory_view(self, state: bytes | None, log: Sequence[Event]) -> dict[str, Any]:
        """Every laboratory value of the events that a state was made of, with its grade."""
        known = self._subject(state)
        return views.laboratory.series(self.house.room(known.pins).plan, known, log)

    def adverse_view(self, state: bytes | None, log: Sequence[Event]) -> list[dict[str, Any]]:
        """Every adverse event of the events that a state was made of, and how it came to be."""
        known = self._subject(state)
        return views.adverse.every(self.house.room(known.pins).plan, known, log)

    def subject_response(self, state: bytes | None) -> dict[str, Any]:
        """What the clinical functions say of a subject, and as what it counts in each rate."""
        known = self._subject(state)
        return views.response.response(self.house.room(known.pins).plan, known)

    def edish_figures(self) -> list[dict[str, Any]]:
        """Every fact of eDISH quadrants that the version declares, with its limits."""
        return views.edish.figures(self.plan.definition)

    def edish_view(self, state: bytes | None) -> dict[str, dict[str, Any]]:
        """By such a fact, where a subject's highest liver values lie."""
        if state is None:
            return {}
        known = self._subject(state)
        return views.edish.placed(self.house.room(known.pins).plan, known)

    def waiting(self, state: bytes | None) -> dict[str, Any]:
        """Of the worklist the corrections alone: their targets have not been received."""
        return {"items": worklists.corrections(self._subject(state))}

    def gate(self, state: bytes | None) -> dict[str, Any]:
        """The gate before the next infusion, item by item, as of the last instant of a state."""
        known = self._subject(state)
        return views.gate(self.house.room(known.pins).plan, known, self.house.definition)

    def stopping_view(self, state: bytes | None) -> list[dict[str, Any]]:
        """Every stopping rule of a trial's state: contract section 3."""
        return stopping_view(self.plan, state)

    def stopping_events(self, state: bytes | None) -> dict[str, int]:
        """By stopping rule of a trial's state: how many events count now."""
        return stopping_events(self.plan, state)

    def counts_view(self, state: bytes | None) -> dict[str, int]:
        """How many subjects of a trial's state are enrolled, and how many were infused."""
        return counts_view(self.plan, state)

    def response_view(self, state: bytes | None) -> list[dict[str, Any]]:
        """Every response rate of a trial's state, with an exact interval."""
        return response_view(self.plan, state)

    def accrual_view(self, state: bytes | None, now_us: int) -> dict[str, Any]:
        """Who of a trial's state was enrolled when, the pace, and when the target is reached."""
        return accrual_view(self.plan, state, now_us)

    def eligibility(self, events: Sequence[Event], as_of_us: int | None = None) -> dict[str, Any]:
        """The checklist as known at `as_of_us`: the events received by then, judged then."""
        known = [event for event in events if as_of_us is None or event.received_us <= as_of_us]
        outcome = self.subject_steps("", "", None, known, lambda n: known[:n], as_of_us)
        return self.view(outcome.state)

    def _subject(self, data: bytes | None) -> SubjectState:
        if data is None:
            return SubjectState(self.plan.version)
        held = states.loads(data)
        if held.engine > ENGINE_VERSION:
            raise EvaluationError("the state was written by a newer engine")
        return held


def _owed(fold: SubjectFold) -> tuple[str, int, int | None] | None:
    """The consent that the subject owes as things stand."""
    found = consenting.owed(fold.subject)
    return None if found is None else (found.version, found.since_us, found.due_us)
