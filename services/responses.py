"""What people do with an alert: take notice, end it, say something.

Who comes in: the HTTP door with a person. Who goes out: telling, which logs the change and tells
the subscribers; audit. Doing a thing twice is doing it once.
"""

from __future__ import annotations

from enum import StrEnum

import orjson
from sqlalchemy import Connection

from services import audit, sequencer
from services.broker import Broker
from services.clock import iso
from services.database import Database, retrying
from services.errors import NotFound
from services.repositories import alerts
from services.repositories.alerts import AlertRow
from services.telling import Ledger


class Action(StrEnum):
    """What a person can do; the values are the paths of contract §4."""

    ACKNOWLEDGE = "acknowledge"
    RESOLVE = "resolve"
    COMMENT = "comment"


# As which change the log and the subscribers get it; contract §4 has no kind for a comment.
KINDS = {
    Action.ACKNOWLEDGE: "acknowledged",
    Action.RESOLVE: "resolved",
    Action.COMMENT: "updated",
}


def respond(
    db: Database,
    broker: Broker,
    alert: str,
    action: Action,
    *,
    by: str,
    note: str | None,
    now_us: int,
) -> None:
    """Write down what `by` did to `alert`, and let the subscribers know. Raises NotFound."""
    if retrying(lambda: _write(db, alert, action, by, note, now_us)):
        broker.ring_deliver(sequencer.number_soon(db).deliveries)


def _write(
    db: Database, alert: str, action: Action, by: str, note: str | None, now_us: int
) -> bool:
    """One transaction; False if it was so already."""
    with db.writing() as conn:
        ledger = Ledger(conn, [alert], now_us)
        row = ledger.rows.get(alert)
        if row is None:
            raise NotFound("There is no such alert.")
        if not _changes(conn, row, action, by, note, now_us):
            return False
        ledger.say(row, KINDS[action], now_us, by=by, note=note)
        ledger.write()
        chain = audit.ADMIN if row["stream_id"] is None else audit.stream_chain(row["stream_id"])
        audit.append(conn, chain, now_us, by, f"alert.{action}", alert, {})
    return True


def _changes(
    conn: Connection, row: AlertRow, action: Action, by: str, note: str | None, now_us: int
) -> bool:
    """Change `row` as `action` says; False if there is nothing to change."""
    if action is Action.COMMENT:
        return not _said_last(conn, row["id"], by, note)
    said = {"by": by, "at": iso(now_us), "note": note}
    if action is Action.ACKNOWLEDGE:
        if row["acknowledged"] is not None:
            return False
        row["acknowledged"] = orjson.dumps(said).decode()
        if row["status"] == "open":
            row["status"] = "acknowledged"
        return True
    if row["status"] == "resolved":
        return False
    # The rank: what a person resolved opens again only when it is worse than it was then.
    rank = {"because_of": None, "severity_rank": row["severity_rank"]}
    row["resolution"] = orjson.dumps({"reason": "manual", **said, **rank}).decode()
    row["status"] = "resolved"
    return True


def _said_last(conn: Connection, alert: str, by: str, note: str | None) -> bool:
    """Whether the last entry of the history is this very note: a request that came twice."""
    last = alerts.history(conn, alert)[-1]
    return bool(last.kind == KINDS[Action.COMMENT] and last.by == by and last.note == note)
