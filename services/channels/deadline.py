"""An end for one attempt: whoever is at the other end, the line is cut when time is up.

Who comes in: the channels. Who goes out: nobody.
"""

from __future__ import annotations

import socket
import threading
import time
from contextlib import suppress

# No attempt takes longer; delivery's lease is made for it.
TIMEOUT_S = 15.0
CONNECT_S = 5.0


class Deadline:
    """Cuts the line when time is up: a receiver of one byte a second must not hold a worker."""

    def __init__(self, seconds: float) -> None:
        """Time runs from now on; `close` it at the end."""
        self._until = time.monotonic() + seconds
        self._line: socket.socket | None = None
        self.passed = False
        self._timer = threading.Timer(seconds, self._cut)
        self._timer.daemon = True
        self._timer.start()

    def left_s(self) -> float:
        """Never 0, which a socket would take for 'no waiting at all'."""
        return max(self._until - time.monotonic(), 0.001)

    def over(self) -> bool:
        """Whether time is up, also where the line's own waiting noticed it first."""
        return self.passed or time.monotonic() >= self._until

    def watch(self, line: socket.socket) -> None:
        """Cut this line when time is up."""
        self._line = line
        line.settimeout(self.left_s())

    def close(self) -> None:
        """Nothing is to be cut any more."""
        self._timer.cancel()

    def _cut(self) -> None:
        self.passed = True
        if self._line is not None:
            with suppress(OSError):
                self._line.shutdown(socket.SHUT_RDWR)
