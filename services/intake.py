"""Room 1 of the corridor: events come in, are judged, numbered and stored; then, not before, 202.

Who comes in: the doors with parsed events and the publisher. Who goes out: recording; a Receipt,
and the streams whose doorbell the caller rings after the commit; or Rejected, Conflict, NotFound,
Forbidden with nothing stored. Bytes are read by `validation.read_events` before.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy.exc import IntegrityError, SQLAlchemyError

from services import logs, protocols
from services.database import Database
from services.errors import Busy, Forbidden, NotFound, Rejected, ServiceError
from services.recording import (
    Item,
    Outdated,
    Parcel,
    Publisher,
    Receipt,
    Recorded,
    record,
    refused,
)
from services.repositories import trials, unmapped
from services.repositories.unmapped import Unmapped
from services.validation import Envelope, Found, read_envelope
from services.validation.judging import CLINICIANS_TYPES, Door, Incoming, judge

__all__ = ["Item", "Publisher", "Receipt", "Store", "publish"]

# How a parcel is stored: by default in a transaction of its own; see groupcommit for sharing one.
Store = Callable[[Parcel], Recorded]
# A request of more events shares with nobody: it gains nothing, and the others would wait for it.
_MOST_SHARED = 200
# An event that another request stores at the same moment is a duplicate the next time, and who was
# judged by a version that is not in force any more is judged again.
_RACES = 5
_CODE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/^+-]{0,63}")
_SYSTEM = re.compile(r"(?:https?://|urn:)[!-~]{1,190}")
log = logs.get(__name__)


def publish(
    db: Database,
    published: Sequence[Any],
    by: Publisher,
    now_us: int,
    *,
    lenient: bool = False,
    store: Store | None = None,
) -> Receipt:
    """Judge and store parsed events, all or (if not `lenient`) none; a 202 may follow.

    `store` lets several requests share one commit. Raises Rejected with every problem, Conflict,
    NotFound for an unknown trial, Forbidden for what the key does not reach.
    """
    request = _Request.of(published, by, now_us, lenient=lenient)
    try:
        return _publish(db, request, store)
    finally:
        if request.unmapped:
            _note(db, request)


def _publish(db: Database, request: _Request, store: Store | None) -> Receipt:
    if store is None or len(request.published) > _MOST_SHARED:
        store = _alone(db)
    judged = _judge_by_memory(request)
    for _ in range(_RACES):
        if judged is None:
            judged = _judge_by_store(db, request)
        try:
            recorded = store(judged.parcel)
        except IntegrityError:
            continue
        if isinstance(recorded, Receipt):
            items = sorted((*judged.refused, *recorded.items), key=lambda item: item.index)
            return Receipt(tuple(items), recorded.dirty)
        if not isinstance(recorded, Outdated):
            raise recorded
        judged = None
    raise Busy("the same events are being stored by other requests; send them again in a moment")


def _note(db: Database, request: _Request) -> None:
    """Count the codes that were refused as undeclared; the refusal does not hang on it."""
    try:
        db.transact(lambda conn: unmapped.note(conn, request.unmapped, request.now_us))
    except (SQLAlchemyError, Busy):
        log.warning("the undeclared codes of a request were not counted")


def _alone(db: Database) -> Store:
    """A transaction for each parcel."""
    return lambda parcel: db.transact(lambda conn: record(conn, [parcel]))[0]


@dataclass(frozen=True, slots=True)
class _Request:
    """What was asked for, and by whom."""

    published: Sequence[Any]
    envelopes: Sequence[tuple[Envelope | None, list[Found]]]
    trials: frozenset[str]
    by: Publisher
    now_us: int
    lenient: bool
    unmapped: Counter[Unmapped]  # codes of refused events that no protocol declares

    @classmethod
    def of(cls, published: Sequence[Any], by: Publisher, now_us: int, *, lenient: bool) -> _Request:
        envelopes = [read_envelope(event) for event in published]
        named = frozenset(envelope.trial for envelope, _ in envelopes if envelope is not None)
        return cls(published, envelopes, named, by, now_us, lenient, Counter())


@dataclass(frozen=True, slots=True)
class _Judged:
    """A request's events as they may be stored, and those (if it is lenient) that may not."""

    parcel: Parcel
    refused: list[Item]


def _judge_by_memory(request: _Request) -> _Judged | None:
    """Judged by the versions in force as this process remembers them; None: not good enough.

    Memory is good for a yes alone, and the transaction that stores looks whether it still holds
    (else it is Outdated). A no is never said by memory.
    """
    known = protocols.remembered(request.trials)
    if known is None:
        return None
    try:
        judged = _judge(request, known)
    except ServiceError:
        return None
    return None if judged.refused else judged


def _judge_by_store(db: Database, request: _Request) -> _Judged:
    """Judged by the versions in force. Raises Forbidden, NotFound and Rejected."""
    with db.reading() as conn:
        known = protocols.in_force(conn, request.trials)
    return _judge(request, known)


def _judge(request: _Request, known: Mapping[str, protocols.InForce]) -> _Judged:
    """Each event by its trial's protocol; raises unless all are good or the request is lenient."""
    house = _House(request, known)
    request.unmapped.clear()
    fresh: list[Incoming] = []
    bad: list[Item] = []
    for place, (envelope, problems) in enumerate(request.envelopes):
        incoming, found = (None, problems) if envelope is None else house.judge(place, envelope)
        if incoming is None:
            bad.append(_refused(place, request.published[place], found))
            request.unmapped.update(house.undeclared(envelope))
        else:
            fresh.append(incoming)
    if bad and not request.lenient:
        raise Rejected([problem for item in bad for problem in item.errors])
    parcel = Parcel(fresh, house.doors, request.by, request.now_us, request.lenient)
    return _Judged(parcel, bad)


class _House:
    """The trials that stand open to one request's publisher, and why the others do not."""

    def __init__(self, request: _Request, known: Mapping[str, protocols.InForce]) -> None:
        """Raise Forbidden or NotFound unless lenient; then the events themselves are refused."""
        self.doors: dict[str, Door] = {}
        self._closed: dict[str, str] = {}
        self._request = request
        reached = request.by.trials
        for trial in request.trials:
            if reached is not None and trial not in reached:
                self._close(trial, "is not reached by this key")
        for trial in request.trials - self._closed.keys():
            self._open(trial, known.get(trial))

    def judge(self, place: int, envelope: Envelope) -> tuple[Incoming | None, list[Found]]:
        """The event as it may be stored, or every problem with it."""
        why = self._closed.get(envelope.trial)
        if why is not None:
            return None, [("/trial", why, "GET /v1/trials lists the trials that the key reaches")]
        role = self._request.by.role
        if role == "clinician" and envelope.type not in CLINICIANS_TYPES:
            if not self._request.lenient:
                raise Forbidden("a clinician's key publishes overrides and corrections only")
            return None, [("/type", "is not for this key", "send it with a publisher's key")]
        return judge(place, envelope, self.doors[envelope.trial], role, self._request.now_us)

    def undeclared(self, envelope: Envelope | None) -> list[Unmapped]:
        """The codes of a refused event that its trial's protocol does not declare."""
        door = None if envelope is None else self.doors.get(envelope.trial)
        if envelope is None or door is None:
            return []
        pairs = door.checker.undeclared(envelope.type, envelope.data)
        return [Unmapped(envelope.trial, envelope.type, *told(*pair)) for pair in pairs]

    def _close(self, trial: str, why: str) -> None:
        if not self._request.lenient:
            raise Forbidden("the key does not reach a trial of this request")
        self._closed[trial] = why

    def _open(self, trial: str, known: protocols.InForce | None) -> None:
        """Open the trial's door, or say why it stays closed."""
        if known is None and not self._request.lenient:
            raise NotFound("there is no such trial; GET /v1/trials lists them")
        if known is None:
            self._closed[trial] = "is unknown"
        elif known.checker is None:
            self._closed[trial] = "has no protocol in force"
        else:
            judged_by = (known.mode, known.digest)
            is_replay = known.mode == trials.REPLAY
            self.doors[trial] = Door(is_replay, known.checker, judged_by)


def told(system: str, code: str) -> tuple[str, str]:
    """What may be kept of a code: what does not look like one may be anything, a name even."""
    looks = _CODE.fullmatch(code) is not None and (not system or _SYSTEM.fullmatch(system))
    return (system, code) if looks else ("", unmapped.OTHER)


def _refused(place: int, event: Any, problems: Sequence[Found]) -> Item:
    """A refused item; it names itself as far as it can."""
    named = event if isinstance(event, dict) else {}
    own_id, source = (
        text if isinstance(text := named.get(name), str) else None for name in ("id", "source")
    )
    return refused(place, own_id, source, problems)
