"""Backtests and their parts: the rows that say what is to be done, who is at it, and what came.

Who comes in: services.backtests, protocols, reading. Who goes out: the store.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Row, insert, select, update

from services.models import backtest_parts, backtests

RUNNING, FINISHED, FAILED = "running", "finished", "failed"
WAITING, DONE = "waiting", "done"

BacktestRow = Row[*tuple[Any, ...]]
PartRow = Row[*tuple[Any, ...]]


def add(conn: Connection, values: Mapping[str, Any], parts: Sequence[Mapping[str, Any]]) -> None:
    """A backtest and all its parts."""
    conn.execute(insert(backtests).values(status=RUNNING, **values))
    rows = [{"backtest": values["id"], "status": WAITING, **part} for part in parts]
    conn.execute(insert(backtest_parts), rows)


def get(conn: Connection, backtest: str) -> BacktestRow | None:
    """The whole row."""
    return conn.execute(select(backtests).where(backtests.c.id == backtest)).one_or_none()


def of_trial(conn: Connection, trial: str, limit: int) -> list[BacktestRow]:
    """The latest first, without their results."""
    columns = [column for column in backtests.c if column.name != "result"]
    query = select(*columns).where(backtests.c.trial == trial)
    ordered = query.order_by(backtests.c.created_us.desc(), backtests.c.id).limit(limit)
    return list(conn.execute(ordered))


def alike(conn: Connection, trial: str, digest: str, log: str) -> BacktestRow | None:
    """A backtest of the same text over the same log that did not fail."""
    query = select(backtests).where(
        backtests.c.trial == trial,
        backtests.c.digest == digest,
        backtests.c.log == log,
        backtests.c.status != FAILED,
    )
    return conn.execute(query.order_by(backtests.c.created_us).limit(1)).one_or_none()


def something_waits(conn: Connection, now_us: int, backtest: str | None = None) -> bool:
    """Whether there is a part that nobody is at."""
    query = select(backtest_parts.c.number).where(_free(now_us, backtest)).limit(1)
    return conn.execute(query).first() is not None


def _free(now_us: int, backtest: str | None) -> Any:
    free = (backtest_parts.c.status == WAITING) & (backtest_parts.c.claimed_until_us <= now_us)
    return free if backtest is None else free & (backtest_parts.c.backtest == backtest)


def claim(
    conn: Connection, now_us: int, until_us: int, backtest: str | None = None
) -> PartRow | None:
    """A waiting part that nobody is at, now ours until then; `attempts` is the proof of it."""
    free = _free(now_us, backtest)
    query = select(backtest_parts).where(free)
    ordered = query.order_by(backtest_parts.c.backtest, backtest_parts.c.number).limit(1)
    part = conn.execute(ordered).one_or_none()
    if part is None:
        return None
    statement = (
        update(backtest_parts)
        .where(_same(part), free)
        .values(attempts=part.attempts + 1, claimed_until_us=until_us)
        .returning(backtest_parts)
    )
    return conn.execute(statement).one_or_none()


def finish(conn: Connection, part: PartRow, status: str, result: str, subjects: int) -> bool:
    """Store what came of a claimed part, once; False if somebody else claimed it since."""
    statement = update(backtest_parts).where(_same(part), backtest_parts.c.status == WAITING)
    if conn.execute(statement.values(status=status, result=result)).rowcount != 1:
        return False
    whole = update(backtests).where(backtests.c.id == part.backtest)
    conn.execute(whole.values(done=backtests.c.done + subjects))
    return True


def _same(part: PartRow) -> Any:
    return (
        (backtest_parts.c.backtest == part.backtest)
        & (backtest_parts.c.number == part.number)
        & (backtest_parts.c.attempts == part.attempts)
    )


def parts(conn: Connection, backtest: str) -> list[PartRow]:
    """Every part, in order."""
    query = select(backtest_parts).where(backtest_parts.c.backtest == backtest)
    return list(conn.execute(query.order_by(backtest_parts.c.number)))


def ended(conn: Connection, limit: int = 20) -> list[str]:
    """Running backtests whose parts are all over: only their end was not written."""
    open_parts = select(backtest_parts.c.number).where(
        backtest_parts.c.backtest == backtests.c.id, backtest_parts.c.status == WAITING
    )
    query = select(backtests.c.id).where(backtests.c.status == RUNNING, ~open_parts.exists())
    return list(conn.scalars(query.order_by(backtests.c.created_us).limit(limit)))


def end(conn: Connection, backtest: str, status: str, result: str, now_us: int) -> bool:
    """Write the result of a running backtest, once; its parts' own are not needed any more."""
    mine = (backtests.c.id == backtest) & (backtests.c.status == RUNNING)
    values = {"status": status, "result": result, "finished_us": now_us}
    if conn.execute(update(backtests).where(mine).values(**values)).rowcount != 1:
        return False
    own = backtest_parts.c.backtest == backtest
    conn.execute(update(backtest_parts).where(own).values(result=None))
    return True
