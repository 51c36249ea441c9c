"""One subject's steps: an event or a due instant in, the difference of its findings out.

Who comes in: Engine, with a state and events. Who goes out: step results and the new state.
A step first computes everything that may need the log (LogNeeded), then changes what was said;
so a step that must be made again after a re-fold has said nothing yet.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from operator import attrgetter

from rules import pinning, sums
from rules.errors import EvaluationError, LogNeeded
from rules.events import Contribution, Event, StepResult
from rules.facts import entities
from rules.facts.calendar import FOREVER, iso
from rules.facts.log import effective
from rules.facts.projections import UNKNOWN
from rules.findings import Findings, Step, digest
from rules.folding import Dirty, absorb, compact, refold, whole
from rules.ownrules import OPS_DISAGREE
from rules.plan import Plan
from rules.state import SubjectState
from rules.subject import (
    adverse,
    anchored,
    clocks,
    consenting,
    deciding,
    endpoints,
    laboratory,
    live,
    members,
    present,
    relating,
    repairs,
    responding,
    visits,
)
from rules.subject.context import OVERRIDES, House, Knowledge, Log, Subject
from rules.terms import Decision, EventType, Scope

Spend = Callable[[int], None]


def free(events: int) -> None:
    """A step outside of a check costs what it costs."""


_BEGAN = attrgetter("span", "name")
_REPAIRS = frozenset({EventType.CORRECTION.value, EventType.DISCARD.value})
# Who was late once is late again: for so many steps after a re-fold nothing is dropped, so that the
# next late events fold in place. More would slow a long log in order; fewer re-fold more often.
HOLD_STEPS = 200


class SubjectFold:
    """The steps of one subject within one call."""

    def __init__(
        self,
        plan: Plan,
        knowledge: Knowledge,
        subject: str,
        state: SubjectState,
        log: Log,
        house: House | None = None,
        spend: Spend = free,
    ) -> None:
        """`state` is changed in place; `log(n)` gives the events 1..n when asked for.

        `plan` is that of the versions which the state stands under; `house` has the others.
        `spend` hears of each step, with how many events it reads again, and may end it.
        """
        self.spend = spend
        self.plan, self.state, self.log, self.house = plan, state, log, house
        findings = Findings(plan, state.findings)
        self.subject = Subject(plan, knowledge, subject, state, state.timeline(), findings)
        self.subject.find = None if house is None else house.definition
        self.results: list[StepResult] = []
        self._hold_steps = 0  # for which everything is kept still

    def due_until(self, until_us: int) -> None:
        """Every due instant up to and with `until_us`, in order."""
        state = self.state
        while (due_us := self.next_due_us()) is not None and due_us <= until_us:
            self.spend(0)
            step = Step(state.n, due_us, due_us, f"due:{iso(due_us)}", due_us, None)
            state.at_us = due_us
            passed = {name: None for name, until in state.until.items() if until <= due_us}
            if state.version != self.plan.version:
                self._again(step)
                continue
            dirty = Dirty(facts=passed, overrides=OVERRIDES in passed, sums=True)
            self._make(step, dirty)
        state.reached_us = max(state.reached_us, until_us)

    def fold(self, event: Event) -> None:
        """One event, after everything that was due by its receipt."""
        state = self.state
        if event.n != state.n + 1:
            raise EvaluationError("the events of a stream must come in order, without a gap")
        self.spend(0)
        now_us = max(event.received_us, state.at_us)
        self.due_until(now_us)
        state.n, state.at_us = event.n, now_us
        step = Step(
            event.n,
            0,
            now_us,
            f"{event.source}|{event.id}",
            event.time_us,
            event.event,
            late=event.type in _REPAIRS,
        )
        activated = event.type == EventType.ACTIVATION.value
        if state.version != self.plan.version or activated:
            self._again(step, event)
            return
        try:
            dirty = absorb(self.plan, state, self.subject.timeline, event)
        except LogNeeded:
            self._again(step, event)
            return
        if state.course and (mark := pinning.mark(event)) is not None:
            state.course.append(mark)
            if self._turned():
                self._again(step, event)
                return
        self._make(step, dirty, event)

    def next_due_us(self) -> int | None:
        """The first instant at which time alone may change something."""
        return min(self.state.until.values(), default=None)

    def _make(self, step: Step, dirty: Dirty, event: Event | None = None) -> None:
        passed = dict(dirty.facts) if event is None else {}
        try:
            self._judge(step, dirty)
        except LogNeeded:
            self._again(step, event, passed)
            return
        if not self._hold_steps:
            compact(self.plan, self.state, self.subject.timeline, dirty)
            return
        self._hold_steps -= 1
        if not self._hold_steps:
            self._drop()

    def settle(self) -> None:
        """Drop what no later step can need; the state is not to be written before."""
        if self._hold_steps:
            self._hold_steps = 0
            self._drop()

    def _drop(self) -> None:
        compact(self.plan, self.state, self.subject.timeline, Dirty(everything=True))

    def _again(
        self, step: Step, event: Event | None = None, passed: Mapping[str, None] | None = None
    ) -> None:
        """The same step over the whole log; `passed`: the facts that time alone has changed."""
        log = self.log(self.state.n)
        self.spend(len(log))
        self.state.course = []
        if any(event.type == EventType.ACTIVATION.value for event in log):
            counting = effective(log, self.plan.calendar, self.plan.protocol.checker)
            self.state.course = pinning.course(counting.events)
        self._turned()
        self.subject.timeline, unfit = refold(self.plan, self.state, log)
        self._judge(step, whole(self.state, event, passed or {}), unfit)
        self._hold_steps = HOLD_STEPS
        if not HOLD_STEPS:
            self._drop()

    def _turned(self) -> bool:
        """Go by the versions that the course now leads to; whether they are others than before."""
        state, house = self.state, self.house
        if house is None:
            return False
        state.pins, state.owed = [], []
        if state.course:
            pins, owed = pinning.standing(state.began, state.course, house.definition)
            state.pins, state.owed = list(pins), list(owed or ())
        plan, knowledge = house.at(state.pins)
        if plan.version == self.plan.version:
            return False
        subject = self.subject
        self.plan = subject.plan = subject.findings.plan = plan
        subject.knowledge = knowledge
        return True

    def _judge(self, step: Step, dirty: Dirty, unfit: Sequence[Event] = ()) -> None:
        state, subject = self.state, self.subject
        subject.begin()
        before = (state.decision, state.codes)
        anchor = entities.enrolled_part(state.enrolment)
        anchored.place_first(subject, dirty)
        changed = live.refresh(subject, step, dirty, enrolled=anchor is not None)
        refixed = deciding.refresh_fixed(subject, dirty, anchor)
        infusions = anchored.touched_infusions(subject, dirty)
        dirty.adverse_events |= clocks.passed(dirty)
        events = adverse.touched_events(subject, dirty)
        dirty.sums = dirty.sums or bool(events)
        members.refresh(subject, dirty)
        endpoints.of_subject(subject, dirty)
        labs = laboratory.touched_series(subject, dirty, changed)
        deciding.decide(subject, dirty, changed, anchor, refixed=refixed)
        moved = before != (state.decision, state.codes)
        responding.refresh(subject, dirty, changed, moved=moved)
        present.rules_now(subject, step, dirty, changed, moved=moved)
        consenting.overdue(subject, step)
        anchored.enrolment(subject, step, dirty, anchor, refixed=refixed)
        gated = subject.gate() is not None
        for infusion in () if gated else infusions:
            anchored.infusion(subject, step, dirty, infusion)
        if dirty.everything:
            repairs.forget_vanished(subject, step)
            repairs.corrections(subject, step, unfit)
        for event in events:
            adverse.adverse_event(subject, step, dirty, event)
            clocks.of_event(subject, step, event)
        # The gate asks what was found of everything before it.
        for infusion in sorted(infusions, key=_BEGAN) if gated else ():
            anchored.infusion(subject, step, dirty, infusion)
        if dirty.death or dirty.everything or relating.moved(subject, dirty, Scope.DEATH) < FOREVER:
            adverse.death(subject, step)
        for series in labs:
            laboratory.series(subject, step, series)
        visits.all_visits(subject, step, dirty, changed)
        self._finish(step, dirty, moved=moved)

    def _finish(self, step: Step, dirty: Dirty, *, moved: bool) -> None:
        state = self.state
        subject = self.subject
        if subject.disagreed is not None:
            fired = {OPS_DISAGREE.id} if subject.disagreed else set()
            subject.findings.differ(step, "ops", fired, lambda _name: UNKNOWN)
        contributions: tuple[Contribution, ...] = ()
        paused = any(change.hold in sums.HOLDS for change in step.changes)
        if dirty.everything or dirty.sums or dirty.status or paused:
            wanted = sums.wanted(self.plan, state, anchored.spans(subject), step.at_us)
            contributions = sums.differ(state, subject.name, wanted, step.at_us)
        if moved or step.changes or not state.digest:
            state.digest = digest(state.decision, state.codes, state.findings)
        self.results.append(
            StepResult(
                step.n,
                step.due_us,
                step.at_us,
                Decision(state.decision) if state.decision else None,
                state.digest,
                tuple(step.changes),
                contributions,
            )
        )
