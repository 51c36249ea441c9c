"""What one evaluation of one stream works on: its state, its next events, how far time may pass.

Who comes in: the loop. Who goes out: the store, read in one snapshot with nothing left open.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace

from sqlalchemy import Connection

import rules
from services import logs
from services.database import Database
from services.repositories import steps, streams
from services.repositories.steps import Head

# Events of one stream that are thought about at once, and of all streams of one commit: so long
# as these take, a fresh event of another stream waits.
MOST_EVENTS = 200
GROUP_EVENTS = 100
GROUP_STREAMS = 64
# An event that waits longer has perhaps killed whoever tried it: from then on attempts are counted
# before they are made (ADR 5).
GRACE_US = 3_000_000

log = logs.get(__name__)


@dataclass(frozen=True, slots=True)
class Work:
    """One stream's share of a commit."""

    head: Head
    version: str  # of the protocol
    events: tuple[rules.Event, ...]  # to be folded, discarded ones blank
    excluded: frozenset[str]  # all discarded events of the stream, by server id
    last_n: int
    until_us: int | None  # how far time may pass after the last event; None: not at all
    suspect: bool  # attempts must be counted before they are made
    careful: bool  # after a failure: alone, and one event at a time
    began: str | None = None  # the version at its first event, where the state does not tell

    @property
    def complete(self) -> bool:
        """Whether no more events were there when it was read."""
        return bool(self.last_n == self.head.next_n)

    @property
    def is_trial(self) -> bool:
        """Whether it is the trial's own stream."""
        return bool(self.head.subject == streams.TRIAL_SUBJECT)

    @property
    def next_event(self) -> rules.Event | None:
        """The event that is to blame if this fails; None: time."""
        return self.events[0] if self.events else None


@dataclass(frozen=True, slots=True)
class Batch:
    """What one read found, ascending; `postponed` streams were too much for one commit."""

    works: list[Work]
    postponed: list[int]


def read(db: Database, stream_ids: Collection[int], now_us: int) -> Batch:
    """The work of these streams; clean and held ones have none."""
    with db.reading() as conn:
        heads = [head for head in steps.heads(conn, stream_ids) if _has_work(head, now_us)]
        careful = [head for head in heads if _is_careful(head)]
        plain = _affordable([head for head in heads if not _is_careful(head)])
        pending = steps.waiting(conn, [head.id for head in plain if _pending(head)], MOST_EVENTS)
        for head in careful:
            pending |= steps.waiting(conn, [head.id], 1)
        chosen = sorted([*plain, *careful], key=lambda head: head.id)
        found = [_work(conn, head, pending.get(head.id), now_us) for head in chosen]
    taken = {head.id for head in chosen}
    return Batch(
        works=[work for work in found if work is not None],
        postponed=[head.id for head in heads if head.id not in taken],
    )


def _clock(head: Head, now_us: int) -> int:
    """How far time has come in the stream's trial."""
    clock: int = head.clock_us if head.mode == "replay" else now_us
    return clock


def _pending(head: Head) -> int:
    """How many events wait."""
    waiting: int = head.next_n - head.done_n
    return waiting


def _has_work(head: Head, now_us: int) -> bool:
    passed = head.next_due_us is not None and head.next_due_us <= _clock(head, now_us)
    return _pending(head) > 0 or passed


def _is_careful(head: Head) -> bool:
    return bool(head.attempts > 0 or head.careful_to > head.done_n)


def _affordable(heads: list[Head]) -> list[Head]:
    """As many streams as one commit should bear, at least one; who has least to do comes first.

    So an alert of a quiet subject does not wait for somebody's import.
    """
    chosen: list[Head] = []
    room = GROUP_EVENTS
    for head in sorted(heads, key=_pending)[:GROUP_STREAMS]:
        room -= min(_pending(head), MOST_EVENTS)
        if chosen and room < 0:
            break
        chosen.append(head)
    return chosen


def _work(conn: Connection, head: Head, waiting: steps.Waiting | None, now_us: int) -> Work | None:
    pending = waiting.events if waiting else ()
    version = None if _is_newer(head) else version_of(conn, head, pending)
    if version is None:
        return None
    some, until_us = _span(head, pending, _clock(head, now_us))
    if not some and head.state is not None:
        version = head.protocol_version
    excluded = steps.discarded(conn, head.id) if head.discards else frozenset()
    since_us = waiting.stored_us if waiting else now_us - GRACE_US
    return Work(
        head=head,
        version=version,
        events=tuple(without(some, excluded)),
        excluded=excluded,
        last_n=some[-1].n if some else head.done_n,
        until_us=until_us,
        suspect=not 0 <= now_us - since_us < GRACE_US or head.attempts > 0,
        careful=_is_careful(head),
        began=_began(conn, head, version),
    )


def _began(conn: Connection, head: Head, version: str) -> str | None:
    """The version that the stream began under; None where its state says so itself."""
    if head.state is None:
        return version
    if head.engine_version == rules.ENGINE_VERSION:
        return None
    return steps.first_version(conn, head.trial, head.id)


def _span(
    head: Head, pending: tuple[rules.Event, ...], clock_us: int
) -> tuple[tuple[rules.Event, ...], int | None]:
    """The events that one protocol version folds, and how far time passes under it after them.

    What falls due before an activation is judged by the version before it, whoever looks when.
    """
    if not pending:
        return (), clock_us
    first = pending[0]
    passed = head.next_due_us is not None and head.next_due_us <= first.received_us
    if first.type == rules.EventType.ACTIVATION and passed and head.state is not None:
        return (), first.received_us
    for place, event in enumerate(pending[1:], 1):
        if event.type == rules.EventType.ACTIVATION:
            return pending[:place], event.received_us
    return pending, clock_us if pending[-1].n == head.next_n else None


def _is_newer(head: Head) -> bool:
    """Whether only a newer program understands the state: it is left alone."""
    newer = head.engine_version is not None and head.engine_version > rules.ENGINE_VERSION
    if newer:
        log.warning("a newer engine's state is left alone", stream=head.id)
    return newer


def version_of(conn: Connection, head: Head, some: Sequence[rules.Event]) -> str | None:
    """The protocol version for these events: it changes only at an activation in the log.

    A stream begins with what was in force when its first event was stored. None: there was none.
    """
    if some and some[0].type == rules.EventType.ACTIVATION:
        return str(some[0].data["version"])
    if head.protocol_version is not None:
        return str(head.protocol_version)
    return steps.first_version(conn, head.trial, head.id)


def without(some: Iterable[rules.Event], excluded: frozenset[str]) -> list[rules.Event]:
    """The events with the discarded ones blank: they keep their number and say nothing.

    The discard itself stands later in the log, where a fold in order would come too late to it.
    """
    return [_blank(event) if event.event in excluded else event for event in some]


def _blank(event: rules.Event) -> rules.Event:
    return replace(event, type=rules.EventType.DISCARD, data={"discards": event.event})
