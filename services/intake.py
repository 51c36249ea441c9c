"""Room 1 of the corridor: events come in, are judged, numbered and stored; then, not before, 202.

Who comes in: the doors with parsed events and the publisher. Who goes out: a Receipt, and the
streams whose doorbell the caller rings after the commit; or Rejected, Conflict, NotFound,
Forbidden with nothing stored. Bytes are read by `validation.read_events` before.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol, TypeVar

from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError

from rules import EventType
from services import protocols
from services.database import Database
from services.errors import Busy, Conflict, Forbidden, NotFound, Problem, Rejected
from services.numbering import number
from services.repositories import events, trials
from services.validation import Envelope, Found, read_envelope
from services.validation.judging import (
    CLINICIANS_TYPES,
    Door,
    Incoming,
    Target,
    judge,
    judge_correction,
)

T = TypeVar("T")
# How a transaction is made: by default one of its own; see groupcommit for sharing one.
Transact = Callable[[Callable[[Connection], T]], T]

ACCEPTED, DUPLICATE, REFUSED, CONFLICT = "accepted", "duplicate", "refused", "conflict"
_CONFLICT = Problem(
    "/id",
    "was used by this source for an event with other content",
    "send a correction, or give the new event an id of its own",
)
# An event that another request stores at the same moment is a duplicate the next time.
_RACES = 5


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


def publish(
    db: Database,
    published: Sequence[Any],
    by: Publisher,
    now_us: int,
    *,
    lenient: bool = False,
    transact: Transact[Receipt] | None = None,
) -> Receipt:
    """Judge and store parsed events, all or (if not `lenient`) none; a 202 may follow.

    `transact` lets several requests share one commit. Raises Rejected with every problem,
    Conflict, NotFound for an unknown trial, Forbidden for what the key does not reach.
    """
    envelopes = [read_envelope(event) for event in published]
    named = {envelope.trial for envelope, _ in envelopes if envelope is not None}
    house = _House(db, named, by, now_us, lenient=lenient)
    fresh: list[Incoming] = []
    refused: list[Item] = []
    for place, (envelope, problems) in enumerate(envelopes):
        incoming, found = (None, problems) if envelope is None else house.judge(place, envelope)
        if incoming is None:
            refused.append(_refused(place, published[place], found))
        else:
            fresh.append(incoming)
    if refused and not lenient:
        raise Rejected([problem for item in refused for problem in item.errors])
    stored = record(db, fresh, house.doors, by, now_us, lenient=lenient, transact=transact)
    items = sorted((*refused, *stored.items), key=lambda item: item.index)
    return Receipt(tuple(items), stored.dirty)


class _House:
    """The trials that stand open to one request's publisher, and why the others do not."""

    def __init__(
        self, db: Database, named: set[str], by: Publisher, now_us: int, *, lenient: bool
    ) -> None:
        """Raise Forbidden or NotFound unless `lenient`; then the events themselves are refused."""
        self.doors: dict[str, Door] = {}
        self._closed: dict[str, str] = {}
        self._role, self._now_us, self._lenient = by.role, now_us, lenient
        outside = set() if by.trials is None else named - set(by.trials)
        if outside and not lenient:
            raise Forbidden("the key does not reach a trial of this request")
        self._closed |= dict.fromkeys(outside, "is not reached by this key")
        with db.reading() as conn:
            known = protocols.in_force(conn, named - outside)
        for trial in named - outside:
            self._open(trial, known.get(trial))

    def judge(self, place: int, envelope: Envelope) -> tuple[Incoming | None, list[Found]]:
        """The event as it may be stored, or every problem with it."""
        why = self._closed.get(envelope.trial)
        if why is not None:
            return None, [("/trial", why, "GET /v1/trials lists the trials that the key reaches")]
        if self._role == "clinician" and envelope.type not in CLINICIANS_TYPES:
            if not self._lenient:
                raise Forbidden("a clinician's key publishes overrides and corrections only")
            return None, [("/type", "is not for this key", "send it with a publisher's key")]
        return judge(place, envelope, self.doors[envelope.trial], self._role, self._now_us)

    def _open(self, trial: str, known: protocols.InForce | None) -> None:
        """Open the trial's door, or say why it stays closed."""
        if known is None and not self._lenient:
            raise NotFound("there is no such trial; GET /v1/trials lists them")
        if known is None:
            self._closed[trial] = "is unknown"
        elif known.protocol is None:
            self._closed[trial] = "has no protocol in force"
        else:
            self.doors[trial] = Door(known.mode == trials.REPLAY, known.protocol.checker)


def record(
    db: Database,
    incoming: Sequence[Incoming],
    doors: Mapping[str, Door],
    by: Publisher,
    now_us: int,
    *,
    lenient: bool,
    transact: Transact[Receipt] | None = None,
) -> Receipt:
    """Store judged events in one transaction. Raises Conflict and Rejected unless `lenient`."""
    run = db.transact if transact is None else transact
    for _ in range(_RACES):
        try:
            return run(lambda conn: _record(conn, incoming, doors, by, now_us, lenient=lenient))
        except IntegrityError:
            continue
    raise Busy("the same events are being stored by other requests; send them again in a moment")


def _refused(place: int, event: Any, problems: Sequence[Found]) -> Item:
    """A refused item; it names itself as far as it can."""
    named = event if isinstance(event, dict) else {}
    own_id, source = (
        text if isinstance(text := named.get(name), str) else None for name in ("id", "source")
    )
    errors = tuple(Problem(*problem, index=place) for problem in problems)
    return Item(place, own_id, source, REFUSED, errors=errors)


def _record(
    conn: Connection,
    incoming: Sequence[Incoming],
    doors: Mapping[str, Door],
    by: Publisher,
    now_us: int,
    *,
    lenient: bool,
) -> Receipt:
    """The transaction: drop duplicates, look up corrections' targets, number, insert."""
    fresh, settled = _sorted_out(conn, incoming)
    conflicts = [item for item in settled if item.status == CONFLICT]
    if conflicts and not lenient:
        raise Conflict(
            f"{_CONFLICT.pointer} {_CONFLICT.detail}",
            [error for one in conflicts for error in one.errors],
        )
    if any(one.type == EventType.CORRECTION for one in fresh):
        fresh, refused = _check_corrections(conn, fresh, incoming, doors, by)
        if refused and not lenient:
            raise Rejected([error for item in refused for error in item.errors])
        settled += refused
    if not fresh:
        return Receipt(tuple(sorted(settled, key=lambda item: item.index)), ())
    replays = {one.trial for one in fresh if doors[one.trial].is_replay}
    numbered = number(conn, fresh, replays=replays, by_key=by.key_id, now_us=now_us)
    settled += [
        Item(one.place, one.id, one.source, ACCEPTED, one.event, one.place in numbered.late)
        for one in fresh
    ]
    settled.sort(key=lambda item: item.index)
    return Receipt(tuple(settled), tuple(numbered.dirty))


def _sorted_out(
    conn: Connection, incoming: Sequence[Incoming]
) -> tuple[list[Incoming], list[Item]]:
    """New events, and items for those that are stored already or contradict what is."""
    known = events.contents(conn, {one.event for one in incoming})
    fresh: list[Incoming] = []
    settled: list[Item] = []
    for one in incoming:
        before = known.get(one.event)
        if before is None:
            known[one.event] = one.content
            fresh.append(one)
        elif before == one.content:
            settled.append(Item(one.place, one.id, one.source, DUPLICATE, one.event))
        else:
            errors = (replace(_CONFLICT, index=one.place),)
            settled.append(Item(one.place, one.id, one.source, CONFLICT, one.event, errors=errors))
    return fresh, settled


def _check_corrections(
    conn: Connection,
    fresh: Sequence[Incoming],
    incoming: Sequence[Incoming],
    doors: Mapping[str, Door],
    by: Publisher,
) -> tuple[list[Incoming], list[Item]]:
    """Judge each correction against its target, be it in the store or in this request."""
    wanted = {one.corrects.target for one in fresh if one.corrects is not None}
    targets: dict[str, Target] = {
        event: Target(row.type, row.subject, row.time_us)
        for event, row in events.by_event(conn, wanted).items()
    }
    for one in incoming:
        targets.setdefault(one.event, Target(one.type, one.subject, one.time_us))
    kept: list[Incoming] = []
    refused: list[Item] = []
    for one in fresh:
        if one.corrects is None:
            kept.append(one)
            continue
        target = targets.get(one.corrects.target)
        judged, problems = judge_correction(one, target, doors[one.trial].checker, by.role)
        if problems:
            refused.append(_refused(one.place, {"id": one.id, "source": one.source}, problems))
        else:
            kept.append(judged)
    return kept, refused
