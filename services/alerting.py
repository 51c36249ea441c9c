"""Findings become alerts: step by step, so that what opened and closed within a commit is kept.

Who comes in: evaluation, within its commit. Who goes out: telling. An alert is found again by its
key; what a person resolved stays resolved for that key unless it grows worse.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson
from sqlalchemy import Connection

from rules import Change, FindingChange, StepResult
from services import ids
from services.clock import iso
from services.repositories.alerts import AlertRow
from services.repositories.streams import TRIAL_SUBJECT
from services.telling import Ledger, Rows

_RESOLVED = "resolved"


@dataclass(frozen=True, slots=True)
class Place:
    """The steps of one stream that are being committed."""

    stream: int
    trial: str
    subject: str
    protocol_version: str
    sequence: int  # the last alert number given in this stream
    results: Sequence[StepResult]


@dataclass(slots=True)
class Applied:
    """What came of it: the last alert number of each stream that has new ones, and all changes."""

    sequences: dict[int, int] = field(default_factory=dict)
    told: dict[int, list[tuple[str, str, str]]] = field(default_factory=dict)  # kind, alert, rule
    changes: int = 0


def apply(conn: Connection, places: Iterable[Place], now_us: int) -> Applied:
    """Write alerts, their log and deliveries for these steps, in their order."""
    telling = [place for place in places if any(result.changes for result in place.results)]
    wanted = {alert for place in telling for alert in _named(place)}
    if not wanted:
        return Applied()
    ledger, applied = Ledger(conn, wanted, now_us), Applied()
    for place in telling:
        walk(ledger, place, applied)
    applied.changes = ledger.write()
    return applied


def walk(rows: Rows, place: Place, applied: Applied) -> None:
    """Put one stream's changes into `rows`; replay does it without a store."""
    _Stream(rows, place, applied).walk()


def alert_of(trial: str, subject: str, change: FindingChange) -> str:
    """The id of the alert that a finding's change is about."""
    return ids.alert_id(trial, subject, change.rule, change.key)


def _named(place: Place) -> Iterable[str]:
    for result in place.results:
        for change in result.changes:
            yield alert_of(place.trial, place.subject, change)


class _Stream:
    """One stream's changes on their way into the ledger."""

    def __init__(self, ledger: Rows, place: Place, applied: Applied) -> None:
        self.ledger, self.place, self.applied = ledger, place, applied

    def walk(self) -> None:
        for result in self.place.results:
            for change in result.changes:
                alert = alert_of(self.place.trial, self.place.subject, change)
                row = self.ledger.rows.get(alert)
                if change.change in {Change.OPENED, Change.UPDATED}:
                    self._holds(alert, row, change, result.at_us)
                elif row is not None:
                    self._ends(row, change, result.at_us)

    def _holds(self, alert: str, row: AlertRow | None, change: FindingChange, at_us: int) -> None:
        """The finding is true: a new alert, or the one that there is, as it now reads."""
        if row is None:
            self._say(self._new(alert, change, at_us), "opened", at_us)
            return
        before = {name: row[name] for name in (*_CONTENT, "still_true")}
        row |= self._content(change) | {"still_true": True}
        if _reopens(row, before["severity_rank"]):
            row |= {"status": "open", "resolution": None, "acknowledged": None}
            self._say(row, "reopened", at_us)
        elif any(row[name] != value for name, value in before.items()):
            self._say(row, "updated", at_us)

    def _ends(self, row: AlertRow, change: FindingChange, at_us: int) -> None:
        """The finding is not true, or never was; only then a person's resolution falls."""
        wrong = change.change is Change.SUPERSEDED
        if not row["still_true"] and not wrong:
            return
        row["still_true"] = False
        if row["status"] == _RESOLVED and not wrong:
            self._say(row, "updated", at_us)
            return
        row["status"] = _RESOLVED
        row["resolution"] = _resolution(change, at_us)
        self._say(row, "superseded" if wrong else "resolved", at_us)

    def _say(self, row: AlertRow, kind: str, at_us: int) -> None:
        self.ledger.say(row, kind, at_us)
        told = self.applied.told.setdefault(self.place.stream, [])
        told.append((kind, row["id"], row["rule"]))

    def _new(self, alert: str, change: FindingChange, at_us: int) -> AlertRow:
        sequence = self.applied.sequences.get(self.place.stream, self.place.sequence) + 1
        self.applied.sequences[self.place.stream] = sequence
        own = self.place.subject == TRIAL_SUBJECT
        return {
            "id": alert,
            "stream_id": self.place.stream,
            "trial": self.place.trial,
            "subject": None if own else self.place.subject,
            "rule": change.rule,
            "key": change.key,
            **self._content(change),
            "status": "open",
            "still_true": True,
            "resolution": None,
            "opened_us": at_us,
            "acknowledged": None,
            "assigned_to": None,
            "snoozed_until_us": None,
            "sequence": sequence,
            "changes": 0,
        }

    def _content(self, change: FindingChange) -> dict[str, Any]:
        values = {
            "protocol_version": change.version or self.place.protocol_version,
            "category": change.category.value,
            "severity": change.severity.value,
            "severity_rank": change.severity.rank,
            "title": change.title,
            "detail": change.detail,
            "action": change.action,
            "source_text": change.source_text,
            "evidence": orjson.dumps(change.evidence).decode(),
            "explanation": None
            if change.explanation is None
            else orjson.dumps(change.explanation).decode(),
            "occurred_us": change.occurred_us,
            "due_us": change.due_us,
        }
        assert values.keys() == set(_CONTENT)
        return values


_CONTENT = (
    *("protocol_version", "category", "severity", "severity_rank", "title"),
    *("detail", "action", "source_text", "evidence", "explanation", "occurred_us", "due_us"),
)


def _reopens(row: AlertRow, was_rank: int) -> bool:
    """Whether a resolved alert opens again because its finding is true.

    What the service resolved does. What a person resolved does only when it is worse than it was.
    """
    if row["status"] != _RESOLVED:
        return False
    resolution = orjson.loads(row["resolution"])
    if resolution["reason"] != "manual":
        return True
    return bool(row["severity_rank"] > resolution.get("severity_rank", was_rank))


def _resolution(change: FindingChange, at_us: int) -> str:
    reason = "superseded" if change.change is Change.SUPERSEDED else "cleared"
    return orjson.dumps(
        {
            "reason": reason,
            "at": iso(at_us),
            "by": None,
            "note": None,
            "because_of": change.because_of,
        }
    ).decode()
