"""The loop: read, think with nothing open, commit; until the streams are clean.

Who comes in: the evaluate task and the sweep, with ids of streams. Who goes out: the store, the
sequencer and the doorbell. Doing it twice, or at once with others, does it once.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from sqlalchemy.exc import DataError, IntegrityError, SQLAlchemyError

from services import clock, logs, sequencer
from services.broker import Broker
from services.database import Database, retrying
from services.errors import ServiceError
from services.evaluation import poison
from services.evaluation.committing import commit
from services.evaluation.thinking import Thought, think
from services.evaluation.work import GROUP_STREAMS, MOST_EVENTS, Work, read
from services.repositories import steps

# How long a counted attempt may take before another worker may count one too.
_CLAIM_US = 15 * clock.SECOND_US
# After so long the rest is rung for again, so that one call does not starve the others.
_LONGEST_US = clock.SECOND_US // 2
# Without a broker nobody hears the ring: the sweep would have to find the rest.
_LONGEST_UNHEARD_US = 20 * clock.SECOND_US
# What says nothing about the event: the database is away, or a file cannot be opened.
_NOT_ITS_FAULT = (SQLAlchemyError, ServiceError, OSError)
# What the database says of the rows themselves: trying again cannot help.
_ITS_FAULT = (IntegrityError, DataError)
_KILLED = "WorkerLost"

log = logs.get(__name__)


@dataclass(slots=True)
class Progress:
    """What one call did."""

    events: int = 0
    steps: int = 0
    changes: int = 0  # of alerts
    failures: int = 0
    held: int = 0


def evaluate(
    db: Database, broker: Broker, stream_ids: int | Collection[int], now_us: int
) -> Progress:
    """Evaluate these streams, and the trials' streams that they add to, until all are clean."""
    wanted = [stream_ids] if isinstance(stream_ids, int) else stream_ids
    call = _Call(db, now_us)
    longest_us = _LONGEST_US if broker.url else _LONGEST_UNHEARD_US
    queue = dict.fromkeys(wanted)
    while queue:
        group = list(queue)[:GROUP_STREAMS]
        for taken in group:
            del queue[taken]
        told = call.told
        queue |= dict.fromkeys(call.round(group))
        if call.told > told:  # now: what is told must not wait for the rest of a backlog
            broker.ring_deliver(sequencer.number_soon(db).deliveries)
        if queue and call.elapsed_us() > longest_us:
            broker.ring_evaluate(list(queue))
            break
    return call.progress


class _Call:
    """One call's time and count."""

    def __init__(self, db: Database, now_us: int) -> None:
        self.db, self.progress = db, Progress()
        self._began_us, self._now_us = clock.now_us(), now_us

    @property
    def told(self) -> int:
        """How many changes of alerts were committed."""
        return self.progress.changes + self.progress.held

    def elapsed_us(self) -> int:
        """Since the call."""
        return clock.now_us() - self._began_us

    def now_us(self) -> int:
        """The caller's time, moved on by what passed since."""
        return self._now_us + self.elapsed_us()

    def round(self, group: Collection[int]) -> list[int]:
        """One read and one commit, another for each careful stream; who has more to do."""
        batch = read(self.db, group, self.now_us())
        plain = [work for work in batch.works if not work.careful]
        again = [*batch.postponed, *self._together(plain)]
        for work in batch.works:
            if work.careful:
                again += self._alone(work)
        return again

    def _together(self, works: Sequence[Work]) -> list[int]:
        """Streams without a failure: thought about one by one, committed in one transaction."""
        claimed = self._claim([work for work in works if work.suspect])
        mine = [work for work in works if not work.suspect or work.head.id in claimed]
        return self._attempt(mine, claimed)

    def _alone(self, work: Work) -> list[int]:
        """A stream after a failure: one event, its attempt counted first, nobody else involved."""
        claimed = self._claim([work])
        if work.head.id not in claimed:
            return []
        if claimed[work.head.id] > poison.MOST_ATTEMPTS:
            self._hold(work, _KILLED)
            return []
        return self._attempt([work], claimed)

    def _attempt(self, works: Sequence[Work], claimed: dict[int, int]) -> list[int]:
        """Think and commit; the streams that have more to do, also after a failure."""
        thoughts: list[Thought] = []
        again: list[int] = []
        with self._taking_back(works, claimed):
            for work in works:
                try:
                    thoughts.append(think(self.db, work))
                except _NOT_ITS_FAULT:
                    raise
                except Exception as error:  # noqa: BLE001 - counted, told, and held at the third
                    again += self._failed(work, error, claimed)
            if thoughts:
                again += self._commit(thoughts, claimed)
        return again

    def _commit(self, thoughts: Sequence[Thought], claimed: dict[int, int]) -> list[int]:
        """Write them; what cannot be written is as poisonous as what cannot be thought.

        Nobody knows whose fault it was: each is counted one failure, and goes on alone.
        """
        try:
            done = commit(self.db, thoughts, self.now_us())
        except Exception as error:
            if isinstance(error, _NOT_ITS_FAULT) and not isinstance(error, _ITS_FAULT):
                raise
            return [
                stream
                for thought in thoughts
                for stream in self._failed(thought.work, error, claimed)
            ]
        self.progress.events += done.events
        self.progress.steps += done.steps
        self.progress.changes += done.changes
        lost = [thought.work for thought in thoughts if thought.work.head.id in done.lost]
        self._unclaim(lost, claimed)
        return [*done.again, *done.rung]

    def _claim(self, works: Sequence[Work]) -> dict[int, int]:
        """Count an attempt at each before it is made; the counts of those that are ours to make."""
        if not works:
            return {}
        now_us = self.now_us()
        places = {work.head.id: work.head.done_n for work in works}

        def once() -> dict[int, int]:
            with self.db.writing() as conn:
                return steps.claim(
                    conn, places, now_us=now_us, until_us=now_us + _CLAIM_US, ahead=MOST_EVENTS
                )

        return retrying(once)

    @contextmanager
    def _taking_back(self, works: Sequence[Work], claimed: dict[int, int]) -> Iterator[None]:
        """A shutdown or a failing database is not the event's fault: its attempt does not count."""
        try:
            yield
        except BaseException:
            # If the database is away this fails too; the next success starts the count again.
            with suppress(*_NOT_ITS_FAULT):
                self._unclaim(works, claimed)
            raise

    def _unclaim(self, works: Sequence[Work], claimed: dict[int, int]) -> None:
        """Take attempts back that came to nothing through no fault of the event."""
        mine = [work.head for work in works if work.head.id in claimed]
        if mine:
            with self.db.writing() as conn:
                for head in mine:
                    steps.unclaim(conn, head.id, head.done_n, counted=False)

    def _failed(self, work: Work, error: Exception, claimed: dict[int, int]) -> list[int]:
        """Count it; at the third failure of one event hold its stream."""
        self.progress.failures += 1
        head = work.head
        log.error("evaluation failed", stream=head.id, after=head.done_n, exc_info=error)

        def once() -> int:
            with self.db.writing() as conn:
                if head.id in claimed:
                    return steps.unclaim(
                        conn, head.id, head.done_n, counted=True, ahead=MOST_EVENTS
                    )
                return steps.count_failure(conn, head.id, head.done_n, MOST_EVENTS)

        if retrying(once) >= poison.MOST_ATTEMPTS and work.careful:
            self._hold(work, type(error).__name__)
            return []
        return [head.id]

    def _hold(self, work: Work, reason: str) -> None:
        if poison.hold(self.db, work, reason, self.now_us()):
            self.progress.held += 1
