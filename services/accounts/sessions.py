"""Sessions: begun by a password or a key, recognised by a cookie, ended.

Who comes in: the sign-in page, the guard with a cookie. Who goes out: a `Session` with its Caller,
or Unauthenticated. The cookie is 256 random bits made here and stored as a sha256: nobody can bring
one along, and the table alone lets nobody in.
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import secrets
from collections.abc import Collection
from dataclasses import dataclass

import orjson
from sqlalchemy import Connection

from services import audit, keys
from services.accounts import passwords, people, throttle
from services.clock import SECOND_US
from services.database import Database
from services.errors import Busy, Forbidden, Unauthenticated
from services.keys import ACCOUNT, ADMIN, BOOTSTRAP_KEY, PUBLISHER, Caller
from services.repositories import accounts, sessions
from services.repositories.sessions import SessionRow

# A shift, and a long ward round: after so long without a request, or so long in all, it is over.
LONGEST_US = 12 * 3600 * SECOND_US
IDLE_US = 3600 * SECOND_US
# How exactly `seen_us` is kept: a write with every request would be too many.
SEEN_EVERY_US = 60 * SECOND_US
UNKNOWN = "unknown"
REFUSED = "This name and password do not go together."


@dataclass(frozen=True)
class Session:
    """Somebody who signed in."""

    id: str  # of the row, not the cookie
    caller: Caller
    csrf: str
    until_us: int


def sign_in(db: Database, name: str, password: str, address: str, now_us: int) -> str:
    """A new session's cookie. Raises Unauthenticated, throttle.Throttled, Busy."""
    name = name.strip().lower()
    throttle.admit(db, name, address, now_us)
    with db.reading() as conn:
        row = accounts.get(conn, name) if people.NAME.fullmatch(name) else None
    open_ = row is not None and row.disabled_us is None
    if not passwords.fits(password, row.password if row is not None and open_ else None):
        _refused(db, UNKNOWN if row is None else name, now_us)
        raise Unauthenticated(REFUSED)

    def begin(conn: Connection) -> str:
        same = accounts.get(conn, name)
        if same is None or row is None or same.password != row.password:
            raise Unauthenticated(REFUSED)  # it was changed while we looked
        throttle.forgive(conn, name, address)
        return _begin(conn, f"{ACCOUNT}{name}", now_us, account=name)

    return db.transact(begin)


def sign_in_with_key(
    db: Database, key: str, admin_key: str | None, address: str, now_us: int
) -> str:
    """The same with an API key. Raises Unauthenticated, Forbidden for a publisher's, Throttled."""
    throttle.admit(db, None, address, now_us)
    try:
        who = keys.authenticate(db, key.strip(), admin_key)
    except Unauthenticated:
        _refused(db, UNKNOWN, now_us)
        raise
    if who.role == PUBLISHER:
        raise Forbidden("A publisher's key sends events; it has no page.")
    kept = _bootstrap(admin_key) if who.key_id == BOOTSTRAP_KEY else who.key_id

    def begin(conn: Connection) -> str:
        throttle.forgive(conn, None, address)
        return _begin(conn, who.key_id, now_us, api_key=kept)

    return db.transact(begin)


def recognise(
    db: Database, cookie: str, admin_key: str | None, now_us: int, *, active: bool = True
) -> Session:
    """Whose cookie it is; `active` False leaves the idle clock alone. Raises Unauthenticated."""
    digest = _digest(cookie)
    with db.reading() as conn:
        row = sessions.find(conn, digest)
    who = None if row is None or _over(row, now_us) else _caller(row, admin_key)
    if row is None or who is None:
        raise Unauthenticated("The session is over; sign in again.")
    if active and now_us - row.seen_us >= SEEN_EVERY_US:
        with contextlib.suppress(Busy):  # the next request says it again
            db.transact(lambda conn: sessions.touch(conn, digest, now_us))
    return Session(digest, who, row.csrf, min(row.until_us, row.seen_us + IDLE_US))


def standing(
    conn: Connection, ids: Collection[str], admin_key: str | None, now_us: int
) -> dict[str, Caller]:
    """Of the sessions of these ids, who each is now; those that are over are not among them."""
    found = {}
    for row in sessions.some(conn, ids):
        who = None if _over(row, now_us) else _caller(row, admin_key)
        if who is not None:
            found[row.id] = who
    return found


def sign_out(db: Database, session: Session, now_us: int) -> None:
    """The cookie is worth nothing from now on."""

    def end(conn: Connection) -> None:
        if sessions.end(conn, session.id):
            who = session.caller.key_id
            audit.append(conn, audit.ADMIN, now_us, who, "session.ended", who, {})

    db.transact(end)


def _begin(
    conn: Connection,
    who: str,
    now_us: int,
    *,
    account: str | None = None,
    api_key: str | None = None,
) -> str:
    """A session's row; its cookie."""
    cookie = secrets.token_urlsafe(32)
    sessions.forget(conn, now_us, now_us - IDLE_US)
    sessions.add(
        conn,
        _digest(cookie),
        account=account,
        api_key=api_key,
        csrf=secrets.token_urlsafe(32),
        now_us=now_us,
        until_us=now_us + LONGEST_US,
    )
    audit.append(conn, audit.ADMIN, now_us, who, "session.began", who, {})
    return cookie


def _refused(db: Database, known: str, now_us: int) -> None:
    """Write down that it failed; of what was typed only the name of an account that exists."""
    db.transact(
        lambda conn: audit.append(
            conn, audit.ADMIN, now_us, "sign-in", "session.refused", known, {}
        )
    )


def _over(row: SessionRow, now_us: int) -> bool:
    return bool(now_us >= row.until_us or now_us >= row.seen_us + IDLE_US)


def _caller(row: SessionRow, admin_key: str | None) -> Caller | None:
    """Who it is, with the role and trials of this moment; None where that ended."""
    if row.account is not None:
        if row.disabled_us is not None or row.account_role is None:
            return None
        trials = _trials(row.account_trials)
        return Caller(f"{ACCOUNT}{row.account}", row.account_role, trials, row.account_person)
    if row.api_key.startswith(BOOTSTRAP_KEY):
        same = admin_key and hmac.compare_digest(row.api_key, _bootstrap(admin_key))
        return Caller(BOOTSTRAP_KEY, ADMIN, None, ADMIN) if same else None
    if row.key_role is None or row.revoked_us is not None:
        return None
    return Caller(row.api_key, row.key_role, _trials(row.key_trials), row.key_person)


def _trials(text: str | None) -> frozenset[str] | None:
    return None if text is None else frozenset(orjson.loads(text))


def _bootstrap(admin_key: str | None) -> str:
    """Names VIGIL_ADMIN_KEY as it is now: another one ends the sessions of this one."""
    return f"{BOOTSTRAP_KEY}:{_digest(_digest(admin_key or ''))[:16]}"


def _digest(cookie: str) -> str:
    return hashlib.sha256(cookie.encode(errors="replace")).hexdigest()
