"""What an amendment changes, who owes a consent to it, and what its backtest found.

Who comes in: the doors of protocol versions and the web. Who goes out: versions, streams, rows of
backtests.
"""

from __future__ import annotations

import orjson
from sqlalchemy import Connection, select

import rules
from services import protocols
from services.clock import iso
from services.errors import NotFound
from services.models import streams
from services.reading.pages import Json, everything, iso_or_none, page, unpack
from services.repositories import backtests as stored
from services.repositories import protocols as versions
from services.repositories import trials
from services.repositories.backtests import BacktestRow

_LATEST = 100


def diff(conn: Connection, trial: str, version: str, against: str | None) -> Json:
    """What `version` changes of `against`; by default of what it amends, else of the active one.

    Raises NotFound for an unknown trial or version.
    """
    new = _compiled(conn, trial, version)
    amends = new.definition.amends
    if against is None and amends is not None and versions.get(conn, trial, amends.version):
        against = amends.version
    if against is None:
        active = versions.active(conn, trial)
        if active is None:
            raise NotFound("No version is in force; name one: ?against=VERSION.")
        against = active.version
    return {"trial": trial, **rules.diff(_compiled(conn, trial, against), new)}


def _compiled(conn: Connection, trial: str, version: str) -> rules.Protocol:
    row = versions.get(conn, trial, version)
    if row is None:
        raise NotFound("There is no such version.")
    return protocols.compiled(row)


def reconsent(conn: Connection, trial: str, cursor: str | None, limit: int, now_us: int) -> Json:
    """Who must consent to a major amendment, by subject; evaluated events only. Raises NotFound."""
    row = trials.get(conn, trial)
    if row is None:
        raise NotFound("There is no such trial.")
    at_us = row.clock_us if row.mode == trials.REPLAY else now_us
    query = select(streams).where(streams.c.trial == trial, streams.c.reconsent.is_not(None))
    after = unpack(cursor, str)
    if after is not None:
        query = query.where(streams.c.subject > after[0])
    rows = conn.execute(query.order_by(streams.c.subject).limit(limit + 1)).all()
    return page(rows, limit, lambda one: _owed(one, at_us), lambda one: (one.subject,))


def _owed(row: versions.VersionRow, now_us: int) -> Json:
    owed = orjson.loads(row.reconsent)
    due_us = owed["due_us"]
    return {
        "subject": row.subject,
        "site": row.site,
        "status": row.status,
        "pinned_version": row.pinned_version,
        "version": owed["version"],
        "since": iso(owed["since_us"]),
        "due": iso_or_none(due_us),
        "overdue": due_us is not None and due_us <= now_us,
    }


def backtests(conn: Connection, trial: str) -> Json:
    """The trial's backtests, the latest first, without their results. Raises NotFound."""
    if trials.get(conn, trial) is None:
        raise NotFound("There is no such trial.")
    return everything([backtest_shape(row) for row in stored.of_trial(conn, trial, _LATEST)])


def backtest(conn: Connection, trial: str, wanted: str) -> Json:
    """One backtest with its result, null until it is over. Raises NotFound."""
    row = stored.get(conn, wanted)
    if row is None or row.trial != trial:
        raise NotFound("There is no such backtest in this trial.")
    result = None if row.result is None else orjson.loads(row.result)
    return {**backtest_shape(row), "result": result}


def backtest_shape(row: BacktestRow) -> Json:
    """A backtest at a glance."""
    return {
        "id": row.id,
        "trial": row.trial,
        "version": row.version,
        "digest": row.digest,
        "status": row.status,
        "progress": {"done": row.done, "total": row.total},
        "created_at": iso(row.created_us),
        "created_by": row.created_by,
        "finished_at": iso_or_none(row.finished_us),
    }
