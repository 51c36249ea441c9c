"""Leases: who does what only one should do at a time, and until when.

Who comes in: sequencer and sweep. Who goes out: the store.
"""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import Connection, or_, select, text, update
from sqlalchemy.dialects import postgresql, sqlite

from services.models import leases

_TRY_EACH = text(
    "SELECT name FROM unnest(CAST(:names AS text[])) AS name"
    " WHERE pg_try_advisory_xact_lock(1986620516, hashtext(name))"  # 'vild' in ASCII
)


def lock(conn: Connection, name: str, holder: str) -> None:
    """Hold `name` until this transaction ends; whoever has it is waited for, a second at most.

    A row's lock is a lease that cannot outlive its holder. On SQLite the writing transaction is it.
    A holder that was stopped and not killed keeps it: then the caller hears of a lost lock.
    """
    if conn.dialect.name != "postgresql":
        return
    conn.exec_driver_sql("SET LOCAL lock_timeout = '1s'")
    conn.execute(
        postgresql.insert(leases)
        .values(name=name, holder=holder, until_us=0)
        .on_conflict_do_nothing()
    )
    conn.execute(select(leases.c.name).where(leases.c.name == name).with_for_update())


def try_each(conn: Connection, names: Collection[str]) -> set[str]:
    """Those of `names` that no other transaction holds now; held until this one ends.

    Two names may share a number: then one of them waits for the next time.
    """
    if conn.dialect.name != "postgresql" or not names:
        return set(names)  # on SQLite the writing transaction is the lock
    return set(conn.scalars(_TRY_EACH, {"names": sorted(names)}))


def take(conn: Connection, name: str, holder: str, *, now_us: int, until_us: int) -> bool:
    """Take or renew `name` until `until_us`; False while another has it."""
    dialect = postgresql if conn.dialect.name == "postgresql" else sqlite
    conn.execute(
        dialect.insert(leases).values(name=name, holder=holder, until_us=0).on_conflict_do_nothing()
    )
    statement = (
        update(leases)
        .where(leases.c.name == name, or_(leases.c.holder == holder, leases.c.until_us <= now_us))
        .values(holder=holder, until_us=until_us)
    )
    return conn.execute(statement).rowcount == 1
