"""An end for one attempt: whoever is at the other end, the line is cut when time is up.

Who comes in: the channels. Who goes out: nobody. One thread of the process watches all attempts; a
timer for each would be a thread for each.
"""

from __future__ import annotations

import math
import os
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
        self.until = time.monotonic() + seconds
        self._line: socket.socket | None = None
        self.passed = False
        _watch.begin(self)

    def left_s(self) -> float:
        """Never 0, which a socket would take for 'no waiting at all'."""
        return max(self.until - time.monotonic(), 0.001)

    def over(self) -> bool:
        """Whether time is up, also where the line's own waiting noticed it first."""
        return self.passed or time.monotonic() >= self.until

    def watch(self, line: socket.socket) -> None:
        """Cut this line when time is up."""
        self._line = line
        line.settimeout(self.left_s())

    def leave(self) -> None:
        """The line is not cut any more, whatever it serves next; the time runs on."""
        _watch.leave(self)

    def forget_line(self) -> None:
        """For the watch."""
        self._line = None

    def close(self) -> None:
        """Nothing is to be cut any more."""
        _watch.end(self)

    def cut(self) -> None:
        """Time is up."""
        self.passed = True
        if self._line is not None:
            with suppress(OSError):
                # Of the socket itself: over TLS the layer above would be torn from under a reader.
                socket.socket.shutdown(self._line, socket.SHUT_RDWR)


class _Watch:
    """The thread that cuts; it sleeps until the next deadline, for ever where there is none."""

    def __init__(self) -> None:
        self._bell = threading.Condition()
        self._open: set[Deadline] = set()
        self._sleeps_until = math.inf
        self._thread: threading.Thread | None = None

    def begin(self, deadline: Deadline) -> None:
        with self._bell:
            self._open.add(deadline)
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="deadlines", daemon=True)
                self._thread.start()
            elif deadline.until < self._sleeps_until:
                self._bell.notify()

    def leave(self, deadline: Deadline) -> None:
        with self._bell:  # not while it is being cut
            deadline.forget_line()

    def end(self, deadline: Deadline) -> None:
        """After this it is not cut, whatever becomes of its line."""
        with self._bell:
            self._open.discard(deadline)

    def _work(self) -> None:
        with self._bell:
            while True:
                now = time.monotonic()
                for deadline in [each for each in self._open if each.until <= now]:
                    self._open.discard(deadline)
                    deadline.cut()
                first = min((each.until for each in self._open), default=math.inf)
                self._sleeps_until = first
                self._bell.wait(None if first == math.inf else max(first - now, 0.0))


_watch = _Watch()


def _after_fork() -> None:
    """A child has none of its parent's threads, nor its lines."""
    global _watch  # noqa: PLW0603 - threads are the process's, so is this
    _watch = _Watch()


os.register_at_fork(after_in_child=_after_fork)
