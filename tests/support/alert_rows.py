"""Changes of alerts put straight into the log, where their rules and subjects do not matter."""

from __future__ import annotations

import itertools
from typing import Any

import orjson
from sqlalchemy import insert, select

from rules import Severity
from services import models, sequencer
from services.database import Database
from services.repositories import alerts

_numbers = itertools.count(1)
EVIDENCE = {"fact": "ecog", "value": 3, "unit": "{score}", "time": None, "event": "ev_1"}


def trial(db: Database, name: str, mode: str = "live") -> None:
    row = {"id": name, "mode": mode, "status": "open", "created_us": 1, "created_by": "test"}
    with db.writing() as conn:
        conn.execute(insert(models.trials), row)


def change(db: Database, count: int = 1, kind: str = "opened", **columns: Any) -> None:
    """`count` new alerts with one change each, committed and not numbered."""
    rows = [_alert(**columns) for _ in range(count)]
    entries = [
        {
            "alert": row["id"],
            "change": 1,
            "kind": kind,
            "at_us": row["opened_us"],
            "by": None,
            "note": None,
            "body": orjson.dumps(alerts.as_contract(row)).decode(),
        }
        for row in rows
    ]
    with db.writing() as conn:
        alerts.add(conn, rows)
        alerts.log(conn, entries)


def told(db: Database, count: int = 1, kind: str = "opened", **columns: Any) -> int:
    """The same, numbered; the last position."""
    change(db, count, kind, **columns)
    sequencer.number(db)
    return last(db)


def last(db: Database) -> int:
    with db.reading() as conn:
        return alerts.last_position(conn)


def log(db: Database) -> list[tuple[int, str, str]]:
    """Position, event and data of every numbered change: what a stream of everything shows."""
    columns = models.alert_log.c
    query = select(columns.position, columns.kind, columns.body).where(columns.position > 0)
    with db.reading() as conn:
        rows = conn.execute(query.order_by(columns.position)).all()
    return [(row.position, f"alert.{row.kind}", row.body) for row in rows]


def _alert(**columns: Any) -> dict[str, Any]:
    number = next(_numbers)
    row = {
        "id": f"al_{number}",
        "stream_id": None,
        "trial": "one",
        "subject": "S-001",
        "rule": "S-TEST",
        "key": f"k{number}",
        "protocol_version": "1.0",
        "category": "safety",
        "severity": "serious",
        "status": "open",
        "still_true": True,
        "resolution": None,
        "title": "A title",
        "detail": "ECOG is 3",
        "action": "Look",
        "source_text": "a source",
        "evidence": orjson.dumps([EVIDENCE]).decode(),
        "occurred_us": number,
        "opened_us": number,
        "due_us": None,
        "explanation": None,
        "acknowledged": None,
        "assigned_to": None,
        "snoozed_until_us": None,
        "sequence": number,
        "changes": 1,
    } | columns
    return row | {"severity_rank": Severity(row["severity"]).rank}
