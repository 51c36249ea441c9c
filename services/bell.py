"""The API's bell: rung by a thread of its own, for several requests at once.

Who comes in: POST /v1/events, after the commit, with streams. Who goes out: the broker. A message
costs as much as storing the event did, and no publisher needs to wait for it: the row is the queue.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Collection, Sequence

from services import logs

# After a ring so long is waited for others; the first one after a pause goes out at once.
_REST_S = 0.003

log = logs.get(__name__)


class Bell:
    """Passes streams on to `ring`; what has not been rung when the process ends the sweep finds."""

    def __init__(self, ring: Callable[[Sequence[int]], None]) -> None:
        """Nothing runs before the first stream; make it after a fork."""
        self._ring = ring
        self._waiting: queue.SimpleQueue[Collection[int]] = queue.SimpleQueue()
        self._starting = threading.Lock()
        self._thread: threading.Thread | None = None

    def ring(self, streams: Collection[int]) -> None:
        """These streams have something to do."""
        if not streams:
            return
        self._waiting.put(streams)
        if self._thread is None:
            self._start()

    def _start(self) -> None:
        with self._starting:
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="bell", daemon=True)
                self._thread.start()

    def _run(self) -> None:
        while True:
            streams = set(self._waiting.get())
            while not self._waiting.empty():
                streams.update(self._waiting.get())
            try:
                self._ring(sorted(streams))
            except Exception:
                # A thread that ended here would be missed by nobody.
                log.exception("the bell could not be rung")
            time.sleep(_REST_S)
