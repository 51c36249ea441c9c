"""The heartbeat of a hub, written by a thread of its own: a store that is slow stops no line.

Who comes in: who runs a hub. Who goes out: services.pulse.
"""

from __future__ import annotations

import threading

from sqlalchemy.exc import SQLAlchemyError

from services import clock, logs
from services.database import Database
from services.errors import Busy
from services.live.hub import Hub
from services.pulse import Pulse

KIND = "stream"
EVERY_S = 3.0

log = logs.get("live")


class Beating:
    """Beats from `start` to `stop`."""

    def __init__(self, database: Database, hub: Hub) -> None:
        """Nothing is written yet."""
        self._pulse = Pulse(database, KIND)
        self._hub = hub
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="stream-pulse", daemon=True)

    def start(self) -> None:
        """Beat now, and every few seconds."""
        self._thread.start()

    def stop(self) -> None:
        """Say the last counts, and that the hub ends."""
        self._over.set()
        self._thread.join(EVERY_S)

    def _run(self) -> None:
        while not self._over.is_set():
            self._beat()
            self._over.wait(EVERY_S)
        self._beat()
        try:
            self._pulse.end(clock.now_us())
        except (SQLAlchemyError, Busy) as error:
            log.warning("heartbeat_failed", exc_info=error)

    def _beat(self) -> None:
        """One beat; where the store is away, the next one may find it."""
        try:
            hub = self._hub
            self._pulse.beat(clock.now_us(), hub.counters(), clients=hub.clients())
        except (SQLAlchemyError, Busy) as error:
            log.warning("heartbeat_failed", exc_info=error)
