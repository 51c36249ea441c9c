"""What goes into a step and what comes out of it: the log's events, findings' changes, results.

Who comes in: services, with events of one stream. Who goes out: step and trial, with results.
Every instant is microseconds since 1970 UTC.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rules.model import Scalar
from rules.terms import Category, Change, Decision, Scope, Severity, said


@dataclass(frozen=True, slots=True)
class Event:
    """One event of one stream's log; `n` is its number there, `event` the server's id."""

    n: int
    event: str
    source: str
    id: str
    type: str  # rules.terms.EventType
    time_us: int  # start of the span that `timeprecision` names, in the protocol's zone
    timeprecision: str  # second | day | month | year
    received_us: int
    data: Mapping[str, object]  # canonical


@dataclass(frozen=True, slots=True)
class Evidence:
    """One fact behind a verdict or a finding; `value` null: recorded, and yet not known."""

    fact: str
    value: Scalar | None
    unit: str | None
    time_us: int | None
    event: str | None
    note: str | None = None  # what there is to say beside the value
    criterion: str | None = None  # which it stands behind, where the rule names criteria only

    def as_dict(self) -> dict[str, object]:
        """The contract's keys, some only where there is one; `time` in microseconds."""
        told: dict[str, object] = {
            "fact": said(self.fact),
            "value": self.value,
            "unit": self.unit,
            "time": self.time_us,
            "event": self.event,
        }
        more = {"note": self.note, "criterion": self.criterion}
        return told | {name: value for name, value in more.items() if value is not None}


@dataclass(frozen=True, slots=True)
class FindingChange:
    """What a step did to one finding.

    For CLEARED and SUPERSEDED `detail` is empty and `evidence` too: the alert keeps its own.
    """

    change: Change
    rule: str
    key: str  # of the episode
    scope: Scope
    category: Category
    severity: Severity
    title: str
    detail: str
    action: str
    source_text: str
    evidence: tuple[dict[str, object], ...]  # Evidence.as_dict
    occurred_us: int
    because_of: str | None  # event id; null: time alone
    hold: str | None  # infusion | enrolment | trial
    version: str | None = None  # whose rule it is, where that is not the active version
    # The rule's clause tree as it then was; None for CLEARED and SUPERSEDED and the engine's own.
    explanation: Mapping[str, object] | None = None
    due_us: int | None = None  # until when something is to be done; None: nothing says


@dataclass(frozen=True, slots=True)
class Contribution:
    """What one subject now counts for in one of the trial's sums.

    `rule`: 'enrolled', 'infused', 'paused' or a stopping rule's id; `unit`: 'subject' or
    'infusion:2', of a pause '<RULE>|<key>'. A higher revision replaces a lower; a withdrawn one
    counts for nothing. `start_us`: when the unit began; `until_us`: when its follow-up ended early,
    of an enrolment or infusion its latest instant. `what`: of a pause, what waits.
    """

    rule: str
    unit: str
    subject: str
    evaluable: bool
    event: bool
    since_us: int
    at_us: int  # receipt or due instant of the step that made it
    revision: int
    withdrawn: bool = False
    start_us: int | None = None
    until_us: int | None = None
    what: str | None = None

    def as_data(self) -> dict[str, Any]:
        """The `data` of the event that is appended to the trial's stream."""
        data = {
            "rule": self.rule,
            "unit": self.unit,
            "subject": self.subject,
            "evaluable": self.evaluable,
            "event": self.event,
            "since_us": self.since_us,
            "at_us": self.at_us,
            "revision": self.revision,
            "withdrawn": self.withdrawn,
            "start_us": self.start_us,
            "until_us": self.until_us,
        }
        return data if self.what is None else data | {"what": self.what}


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialHold:
    """Why nobody may be enrolled, or infused either, from one instant until it was lifted."""

    id: str  # of a person's: the event's
    kind: str  # HoldKind
    name: str  # of what it was begun for: a rule, a pause, an event
    what: str  # enrolment | trial
    since_us: int  # receipt of the step that found it
    by: str  # rule id, or who asked for it
    reason: str  # the rule's title, or the person's words
    subject: str | None = None
    until_us: int | None = None
    lifted: Mapping[str, Any] | None = None  # by whom and why

    def as_data(self) -> dict[str, Any]:
        """Its fields, for states and rows."""
        return {name: getattr(self, name) for name in self.__dataclass_fields__}


@dataclass(frozen=True, slots=True)
class StepResult:
    """One whole step: event `n` itself (`due_us` 0), or a due instant passed after it."""

    n: int
    due_us: int
    at_us: int
    decision: Decision | None
    digest: str  # of the decision, the verdicts and the open findings
    changes: tuple[FindingChange, ...]
    contributions: tuple[Contribution, ...]


@dataclass(frozen=True, slots=True)
class Outcome:
    """A stream's state after its steps, and what they said."""

    state: bytes
    results: tuple[StepResult, ...]
    next_due_us: int | None
    reached_us: int
    status: str | None  # enrolment status of the subject
    decision: str | None
    pinned_version: str | None = None  # whose visits and procedures the subject consented to
    criteria_version: str | None = None  # whose criteria judge it
    owed: tuple[str, int, int | None] | None = None  # re-consent: to which version, since, due
    holds: tuple[TrialHold, ...] | None = None  # of a trial's stream: all ever begun, oldest first
    turned: bool = False  # whether a hold began or was lifted in these steps
    clocks: tuple[Mapping[str, Any], ...] = ()  # of a subject: the reports owed, soonest first
