"""What one more event costs after ten and after ten thousand, and what folding again costs."""

from __future__ import annotations

import statistics
import time
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from services import clock, database, evaluation, intake, keys, protocols, stories
from services.bench.single import FLAGSHIP, START
from services.broker import Broker
from services.database import Database

LENGTHS = (10, 10_000)
MEASURED = 60
REFOLDS = 5
TRIAL = "history"
BY = keys.Caller("bench", keys.ADMIN, None, "admin")


def measure(place: Path) -> dict[str, Any]:
    """Microseconds of evaluating one event, with its commit, after a history of each length."""
    db = Database(f"sqlite:///{place / 'history.db'}")
    database.upgrade(db)
    text = FLAGSHIP.read_text(encoding="utf-8")
    protocols.create_trial(db, TRIAL, "live", text, "bench", clock.now_us())
    streams = {length: _prepared(db, length) for length in LENGTHS}
    in_order: dict[int, list[float]] = {length: [] for length in LENGTHS}
    again: dict[int, list[float]] = {length: [] for length in LENGTHS}
    for number in range(MEASURED):  # in turn, so that a noisy moment hits both
        for length, stream in streams.items():
            in_order[length].append(_one_more(db, stream, _observation(length, number)))
    for number in range(REFOLDS):
        for length, stream in streams.items():
            again[length].append(_one_more(db, stream, _correction(length, number)))
    db.dispose()
    return {
        "per_event_cost_vs_history": _rows(in_order),
        "refold_us_vs_history": _rows(again),
    }


def _rows(measured: dict[int, list[float]]) -> list[dict[str, float]]:
    return [
        {"history": length, "us": round(statistics.median(times))}
        for length, times in measured.items()
    ]


def _prepared(db: Database, length: int) -> int:
    """A subject with `length` evaluated events; its stream's id."""
    begin = START - timedelta(days=300)
    published = stories.subject_events(TRIAL, f"H-{length}", min(length, 50), 5, begin)
    published += [_observation(length, -number) for number in range(length - len(published), 0, -1)]
    dirty: list[int] = []
    for at in range(0, len(published), 5000):
        dirty += _record(db, published[at : at + 5000])
    evaluation.evaluate(db, Broker(None), dirty[0], clock.now_us())
    return dirty[0]


def _observation(length: int, number: int) -> dict[str, Any]:
    value = 36.4 + (number % 7) / 10
    data = {"code": "body_temperature", "value": value, "unit": "Cel"}
    when = START + timedelta(minutes=number)
    return _event(length, f"{length}.t{number}", when, ("observation", data))


def _correction(length: int, number: int) -> dict[str, Any]:
    target = {"source": stories.SOURCE, "id": f"{length}.t{number}"}
    data = {"corrects": target, "entered_in_error": True, "reason": "wrong subject"}
    when = START + timedelta(days=60, minutes=number)
    return _event(length, f"{length}.c{number}", when, ("correction", data))


def _event(
    length: int, own_id: str, when: datetime, content: tuple[str, dict[str, Any]]
) -> dict[str, Any]:
    return stories.envelope(TRIAL, f"H-{length}", own_id, when.isoformat(), content)


def _record(db: Database, published: list[dict[str, Any]]) -> list[int]:
    return list(intake.publish(db, published, BY, clock.now_us()).dirty)


def _one_more(db: Database, stream: int, event: dict[str, Any]) -> float:
    """Microseconds from the accepted event to its committed evaluation."""
    _record(db, [event])
    began = time.perf_counter()
    evaluation.evaluate(db, Broker(None), stream, clock.now_us())
    return (time.perf_counter() - began) * 1e6
