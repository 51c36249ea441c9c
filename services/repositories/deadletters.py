"""Dead letters: what could not be evaluated or delivered, until somebody decides.

Who comes in: evaluation (holds), services.deadletters (decisions of people), reading. Who goes
out: the store. `reason` is the name of an error's class, never a value.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Row, insert, select, update

from services import ids
from services.models import dead_letters

OPEN, REQUEUED, DISCARDED = "open", "requeued", "discarded"
EVENT, DELIVERY = "event", "delivery"

LetterRow = Row[*tuple[Any, ...]]


def letter_id(trial: str, stream_id: int, n: int) -> str:
    """The id of the letter about one event of one stream."""
    return ids.derived("dd_", trial, stream_id, n)


def put(conn: Connection, *, trial: str, stream_id: int, n: int, reason: str, now_us: int) -> str:
    """Open the letter about one event, again if it was closed before; its id."""
    letter = letter_id(trial, stream_id, n)
    values = {
        "status": OPEN,
        "reason": reason,
        "created_us": now_us,
        "closed_us": None,
        "closed_by": None,
        "awaiting_second": None,
    }
    known = conn.execute(
        update(dead_letters).where(dead_letters.c.id == letter).values(**values)
    ).rowcount
    if not known:
        conn.execute(
            insert(dead_letters).values(
                id=letter, kind=EVENT, trial=trial, stream_id=stream_id, n=n, **values
            )
        )
    return letter


def get(conn: Connection, letter: str) -> LetterRow | None:
    """The letter."""
    query = select(dead_letters).where(dead_letters.c.id == letter)
    return conn.execute(query).one_or_none()


def locked(conn: Connection, letter: str) -> LetterRow | None:
    """The letter, locked until the transaction ends."""
    query = select(dead_letters).where(dead_letters.c.id == letter)
    return conn.execute(query.with_for_update()).one_or_none()


def close(conn: Connection, letter: str, status: str, *, by: str, now_us: int) -> None:
    """Write how it ended."""
    conn.execute(
        update(dead_letters)
        .where(dead_letters.c.id == letter)
        .values(status=status, closed_us=now_us, closed_by=by, awaiting_second=None)
    )


def await_second(conn: Connection, letter: str, wish: str) -> None:
    """Keep the first person's wish to discard: {"by", "reason", "at_us"} as JSON."""
    conn.execute(
        update(dead_letters).where(dead_letters.c.id == letter).values(awaiting_second=wish)
    )
