"""One worker process: its steps, and the sweep that runs beside them.

Who comes in: worker.py, after the fork. Who goes out: evaluation or delivery, by its kind.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Sequence

from sqlalchemy.exc import SQLAlchemyError

from services import backtests, canaries, clock, evaluation, logs, pulse
from services.bootstrap import Services
from services.broker import DELIVER, EVALUATE
from services.channels.counting import Outcomes
from services.config import Settings
from services.database import Database, Schema, schema
from services.delivery import Crew
from services.repositories import steps
from services.sweep import BROKERLESS_S, EVERY_S, Steps, Sweep

KINDS = (EVALUATE, DELIVER)
_PATIENCE_S = 20.0
# A rule that never ends takes its process with it, on the doorbell or in the sweep.
LONGEST_THOUGHT_S = 60.0
# A stream that waits longer is taken along by whoever is rung for another one.
_LATE_US = 30_000
_TAKEN_ALONG = 48

log = logs.get(__name__)


def wait_for_schema(settings: Settings, every_s: float = 1.0) -> None:
    """Return once the store has the tables: who starts during an upgrade waits for its end."""
    db = Database(settings.database_url)
    waited = 0
    try:
        while not _has_tables(db):
            if waited % 10 == 0:
                log.warning("waiting for the schema: `vigil prepare` makes it", waited=waited)
            waited += 1
            time.sleep(every_s)
    finally:
        db.dispose()


def _has_tables(db: Database) -> bool:
    try:
        return schema(db) is not Schema.BEHIND
    except SQLAlchemyError:
        return False


class Worker:
    """What a worker process holds; make it after the fork, for it has connections and engines."""

    def __init__(self, settings: Settings, kind: str) -> None:
        """Nothing runs before `start`."""
        self.kind = kind
        self.services = Services.build(settings)
        self._crew: Crew | None = None
        self._outcomes = Outcomes()
        self._done = 0  # events evaluated
        broker = self.services.broker
        every_s = EVERY_S if broker.url else BROKERLESS_S
        if kind == DELIVER:
            services = self.services
            counted = self._outcomes.counting(services.channels)
            self._crew = Crew(services.database, counted, poll_s=every_s)
        else:
            evaluation.limit(LONGEST_THOUGHT_S)
        # Heard through the broker: how many messages, and the last of them when.
        self._heard = 0
        self._heard_us: int | None = None
        self._sweep = Sweep(
            self.services.database,
            broker,
            self._steps(),
            kind,
            pulse.name(kind),
            counters=self._counts,
            detail=lambda: {"heard_us": self._heard_us},
        )
        self._stop = threading.Event()
        self._thread = threading.Thread(
            target=self._sweep.run, args=(self._stop, every_s), name="sweep", daemon=True
        )

    def start(self) -> None:
        """Begin to sweep, and to deliver."""
        if self._crew is not None:
            self._crew.start()
        self._thread.start()

    def stop(self) -> None:
        """End after what is under way; what is not finished in time the rows remember."""
        self._stop.set()
        if self._crew is not None:
            self._crew.stop(_PATIENCE_S)
        self._thread.join(_PATIENCE_S)
        try:
            self._sweep.end(clock.now_us())
        except Exception:  # the store is away: then the heartbeat runs out by itself
            log.exception("the end could not be told")

    def evaluate(self, stream_ids: Sequence[int]) -> int:
        """Evaluate these streams, and some that wait already; how many events were done.

        When doorbells come faster than commits, each commit then takes many streams along, and
        their own doorbells find nothing left to do.
        """
        now_us = self._hear()
        with self.services.database.reading() as conn:
            waiting = steps.kept_waiting(
                conn,
                stored_before_us=now_us - _LATE_US,
                now_us=now_us,
                limit=4 * _TAKEN_ALONG,
                oldest=False,  # an import is long under way and has bells of its own
            )
        # Not the same ones as every other worker.
        some = random.sample(waiting, min(len(waiting), _TAKEN_ALONG))
        return self._evaluate([*stream_ids, *some], now_us)

    def deliver(self) -> None:
        """Something is due: wake who delivers."""
        self._hear()
        if self._crew is not None:
            self._crew.wake()

    def backtest(self, backtest_ids: Sequence[str]) -> None:
        """One part of each of these backtests; with more to do the bell is rung again."""
        self._hear()
        for one in backtest_ids:
            self._work_off(clock.now_us(), one)

    def _work_off(self, now_us: int, backtest: str | None = None) -> int:
        services = self.services
        done = backtests.work_off(services.database, services.broker, now_us, backtest)
        return done.subjects

    def canary(self, queue: str, sent_us: int, sent_by: str) -> None:
        """A canary came through `queue`: whoever sent it, the broker and this worker live."""
        canaries.heard(
            self.services.database,
            queue,
            sent_us=sent_us,
            sent_by=sent_by,
            heard_by=self._sweep.process,
            now_us=self._hear(),
        )

    def _counts(self) -> dict[str, float]:
        """What only this process knows; `done` is its work: events, or attempts to deliver."""
        outcomes = self._outcomes.read()
        done = self._done + sum(outcomes.values())
        return {"messages": self._heard, "done": done, **outcomes}

    def _hear(self) -> int:
        self._heard += 1
        self._heard_us = clock.now_us()
        return self._heard_us

    def _steps(self) -> Steps:
        db = self.services.database
        if self.kind != EVALUATE:
            return Steps(maintain=self._work_off)
        return Steps(
            evaluate=self._evaluate,
            release=lambda trial, now_us: evaluation.release(db, trial, now_us),
            remind=lambda now_us: evaluation.remind(db, now_us),
            prepare=lambda: evaluation.prepare(db),
        )

    def _evaluate(self, stream_ids: Sequence[int], now_us: int) -> int:
        services = self.services
        done = evaluation.evaluate(services.database, services.broker, stream_ids, now_us)
        self._done += done.events
        return done.events
