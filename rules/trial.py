"""The trial's own stream: what counts subjects, and the stopping tables on their path.

Who comes in: Engine, with contributions. Who goes out: outcomes, and the view of the boundaries.
Everything follows from the set of latest contributions, sorted by (since, subject, unit); in which
order they arrived does not matter.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import orjson

from rules.errors import EvaluationError
from rules.events import Event, Outcome, StepResult
from rules.facts.calendar import iso
from rules.facts.log import effective
from rules.facts.projections import UNKNOWN, Reading
from rules.findings import OPS_DISAGREE, Findings, Step, digest
from rules.language.vocabulary import stopping_fact
from rules.model import Scalar, StoppingRule
from rules.plan import Plan
from rules.state import ENGINE_VERSION
from rules.stopping import table
from rules.subject import Knowledge, Log
from rules.sums import ENROLLED, INFUSED
from rules.terms import EventType, Scope

EVALUABLE, EVENT, SINCE, REVISION, WITHDRAWN = range(5)


@dataclass(slots=True)
class TrialState:
    """The latest contribution of each unit, and what was said of them."""

    version: str
    engine: int = ENGINE_VERSION
    n: int = 0
    at_us: int = 0
    reached_us: int = 0
    # rule -> "subject|unit" -> [evaluable, event, since, revision, withdrawn]
    sums: dict[str, dict[str, list[Any]]] = field(default_factory=dict)
    findings: dict[str, dict[str, list[Any]]] = field(default_factory=dict)
    snapshot: dict[str, Scalar] = field(default_factory=dict)
    digest: str = ""


_FIELDS = tuple(TrialState.__dataclass_fields__)


def _loads(plan: Plan, data: bytes | None) -> TrialState:
    if data is None:
        return TrialState(plan.version)
    state = TrialState(*orjson.loads(data)[: len(_FIELDS)])
    if state.engine > ENGINE_VERSION:
        raise EvaluationError("the state was written by a newer engine")
    if state.engine < ENGINE_VERSION:  # what was said stays; the rest is folded anew
        state.engine, state.version = ENGINE_VERSION, ""
    return state


@dataclass(frozen=True, slots=True)
class Path:
    """One stopping rule over the trial as it stands."""

    evaluable: int
    events: int
    pending: int
    steps: tuple[dict[str, Any], ...]  # evaluable, events, at (microseconds), subject
    crossed_at: int | None  # place on the path, from 1

    @property
    def crossed_us(self) -> int | None:
        """When the path reached the table."""
        return None if self.crossed_at is None else int(self.steps[self.crossed_at - 1]["at"])


def path(rule: StoppingRule, held: dict[str, list[Any]]) -> Path:
    """The path of a rule over its latest contributions."""
    standing = [
        (counted[SINCE], *name.split("|", 1), counted)
        for name, counted in held.items()
        if not counted[WITHDRAWN]
    ]
    standing.sort(key=lambda item: item[:3])
    steps: list[dict[str, Any]] = []
    happened: list[bool] = []
    for since, subject, _unit, counted in standing:
        if counted[EVALUABLE]:
            happened.append(bool(counted[EVENT]))
            steps.append(
                {
                    "evaluable": len(happened),
                    "events": sum(happened),
                    "at": since,
                    "subject": subject,
                }
            )
    return Path(
        evaluable=len(happened),
        events=sum(happened),
        pending=len(standing) - len(happened),
        steps=tuple(steps),
        crossed_at=table.crossing(rule.table, happened),
    )


class TrialFold:
    """The steps of one trial's stream within one call."""

    def __init__(self, plan: Plan, knowledge: Knowledge, state: bytes | None, log: Log) -> None:
        """`log(n)` gives the events 1..n; asked for only after a discard."""
        self.plan, self.knowledge, self.log = plan, knowledge, log
        self.state = _loads(plan, state)
        self.findings = Findings(plan, self.state.findings)
        self.results: list[StepResult] = []
        self.paths = {
            rule_id: path(rule, self.state.sums.get(rule_id, {}))
            for rule_id, rule in plan.stopping.items()
        }

    def fold(self, event: Event) -> None:
        """One event of the trial's stream."""
        state = self.state
        if event.n != state.n + 1:
            raise EvaluationError("the events of a stream must come in order, without a gap")
        state.n, state.at_us = event.n, max(event.received_us, state.at_us)
        step = Step(
            event.n, 0, state.at_us, f"{event.source}|{event.id}", event.time_us, event.event
        )
        changed = state.version != self.plan.version
        if event.type == EventType.DISCARD.value or changed:
            state.version, state.sums, step.late = self.plan.version, {}, not changed
            log, checker = self.log(event.n), self.plan.protocol.checker
            for one in effective(log, self.plan.calendar, checker).events:
                self._put(one)
            self._walk(*self.plan.stopping)
        else:
            rule = self._put(event)
            if rule in self.plan.stopping:
                self._walk(rule)
        self._judge(step)

    def _put(self, event: Event) -> str | None:
        """Keep a contribution if it is the latest of its unit."""
        if event.type != EventType.CONTRIBUTION.value:
            return None
        data: Any = event.data
        held = self.state.sums.setdefault(data["rule"], {})
        unit = f"{data['subject']}|{data['unit']}"
        if unit in held and held[unit][REVISION] >= data["revision"]:
            return None
        held[unit] = [
            data["evaluable"],
            data["event"],
            data["since_us"],
            data["revision"],
            bool(data.get("withdrawn")),
        ]
        return str(data["rule"])

    def _walk(self, *rules: str) -> None:
        for rule_id in rules:
            held = self.state.sums.get(rule_id, {})
            self.paths[rule_id] = path(self.plan.stopping[rule_id], held)

    def _judge(self, step: Step) -> None:
        state, plan = self.state, self.plan
        readings = self.readings()
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
        if step.changes or not state.digest:
            state.digest = digest(None, "", state.findings)
        self.results.append(
            StepResult(step.n, 0, step.at_us, None, state.digest, tuple(step.changes), ())
        )

    def readings(self) -> dict[str, Reading]:
        """The facts of the trial's scope."""
        enrolled = [name for name, _ in self._standing(ENROLLED)]
        infused = {name.split("|", 1)[0] for name, _ in self._standing(INFUSED)}
        result = {
            "enrolled_count": Reading(len(enrolled)),
            "infused_count": Reading(len(infused)),
            "target": Reading(self.plan.definition.target),
        }
        for rule_id, found in self.paths.items():
            limits = self.plan.stopping[rule_id].table
            counts: dict[str, Scalar | None] = {
                "events": found.events,
                "evaluable": found.evaluable,
                "pending": found.pending,
                "subjects": found.evaluable + found.pending,
                "crossed": found.crossed_at is not None,
                "margin": table.margin(limits, found.evaluable, found.events),
            }
            for what, value in counts.items():
                time_us = found.crossed_us if what == "crossed" else None
                result[stopping_fact(rule_id, what)] = Reading(value, time_us)
        return result

    def _standing(self, rule: str) -> list[tuple[str, list[Any]]]:
        held = self.state.sums.get(rule, {})
        return [(name, counted) for name, counted in held.items() if not counted[WITHDRAWN]]

    def outcome(self, until_us: int | None) -> Outcome:
        """The state after the steps; time alone changes nothing in a trial's stream."""
        state = self.state
        state.reached_us = max(state.reached_us, state.at_us, until_us or 0)
        return Outcome(
            state=orjson.dumps([getattr(state, name) for name in _FIELDS]),
            results=tuple(self.results),
            next_due_us=None,
            reached_us=state.reached_us,
            status=None,
            decision=None,
        )


def counts_view(plan: Plan, data: bytes | None) -> dict[str, int]:
    """How many subjects are enrolled and infused: contributions that were not withdrawn."""
    sums = _loads(plan, data).sums
    return {
        rule: len({name.split("|", 1)[0] for name, one in held.items() if not one[WITHDRAWN]})
        for rule in (ENROLLED, INFUSED)
        for held in (sums.get(rule, {}),)
    }


def stopping_view(plan: Plan, data: bytes | None) -> list[dict[str, Any]]:
    """Every stopping rule as contract section 3 shows it; `hold` since the path reached it.

    `during_hold` names who was enrolled or infused at or after that instant.
    """
    state = _loads(plan, data)
    return [_rule_view(rule, state) for rule in plan.definition.stopping]


def _rule_view(rule: StoppingRule, state: TrialState) -> dict[str, Any]:
    found = path(rule, state.sums.get(rule.id, {}))
    crossed_us = found.crossed_us
    return {
        "id": rule.id,
        "title": rule.title,
        "method": rule.method,
        "evaluable": found.evaluable,
        "events": found.events,
        "pending": found.pending,
        "boundary": [{"evaluable": size, "stop_at": events} for size, events in rule.table],
        "path": [{**step, "at": iso(step["at"])} for step in found.steps],
        "crossed": found.crossed_at is not None,
        "crossed_at": None if crossed_us is None else iso(crossed_us),
        "next_stop_at": table.stop_at(rule.table, found.evaluable + 1),
        "stop_if": []
        if crossed_us is not None
        else table.stop_if(rule.table, found.evaluable, found.events),
        "hold": None if crossed_us is None else {"since": iso(crossed_us)},
        "during_hold": [] if crossed_us is None else _during(state, crossed_us),
    }


def _during(state: TrialState, since_us: int) -> list[dict[str, Any]]:
    """Who was enrolled or infused after the table was reached, by clinical time."""
    return [
        {"what": rule, "subject": subject, "unit": unit, "at": iso(counted[SINCE])}
        for rule in (ENROLLED, INFUSED)
        for name, counted in sorted(state.sums.get(rule, {}).items())
        if not counted[WITHDRAWN] and counted[SINCE] > since_us
        for subject, unit in [name.split("|", 1)]
    ]
