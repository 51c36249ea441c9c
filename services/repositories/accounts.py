"""Accounts as stored: a password's hash, what its holder may do and where.

Who comes in: services.accounts. Who goes out: the store.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import orjson
from sqlalchemy import Connection, Row, insert, select, update

from services.models import accounts, sessions

AccountRow = Row[*tuple[Any, ...]]


def add(
    conn: Connection,
    name: str,
    *,
    role: str,
    trials: Sequence[str] | None,
    person: str,
    password: str,
    now_us: int,
) -> None:
    """A new account by its password's hash; `trials` None means all."""
    conn.execute(
        insert(accounts).values(
            name=name,
            role=role,
            trials=None if trials is None else orjson.dumps(sorted(trials)).decode(),
            person=person,
            password=password,
            created_us=now_us,
        )
    )


def get(conn: Connection, name: str) -> AccountRow | None:
    """The account of that name, disabled or not."""
    return conn.execute(select(accounts).where(accounts.c.name == name)).one_or_none()


def every(conn: Connection) -> list[AccountRow]:
    """All accounts by name, disabled ones too."""
    return list(conn.execute(select(accounts).order_by(accounts.c.name)))


def signed_in(conn: Connection, names: Collection[str]) -> list[AccountRow]:
    """Those of `names` that are not disabled and have a session."""
    if not names:
        return []
    begun = select(sessions.c.id).where(sessions.c.account == accounts.c.name).exists()
    open_ = accounts.c.disabled_us.is_(None)
    query = select(accounts).where(accounts.c.name.in_(sorted(names)), open_, begun)
    return list(conn.execute(query))


def set_password(conn: Connection, name: str, password: str) -> None:
    """Another hash."""
    conn.execute(update(accounts).where(accounts.c.name == name).values(password=password))


def set_disabled(conn: Connection, name: str, disabled_us: int | None) -> bool:
    """Disable from that instant, or enable with None; False if it was so already."""
    was = accounts.c.disabled_us.is_(None) if disabled_us else accounts.c.disabled_us.is_not(None)
    changed = update(accounts).where(accounts.c.name == name, was).values(disabled_us=disabled_us)
    return conn.execute(changed).rowcount == 1
