"""Sessions of people who signed in, and the tries of those who did not succeed.

Who comes in: services.accounts. Who goes out: the store.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from sqlalchemy import Connection, Row, bindparam, delete, insert, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite

from services.models import accounts, api_keys, guesses, sessions
from services.repositories.among import by_dialect, wanted

SessionRow = Row[*tuple[Any, ...]]

# Asked with every request of a page: built once. Role and trials are those of this moment.
_WHOLE = (
    select(
        sessions,
        accounts.c.role.label("account_role"),
        accounts.c.trials.label("account_trials"),
        accounts.c.person.label("account_person"),
        accounts.c.disabled_us,
        api_keys.c.role.label("key_role"),
        api_keys.c.trials.label("key_trials"),
        api_keys.c.person.label("key_person"),
        api_keys.c.revoked_us,
    )
    .outerjoin(accounts, accounts.c.name == sessions.c.account)
    .outerjoin(api_keys, api_keys.c.id == sessions.c.api_key)
)
_FIND = _WHOLE.where(sessions.c.id == bindparam("digest"))
_SOME = by_dialect(lambda among: _WHOLE.where(among(sessions.c.id)))


def add(
    conn: Connection,
    digest: str,
    *,
    account: str | None,
    api_key: str | None,
    csrf: str,
    now_us: int,
    until_us: int,
) -> None:
    """A new session by the sha256 of its cookie; of an account or of a key."""
    conn.execute(
        insert(sessions).values(
            id=digest,
            account=account,
            api_key=api_key,
            csrf=csrf,
            created_us=now_us,
            seen_us=now_us,
            until_us=until_us,
        )
    )


def find(conn: Connection, digest: str) -> SessionRow | None:
    """The session with its account or key as they are now."""
    return conn.execute(_FIND, {"digest": digest}).one_or_none()


def some(conn: Connection, ids: Collection[str]) -> list[SessionRow]:
    """Those of `ids` that exist, likewise."""
    return list(conn.execute(_SOME[conn.dialect.name], wanted(conn, ids)))


def touch(conn: Connection, digest: str, now_us: int) -> None:
    """Somebody is at it."""
    conn.execute(update(sessions).where(sessions.c.id == digest).values(seen_us=now_us))


def end(conn: Connection, digest: str) -> bool:
    """End one; False if there was none."""
    return conn.execute(delete(sessions).where(sessions.c.id == digest)).rowcount == 1


def end_of_account(conn: Connection, account: str) -> None:
    """End all of one account."""
    conn.execute(delete(sessions).where(sessions.c.account == account))


def forget(conn: Connection, now_us: int, idle_before_us: int) -> None:
    """Remove those whose time is over."""
    over = or_(sessions.c.until_us <= now_us, sessions.c.seen_us <= idle_before_us)
    conn.execute(delete(sessions).where(over))


def failures(conn: Connection, guarded: str) -> SessionRow:
    """The tries at one name or address, locked until the transaction ends.

    A row that is not there cannot be locked, and two first tries would count as one: so it is made.
    """
    dialect = postgresql if conn.dialect.name == "postgresql" else sqlite
    nothing = {"guarded": guarded, "failures": 0, "last_us": 0, "blocked_until_us": 0}
    conn.execute(dialect.insert(guesses).values(nothing).on_conflict_do_nothing())
    query = select(guesses).where(guesses.c.guarded == guarded).with_for_update()
    return conn.execute(query).one()


def set_failures(
    conn: Connection, guarded: str, *, count: int, last_us: int, blocked_until_us: int
) -> None:
    """So many tries, and nobody may try again before then."""
    values = {"failures": count, "last_us": last_us, "blocked_until_us": blocked_until_us}
    conn.execute(update(guesses).where(guesses.c.guarded == guarded).values(values))


def forget_failures(conn: Connection, guarded: str | None = None, before_us: int = 0) -> None:
    """Forgive one name or address, or all that were quiet since before then."""
    which = guesses.c.last_us < before_us if guarded is None else guesses.c.guarded == guarded
    conn.execute(delete(guesses).where(which))
