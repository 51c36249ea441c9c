"""The virtual subject: what the protocol's own file says of somebody whom it lets in.

Who comes in: the virtual trial. Who goes out: rows of events, moved to another day. Nothing here is
invented: the data are those of a scenario in the file, its dates moved by whole days.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from rules.facts.calendar import DAY_US, to_us
from rules.model import Definition, Scenario
from rules.terms import Decision, EventType

Row = Mapping[str, Any]

_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
_MOMENT = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}.*")
_TREATED = frozenset({EventType.ADMINISTRATION.value, EventType.DEATH.value})


@dataclass(frozen=True)
class Pattern:
    """Rows of events up to a decision; `starts_us` and `ends_us` span their receipts."""

    rows: tuple[Row, ...]
    starts_us: int
    ends_us: int
    scenario: str  # its name; empty: the file has none, and subjects begin with their enrolment
    given: Row  # an administration's data as the file's scenarios have them


def pattern_of(definition: Definition) -> Pattern:
    """The shortest scenario of one subject in screening that is decided to be eligible."""
    found = [item for item in definition.scenarios if _fits(item)]
    given = _administration(definition)
    if not found:
        start_us = to_us(datetime.fromisoformat("2026-01-05T09:00:00+00:00"))
        return Pattern((), start_us, start_us, "", given)
    chosen = min(found, key=lambda item: (not _screened(item), len(item.events)))
    rows = tuple(sorted(chosen.events, key=received_us))
    return Pattern(rows, received_us(rows[0]), received_us(rows[-1]), chosen.name, given)


def _fits(scenario: Scenario) -> bool:
    """Whether it ends, at the time of its last event, with one eligible subject in screening."""
    rows = scenario.events
    return (
        len(scenario.expect) == 1
        and scenario.expect[0].at is None
        and scenario.expect[0].decision == Decision.ELIGIBLE.value
        and len({row["subject"] for row in rows}) == 1
        and not any(row["type"] in _TREATED or _enrolled(row) for row in rows)
    )


def _screened(scenario: Scenario) -> bool:
    """Whether it says that screening has begun: before that nobody is told about eligibility."""
    return any(row["type"] == EventType.ENROLMENT.value for row in scenario.events)


def _enrolled(row: Row) -> bool:
    data = row["data"]
    kind = row["type"] == EventType.ENROLMENT.value
    return kind and isinstance(data, Mapping) and data.get("status") not in (None, "screened")


def _administration(definition: Definition) -> Row:
    """What a completed administration is told with: its product and dose, without times."""
    for scenario in definition.scenarios:
        for row in scenario.events:
            data = row["data"]
            if row["type"] != EventType.ADMINISTRATION.value or not isinstance(data, Mapping):
                continue
            if data.get("status") == "completed":
                return {key: data[key] for key in data if key not in ("start", "end", "number")}
    return {"product": "study product", "status": "completed"}


def received_us(row: Row) -> int:
    """When a row was received, in microseconds."""
    return to_us(datetime.fromisoformat(str(row.get("recordedtime") or row["time"])))


def moved(value: Any, days: int) -> Any:
    """The same data with every whole date and time in them moved by so many days."""
    if isinstance(value, Mapping):
        return {key: moved(item, days) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [moved(item, days) for item in value]
    if isinstance(value, str) and _DAY.fullmatch(value):
        return (date.fromisoformat(value) + timedelta(days=days)).isoformat()
    if isinstance(value, str) and _MOMENT.fullmatch(value):
        return (datetime.fromisoformat(value) + timedelta(days=days)).isoformat()
    return value


def days_between(earlier_us: int, later_us: int) -> int:
    """Whole days, so that a pattern keeps its time of day."""
    return (later_us - earlier_us) // DAY_US
