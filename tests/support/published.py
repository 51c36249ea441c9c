"""Two published trials as replay trials, and where a stopping rule crosses, counted from the tables.

`survival_cgd0`: interferon in chronic granulomatous disease, with calendar dates of randomisation
(`random` is MMDDYY without a leading zero) and the days of each infection. `kmsurv_bmt`: 137
allogeneic transplants with the day of death or last contact; it has no calendar dates, so one
subject enters every 14 days in the file's order: that is generated, and nobody's date.

Who comes in: tests, with the folder of tables. Who goes out: CloudEvents for a replay trial, and
units: when each subject began, had its event, or was last seen.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

REALDATA = Path(__file__).resolve().parents[3] / "shared" / "realdata"
SOURCE = "https://data.example/published"
DAY = timedelta(days=1)
EVERY_DAYS = 14
HOUR = time(8, tzinfo=UTC)  # of everything that is dated by its day alone

Event = dict[str, object]


@dataclass(frozen=True)
class Unit:
    """One subject of the table."""

    subject: str
    start: datetime
    event: datetime | None
    until: datetime  # the last day of follow-up


def available(folder: Path = REALDATA) -> bool:
    """Whether the tables are there; they are not part of the repository."""
    return (folder / "survival_cgd0.csv").is_file() and (folder / "kmsurv_bmt.csv").is_file()


def granulomatous(folder: Path = REALDATA) -> list[Unit]:
    """Each patient's randomisation and first infection."""
    with (folder / "survival_cgd0.csv").open(encoding="utf-8") as file:
        return [
            _unit(
                f"CGD-{int(row['id']):03d}",
                _month_day_year(row["random"]),
                row["etime1"],
                int(row["futime"]),
            )
            for row in csv.DictReader(file)
        ]


def transplants(folder: Path = REALDATA) -> list[Unit]:
    """Each patient's transplant, on a generated date, and death."""
    with (folder / "kmsurv_bmt.csv").open(encoding="utf-8") as file:
        return [
            _unit(
                f"BMT-{n:03d}",
                date(1990, 1, 1) + n * EVERY_DAYS * DAY,
                row["t1"] if row["d1"] == "1" else "",
                int(row["t1"]),
            )
            for n, row in enumerate(csv.DictReader(file))
        ]


def _month_day_year(text: str) -> date:
    padded = text.zfill(6)
    return date(1900 + int(padded[4:]), int(padded[:2]), int(padded[2:4]))


def _unit(subject: str, began: date, event_day: str, last_day: int) -> Unit:
    start = datetime.combine(began, HOUR)
    event = start + int(event_day) * DAY if event_day else None
    return Unit(subject, start, event, start + last_day * DAY)


def events(trial: str, units: Sequence[Unit], kind: str) -> list[Event]:
    """Enrolments, events and ends of follow-up in calendar order; `kind`: adverse_event | death."""
    told = [
        (moment, unit.subject, what, data)
        for unit in units
        for moment, what, data in _of_subject(unit, kind)
    ]
    return [
        {
            "specversion": "1.0",
            "id": f"{subject}-{what}-{n}",
            "source": SOURCE,
            "type": what,
            "trial": trial,
            "subject": subject,
            "time": moment.isoformat(),
            "recordedtime": moment.isoformat(),
            "data": data,
        }
        for n, (moment, subject, what, data) in enumerate(
            sorted(told, key=lambda item: (item[0], item[1], item[2]))
        )
    ]


def _of_subject(unit: Unit, kind: str) -> Iterator[tuple[datetime, str, Event]]:
    yield unit.start, "enrolment", {"status": "enrolled"}
    if unit.event is not None and kind == "death":
        yield unit.event, "death", {}
        return
    if unit.event is not None:
        first = {"ae": f"{unit.subject}-1", "term": "Infection", "grade": 3}
        yield unit.event, "adverse_event", {**first, "onset": unit.event.isoformat()}
    yield unit.until, "enrolment", {"status": "completed"}


# --- where a rule crosses, from the table alone -------------------------------------------------
@dataclass(frozen=True)
class Crossing:
    """The first point of the path at which the rule stops."""

    at: datetime
    subject: str
    evaluable: int
    events: int


def binary_path(units: Sequence[Unit], window_days: int) -> list[Crossing]:
    """Every subject at its event within the window, else at the window's end, in order of time."""
    window = window_days * DAY
    counted = sorted(
        (unit.event, unit.subject, True)
        if unit.event is not None and unit.event <= unit.start + window
        else (unit.start + window, unit.subject, False)
        for unit in units
    )
    path: list[Crossing] = []
    happened = 0
    for n, (at, subject, event) in enumerate(counted, start=1):
        happened += event
        path.append(Crossing(at, subject, n, happened))
    return path


def exposure_days(units: Sequence[Unit], window_days: int, at: datetime) -> float:
    """Days under observation by `at`: to the event, the window's end or the last day of each."""
    total = timedelta()
    for unit in units:
        ends = [at, unit.start + window_days * DAY, unit.until]
        if unit.event is not None:
            ends.append(unit.event)
        total += max(timedelta(), min(ends) - unit.start)
    return total / DAY


def effective_subjects(units: Sequence[Unit], window_days: int, at: datetime) -> float:
    """Everybody by the part of the window seen by `at`; who had the event counts whole."""
    window = window_days * DAY
    total = 0.0
    for unit in units:
        if unit.event is not None and unit.event <= min(at, unit.start + window):
            total += 1.0
        elif unit.start < at:
            total += min(at - unit.start, unit.until - unit.start, window) / window
    return total


def event_path(units: Sequence[Unit], window_days: int) -> list[Crossing]:
    """Every instant of events within the window; `evaluable` is who had begun by then.

    Events of one instant are one step: nobody looks between them.
    """
    window = window_days * DAY
    happened = {
        unit.subject: unit.event
        for unit in units
        if unit.event is not None and unit.event <= unit.start + window
    }
    return [
        Crossing(
            at,
            max(subject for subject, event in happened.items() if event == at),
            sum(unit.start <= at for unit in units),
            sum(event <= at for event in happened.values()),
        )
        for at in sorted(set(happened.values()))
    ]
