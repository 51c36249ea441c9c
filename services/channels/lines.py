"""Lines to receivers: connections to judged addresses, kept for a moment for the next request.

Who comes in: the webhook channel. Who goes out: the network. A name is looked up and all its
addresses are judged whenever a line is opened; a kept line goes to an address that was judged, and
lives no longer than a minute, so that a name that moves is followed.
"""

from __future__ import annotations

import http.client
import socket
import ssl
import threading
import time
from collections import defaultdict
from dataclasses import dataclass

from urllib3.util.wait import wait_for_read

from services.channels.address import Place, Reach, resolve
from services.channels.deadline import CONNECT_S, Deadline

# Servers end an idle line after 5 s or more; who is quicker than they meets no dead line.
IDLE_S = 4.0
LONGEST_S = 60.0
PER_PLACE, MOST = 16, 128
# Of the addresses of a name, so many are tried.
_ADDRESSES = 4


class UnreachableError(OSError):
    """No address of the name takes a connection."""


class _Answer(http.client.HTTPResponse):
    """An answer; what comes before it (102, 103) is none, and http.client passes over 100 alone.

    Taken for one it would leave the true answer on the line, for the next request to find.
    """

    def _read_status(self) -> tuple[str, int, str]:
        while True:
            version, status, reason = super()._read_status()  # type: ignore[misc]
            if not http.HTTPStatus.SWITCHING_PROTOCOLS < status < http.HTTPStatus.OK:
                return version, status, reason
            http.client.parse_headers(self.fp)


class Line(http.client.HTTPConnection):
    """A connection to a judged address; over TLS the certificate must be the name's."""

    response_class = _Answer
    sock: socket.socket

    def __init__(self, place: Place, line: socket.socket) -> None:
        """`line` is connected."""
        super().__init__(place.host, place.port)
        self.auto_open = 0  # never on its own, for it would ask for the name's address again
        self.place = place
        self.sock = line
        self.opened_s = self.used_s = time.monotonic()

    def stale(self, now_s: float) -> bool:
        """Whether it is too old, or its receiver has ended it: then it is readable."""
        return (
            now_s - self.used_s > IDLE_S
            or now_s - self.opened_s > LONGEST_S
            or wait_for_read(self.sock, timeout=0.0)
        )


@dataclass(frozen=True, slots=True)
class _Opener:
    """Opens new lines."""

    reach: Reach
    tls: ssl.SSLContext

    def open(self, place: Place, deadline: Deadline) -> Line:
        raw = _connected(resolve(place, self.reach), place.port, deadline)
        try:
            raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return Line(place, raw if place.scheme == "http" else self._over(raw, place, deadline))
        except BaseException:
            raw.close()
            raise

    def _over(self, raw: socket.socket, place: Place, deadline: Deadline) -> ssl.SSLSocket:
        """TLS over `raw`, which is the new socket's from now on."""
        line = self.tls.wrap_socket(raw, server_hostname=place.host, do_handshake_on_connect=False)
        try:
            deadline.watch(line)
            line.do_handshake()
        except BaseException:
            deadline.leave()
            line.close()
            raise
        return line


def _connected(addresses: list[str], port: int, deadline: Deadline) -> socket.socket:
    """A connection to the first of `addresses` that takes one."""
    failed: OSError | None = None
    for address in addresses[:_ADDRESSES]:
        try:
            return socket.create_connection((address, port), min(CONNECT_S, deadline.left_s()))
        except OSError as error:
            failed = error
    if isinstance(failed, TimeoutError):
        raise failed
    raise UnreachableError from failed


class Lines:
    """The lines of one channel, kept by place, the latest first."""

    def __init__(self, reach: Reach, tls: ssl.SSLContext) -> None:
        """`reach` says which addresses are allowed."""
        self._opener = _Opener(reach, tls)
        self._lock = threading.Lock()
        self._kept: dict[tuple[str, str, int], list[Line]] = defaultdict(list)
        self._count = 0
        self._swept_s = time.monotonic()

    def __del__(self) -> None:
        """Whoever drops the channel drops its lines."""
        for kept in self._kept.values():
            for line in kept:
                line.close()

    def open(self, place: Place, deadline: Deadline) -> Line:
        """A new line. Raises AddressError, UnreachableError, and what sockets raise."""
        return self._opener.open(place, deadline)

    def take(self, place: Place) -> Line | None:
        """A kept line that seems to live."""
        now_s = time.monotonic()
        while True:
            with self._lock:
                kept = self._kept.get(_key(place))
                if not kept:
                    return None
                line = kept.pop()
                self._count -= 1
            if not line.stale(now_s):
                return line
            line.close()

    def keep(self, line: Line) -> None:
        """For the next request to the same place, if there is room."""
        line.used_s = time.monotonic()
        with self._lock:
            old = self._old(line.used_s)
            kept = self._kept[_key(line.place)]
            if self._count < MOST and len(kept) < PER_PLACE:
                kept.append(line)
                self._count += 1
            else:
                old.append(line)
        for each in old:
            each.close()

    def _old(self, now_s: float) -> list[Line]:
        """Now and then: the lines that nobody took again."""
        if now_s - self._swept_s < IDLE_S:
            return []
        self._swept_s = now_s
        old = [line for kept in self._kept.values() for line in kept if line.stale(now_s)]
        gone = set(old)
        for key, kept in list(self._kept.items()):
            self._kept[key] = [line for line in kept if line not in gone]
            if not self._kept[key]:
                del self._kept[key]
        self._count -= len(old)
        return old


def _key(place: Place) -> tuple[str, str, int]:
    return place.scheme, place.host, place.port
