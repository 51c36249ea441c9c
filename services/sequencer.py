"""Positions, given after commit: of the alert log, and within each subscription.

Who comes in: evaluation after its commit, and the sweep. Who goes out: the store. Numbers given
inside the writers' transactions would be passed by readers before a slow writer commits; these are
given by one at a time to what is committed, so nobody who reads by position ever skips a row.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from sqlalchemy import Connection, Row

from services import logs
from services.database import TRIES, Database, retrying
from services.errors import Busy
from services.repositories import alerts, leases

_LEASE = "sequencer"

log = logs.get(__name__)


@dataclass(frozen=True, slots=True)
class Numbered:
    """What got its position: how many changes, and which deliveries."""

    changes: int
    deliveries: tuple[str, ...]


def number_soon(db: Database) -> Numbered:
    """As `number`, but who cannot wait leaves it to the sweep: nobody is told later than by it."""
    try:
        return number(db, tries=1)
    except Busy:
        log.warning("numbering is left to the sweep")
        return Numbered(0, ())


def number(db: Database, holder: str = "", tries: int = TRIES) -> Numbered:
    """Give positions to every committed change and delivery that has none. Raises Busy."""

    def once() -> Numbered:
        with db.writing() as conn:
            # Held until the commit: whoever reads a position has read all lower ones.
            leases.lock(conn, _LEASE, holder)
            return Numbered(_changes(conn), _deliveries(conn))

    return retrying(once, tries=tries)


def _changes(conn: Connection) -> int:
    rows = alerts.unnumbered(conn)
    if rows:
        first = alerts.last_position(conn) + 1
        numbered = enumerate(_in_order(rows), first)
        alerts.number(
            conn,
            [
                {"b_alert": row.alert, "b_change": row.change, "b_position": position}
                for position, row in numbered
            ],
        )
    return len(rows)


def _in_order(rows: Iterable[Row[Any]]) -> list[Row[Any]]:
    """By time, but never a later change of an alert before an earlier one.

    In a replay trial a person resolves by the wall clock and the next step follows by the trial's.
    """
    reached: dict[str, int] = {}
    keys: list[tuple[int, str, int, Row[Any]]] = []
    for row in sorted(rows, key=lambda row: (row.alert, row.change)):
        reached[row.alert] = max(row.at_us, reached.get(row.alert, row.at_us))
        keys.append((reached[row.alert], row.alert, row.change, row))
    return [row for *_, row in sorted(keys, key=lambda key: key[:3])]


def _deliveries(conn: Connection) -> tuple[str, ...]:
    rows = alerts.unnumbered_deliveries(conn)
    given: list[dict[str, Any]] = []
    last: dict[str, int] = {}
    for subscription, some in groupby(rows, key=lambda row: row.subscription):
        for position, row in enumerate(some, 1):
            last[subscription] = row.last_position + position
            given.append({"b_id": row.id, "b_position": last[subscription]})
    alerts.number_deliveries(conn, given)
    alerts.set_last_positions(conn, last)
    return tuple(row["b_id"] for row in given)


def something_waits(conn: Connection) -> bool:
    """Whether anything committed has no position yet."""
    return alerts.has_unnumbered(conn)
