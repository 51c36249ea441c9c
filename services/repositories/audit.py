"""The audit's rows and the head of each chain.

Who comes in: services.audit. Who goes out: the store.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, Executable, Row, bindparam, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite

from services.models import audit, audit_heads

AuditRow = Row[*tuple[Any, ...]]


def _locking(dialect: Any) -> Executable:
    """Make the head if there is none; an update that changes nothing locks it and returns it."""
    new = dialect.insert(audit_heads).values(
        chain=bindparam("b_chain"), n=0, hash=bindparam("b_hash")
    )
    kept: Executable = new.on_conflict_do_update(
        index_elements=[audit_heads.c.chain], set_={"n": audit_heads.c.n}
    ).returning(audit_heads.c.n, audit_heads.c.hash)
    return kept


# Built once: each evaluation that tells something writes its stream's chain.
_LOCK = {"sqlite": _locking(sqlite), "postgresql": _locking(postgresql)}
_ADD = insert(audit)
_MOVE_HEAD = (
    update(audit_heads)
    .where(audit_heads.c.chain == bindparam("b_chain"))
    .values(n=bindparam("b_n"), hash=bindparam("b_hash"))
)


def lock_head(conn: Connection, chain: str, first_hash: str) -> tuple[int, str]:
    """The number and hash of the chain's last row, locked; (0, `first_hash`) for a new chain."""
    head = conn.execute(_LOCK[conn.dialect.name], {"b_chain": chain, "b_hash": first_hash}).one()
    return head.n, head.hash


def add(conn: Connection, rows: list[dict[str, Any]]) -> None:
    """Rows of one chain in order; the last becomes its head."""
    last = rows[-1]
    conn.execute(_ADD, rows)
    conn.execute(_MOVE_HEAD, {"b_chain": last["chain"], "b_n": last["n"], "b_hash": last["hash"]})


def heads(conn: Connection) -> dict[str, tuple[int, str]]:
    """Number and hash of every chain's last row."""
    return {row.chain: (row.n, row.hash) for row in conn.execute(select(audit_heads))}


@contextmanager
def chain_rows(conn: Connection, chain: str) -> Iterator[Iterator[AuditRow]]:
    """A chain's rows in order, a thousand in memory at a time; the cursor ends with the block."""
    query = select(audit).where(audit.c.chain == chain).order_by(audit.c.n)
    with conn.execute(query.execution_options(yield_per=1000)) as rows:
        yield iter(rows)


def chains(conn: Connection) -> set[str]:
    """Every chain that has a row or a head."""
    with_rows = conn.scalars(select(audit.c.chain).distinct())
    return set(with_rows) | set(heads(conn))


def latest(conn: Connection, chain: str | None, before: int | None, limit: int) -> list[AuditRow]:
    """The newest rows, of one chain before number `before` or of all by time."""
    query = select(audit)
    if chain is not None:
        query = query.where(audit.c.chain == chain)
    if before is not None:
        query = query.where(audit.c.n < before)
    return list(conn.execute(query.order_by(audit.c.at_us.desc(), audit.c.n.desc()).limit(limit)))
