"""One virtual trial through the engine: each stream folded as it would be live, in order of time.

Who comes in: whoever simulates. Who goes out: what became of the trial. The virtual site obeys: it
enrols and infuses nobody while the trial is held.
"""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import count
from typing import Any

from rules.errors import EvaluationError
from rules.events import Contribution, Event, Outcome
from rules.facts.calendar import DAY_US, to_us
from rules.model import StoppingRule
from rules.replay import contribution_event, contribution_name
from rules.simulation.courses import Step
from rules.simulation.pattern import Row, received_us
from rules.step import Engine
from rules.terms import Change, Hold

_TRIAL = "simulation"


@dataclass
class Happened:
    """What became of one virtual trial."""

    stopped: str | None = None  # the stopping rule that was crossed first
    stopped_us: int | None = None
    began_us: int = 0
    ended_us: int = 0
    enrolled: int = 0
    infused: int = 0  # infusions given
    turned_away: int = 0  # enrolments and infusions that a hold kept from happening
    evaluable: int = 0
    events: int = 0
    opened: Counter[str] = field(default_factory=Counter)  # rule -> alerts opened


@dataclass(slots=True)
class _Stream:
    log: list[Event] = field(default_factory=list)
    outcome: Outcome | None = None

    @property
    def state(self) -> bytes | None:
        return None if self.outcome is None else self.outcome.state


class VirtualTrial:
    """The streams of one virtual trial in memory."""

    def __init__(self, engine: Engine, rule: StoppingRule) -> None:
        """`rule`: whose evaluable subjects and events are counted."""
        self.engine, self.rule = engine, rule
        self.subjects: dict[str, _Stream] = {}
        self.trial = _Stream()
        self.held: frozenset[str] = frozenset()
        self.happened = Happened()
        self._dues: list[tuple[int, str]] = []
        self._told: list[tuple[int, str, Contribution]] = []

    def run(self, steps: Iterable[Step]) -> Happened:
        """Let everything happen, and time pass until every window is over."""
        queue = [(step.at_us, n, step) for n, step in zip(count(), steps, strict=False)]
        heapq.heapify(queue)
        away: set[str] = set()
        self.happened.began_us = queue[0][0] if queue else 0
        last_us = self.happened.began_us
        while queue:
            last_us, _, step = heapq.heappop(queue)
            self._pass(last_us)
            if step.subject in away or self._refused(step, away):
                continue
            self._publish(step.subject, step.row)
        self._pass(last_us + (self.rule.window_days + 1) * DAY_US)
        self.happened.ended_us = last_us
        self._count()
        return self.happened

    def _refused(self, step: Step, away: set[str]) -> bool:
        """Whether a hold keeps the step from happening; who is not enrolled goes away."""
        if step.asks and step.asks in self.held:
            self.happened.turned_away += 1
            if step.asks == "enrolment":
                away.add(step.subject)
            return True
        self.happened.enrolled += step.asks == "enrolment"
        self.happened.infused += step.asks == "infusion"
        return False

    def _pass(self, until_us: int) -> None:
        """Let time pass: every due instant up to then, in order."""
        while self._dues and self._dues[0][0] <= until_us:
            due_us, subject = heapq.heappop(self._dues)
            stream = self.subjects[subject]
            if stream.outcome is not None and stream.outcome.next_due_us == due_us:
                self._fold(subject, (), due_us)
        self._tell()

    def _publish(self, subject: str, row: Row) -> None:
        stream = self.subjects.setdefault(subject, _Stream())
        event = self._event(row, len(stream.log) + 1)
        stream.log.append(event)
        self._fold(subject, (event,), None)
        self._tell()

    def _event(self, row: Row, n: int) -> Event:
        """The row as the door takes it in."""
        time_us = to_us(datetime.fromisoformat(row["time"]))
        checker = self.engine.protocol.checker
        data, problems = checker.check(row["type"], row["data"], time_us, row["source"])
        if problems:
            pointer, detail, _ = problems[0]
            raise EvaluationError(f"a virtual {row['type']} is refused: {pointer} {detail}")
        received = received_us(row)
        own = (f"{row['source']}#{row['id']}", row["source"], row["id"], row["type"])
        precision = str(row.get("timeprecision") or "second")
        return Event(n, *own, time_us, precision, received, data)

    def _fold(self, subject: str, events: Sequence[Event], until_us: int | None) -> None:
        stream = self.subjects[subject]
        stream.outcome = self.engine.subject_steps(
            _TRIAL, subject, stream.state, events, lambda n: stream.log[:n], until_us
        )
        for result in stream.outcome.results:
            for change in result.changes:
                self.happened.opened[change.rule] += change.change is Change.OPENED
            for one in result.contributions:
                self._told.append((one.at_us, contribution_name(result, one), one))
        if stream.outcome.next_due_us is not None:
            heapq.heappush(self._dues, (stream.outcome.next_due_us, subject))

    def _tell(self) -> None:
        """The trial's own stream hears what its subjects count for."""
        told, self._told = sorted(self._told, key=lambda item: item[:2]), []
        trial = self.trial
        for _, name, one in told:
            trial.log.append(contribution_event(len(trial.log) + 1, one, name))
            trial.outcome = self.engine.trial_steps(
                _TRIAL, trial.state, trial.log[-1:], lambda n: trial.log[:n]
            )
            for result in trial.outcome.results:
                for change in result.changes:
                    self.happened.opened[change.rule] += change.change is Change.OPENED
        if told:
            self._look(told[-1][0])

    def _look(self, at_us: int) -> None:
        """What the trial's holds ask to wait now; a rule that is reached stops it in any case."""
        holds = (self.trial.outcome and self.trial.outcome.holds) or ()
        standing = {one.what for one in holds if one.until_us is None}
        crossed = [name for name, view in self._views().items() if view["crossed"]]
        if crossed or Hold.TRIAL in standing:
            self.held = frozenset({"enrolment", "infusion"})
        elif standing:
            self.held = frozenset({"enrolment"})
        if crossed and self.happened.stopped is None:
            self.happened.stopped, self.happened.stopped_us = crossed[0], at_us

    def _views(self) -> dict[str, dict[str, Any]]:
        return {view["id"]: view for view in self.engine.stopping_view(self.trial.state)}

    def _count(self) -> None:
        view = self._views()[self.rule.id]
        self.happened.evaluable, self.happened.events = view["evaluable"], view["events"]
