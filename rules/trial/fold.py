"""The steps of a trial's own stream: one contribution, or one decision, after the other.

Who comes in: Engine, with the trial's events in order. Who goes out: Outcome.
"""

from __future__ import annotations

from collections.abc import Sequence

from rules.errors import EvaluationError
from rules.events import Event, Outcome, StepResult
from rules.facts.log import effective
from rules.facts.projections import UNKNOWN
from rules.findings import Findings, Step, digest
from rules.ownrules import OPS_DISAGREE
from rules.plan import Plan
from rules.state import ENGINE_VERSION
from rules.subject import Knowledge, Log
from rules.terms import EventType, Scope
from rules.trial import during, facts, reaching, state
from rules.trial.holds import Holds
from rules.trial.paths import path
from rules.trial.state import of_data


class TrialFold:
    """The steps of one trial's stream within one call."""

    def __init__(self, plan: Plan, knowledge: Knowledge, data: bytes | None, log: Log) -> None:
        """`log(n)` gives the events 1..n; asked for where the state must be folded anew."""
        self.plan, self.knowledge, self.log = plan, knowledge, log
        self.older = data is not None and state.engine_of(data) < ENGINE_VERSION
        self.state = state.loads(plan.version, data)
        self.findings = Findings(plan, self.state.findings)
        self.holds = Holds(plan, self.state)
        self.results: list[StepResult] = []
        self.paths = {rule_id: path(rule, self.state) for rule_id, rule in plan.stopping.items()}

    def fold(self, event: Event) -> None:
        """One event of the trial's stream."""
        state = self.state
        if event.n != state.n + 1:
            raise EvaluationError("the events of a stream must come in order, without a gap")
        state.n, state.at_us = event.n, max(event.received_us, state.at_us)
        name = f"{event.source}|{event.id}"
        step = Step(event.n, 0, state.at_us, name, event.time_us, event.event)
        changed = state.version != self.plan.version
        if event.type == EventType.DISCARD.value or changed:
            step.late = not changed
            self._again(event.n)
            units = during.every(state)
            touched = frozenset(units if step.late else ())
        else:
            unit = self._put(event)
            units = [unit] if unit is not None and during.told(unit[0]) else []
            touched = frozenset(units)
            if unit is not None and unit[0] in self.plan.stopping:
                self.paths[unit[0]] = path(self.plan.stopping[unit[0]], state)
        known = reaching.known(state)
        self._hold(step, event)
        self._judge(step)
        reaching.judge(step, self.findings, self.holds, self.paths, known)
        if self.holds.moved:
            units = during.every(state)
        during.judge(step, self.findings, state, units, touched)
        self._finish(step)

    def _put(self, event: Event) -> tuple[str, str] | None:
        """Keep a contribution if it is the latest of its unit; which unit that is."""
        if event.type != EventType.CONTRIBUTION.value or not event.data:
            return None
        rule, new = str(event.data["rule"]), of_data(event.data)
        held = self.state.sums.setdefault(rule, {})
        unit = f"{event.data['subject']}|{event.data['unit']}"
        if unit in held and held[unit].revision >= new.revision:
            return None
        held[unit] = new
        return rule, unit

    def _again(self, n: int) -> None:
        """The counts from the whole log; what an older engine did not keep of holds, too."""
        log = self.log(n)
        if self.older:
            self._relive(log[:-1])
        self.state.version, self.state.sums = self.plan.version, {}
        for one in effective(log, self.plan.calendar, self.plan.protocol.checker).events:
            self._put(one)
        for rule_id, rule in self.plan.stopping.items():
            self.paths[rule_id] = path(rule, self.state)

    def _relive(self, log: Sequence[Event]) -> None:
        """The holds as this engine would have begun them; an older one kept none."""
        self.older = False
        past = TrialFold(self.plan, self.knowledge, None, lambda n: log[:n])
        for one in log:
            past.fold(one)
        self.state.holds, self.state.paused = past.state.holds, past.state.paused
        self.state.accepted = past.state.accepted
        self.holds.turned = past.holds.turned

    def _hold(self, step: Step, event: Event) -> None:
        """What the step begins or lifts, before the rules are asked."""
        self.holds.step()
        if event.type == EventType.SUSPENSION.value:
            self.holds.decided(step, event)
        elif event.type == EventType.RESUMPTION.value:
            self.holds.lift(step, event, self.paths)
        self.holds.cross(step, self.paths)
        self.holds.pause(step)

    def _judge(self, step: Step) -> None:
        """Ask the rules; once more if what they say begins a hold, which is a fact too."""
        held = self.holds.stand
        self._ask(step)
        self.holds.fired(step)
        if self.holds.stand != held:
            self._ask(step)
            self.holds.fired(step)

    def _ask(self, step: Step) -> None:
        state, plan = self.state, self.plan
        readings = facts.readings(plan, state, self.paths, held=self.holds.stand)
        snapshot = {
            name: reading.value
            for name in plan.when[Scope.TRIAL]
            if (reading := readings.get(name, UNKNOWN)).value is not None
        }
        fired = frozenset(state.findings.get("trial", {}))
        if snapshot != state.snapshot or not state.digest:
            state.snapshot = snapshot
            if plan.by_scope[Scope.TRIAL]:
                answer = self.knowledge.fire(Scope.TRIAL, state.snapshot)
                fired = answer.rules
                ops = {OPS_DISAGREE.id} if answer.disagreement else set()
                self.findings.differ(step, "ops", ops, lambda _name: UNKNOWN)
        self.findings.differ(step, "trial", fired, lambda name: readings.get(name, UNKNOWN))

    def _finish(self, step: Step) -> None:
        if step.changes or not self.state.digest:
            self.state.digest = digest(None, "", self.state.findings)
        self.results.append(
            StepResult(step.n, 0, step.at_us, None, self.state.digest, tuple(step.changes), ())
        )

    def outcome(self, until_us: int | None) -> Outcome:
        """The state after the steps; time alone changes nothing in a trial's stream."""
        held = self.state
        held.reached_us = max(held.reached_us, held.at_us, until_us or 0)
        return Outcome(
            state=state.dumps(held),
            results=tuple(self.results),
            next_due_us=None,
            reached_us=held.reached_us,
            status=None,
            decision=None,
            holds=self.holds.every,
            turned=self.holds.turned,
        )
