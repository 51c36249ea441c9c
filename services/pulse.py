"""The pulse of a process: every few seconds a row that says it lives, and what it counted.

Who comes in: the sweep of each worker, the API's and the stream's processes. Who goes out:
heartbeats. A process counts in its own memory; what it counted since its last beat dies with it.
"""

from __future__ import annotations

import os
import resource
import socket
import sys
import threading
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

from sqlalchemy import Connection

from services import clock, logs
from services.database import Database
from services.repositories import heartbeats

EVERY_S = 5.0
# Whoever is not seen for so long is not shown any more.
_MINUTE_US = 60 * clock.SECOND_US
# The counter of a process's own work, if it has one; its pace is shown.
_DONE = "done"
_FORGET_US = 3600 * clock.SECOND_US

Counts = Mapping[str, float]

log = logs.get(__name__)


def name(kind: str) -> str:
    """What this process is called among heartbeats."""
    return f"{kind}:{socket.gethostname()}:{os.getpid()}"


def rss_mb() -> float:
    """The most memory that this process ever had, in MB."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return round(peak / (1 << 20 if sys.platform == "darwin" else 1 << 10), 1)


class Pulse:
    """One process's heartbeat; make it after a fork."""

    def __init__(
        self, db: Database, kind: str, process: str | None = None, started_us: int | None = None
    ) -> None:
        """Nothing is written yet."""
        self.kind = kind
        self.process = process or name(kind)
        self._db = db
        self._started_us = clock.now_us() if started_us is None else started_us
        self._told: Counts = {}
        # Counted before somebody took us for gone: kept elsewhere, so not said again.
        self._kept: Counts = {}
        self._paces: deque[tuple[int, float]] = deque()

    def beat(self, now_us: int, counters: Counts, **detail: Any) -> None:
        """Write the row; `counters` only ever grow."""

        def write(conn: Connection) -> Counts:
            forgotten = bool(self._told) and not heartbeats.knows(conn, self.process)
            kept = self._told if forgotten else self._kept
            said = {name: count - kept.get(name, 0) for name, count in counters.items()}
            whole = {heartbeats.STARTED: self._started_us, "rss_mb": rss_mb(), **detail}
            whole[heartbeats.COUNTERS] = said
            if _DONE in counters:
                whole["rate_per_min"] = self._rate(now_us, counters[_DONE])
            heartbeats.beat(conn, self.process, self.kind, now_us=now_us, detail=whole)
            heartbeats.forget(conn, now_us - _FORGET_US, now_us)
            return kept

        self._kept = self._db.transact(write)
        self._told = dict(counters)

    def _rate(self, now_us: int, done: float) -> float:
        """How much was done a minute, over the last minute or since the process began."""
        self._paces.append((now_us, done))
        while len(self._paces) > 2 and self._paces[1][0] <= now_us - _MINUTE_US:
            self._paces.popleft()
        since_us, before = self._paces[0]
        return round((done - before) * _MINUTE_US / max(now_us - since_us, clock.SECOND_US), 1)

    def end(self, now_us: int) -> None:
        """This process ends in good order."""
        self._db.transact(lambda conn: heartbeats.leave(conn, self.process, now_us))


class Heart:
    """A thread that beats for a process which has no sweep."""

    def __init__(self, pulse: Pulse, counters: Callable[[], Counts]) -> None:
        """Nothing runs before `start`."""
        self._pulse = pulse
        self._counters = counters
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="heart", daemon=True)

    def start(self) -> None:
        """Beat now, and every few seconds."""
        self._thread.start()

    def stop(self) -> None:
        """Say the last counts, and that this process ends."""
        self._stop.set()
        self._thread.join(EVERY_S)
        self._quietly(lambda: self._pulse.beat(clock.now_us(), self._counters()))
        self._quietly(lambda: self._pulse.end(clock.now_us()))

    def _run(self) -> None:
        self._quietly(lambda: self._pulse.beat(clock.now_us(), self._counters()))
        while not self._stop.wait(EVERY_S):
            self._quietly(lambda: self._pulse.beat(clock.now_us(), self._counters()))

    def _quietly(self, write: Callable[[], None]) -> None:
        """A beat that fails is a beat missed: whoever looks sees its age, the log sees why."""
        try:
            write()
        except Exception:
            log.exception("the heart missed a beat")
