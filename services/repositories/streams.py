"""The ordered streams: one a subject, one a trial; their numbers, locks and states.

Who comes in: intake (numbers), evaluation (compare-and-swap), sweep and reading. Who goes out:
the store. Locks: subject streams ascending by id, then the trial's stream, then the trial's row.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Row, bindparam, func, insert, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite

from services.models import streams
from services.repositories.among import by_dialect, wanted

TRIAL_SUBJECT = "*"  # no subject is called so: the contract's pattern forbids it

StreamRow = Row[*tuple[Any, ...]]

# Everything but `state`, which may be large and only evaluation opens.
_HEAD = [column for column in streams.c if column.name != "state"]

_IDS = by_dialect(
    lambda among: select(streams.c.subject, streams.c.id).where(
        streams.c.trial == bindparam("trial"), among(streams.c.subject)
    )
)
_LOCK = by_dialect(
    lambda among: (
        select(*_HEAD)
        .where(among(streams.c.id))
        .order_by(streams.c.id)
        .with_for_update(key_share=True)
    )
)
_NUMBER = (
    update(streams)
    .where(streams.c.id == bindparam("stream"))
    .values(next_n=bindparam("n"), last_received_us=bindparam("received"))
)


def get(conn: Connection, stream_id: int) -> StreamRow | None:
    """The whole row, with `state`."""
    return conn.execute(select(streams).where(streams.c.id == stream_id)).one_or_none()


def find(conn: Connection, trial: str, subject: str) -> StreamRow | None:
    """The whole row of a subject, or of the trial itself (TRIAL_SUBJECT)."""
    wanted = (streams.c.trial == trial) & (streams.c.subject == subject)
    return conn.execute(select(streams).where(wanted)).one_or_none()


def has_subjects(conn: Connection, trial: str) -> bool:
    """Whether anything of any subject was ever stored."""
    mine = (streams.c.trial == trial) & (streams.c.subject != TRIAL_SUBJECT)
    return conn.execute(select(streams.c.id).where(mine).limit(1)).first() is not None


def of_trial(conn: Connection, trial: str) -> list[StreamRow]:
    """Every stream of a trial without its state, by subject; the trial's own comes first."""
    query = select(*_HEAD).where(streams.c.trial == trial).order_by(streams.c.subject)
    return list(conn.execute(query))


def ids(conn: Connection, trial: str, subjects: Collection[str]) -> dict[str, int]:
    """The stream of each of `subjects` that has one."""
    found = conn.execute(_IDS[conn.dialect.name], {"trial": trial, **wanted(conn, subjects)})
    return {row.subject: row.id for row in found}


def ensure(conn: Connection, trial: str, subjects: Collection[str]) -> dict[str, int]:
    """The stream of each of `subjects`; those without one get theirs now.

    Sorted, and before any stream is locked: so two transactions never wait for each other.
    """
    found = ids(conn, trial, subjects)
    missing = sorted(set(subjects) - found.keys())
    if not missing:
        return found
    dialect = postgresql if conn.dialect.name == "postgresql" else sqlite
    statement = dialect.insert(streams).on_conflict_do_nothing()
    conn.execute(statement, [{"trial": trial, "subject": subject} for subject in missing])
    return found | ids(conn, trial, missing)


def lock(conn: Connection, stream_ids: Collection[int]) -> list[StreamRow]:
    """The rows without state, ascending by id, locked until the transaction ends.

    On SQLite the writing transaction itself is the lock. NO KEY UPDATE on PostgreSQL, so that
    the foreign keys of rows inserted elsewhere do not wait.
    """
    return list(conn.execute(_LOCK[conn.dialect.name], wanted(conn, stream_ids)))


def number(conn: Connection, given: Sequence[Mapping[str, int]]) -> None:
    """Write new `next_n` and `last_received_us` of locked streams: {"stream", "n", "received"}."""
    conn.execute(_NUMBER, list(given))


def commit_step(
    conn: Connection, stream_id: int, *, old_n: int, old_rev: int, **columns: Any
) -> bool:
    """Write the outcome of a step if nobody else did: the fence. False: roll back.

    `columns`: done_n, state, reached_us, next_due_us, protocol_version, engine_version, status,
    decision, alert_sequence. Attempts start again at 0 unless given.
    """
    fence = (streams.c.id == stream_id) & (streams.c.done_n == old_n) & (streams.c.rev == old_rev)
    values = {"attempts": 0, **columns, "rev": old_rev + 1}
    return conn.execute(update(streams).where(fence).values(**values)).rowcount == 1


def count_attempt(conn: Connection, stream_id: int, done_n: int) -> int:
    """One more attempt at the event after `done_n`; the count, 0 if somebody went past it."""
    statement = (
        update(streams)
        .where(streams.c.id == stream_id, streams.c.done_n == done_n)
        .values(attempts=streams.c.attempts + 1)
        .returning(streams.c.attempts)
    )
    return conn.execute(statement).scalar_one_or_none() or 0


def forget_attempt(conn: Connection, stream_id: int, done_n: int) -> None:
    """Take one attempt back: a shutdown, the database or the broker ended it, not the event."""
    conn.execute(
        update(streams)
        .where(streams.c.id == stream_id, streams.c.done_n == done_n, streams.c.attempts > 0)
        .values(attempts=streams.c.attempts - 1)
    )


def hold(conn: Connection, stream_id: int) -> bool:
    """Stop evaluation of a stream; False if it was held before."""
    held = streams.c.held.is_(True)
    statement = update(streams).where(streams.c.id == stream_id, ~held).values(held=True)
    return conn.execute(statement).rowcount == 1


def release(conn: Connection, stream_id: int) -> bool:
    """Let a held stream go on with a fresh count of attempts; False if it was not held."""
    held = streams.c.held.is_(True)
    statement = update(streams).where(streams.c.id == stream_id, held)
    return conn.execute(statement.values(held=False, attempts=0)).rowcount == 1


def dirty(conn: Connection, limit: int) -> list[int]:
    """Streams with events that wait for evaluation and are not held."""
    query = select(streams.c.id).where(
        streams.c.next_n > streams.c.done_n, streams.c.held.is_(False)
    )
    return list(conn.scalars(query.limit(limit)))


def due(conn: Connection, now_us: int, limit: int) -> list[StreamRow]:
    """Streams not held in which time alone may change something up to `now_us`, earliest first."""
    query = select(*_HEAD).where(streams.c.next_due_us <= now_us, streams.c.held.is_(False))
    return list(conn.execute(query.order_by(streams.c.next_due_us).limit(limit)))


def with_state(conn: Connection, wanted: str, trial: str | None = None) -> list[StreamRow]:
    """The streams that are 'dirty' (work waits) or 'held', without their state."""
    is_wanted = (
        streams.c.held.is_(True) if wanted == "held" else streams.c.next_n > streams.c.done_n
    )
    query = select(*_HEAD).where(is_wanted)
    if trial is not None:
        query = query.where(streams.c.trial == trial)
    return list(conn.execute(query.order_by(streams.c.id)))


def backlog(conn: Connection) -> tuple[int, int, int]:
    """How many events wait, in how many streams, and how many streams are held."""
    waiting = func.coalesce(func.sum(streams.c.next_n - streams.c.done_n), 0)
    query = select(waiting, func.count()).where(streams.c.next_n > streams.c.done_n)
    events, dirty_streams = conn.execute(query).one()
    held = conn.scalar(select(func.count()).where(streams.c.held.is_(True))) or 0
    return int(events), dirty_streams, held


def add_own(conn: Connection, trial: str) -> None:
    """The trial's own stream, made with the trial: so its id is lower than its subjects'."""
    conn.execute(insert(streams).values(trial=trial, subject=TRIAL_SUBJECT))


def behind(conn: Connection, trial: str, protocol_version: str) -> list[int]:
    """Streams of a trial whose state was made under another protocol version."""
    other = or_(
        streams.c.protocol_version.is_(None), streams.c.protocol_version != protocol_version
    )
    return list(conn.scalars(select(streams.c.id).where(streams.c.trial == trial, other)))
