"""One open line: what its reader was sent, what waits for it, and when it last moved.

Who comes in: the hub. Who goes out: a socket that never blocks. What waits is bounded: who reads
slowly gets no more of the log until there is room, and is cut when nothing moves.
"""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterable

from services.live import sse
from services.live.log import Line
from services.live.ticket import Ticket

# About thirty alerts; beyond it the kernel's own buffer is full, and the reader far behind.
ENOUGH_BYTES = 64 * 1024
# A line whose peer is gone without a word ends after so long.
SILENCE_MS = 30_000
# What a client sends after its request is read and thrown away, within bounds.
MOST_HEARD_BYTES = 64 * 1024


class Client:
    """A watcher. Times are seconds of a clock that only goes forward."""

    def __init__(self, line: socket.socket, ticket: Ticket, now_s: float) -> None:
        """`line` is ours now."""
        self.line = line
        self.ticket = ticket
        self.wish = ticket.wish
        self.position = ticket.position  # looked through so far, for this client
        self.sent = 0
        self.since_s = now_s
        self.spoke_s = now_s  # something was put to the others
        self.moved_s = now_s  # the line took something, or something began to wait for it
        self._told = ticket.position  # the last id that it was given
        self._heard_bytes = 0
        self._waiting = bytearray(ticket.opening.encode())
        line.setblocking(False)
        with contextlib.suppress(OSError):  # not on a unix socket
            line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            line.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, SILENCE_MS)

    @property
    def waits(self) -> bool:
        """Whether the line must take something before all is said."""
        return bool(self._waiting)

    @property
    def has_room(self) -> bool:
        """Whether more of the log may be put to what waits."""
        return len(self._waiting) < ENOUGH_BYTES

    def feed(self, lines: Iterable[Line], now_s: float) -> None:
        """Take what it wants of these, as far as there is room. Raises OSError if it is gone."""
        for line in lines:
            if line.position <= self.position:
                continue
            if not self.has_room:
                self.push(now_s)
                if not self.has_room:
                    return
            self.position = line.position
            if self.wish.wants(line.about):
                self._put(line.event(values=self.ticket.values), line.position, now_s)
                self.sent += 1
        self.push(now_s)

    def greet(self, now_s: float) -> None:
        """A heartbeat, which also says how far the log was looked through. Raises OSError."""
        if not self.waits:
            passed = self.position if self.position > self._told else None
            self._put(sse.heartbeat(passed), self.position, now_s)
            self.push(now_s)

    def _put(self, text: bytes, told: int, now_s: float) -> None:
        if not self._waiting:
            self.moved_s = now_s
        self._waiting += text
        self._told = told
        self.spoke_s = now_s

    def push(self, now_s: float) -> None:
        """Give the line what it takes. Raises OSError if it is gone."""
        if not self._waiting:
            return
        with contextlib.suppress(BlockingIOError):
            taken = self.line.send(self._waiting)
            del self._waiting[:taken]
            self.moved_s = now_s

    def hear(self) -> bool:
        """Throw away what it says; False once it is gone, or will not stop talking."""
        try:
            heard = self.line.recv(16_384)
        except BlockingIOError:
            return True
        except OSError:
            return False
        self._heard_bytes += len(heard)
        return bool(heard) and self._heard_bytes <= MOST_HEARD_BYTES
