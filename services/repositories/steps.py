"""What an evaluation reads and how it commits: heads, claims, the fence, decisions.

Who comes in: evaluation. Who goes out: the store. `streams` has the same rows for everybody else.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import orjson
from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    Row,
    Text,
    and_,
    bindparam,
    case,
    func,
    insert,
    or_,
    select,
    tuple_,
    update,
)

import rules
from services import clock
from services.models import decisions, events, protocol_versions, streams, trials
from services.repositories.among import by_dialect, wanted
from services.repositories.streams import TRIAL_SUBJECT

Head = Row[*tuple[Any, ...]]

# Built once, all that every evaluation runs: building a statement costs more than running it.
_HEADS = by_dialect(
    lambda among: (
        select(streams, trials.c.mode, trials.c.clock_us)
        .join(trials, trials.c.id == streams.c.trial)
        .where(among(streams.c.id), streams.c.held.is_(False))
        .order_by(streams.c.id)
    )
)
_PENDING = by_dialect(
    lambda among: (
        select(
            events.c.stream_id,
            events.c.n,
            events.c.event,
            events.c.source,
            events.c.id,
            events.c.type,
            events.c.time_us,
            events.c.timeprecision,
            events.c.received_us,
            events.c.data,
            events.c.stored_us,
        )
        .join(streams, streams.c.id == events.c.stream_id)
        .where(
            among(events.c.stream_id),
            events.c.n > streams.c.done_n,
            events.c.n <= streams.c.done_n + bindparam("most"),
        )
        .order_by(events.c.stream_id, events.c.n)
    )
)


class Waiting(NamedTuple):
    """The next events of one stream, and when the first of them was stored."""

    events: tuple[rules.Event, ...]
    stored_us: int


def heads(conn: Connection, stream_ids: Collection[int]) -> list[Head]:
    """The streams that are not held, with their trial's `mode` and `clock_us`, ascending by id."""
    return list(conn.execute(_HEADS[conn.dialect.name], wanted(conn, stream_ids)))


def waiting(conn: Connection, stream_ids: Collection[int], most: int) -> dict[int, Waiting]:
    """Up to `most` events after `done_n` of each stream that has some."""
    found: dict[int, list[rules.Event]] = {}
    stored: dict[int, int] = {}
    limits = {"most": most, **wanted(conn, stream_ids)}
    for row in conn.execute(_PENDING[conn.dialect.name], limits):
        stream, *columns, data, stored_us = row
        values: Any = (*columns, orjson.loads(data))
        found.setdefault(stream, []).append(rules.Event(*values))
        stored.setdefault(stream, stored_us)
    return {stream: Waiting(tuple(some), stored[stream]) for stream, some in found.items()}


def _unclaimed(now_us: int) -> ColumnElement[bool]:
    """Nobody is at the stream, or whoever was had a clock that was set back since."""
    until = streams.c.claimed_until_us
    return or_(until <= now_us, until > now_us + clock.ASTRAY_US)


def claim(
    conn: Connection, places: Mapping[int, int], *, now_us: int, until_us: int, ahead: int
) -> dict[int, int]:
    """Count one attempt at the event after each of `places`, which are streams with the `done_n`
    that was read; the counts by stream, where they are ours.

    Not ours are those that somebody counted and may be at still, and those that moved on since: a
    claim of those would be nobody's, and keep everybody away. Whoever comes after a failure goes on
    with care over the next `ahead` events.
    """
    careful = func.coalesce(streams.c.careful_to, 0)
    reach = streams.c.done_n + ahead
    statement = (
        update(streams)
        .where(
            tuple_(streams.c.id, streams.c.done_n).in_(sorted(places.items())),
            streams.c.held.is_(False),
            _unclaimed(now_us),
        )
        .values(
            attempts=streams.c.attempts + 1,
            claimed_until_us=until_us,
            careful_to=case((and_(streams.c.attempts > 0, careful < reach), reach), else_=careful),
        )
        .returning(streams.c.id, streams.c.attempts)
    )
    return {row.id: row.attempts for row in conn.execute(statement)}


def unclaim(conn: Connection, stream_id: int, done_n: int, *, counted: bool, ahead: int = 0) -> int:
    """End a claim that came to nothing; the number of failures now counted for that event.

    `counted`: the event itself is to blame, so the next `ahead` events go one at a time; if not
    (shutdown, database, broker) the attempt is taken back.
    """
    less = case((streams.c.attempts > 0, streams.c.attempts - 1), else_=0)
    statement = update(streams).where(streams.c.id == stream_id, streams.c.done_n == done_n)
    values: dict[str, Any] = {"claimed_until_us": 0}
    if counted:
        values["careful_to"] = streams.c.done_n + ahead
    else:
        values["attempts"] = less
    changed = conn.execute(statement.values(**values).returning(streams.c.attempts))
    return changed.scalar_one_or_none() or 0


def count_failure(conn: Connection, stream_id: int, done_n: int, ahead: int) -> int:
    """Count a failure that nobody had claimed beforehand; how many there are now."""
    statement = (
        update(streams)
        .where(streams.c.id == stream_id, streams.c.done_n == done_n)
        .values(attempts=streams.c.attempts + 1, careful_to=streams.c.done_n + ahead)
        .returning(streams.c.attempts)
    )
    return conn.execute(statement).scalar_one_or_none() or 0


_RECORD = insert(decisions)
_SEQUENCES = (
    update(streams)
    .where(streams.c.id == bindparam("at_id"))
    .values(alert_sequence=bindparam("new_last"))
)
_FIRST_ACTIVATION = (
    select(events.c.data)
    .where(
        events.c.stream_id == bindparam("of_id"),
        events.c.type == rules.EventType.ACTIVATION.value,
    )
    .order_by(events.c.n)
    .limit(1)
)
# For activations of the first releases, which did not say what was before them.
_FIRST_IN_FORCE = (
    select(protocol_versions.c.version)
    .where(
        protocol_versions.c.trial == bindparam("of_trial"),
        protocol_versions.c.status.in_(("active", "retired")),
    )
    .order_by(protocol_versions.c.effective_from_us)
    .limit(1)
)
_ACTIVE = select(trials.c.active_version).where(trials.c.id == bindparam("of_trial"))
_STATE = (
    *("done_n", "state", "reached_us", "next_due_us", "protocol_version"),
    *("engine_version", "status", "decision"),
    *("pinned_version", "criteria_version", "reconsent", "clocks"),
)
_ADVANCE = (
    update(streams)
    .where(
        streams.c.id == bindparam("at_id"),
        streams.c.done_n == bindparam("at_n"),
        streams.c.rev == bindparam("at_rev"),
        streams.c.held.is_(False),
        # Null where more events may have come in meanwhile.
        streams.c.next_n
        == func.coalesce(bindparam("at_next_n", type_=BigInteger), streams.c.next_n),
    )
    .values(
        {name: bindparam(f"new_{name}", type_=streams.c[name].type) for name in _STATE}
        | {
            "rev": streams.c.rev + 1,
            "attempts": 0,
            "claimed_until_us": 0,
            "site": func.coalesce(bindparam("new_site", type_=Text), streams.c.site),
            "last_received_us": case(
                (streams.c.last_received_us < bindparam("passed_us"), bindparam("passed_us")),
                else_=streams.c.last_received_us,
            ),
        }
    )
    .returning(streams.c.next_n)
)


def advance(
    conn: Connection,
    head: Head,
    state: Mapping[str, Any],
    *,
    site: str | None,
    passed_us: int | None,
) -> int | None:
    """Commit a step behind the fence: the stream's `next_n`, None if somebody else was quicker.

    `passed_us`: the last instant that passed after the last event. Then it fails too if an event
    came in meanwhile, for that one may belong before it; what is received later comes after it.
    """
    values = {f"new_{name}": state[name] for name in _STATE}
    values |= {"at_id": head.id, "at_n": head.done_n, "at_rev": head.rev, "new_site": site}
    values["at_next_n"] = None if passed_us is None else head.next_n
    values["passed_us"] = 0 if passed_us is None else passed_us
    next_n: int | None = conn.execute(_ADVANCE, values).scalar_one_or_none()
    return next_n


def hold(conn: Connection, head: Head) -> bool:
    """Stop a stream where it stands; False if somebody moved it on or held it meanwhile."""
    statement = (
        update(streams)
        .where(
            streams.c.id == head.id,
            streams.c.done_n == head.done_n,
            streams.c.rev == head.rev,
            streams.c.held.is_(False),
        )
        .values(held=True, rev=streams.c.rev + 1, claimed_until_us=0)
    )
    return conn.execute(statement).rowcount == 1


def record(conn: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
    """Store decisions: one per event and due instant."""
    if rows:
        conn.execute(_RECORD, list(rows))


def set_sequences(conn: Connection, last: Mapping[int, int]) -> None:
    """Write the last alert number given in each stream; the streams are locked already."""
    if last:
        given = [{"at_id": stream, "new_last": sequence} for stream, sequence in last.items()]
        conn.execute(_SEQUENCES, given)


def trial_streams(conn: Connection, names: Iterable[str]) -> list[Head]:
    """The trials' own streams without state, locked, ascending: take subjects' locks before."""
    columns = [column for column in streams.c if column.name != "state"]
    query = (
        select(*columns)
        .where(streams.c.trial.in_(sorted(names)), streams.c.subject == TRIAL_SUBJECT)
        .order_by(streams.c.id)
        .with_for_update(key_share=True)
    )
    return list(conn.execute(query))


def discarded(conn: Connection, stream_id: int) -> frozenset[str]:
    """Server ids of the events that people took out of the fold."""
    query = select(events.c.data).where(events.c.stream_id == stream_id, events.c.type == "discard")
    return frozenset(orjson.loads(data)["discards"] for data in conn.scalars(query))


_FIRST = and_(events.c.stream_id == streams.c.id, events.c.n == streams.c.done_n + 1)


def kept_waiting(
    conn: Connection, *, stored_before_us: int, now_us: int, limit: int, oldest: bool
) -> list[int]:
    """Streams whose next event was stored before then, and that nobody has claimed.

    The `oldest` first, or those that have least to do.
    """
    query = (
        select(streams.c.id)
        .join(events, _FIRST)
        .where(
            streams.c.next_n > streams.c.done_n,
            streams.c.held.is_(False),
            _unclaimed(now_us),
            or_(
                events.c.stored_us <= stored_before_us,
                events.c.stored_us > now_us + clock.ASTRAY_US,
            ),
        )
        .order_by(events.c.stored_us if oldest else streams.c.next_n - streams.c.done_n)
        .limit(limit)
    )
    return list(conn.scalars(query))


def overdue(conn: Connection, *, stored_before_us: int, now_us: int, limit: int) -> list[int]:
    """Streams with events that have waited too long, and those in which an instant has passed.

    In a replay trial it is the trial's clock that passes.
    """
    passed = (
        select(streams.c.id)
        .join(trials, trials.c.id == streams.c.trial)
        .where(
            streams.c.held.is_(False),
            _unclaimed(now_us),
            or_(
                and_(trials.c.mode == "live", streams.c.next_due_us <= now_us),
                and_(trials.c.mode == "replay", streams.c.next_due_us <= trials.c.clock_us),
            ),
        )
        .order_by(streams.c.next_due_us)
        .limit(limit)
    )
    late = kept_waiting(
        conn, stored_before_us=stored_before_us, now_us=now_us, limit=limit, oldest=True
    )
    return sorted({*late, *conn.scalars(passed)})


def first_version(conn: Connection, trial: str, stream_id: int) -> str | None:
    """The protocol version that was in force when the stream's first event was stored.

    The first activation that reached the stream says what was before it; where none did, nothing
    has changed since.
    """
    told = conn.scalar(_FIRST_ACTIVATION, {"of_id": stream_id})
    if told is not None:
        before: str | None = orjson.loads(told).get("before")
        return before or conn.scalar(_FIRST_IN_FORCE, {"of_trial": trial})
    active: str | None = conn.scalar(_ACTIVE, {"of_trial": trial})
    return active


def event_at(conn: Connection, stream_id: int, n: int) -> str | None:
    """The server id of one event of a stream."""
    event: str | None = conn.scalar(
        select(events.c.event).where(events.c.stream_id == stream_id, events.c.n == n)
    )
    return event


def count_discard(conn: Connection, stream_id: int) -> None:
    """Say that a locked stream has one more discarded event; then its discards are looked up."""
    conn.execute(
        update(streams).where(streams.c.id == stream_id).values(discards=streams.c.discards + 1)
    )
