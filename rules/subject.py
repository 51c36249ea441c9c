"""One subject's steps: an event or a due instant in, the difference of its findings out.

Who comes in: Engine, with a state and events. Who goes out: step results and the new state.
A step first computes everything that may need the log (LogNeeded), then changes what was said;
so a step that must be made again after a re-fold has said nothing yet.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple, Protocol

from rules import anchors, sums
from rules.anchors import Judged, Reader, judge, judge_at, known
from rules.errors import EvaluationError, LogNeeded
from rules.events import Contribution, Event, StepResult
from rules.facts import entities
from rules.facts.calendar import DAY_US, Span, iso
from rules.facts.entities import Merged, merge, unpack
from rules.facts.projections import INEXACT, UNKNOWN, Reading
from rules.findings import OPS_DISAGREE, OPS_UNFIT, Findings, Step, digest, fingerprint
from rules.folding import Dirty, absorb, compact, refold
from rules.model import Scalar
from rules.plan import Plan
from rules.state import SubjectState
from rules.terms import Category, Decision, EventType, Scope, Verdict

Log = Callable[[int], Sequence[Event]]
_REPAIRS = frozenset({EventType.CORRECTION.value, EventType.DISCARD.value})
_OVERRIDES = "@overrides"
_CORRECTION = "correction"


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


class _Infusion(NamedTuple):
    """One infusion ready to be judged; `readings` None: it did not take place."""

    name: str
    span: Span
    judged: Judged | None
    readings: Mapping[str, Reading] | None


class SubjectFold:
    """The steps of one subject within one call."""

    def __init__(
        self, plan: Plan, knowledge: Knowledge, subject: str, state: SubjectState, log: Log
    ) -> None:
        """`state` is changed in place; `log(n)` gives the events 1..n when asked for."""
        self.plan, self.knowledge, self.subject = plan, knowledge, subject
        self.state, self.log = state, log
        self.timeline = state.timeline()
        self.findings = Findings(plan, state.findings)
        self.results: list[StepResult] = []
        self.judged: Judged | None = None  # of the present step, once computed
        self.disagreed: bool | None = None  # None: nothing was asked in this step

    # --- the two kinds of step ----------------------------------------------------------------
    def due_until(self, until_us: int) -> None:
        """Every due instant up to and with `until_us`, in order."""
        state = self.state
        while (due_us := self.next_due_us()) is not None and due_us <= until_us:
            step = Step(state.n, due_us, due_us, f"due:{iso(due_us)}", due_us, None)
            state.at_us = due_us
            passed = {name: None for name, until in state.until.items() if until <= due_us}
            if state.version != self.plan.version:
                self._again(step)
                continue
            self._make(step, Dirty(facts=passed, overrides=_OVERRIDES in passed, sums=True))
        state.reached_us = max(state.reached_us, until_us)

    def fold(self, event: Event) -> None:
        """One event, after everything that was due by its receipt."""
        state = self.state
        if event.n != state.n + 1:
            raise EvaluationError("the events of a stream must come in order, without a gap")
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
        if state.version != self.plan.version:
            self._again(step)
            return
        try:
            dirty = absorb(self.plan, state, self.timeline, event)
        except LogNeeded:
            self._again(step)
            return
        self._make(step, dirty)

    def next_due_us(self) -> int | None:
        """The first instant at which time alone may change something."""
        return min(self.state.until.values(), default=None)

    # --- one step -----------------------------------------------------------------------------
    def _make(self, step: Step, dirty: Dirty) -> None:
        try:
            self._judge(step, dirty)
        except LogNeeded:
            self._again(step)
            return
        compact(self.plan, self.state, self.timeline, dirty)

    def _again(self, step: Step) -> None:
        """The same step over the whole log."""
        self.timeline, unfit = refold(self.plan, self.state, self.log(self.state.n))
        everything = Dirty(everything=True)
        self._judge(step, everything, unfit)
        compact(self.plan, self.state, self.timeline, everything)

    def _judge(self, step: Step, dirty: Dirty, unfit: Sequence[Event] = ()) -> None:
        state = self.state
        self.judged, self.disagreed = None, None
        before = (state.decision, state.codes)
        anchor = entities.enrolled_part(state.enrolment)
        changed = self._refresh_live(step, dirty, enrolled=anchor is not None)
        refixed = self._refresh_fixed(dirty, anchor)
        infusions = self._infusions(dirty)
        self._decide(dirty, changed, anchor, refixed=refixed)
        self._subject(step, dirty, changed, moved=before != (state.decision, state.codes))
        self._enrolment(step, dirty, anchor, refixed=refixed)
        for infusion in infusions:
            self._infusion(step, dirty, infusion)
        if dirty.everything:
            self._forget_vanished(step)
            self._corrections(step, unfit)
        self._adverse_events(step, dirty)
        if dirty.death or dirty.everything:
            self._death(step)
        self._finish(step, dirty, moved=before != (state.decision, state.codes))

    def _finish(self, step: Step, dirty: Dirty, *, moved: bool) -> None:
        state = self.state
        if self.disagreed is not None:
            fired = {OPS_DISAGREE.id} if self.disagreed else set()
            self.findings.differ(step, "ops", fired, lambda _name: UNKNOWN)
        contributions: tuple[Contribution, ...] = ()
        if dirty.everything or dirty.sums or dirty.status or dirty.adverse_events:
            wanted = sums.wanted(self.plan, state, self._starts(), step.at_us)
            contributions = sums.differ(state, self.subject, wanted, step.at_us)
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

    # --- facts now ----------------------------------------------------------------------------
    def _refresh_live(self, step: Step, dirty: Dirty, *, enrolled: bool) -> set[str]:
        """Read the touched live facts again; the names whose values changed."""
        state, plan = self.state, self.plan
        live, until = state.live, state.until
        names = (
            [name for names in plan.readers_of.values() for name in names]
            if dirty.everything
            else list(dirty.facts)
        )
        if enrolled and (dirty.enrolment or dirty.everything):
            for name in plan.only_criteria:
                live.pop(name, None)
                until.pop(name, None)
        changed: set[str] = set()
        for name in names:
            if name not in plan.read or (enrolled and name in plan.only_criteria):
                continue
            reading = plan.read[name](self.timeline, None, step.at_us)
            if reading.until_us > step.at_us and reading.until_us < 1 << 62:
                until[name] = reading.until_us
            else:
                until.pop(name, None)
            value = reading.value
            if self._noted(name, reading.note == INEXACT):
                changed.add(name)
            if live.get(name) != value or type(live.get(name)) is not type(value):
                changed.add(name)
                if value is None:
                    live.pop(name, None)
                else:
                    live[name] = value
        return changed

    def _noted(self, name: str, inexact: bool) -> bool:
        """Keep whether a live value's exact time is recorded; whether that has changed."""
        inexacts = self.state.inexact
        if (name in inexacts) == inexact:
            return False
        if inexact:
            inexacts[name] = 1
        else:
            del inexacts[name]
        return True

    def _refresh_fixed(self, dirty: Dirty, anchor: entities.Part | None) -> bool:
        """Judge the enrolment's moment again where the step may have touched it."""
        state = self.state
        if anchor is None:
            state.fixed, state.fixed_at_us = None, None
            return False
        at_us: int = anchor[entities.END]
        untouched = state.fixed_at_us == at_us and dirty.earliest_us > at_us
        if untouched and not dirty.everything:
            return False
        self.judged = judge_at(self.plan, state, self.timeline, at_us)
        state.fixed, state.fixed_at_us = anchors.pack(self.judged), at_us
        return True

    def _decide(
        self, dirty: Dirty, changed: set[str], anchor: entities.Part | None, *, refixed: bool
    ) -> None:
        """The decision and the verdicts of this step."""
        state, plan = self.state, self.plan
        if anchor is None:
            touched = dirty.everything or dirty.overrides or dirty.enrolment or not state.codes
            if not touched and changed.isdisjoint(plan.criteria_facts):
                return
            self.judged = self._judge_live()
        elif not refixed:
            state.until.pop(_OVERRIDES, None)
            return
        else:
            state.until.pop(_OVERRIDES, None)
        assert self.judged is not None
        decision = self.judged.decision.value
        if decision != state.decision and not refixed:
            self._confirm(self.judged)
        state.decision = decision
        state.codes = plan.codes(self.judged.verdicts[name] for name in plan.criteria)

    def _judge_live(self) -> Judged:
        state, plan = self.state, self.plan
        facts = {name: state.live[name] for name in plan.criteria_facts if name in state.live}
        in_force = entities.overrides_at(state.overrides, plan.calendar, None, state.at_us)
        ends = [item.expires_us for item in in_force.values() if item.expires_us is not None]
        if ends:
            state.until[_OVERRIDES] = min(ends)
        else:
            state.until.pop(_OVERRIDES, None)
        return judge(plan, facts, {}, in_force, None)

    def _present(self) -> Judged:
        """The judgement that stands now: the enrolment's, else the live one."""
        if self.judged is None:
            fixed = self.state.fixed
            self.judged = anchors.unpack(fixed) if fixed else self._judge_live()
        return self.judged

    def _confirm(self, judged: Judged) -> None:
        """The criteria's rules in the knowledge base must say the same."""
        disagreement = self.knowledge.confirm(judged.facts, judged.verdicts)
        self.disagreed = bool(self.disagreed) or bool(disagreement)

    def _fire(self, scope: Scope, snapshot: Mapping[str, Scalar]) -> frozenset[str]:
        if not self.plan.by_scope[scope]:
            return frozenset()
        fired = self.knowledge.fire(scope, snapshot)
        self.disagreed = bool(self.disagreed) or bool(fired.disagreement)
        return fired.rules

    def _fire_entity(
        self, entity: str, scope: Scope, snapshot: Mapping[str, Scalar], judged: Judged
    ) -> frozenset[str]:
        """What fires for an anchored entity; an unchanged one is not asked about again."""
        seen = fingerprint([snapshot, judged.facts, judged.verdicts])
        if self.state.asked.get(entity) == seen:
            return frozenset(self.state.findings.get(entity, {}))
        self.state.asked[entity] = seen
        self._confirm(judged)
        return self._fire(scope, snapshot)

    # --- the subject --------------------------------------------------------------------------
    def _subject(self, step: Step, dirty: Dirty, changed: set[str], *, moved: bool) -> None:
        state, plan = self.state, self.plan
        status = dirty.status or dirty.everything
        if not (changed or moved or status):
            return
        read = Reader(plan, state, self.timeline, self._present)
        snapshot: dict[str, Scalar] = {}
        for name in plan.when[Scope.SUBJECT]:
            value = state.live.get(name) if name in plan.read else read(name).value
            if value is not None:
                snapshot[name] = value
        held = state.findings.get("subject", {})
        if snapshot != state.snapshot or dirty.everything or not state.digest:
            state.snapshot = snapshot
            fired = self._fire(Scope.SUBJECT, snapshot)
            fired = self._after_screening(fired)
        else:
            fired = frozenset(held)
        if fired or held:
            touched = None if status or moved else changed
            self.findings.differ(step, "subject", fired, read, touched=touched)

    def _after_screening(self, fired: frozenset[str]) -> frozenset[str]:
        """Eligibility is told from screening on."""
        if entities.screened_at(self.state.enrolment, None).value:
            return fired
        rules = self.plan.rules
        return frozenset(n for n in fired if rules[n].category is not Category.ELIGIBILITY)

    # --- anchored entities --------------------------------------------------------------------
    def _enrolment(
        self, step: Step, dirty: Dirty, anchor: entities.Part | None, *, refixed: bool
    ) -> None:
        plan, state = self.plan, self.state
        if anchor is None:
            if "enrolment" in state.findings:
                self.findings.differ(step, "enrolment", (), lambda _name: UNKNOWN, wrong=True)
            return
        if not refixed:
            return
        span = Span(anchor[entities.START], anchor[entities.END])
        read = Reader(plan, state, self.timeline, self._present, span.end, since_us=span.start)
        readings = read.all(plan.names(Scope.ENROLMENT))
        snapshot = _snapshot(plan, Scope.ENROLMENT, readings)
        fired = self._fire_entity("enrolment", Scope.ENROLMENT, snapshot, self._present())
        self.findings.differ(
            step,
            "enrolment",
            fired,
            readings.__getitem__,
            key="enrolment",
            occurred_us=anchor[entities.START],
            wrong=not dirty.enrolment,
        )

    def _infusions(self, dirty: Dirty) -> list[_Infusion]:
        """The infusions that the step may have touched, read and judged. Raises LogNeeded."""
        state = self.state
        names = set(dirty.infusions)
        if dirty.everything or dirty.earliest_us <= state.last_anchor_us:
            names.update(state.infusions)
        result = []
        for name in sorted(names):
            merged = merge(state.infusions[name])
            span = entities.infusion_span(merged, self.plan.calendar)
            state.last_anchor_us = max(state.last_anchor_us, span.end)
            if name in dirty.infusions or dirty.everything or dirty.earliest_us <= span.end:
                result.append(self._read_infusion(name, merged, span))
        if names or dirty.everything:
            starts = [Span(*span) for span in self._spans().values()]
            first = min(starts, default=None)
            new = None if first is None else list(first)
            if new != state.first_infusion:
                state.first_infusion = new
                dirty.adverse_events.update(state.adverse_events)
        return result

    def _read_infusion(self, name: str, merged: Merged, span: Span) -> _Infusion:
        plan, state = self.plan, self.state
        if not entities.given(merged):
            return _Infusion(name, span, None, None)
        at_us = span.end
        if state.fixed_at_us is not None and state.fixed_at_us <= at_us and state.fixed:
            judged = anchors.unpack(state.fixed)
        else:
            judged = judge_at(plan, state, self.timeline, at_us)
        own = entities.infusion_readings(merged)
        read = Reader(plan, state, self.timeline, lambda: judged, at_us, own, span.start)
        return _Infusion(name, span, judged, read.all(plan.names(Scope.INFUSION)))

    def _infusion(self, step: Step, dirty: Dirty, infusion: _Infusion) -> None:
        name = f"infusion:{infusion.name}"
        own = infusion.name in dirty.infusions
        if infusion.readings is None or infusion.judged is None:
            self.state.asked.pop(name, None)
            if name in self.state.findings:
                self.findings.differ(step, name, (), lambda _name: UNKNOWN, wrong=True)
            return
        readings = infusion.readings
        snapshot = _snapshot(self.plan, Scope.INFUSION, readings)
        fired = self._fire_entity(name, Scope.INFUSION, snapshot, infusion.judged)
        self.findings.differ(
            step,
            name,
            fired,
            readings.__getitem__,
            key=name,
            occurred_us=infusion.span.start,
            wrong=not own,
        )

    def _spans(self) -> dict[str, Span]:
        """When each infusion that was given began."""
        result: dict[str, Span] = {}
        for name, parts in self.state.infusions.items():
            merged = merge(parts)
            if entities.given(merged):
                result[name] = entities.infusion_span(merged, self.plan.calendar)
        return result

    def _starts(self) -> dict[str, int]:
        return {name: span.start for name, span in self._spans().items()}

    # --- adverse events and death -------------------------------------------------------------
    def _adverse_events(self, step: Step, dirty: Dirty) -> None:
        state = self.state
        names = state.adverse_events if dirty.everything else dirty.adverse_events
        for name in sorted(names):
            parts = unpack(state.adverse_events[name])
            self._adverse_event(step, name, merge(parts))

    def _adverse_event(self, step: Step, name: str, merged: Merged) -> None:
        plan, state = self.plan, self.state
        entity = f"ae:{name}"
        began = entities.onset(merged, plan.calendar)
        first = None if state.first_infusion is None else Span(*state.first_infusion)
        readings = entities.adverse_event_readings(merged, began, first)
        readings["ae"] = Reading(name)
        gone = entities.withdrawn(merged)
        self._endpoints(name, readings, began, first, gone=gone)
        fired: frozenset[str] = frozenset()
        if not gone:
            fired = self._fire(Scope.ADVERSE_EVENT, _snapshot(plan, Scope.ADVERSE_EVENT, readings))
        if fired or entity in state.findings:
            self.findings.differ(
                step,
                entity,
                fired,
                lambda wanted: readings.get(wanted, UNKNOWN),
                key=entity,
                occurred_us=began.start,
                wrong=gone,
            )

    def _endpoints(
        self,
        name: str,
        readings: Mapping[str, Reading],
        began: Span,
        first: Span | None,
        *,
        gone: bool,
    ) -> None:
        """Note for which stopping rules this adverse event is an endpoint, and since when."""
        facts = known(readings)
        counts = first is not None and began.end >= first.start and not gone
        for rule_id, endpoint in self.plan.endpoints.items():
            held = self.state.endpoints.setdefault(rule_id, {})
            last_us = 0 if first is None else first.start + self._window_us(rule_id)
            if counts and first is not None and began.start <= last_us and endpoint(facts) is True:
                held[name] = max(began.start, first.start)
            else:
                held.pop(name, None)

    def _window_us(self, rule_id: str) -> int:
        """How long after the first infusion an adverse event counts for a stopping rule."""
        return self.plan.stopping[rule_id].window_days * DAY_US

    def _death(self, step: Step) -> None:
        state, plan = self.state, self.plan
        if not state.deaths:
            self.findings.differ(step, "death", (), lambda _name: UNKNOWN, wrong=True)
            return
        merged = merge(state.deaths)
        readings = {"causality": merged.reading("causality")}
        fired = self._fire(Scope.DEATH, _snapshot(plan, Scope.DEATH, readings))
        self.findings.differ(
            step,
            "death",
            fired,
            lambda wanted: readings.get(wanted, UNKNOWN),
            key="death",
            occurred_us=merged.first.start,
        )

    def _corrections(self, step: Step, unfit: Sequence[Event]) -> None:
        """Tell of every correction that cannot be applied; none is passed over in silence."""
        told = {f"{_CORRECTION}:{one.event}": one for one in unfit}
        for entity in [name for name in self.state.findings if name.startswith(f"{_CORRECTION}:")]:
            if entity not in told:
                self.findings.differ(step, entity, (), lambda _name: UNKNOWN)
        for entity, one in told.items():
            read = {"correction": Reading(None, one.time_us, one.event)}.__getitem__
            fired = {OPS_UNFIT.id}
            self.findings.differ(step, entity, fired, read, key=entity, occurred_us=one.time_us)

    def _forget_vanished(self, step: Step) -> None:
        """End the findings of entities that the corrected log no longer holds."""
        state = self.state
        for entity in sorted(state.findings):
            kind, _, name = entity.partition(":")
            held = {"ae": state.adverse_events, "infusion": state.infusions}.get(kind)
            if held is not None and name not in held:
                self.findings.differ(step, entity, (), lambda _name: UNKNOWN, wrong=True)


def _snapshot(plan: Plan, scope: Scope, readings: Mapping[str, Reading]) -> dict[str, Scalar]:
    """What the scope's rules may see: the known values that their conditions name."""
    return {
        name: value
        for name in plan.when[scope]
        if name in readings and (value := readings[name].value) is not None
    }
