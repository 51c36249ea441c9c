"""Judged events into the store: of one request or of several that share a transaction.

Who comes in: intake, with a request's parcel, alone or through groupcommit. Who goes out:
numbering, the store; to each parcel its Receipt, or why nothing of it was stored. One request's
refusal is a value here and no exception, so that it leaves the others' transaction alone.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple, Protocol

from sqlalchemy import Connection

from rules import EventType
from services.errors import Conflict, Problem, Rejected, ServiceError
from services.numbering import Fresh, number
from services.repositories import events, protocols
from services.validation import Found
from services.validation.judging import Door, Incoming, Target, judge_correction

ACCEPTED, DUPLICATE, REFUSED, CONFLICT = "accepted", "duplicate", "refused", "conflict"
_CONFLICT = Problem(
    "/id",
    "was used by this source for an event with other content",
    "send a correction, or give the new event an id of its own",
)


class Publisher(Protocol):
    """On whose behalf; keys.Caller is one."""

    @property
    def key_id(self) -> str:
        """The key."""

    @property
    def role(self) -> str:
        """publisher, clinician or admin."""

    @property
    def trials(self) -> Collection[str] | None:
        """What the key reaches; None: all."""


@dataclass(frozen=True, slots=True)
class Item:
    """What became of one event; `event` is null for one that was refused."""

    index: int
    id: str | None
    source: str | None
    status: str  # accepted | duplicate | refused | conflict
    event: str | None = None
    late: bool = False
    errors: tuple[Problem, ...] = ()


@dataclass(frozen=True, slots=True)
class Receipt:
    """What became of a request's events, in order; `dirty`: streams to ring for."""

    items: tuple[Item, ...]
    dirty: tuple[int, ...]

    @property
    def accepted(self) -> int:
        """How many were stored now."""
        return sum(item.status == ACCEPTED for item in self.items)

    @property
    def duplicates(self) -> int:
        """How many were stored before, with the same content."""
        return sum(item.status == DUPLICATE for item in self.items)


class Outdated(ServiceError):
    """The events were judged by a protocol that is not in force any more."""


class Parcel(NamedTuple):
    """A request's judged events, and by what they were judged."""

    incoming: Sequence[Incoming]
    doors: Mapping[str, Door]
    by: Publisher
    now_us: int
    lenient: bool


Recorded = Receipt | ServiceError


@dataclass(slots=True)
class _Settled:
    """One parcel: the events to be stored, and what became of the others."""

    fresh: list[Incoming]
    items: list[Item]


def refused(place: int, own_id: str | None, source: str | None, problems: Sequence[Found]) -> Item:
    """The item of an event that may not be stored."""
    errors = tuple(Problem(*problem, index=place) for problem in problems)
    return Item(place, own_id, source, REFUSED, errors=errors)


def record(conn: Connection, parcels: Sequence[Parcel]) -> list[Recorded]:
    """Store the parcels in their order; Outdated, Conflict and Rejected are results.

    Raises IntegrityError if another transaction stored one of the events meanwhile.
    """
    room = _Room(conn, parcels)
    settled = [room.settle(parcel) for parcel in parcels]
    fresh, replays = [], set()
    for parcel, one in zip(parcels, settled, strict=True):
        if isinstance(one, _Settled):
            fresh += [Fresh(event, parcel.by.key_id, parcel.now_us) for event in one.fresh]
            replays |= {event.trial for event in one.fresh if parcel.doors[event.trial].is_replay}
    if not fresh:
        return [one if isinstance(one, ServiceError) else _receipt(one) for one in settled]
    numbered = number(conn, fresh, replays)
    return [
        one if isinstance(one, ServiceError) else _receipt(one, numbered.late, numbered.dirty)
        for one in settled
    ]


def _receipt(
    settled: _Settled,
    late: Collection[str] = (),
    dirty: dict[tuple[str, str], int] | None = None,
) -> Receipt:
    """The items in order; of the streams that are `dirty` now the first parcel takes its own."""
    items = [
        Item(one.place, one.id, one.source, ACCEPTED, one.event, one.event in late)
        for one in settled.fresh
    ]
    streams = {(one.trial, one.subject) for one in settled.fresh}
    rung = [dirty.pop(stream) for stream in streams if stream in dirty] if dirty else []
    ordered = sorted([*settled.items, *items], key=lambda item: item.index)
    return Receipt(tuple(ordered), tuple(sorted(rung)))


class _Room:
    """What is stored already, looked up once for all parcels of a transaction."""

    def __init__(self, conn: Connection, parcels: Sequence[Parcel]) -> None:
        self._conn = conn
        named = {trial for parcel in parcels for trial in parcel.doors}
        self._in_force = {row.id: (row.mode, row.digest) for row in protocols.digests(conn, named)}
        self._known = events.contents(
            conn, {one.event for parcel in parcels for one in parcel.incoming}
        )
        self._taken: dict[str, Incoming] = {}  # to be stored, of the parcels before

    def settle(self, parcel: Parcel) -> _Settled | ServiceError:
        """Drop duplicates, look up corrections' targets; or why nothing of it may be stored."""
        for trial, door in parcel.doors.items():
            if self._in_force.get(trial) != door.judged_by:
                return Outdated("the protocol in force has changed")
        settled = self._sorted_out(parcel)
        conflicts = [item for item in settled.items if item.status == CONFLICT]
        if conflicts and not parcel.lenient:
            errors = [error for one in conflicts for error in one.errors]
            return Conflict(f"{_CONFLICT.pointer} {_CONFLICT.detail}", errors)
        if any(one.type == EventType.CORRECTION for one in settled.fresh):
            unfit = self._check_corrections(parcel, settled)
            if unfit and not parcel.lenient:
                return Rejected([error for item in unfit for error in item.errors])
            settled.items += unfit
        self._taken |= {one.event: one for one in settled.fresh}
        return settled

    def _sorted_out(self, parcel: Parcel) -> _Settled:
        """New events, and items for those that are stored already or contradict what is."""
        settled, own = _Settled([], []), dict[str, str]()
        for one in parcel.incoming:
            before = own.get(one.event) or self._content(one.event)
            if before is None:
                own[one.event] = one.content
                settled.fresh.append(one)
            elif before == one.content:
                settled.items.append(Item(one.place, one.id, one.source, DUPLICATE, one.event))
            else:
                errors = (replace(_CONFLICT, index=one.place),)
                item = Item(one.place, one.id, one.source, CONFLICT, one.event, errors=errors)
                settled.items.append(item)
        return settled

    def _content(self, event: str) -> str | None:
        """The content of an event that is stored or will be."""
        taken = self._taken.get(event)
        return self._known.get(event) if taken is None else taken.content

    def _check_corrections(self, parcel: Parcel, settled: _Settled) -> list[Item]:
        """Judge each correction against its target; the unfit leave `settled` as refused items."""
        targets = self._targets(parcel, settled.fresh)
        kept: list[Incoming] = []
        unfit: list[Item] = []
        for one in settled.fresh:
            if one.corrects is None:
                kept.append(one)
                continue
            target = targets.get(one.corrects.target)
            checker = parcel.doors[one.trial].checker
            judged, problems = judge_correction(one, target, checker, parcel.by.role)
            if problems:
                unfit.append(refused(one.place, one.id, one.source, problems))
            else:
                kept.append(judged)
        settled.fresh = kept
        return unfit

    def _targets(self, parcel: Parcel, fresh: Iterable[Incoming]) -> dict[str, Target]:
        """What the corrections name, be it in the store, in this request or in one before it."""
        wanted = {one.corrects.target for one in fresh if one.corrects is not None}
        targets = {
            event: Target(row.type, row.subject, row.time_us)
            for event, row in events.by_event(self._conn, wanted).items()
        }
        for one in (*self._taken.values(), *parcel.incoming):
            targets.setdefault(one.event, Target(one.type, one.subject, one.time_us))
        return targets
