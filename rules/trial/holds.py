"""The holds of a trial: when one begins, and what two persons lift.

Who comes in: the fold, step by step. Who goes out: the state's `holds`; services ask which stand.
Nothing but a resumption ends a hold: that a boundary is no longer reached does not.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from rules.events import Event, TrialHold
from rules.findings import TITLE, Step
from rules.model import StoppingRule
from rules.plan import Plan
from rules.sums import HOLDS, PAUSED
from rules.terms import Change, HoldKind, Scope
from rules.trial import repeating
from rules.trial.paths import Path
from rules.trial.state import TrialState, place

ENROLMENT, TRIAL = "enrolment", "trial"
EVERY_HOLD = "*"  # what a supposed resumption lifts: under another version holds bear other ids
_HOLDS = list(TrialState.__dataclass_fields__).index("holds")


def holds_of(data: bytes | None) -> tuple[TrialHold, ...]:
    """Every hold of a trial's stored state, oldest first; no protocol is needed."""
    values = [] if data is None else orjson.loads(data)
    held = values[_HOLDS] if len(values) > _HOLDS else []
    return tuple(TrialHold(**one) for one in held)


class Holds:
    """The holds of one trial within one call; the state is changed in place."""

    def __init__(self, plan: Plan, state: TrialState) -> None:
        """`turned` says whether any began or was lifted, `moved` the same of one step."""
        self.plan, self.state = plan, state
        self.turned = self.moved = False
        self.crossed: set[str] = set()  # rules whose boundary began a hold in this step
        self.unknown: set[str] = set()  # rules resumed in this step that ask more than both knew

    def step(self) -> None:
        """Another step begins."""
        self.moved = False
        self.crossed.clear()
        self.unknown.clear()

    def stands_by(self, rule_id: str) -> bool:
        """Whether a hold that this rule's boundary began stands."""
        crossed = (one for one in self.state.holds if one["kind"] == HoldKind.CROSSED.value)
        return any(one["by"] == rule_id and one["until_us"] is None for one in crossed)

    @property
    def every(self) -> tuple[TrialHold, ...]:
        """All that ever began, oldest first."""
        return tuple(TrialHold(**one) for one in self.state.holds)

    @property
    def stand(self) -> bool:
        """Whether any stands."""
        return any(one["until_us"] is None for one in self.state.holds)

    def decided(self, step: Step, event: Event) -> None:
        """What a person decided: to hold, or, with a second one, to lift."""
        data: Any = event.data
        self._begin(
            step,
            HoldKind.PERSON,
            event.event,
            what=str(data["what"]),
            by=str(data["by"]),
            reason=str(data["reason"]),
            hold_id=event.event,
        )

    def lift(self, step: Step, event: Event, paths: Mapping[str, Path]) -> None:
        """Lift what two persons named; a rule then holds again only with more events.

        More than the first of them could know: what came between the two is accepted by one alone.
        """
        data: Any = event.data
        known: Mapping[str, int] = data.get("known") or {}
        for one in self.state.holds:
            named = one["id"] in data["lifts"] or EVERY_HOLD in data["lifts"]
            if named and one["until_us"] is None:
                one["until_us"] = step.at_us
                one["lifted"] = {"by": data["by"], "reasons": data["reasons"]}
                self.turned = self.moved = True
                if one["kind"] == HoldKind.CROSSED.value and one["by"] in paths:
                    events = paths[one["by"]].events
                    self.state.accepted[one["by"]] = min(events, known.get(one["by"], events))
                if one["kind"] == HoldKind.RULE.value and repeating.accept(
                    self.plan, self.state, one["by"], data.get("known")
                ):
                    self.unknown.add(one["by"])

    def cross(self, step: Step, paths: Mapping[str, Path]) -> None:
        """Hold where a path has reached its boundary, with more events than were accepted."""
        accepted = self.state.accepted
        repeating.settle(self.plan, self.state)
        for rule_id, found in paths.items():
            if rule_id in accepted:
                accepted[rule_id] = min(accepted[rule_id], found.events)
            rule = self.plan.stopping[rule_id]
            what = held_by(rule)
            more = found.events > accepted.get(rule_id, -1)
            if what is not None and found.crossed_at is not None and more:
                self._begin(
                    step, HoldKind.CROSSED, rule_id, what=what, by=rule_id, reason=rule.title
                )

    def pause(self, step: Step) -> None:
        """Hold for every finding about a subject whose rule asks for it, at once."""
        before, now = set(self.state.paused), dict(self.state.standing(PAUSED))
        for name in sorted(now.keys() - before):
            subject, unit = place(name)
            rule_id = unit.split("|", 1)[0]
            rule = self.plan.rules.get(rule_id)
            self._begin(
                step,
                HoldKind.PAUSED,
                name,
                what=now[name].what or TRIAL,
                by=rule_id,
                reason=rule_id if rule is None else rule.title,
                subject=subject,
            )
        self.state.paused = sorted(now)

    def fired(self, step: Step) -> None:
        """Hold for the alert rules over the trial's facts that began to hold in this step.

        And for those that were resumed in it and ask more than both persons knew.
        """
        for change in step.changes:
            asks = change.scope is Scope.TRIAL and change.hold in HOLDS
            if asks and change.change is Change.OPENED:
                self._begin(
                    step,
                    HoldKind.RULE,
                    change.rule,
                    what=str(change.hold),
                    by=change.rule,
                    reason=change.title,
                )
        held = self.state.findings.get("trial", {})
        for rule_id in sorted(self.unknown & held.keys()):
            what = self.plan.rules[rule_id].hold
            if what in HOLDS:
                title = str(held[rule_id][TITLE])
                self._begin(step, HoldKind.RULE, rule_id, what=str(what), by=rule_id, reason=title)

    def _begin(
        self,
        step: Step,
        kind: HoldKind,
        name: str,
        *,
        what: str,
        by: str,
        reason: str,
        subject: str | None = None,
        hold_id: str | None = None,
    ) -> None:
        """Begin a hold, unless one for the same stands that keeps as much."""
        for one in self.state.holds:
            same = (one["kind"], one["name"]) == (kind.value, name)
            if same and one["until_us"] is None and one["what"] in {what, TRIAL}:
                return
        made = TrialHold(
            id=hold_id or f"{step.n}|{kind.value}|{name}",
            kind=kind.value,
            name=name,
            what=what,
            since_us=step.at_us,
            by=by,
            reason=reason,
            subject=subject,
        )
        self.state.holds.append(made.as_data())
        if kind is HoldKind.CROSSED:
            self.crossed.add(name)
        self.turned = self.moved = True


def held_by(rule: StoppingRule) -> str | None:
    """What waits once the boundary is reached; None: nothing by itself."""
    hold = None if rule.crossing is None else rule.crossing.hold
    return hold.value if hold in HOLDS and hold is not None else None
