"""The trials: which there are, and the one clock of a replay trial.

Who comes in: protocols, intake, evaluation, sweep, reading. Who goes out: the store.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import orjson
from sqlalchemy import Connection, Row, insert, select, update

from services.models import trials
from services.repositories.among import by_dialect, wanted

LIVE = "live"
REPLAY = "replay"
OPEN = "open"
SUSPENDED = "suspended"
CLOSED = "closed"
# A hold of a version before the log told of holds.
_EARLIER = {"id": "earlier", "kind": "person", "what": "enrolment"}

TrialRow = Row[*tuple[Any, ...]]

_SOME = by_dialect(lambda among: select(trials).where(among(trials.c.id)))


def get(conn: Connection, trial: str) -> TrialRow | None:
    """The whole row of `trial`."""
    return conn.execute(select(trials).where(trials.c.id == trial)).one_or_none()


def some(conn: Connection, ids: Collection[str]) -> dict[str, TrialRow]:
    """The rows of those of `ids` that exist."""
    found = conn.execute(_SOME[conn.dialect.name], wanted(conn, ids))
    return {row.id: row for row in found}


def every(conn: Connection) -> list[TrialRow]:
    """All trials by id."""
    return list(conn.execute(select(trials).order_by(trials.c.id)))


def add(
    conn: Connection, trial: str, *, mode: str, by: str, now_us: int, banner: str | None
) -> None:
    """A new open trial without a protocol. Raises IntegrityError if the id is taken."""
    conn.execute(
        insert(trials).values(
            id=trial, mode=mode, status=OPEN, created_us=now_us, created_by=by, banner=banner
        )
    )


def lock(conn: Connection, trial: str) -> TrialRow:
    """The row, locked until the transaction ends; take subject streams' locks before it.

    NO KEY UPDATE, as for streams: whoever inserts a row that refers to it is not stopped.
    """
    query = select(trials).where(trials.c.id == trial).with_for_update(key_share=True)
    return conn.execute(query).one()


def advance_clock(conn: Connection, trial: str, clock_us: int) -> None:
    """Move a replay trial's clock on to `clock_us`; never back."""
    conn.execute(
        update(trials)
        .where(trials.c.id == trial, trials.c.clock_us < clock_us)
        .values(clock_us=clock_us)
    )


def mark_folded(conn: Connection, trial: str, folded_us: int) -> None:
    """Say how far a replay trial's own stream has folded; never back."""
    conn.execute(
        update(trials)
        .where(trials.c.id == trial, trials.c.folded_us < folded_us)
        .values(folded_us=folded_us)
    )


def change(conn: Connection, trial: str, **columns: str | None) -> None:
    """Set `active_version`, `status`, `hold` or `awaiting_second` of a locked trial."""
    conn.execute(update(trials).where(trials.c.id == trial).values(**columns))


def standing(row: TrialRow) -> list[dict[str, Any]]:
    """The holds that stand by a trial's row: id, kind, what, since_us, by, reason of each."""
    if row.status != SUSPENDED:
        return []
    held = orjson.loads(row.hold or "{}")
    if "standing" in held:
        return list(held["standing"])
    return [{"since_us": 0, "by": "", "reason": "", **held, **_EARLIER}]


def follow(conn: Connection, row: TrialRow, holds: Sequence[Mapping[str, Any]]) -> None:
    """Let a locked trial's row say which holds stand: suspended by the oldest, or open."""
    if row.status == CLOSED:
        return
    if not holds:
        change(conn, row.id, status=OPEN, hold=None)
        return
    first = min(holds, key=lambda one: one["since_us"])
    held = {name: first[name] for name in ("since_us", "by", "reason", "kind")}
    held["what"] = max((one["what"] for one in holds), key=("enrolment", "trial").index)
    held["standing"] = list(holds)
    change(conn, row.id, status=SUSPENDED, hold=orjson.dumps(held).decode())
