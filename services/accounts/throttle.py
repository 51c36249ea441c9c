"""Guessing made slow: by the name that is guessed at and by the address that guesses.

Who comes in: sessions, before a password is looked at. Who goes out: the store, so that several
processes count together. A try is counted before it is judged: a hundred at once are a hundred.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from sqlalchemy import Connection

from services.clock import SECOND_US
from services.database import Database
from services.errors import ServiceError
from services.repositories import sessions as stored

FORGIVEN_AFTER_US = 3600 * SECOND_US


class Throttled(ServiceError):
    """Too many tries; `seconds` from now the next one is heard."""

    def __init__(self, seconds: int) -> None:
        """Keep the seconds beside the text."""
        super().__init__("Too many tries to sign in. Wait a moment, then try again.")
        self.seconds = seconds


@dataclass(frozen=True)
class _Limit:
    """So many failures are free; then each one doubles the wait, up to the longest."""

    free: int
    longest_s: int

    @property
    def longest_us(self) -> int:
        return self.longest_s * SECOND_US

    def wait_us(self, failures: int) -> int:
        beyond = failures - self.free
        return 0 if beyond < 0 else min(2 ** min(beyond, 20), self.longest_s) * SECOND_US


# A name's wait stays short, or a stranger could lock its holder out; an address may be a hospital.
_NAME = _Limit(free=5, longest_s=60)
_ADDRESS = _Limit(free=30, longest_s=900)


def admit(db: Database, name: str | None, address: str, now_us: int) -> None:
    """Count one try, as a failure until it is `forgive`n. Raises Throttled."""
    # The address first, for everybody: who locks in one order never waits in a circle.
    guarded = [(_place("address", address), _ADDRESS)]
    if name is not None:
        guarded.append((_place("name", name), _NAME))

    def count(conn: Connection) -> int:
        rows = [stored.failures(conn, place) for place, _ in guarded]
        waits_us = (
            # A longer wait than the longest was written by a clock that was set back since.
            left if (left := row.blocked_until_us - now_us) <= limit.longest_us else 0
            for (_, limit), row in zip(guarded, rows, strict=True)
        )
        wait_us: int = max(waits_us)
        if wait_us > 0:
            return wait_us
        for (place, limit), row in zip(guarded, rows, strict=True):
            recent = row.last_us > now_us - FORGIVEN_AFTER_US
            failures = (row.failures if recent else 0) + 1
            until_us = now_us + limit.wait_us(failures)
            stored.set_failures(
                conn, place, count=failures, last_us=now_us, blocked_until_us=until_us
            )
        stored.forget_failures(conn, before_us=now_us - 24 * FORGIVEN_AFTER_US)
        return 0

    wait_us = db.transact(count)
    if wait_us > 0:
        raise Throttled(-(-wait_us // SECOND_US))


def forgive(conn: Connection, name: str | None, address: str) -> None:
    """The try succeeded: the name is free again, the address gets this one try back.

    Not all of them: who has one account of his own must not guess at others for ever.
    """
    place = _place("address", address)
    row = stored.failures(conn, place)
    stored.set_failures(
        conn, place, count=max(0, row.failures - 1), last_us=row.last_us, blocked_until_us=0
    )
    if name is not None:
        stored.forget_failures(conn, _place("name", name))


def _place(kind: str, text: str) -> str:
    """What was typed is not kept: it may be a password in the wrong field."""
    return f"{kind}:{hashlib.sha256(text.encode(errors='replace')).hexdigest()}"
