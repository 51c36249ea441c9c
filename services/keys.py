"""API keys: made, shown once, stored as a hash, recognised, revoked.

Who comes in: the doors with a bearer key, administrators. Who goes out: a Caller, or
Unauthenticated.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Collection, Sequence
from dataclasses import dataclass

import orjson
from sqlalchemy import Connection

from services import audit
from services.database import Database, retrying
from services.errors import NotFound, Problem, Rejected, Unauthenticated
from services.repositories import accounts
from services.repositories import keys as stored
from services.repositories.accounts import AccountRow
from services.repositories.keys import KeyRow

PUBLISHER, CLINICIAN, OPS, ADMIN = "publisher", "clinician", "ops", "admin"
ROLES = (PUBLISHER, CLINICIAN, OPS, ADMIN)
# Whoever decides about people is a person; a machine's key need not be.
PERSONAL_ROLES = frozenset({CLINICIAN, ADMIN})
BOOTSTRAP_KEY = "bootstrap"
# A person who signed in with a password has this and the account's name for a key.
ACCOUNT = "account:"
_PREFIX = "vigil_"
_KEY_BYTES = 32


@dataclass(frozen=True)
class Caller:
    """Who calls: a key and what it may do; `trials` None means all of them."""

    key_id: str
    role: str
    trials: frozenset[str] | None
    person: str | None


@dataclass(frozen=True)
class Key:
    """A key as lists show it; never the key itself."""

    id: str
    role: str
    trials: tuple[str, ...] | None
    person: str | None
    name: str
    created_us: int
    revoked_us: int | None


def authenticate(db: Database, bearer: str, admin_key: str | None = None) -> Caller:
    """The caller whose key `bearer` is; `admin_key` is VIGIL_ADMIN_KEY. Raises Unauthenticated."""
    if admin_key and hmac.compare_digest(_digest(bearer), _digest(admin_key)):
        return Caller(BOOTSTRAP_KEY, ADMIN, None, ADMIN)
    with db.reading() as conn:
        row = stored.by_digest(conn, _digest(bearer))
    if row is None:
        raise Unauthenticated("the key is unknown or revoked; ask an administrator for a new one")
    return _as_caller(row)


def standing(conn: Connection, callers: Collection[Caller]) -> set[Caller]:
    """Those of `callers` whose keys or sessions are still good for what they were good for."""
    names = {who.key_id for who in callers}
    good = {_as_caller(row) for row in stored.unrevoked(conn, names)}
    people = {name.removeprefix(ACCOUNT) for name in names if name.startswith(ACCOUNT)}
    good |= {of_account(row) for row in accounts.signed_in(conn, people)}
    return {who for who in callers if who in good or who.key_id == BOOTSTRAP_KEY}


def of_account(row: AccountRow) -> Caller:
    """The caller that the holder of an account is."""
    trials = None if row.trials is None else frozenset(orjson.loads(row.trials))
    return Caller(f"{ACCOUNT}{row.name}", row.role, trials, row.person)


def create(
    db: Database,
    *,
    role: str,
    trials: Sequence[str] | None = None,
    person: str | None = None,
    name: str = "",
    by: str,
    now_us: int,
) -> tuple[Key, str]:
    """A new key and its secret, which nobody can show again. Raises Rejected."""
    _check(role, trials, person)
    secret = _PREFIX + secrets.token_urlsafe(_KEY_BYTES)
    key_id = "key_" + secrets.token_hex(8)

    def store() -> KeyRow | None:
        with db.writing() as conn:
            stored.add(
                conn,
                key_id,
                digest=_digest(secret),
                role=role,
                trials=trials,
                person=person,
                name=name,
                now_us=now_us,
            )
            made = {"role": role, "person": person}
            audit.append(conn, audit.ADMIN, now_us, by, "key.created", key_id, made)
            return stored.get(conn, key_id)

    row = retrying(store)
    assert row is not None
    return _as_key(row), secret


def every(db: Database) -> list[Key]:
    """All keys, oldest first, revoked ones too."""
    with db.reading() as conn:
        return [_as_key(row) for row in stored.every(conn)]


def revoke(db: Database, key_id: str, *, by: str, now_us: int) -> Key:
    """Make a key useless from now on; doing it twice is doing it once. Raises NotFound."""

    def store() -> KeyRow | None:
        with db.writing() as conn:
            if stored.revoke(conn, key_id, now_us):
                audit.append(conn, audit.ADMIN, now_us, by, "key.revoked", key_id, {})
            return stored.get(conn, key_id)

    row = retrying(store)
    if row is None:
        raise NotFound("there is no key of that id; `vigil keys list` shows them")
    return _as_key(row)


def _check(role: str, trials: Sequence[str] | None, person: str | None) -> None:
    """Refuse a key that could not be used, or not be answered for."""
    problems = []
    if role not in ROLES:
        problems.append(Problem("/role", "unknown role", f"one of {', '.join(ROLES)}"))
    if role in PERSONAL_ROLES and not person:
        hint = "name the person who will hold it"
        problems.append(Problem("/person", "a key of this role belongs to a person", hint))
    if trials is not None and not trials:
        hint = "leave it out for all trials"
        problems.append(Problem("/trials", "an empty list reaches nothing", hint))
    if problems:
        raise Rejected(problems)


def _digest(key: str) -> str:
    """Enough for 256 random bits: there is nothing to guess, so nothing to slow down."""
    return hashlib.sha256(key.encode()).hexdigest()


def _as_caller(row: KeyRow) -> Caller:
    """Who calls with the key of a row."""
    trials = None if row.trials is None else frozenset(orjson.loads(row.trials))
    return Caller(row.id, row.role, trials, row.person)


def _as_key(row: KeyRow) -> Key:
    """A row as lists show it."""
    trials = None if row.trials is None else tuple(orjson.loads(row.trials))
    return Key(row.id, row.role, trials, row.person, row.name, row.created_us, row.revoked_us)
