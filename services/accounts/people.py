"""Accounts: made, listed, disabled, given another password.

Who comes in: `vigil accounts`, the first start. Who goes out: the store, audit; never a password.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import orjson
from sqlalchemy import Connection

from services import audit
from services.accounts import passwords
from services.database import Database
from services.errors import Conflict, NotFound, Problem, Rejected
from services.keys import ADMIN, CLINICIAN, OPS
from services.repositories import accounts as stored
from services.repositories import sessions
from services.repositories.accounts import AccountRow

# A publisher is a machine: it has no page and needs no password.
ROLES = (CLINICIAN, OPS, ADMIN)
NAME = re.compile(r"[a-z0-9][a-z0-9._@-]{0,63}")


@dataclass(frozen=True)
class Account:
    """An account as lists show it; never its password."""

    name: str
    role: str
    trials: tuple[str, ...] | None
    person: str
    created_us: int
    disabled_us: int | None


def create(
    db: Database,
    name: str,
    *,
    role: str,
    password: str,
    person: str | None = None,
    trials: Sequence[str] | None = None,
    by: str,
    now_us: int,
) -> Account:
    """A new account; without `person` its holder is called by its name. Raises Rejected, Conflict.

    Two different people are told apart by `person`: whoever has two accounts has one person.
    """
    _check(name, role, trials)
    kept = passwords.hashed(password, name)
    who = person or name

    def store(conn: Connection) -> Account:
        if stored.get(conn, name) is not None:
            raise Conflict("there is an account of that name; names are never given twice")
        stored.add(conn, name, role=role, trials=trials, person=who, password=kept, now_us=now_us)
        made = {"role": role, "person": who}
        audit.append(conn, audit.ADMIN, now_us, by, "account.created", name, made)
        return _account(_existing(conn, name))

    return db.transact(store)


def every(db: Database) -> list[Account]:
    """All accounts by name, disabled ones too."""
    with db.reading() as conn:
        return [_account(row) for row in stored.every(conn)]


def disable(db: Database, name: str, *, by: str, now_us: int) -> Account:
    """Nobody signs in with it any more, and whoever did is out. Raises NotFound."""

    def store(conn: Connection) -> Account:
        _existing(conn, name)
        if stored.set_disabled(conn, name, now_us):
            audit.append(conn, audit.ADMIN, now_us, by, "account.disabled", name, {})
        sessions.end_of_account(conn, name)
        return _account(_existing(conn, name))

    return db.transact(store)


def enable(db: Database, name: str, *, by: str, now_us: int) -> Account:
    """Its holder may sign in again. Raises NotFound."""

    def store(conn: Connection) -> Account:
        _existing(conn, name)
        if stored.set_disabled(conn, name, None):
            audit.append(conn, audit.ADMIN, now_us, by, "account.enabled", name, {})
        return _account(_existing(conn, name))

    return db.transact(store)


def set_password(db: Database, name: str, password: str, *, by: str, now_us: int) -> None:
    """Another password; sessions of the old one end. Raises NotFound, Rejected."""
    kept = passwords.hashed(password, name)

    def store(conn: Connection) -> None:
        _existing(conn, name)
        stored.set_password(conn, name, kept)
        sessions.end_of_account(conn, name)
        audit.append(conn, audit.ADMIN, now_us, by, "account.password", name, {})

    db.transact(store)


def _existing(conn: Connection, name: str) -> AccountRow:
    row = stored.get(conn, name)
    if row is None:
        raise NotFound("there is no account of that name; `vigil accounts list` shows them")
    return row


def _check(name: str, role: str, trials: Sequence[str] | None) -> None:
    """Refuse an account that nobody could use."""
    problems = []
    if not NAME.fullmatch(name):
        hint = "small letters, digits and . _ @ -, at most 64"
        problems.append(Problem("/name", "cannot be the name of an account", hint))
    if role not in ROLES:
        problems.append(Problem("/role", "unknown role", f"one of {', '.join(ROLES)}"))
    if trials is not None and not trials:
        problems.append(
            Problem("/trials", "an empty list reaches nothing", "leave it out for all trials")
        )
    if problems:
        raise Rejected(problems)


def _account(row: AccountRow) -> Account:
    """A row as lists show it."""
    trials = None if row.trials is None else tuple(orjson.loads(row.trials))
    return Account(row.name, row.role, trials, row.person, row.created_us, row.disabled_us)
