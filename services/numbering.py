"""Numbers for new events: under their streams' locks, without gaps, receipts never going back.

Who comes in: intake, within its transaction. Who goes out: rows in the log, streams' heads, a
replay trial's clock. Locks in the one order of the house: subject streams ascending, then trials.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from sqlalchemy import Connection

from services.repositories import events, streams, trials
from services.repositories.events import NewEvent
from services.validation.judging import Incoming


class Fresh(NamedTuple):
    """An event that is not stored yet, who sent it and when."""

    one: Incoming
    by_key: str
    now_us: int


@dataclass(slots=True)
class Numbered:
    """What numbering saw: events behind their stream (by server id), streams newly dirty."""

    late: set[str] = field(default_factory=set)
    dirty: dict[tuple[str, str], int] = field(default_factory=dict)  # id by trial and subject


@dataclass(slots=True)
class _Head:
    """A locked stream while it grows."""

    id: int
    n: int
    received_us: int


def number(conn: Connection, fresh: Sequence[Fresh], replays: Collection[str]) -> Numbered:
    """Store `fresh`, none of which is stored yet, in their order; `replays`: trials of that mode.

    Raises IntegrityError if another transaction stored one of them meanwhile.
    """
    heads, was_clean = _locked_heads(conn, [one for one, _, _ in fresh])
    clocks = {trial: trials.lock(conn, trial) for trial in sorted(set(replays))}
    floors = {trial: max(row.folded_us, row.advanced_us) for trial, row in clocks.items()}
    numbered = Numbered()
    rows = []
    for one, by_key, now_us in fresh:
        head = heads[one.trial, one.subject]
        floor_us = floors.get(one.trial)
        if floor_us is None:
            received_us = max(now_us, head.received_us)
        else:
            received_us = max(one.receipt_us, head.received_us, floor_us)
            if received_us > one.receipt_us:
                numbered.late.add(one.event)
        head.n += 1
        head.received_us = received_us
        rows.append(_row(one, head, by_key, now_us))
    events.append(conn, rows)
    grown = [{"stream": h.id, "n": h.n, "received": h.received_us} for h in heads.values()]
    streams.number(conn, grown)
    _move_clocks(conn, rows, clocks)
    numbered.dirty = {where: head.id for where, head in heads.items() if head.id in was_clean}
    return numbered


def _locked_heads(
    conn: Connection, fresh: Sequence[Incoming]
) -> tuple[dict[tuple[str, str], _Head], set[int]]:
    """The streams of `fresh`, made where missing and locked ascending; and which were clean."""
    subjects: dict[str, set[str]] = defaultdict(set)
    for one in fresh:
        subjects[one.trial].add(one.subject)
    found: list[int] = []
    for trial in sorted(subjects):
        found += streams.ensure(conn, trial, subjects[trial]).values()
    locked = streams.lock(conn, found)
    heads = {
        (row.trial, row.subject): _Head(row.id, row.next_n, row.last_received_us) for row in locked
    }
    return heads, {row.id for row in locked if row.next_n == row.done_n}


def _row(one: Incoming, head: _Head, by_key: str, now_us: int) -> NewEvent:
    """An event as it is stored, with the number its stream has just reached."""
    return NewEvent(
        head.id,
        head.n,
        one.event,
        one.trial,
        one.subject,
        one.source,
        one.id,
        one.type,
        one.time_us,
        one.timeprecision,
        one.recorded_us,
        head.received_us,
        now_us,
        one.content,
        one.data,
        by_key,
    )


def _move_clocks(
    conn: Connection, rows: Sequence[NewEvent], clocks: dict[str, trials.TrialRow]
) -> None:
    """Move each replay trial's clock to the greatest receipt accepted in it."""
    for trial, row in clocks.items():
        greatest = max((one.received_us for one in rows if one.trial == trial), default=0)
        if greatest > row.clock_us:
            trials.advance_clock(conn, trial, greatest)
