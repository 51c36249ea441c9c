"""How an open socket goes from the API's process to the hub's, over a unix socket.

Who comes in: the view, with a socket and a ticket. Who goes out: the hub. Three messages, so that
exactly one of both answers the client: the ticket with the socket, "ready", "go". Until "go" the
API may still answer by itself, and a hub that hears no "go" forgets the socket untouched.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import socket
from pathlib import Path

from services.errors import Busy
from services.live.hub import Hub
from services.live.ticket import Ticket, decode

# Each step; a hub answers within milliseconds or is not there.
PATIENCE_S = 1.0
BACKLOG = 512
_READY, _FULL, _GO = b"ready", b"full:", b"go"
_MOST_BYTES = 128 * 1024


class Away(Exception):
    """No hub took it: the client is still ours to answer."""


def hand_over(path: Path, line: int, ticket: Ticket) -> None:
    """Give a client's descriptor to the hub behind `path`. Raises Away, or Busy if it is full."""
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as way:
            way.settimeout(PATIENCE_S)
            way.connect(str(path))
            socket.send_fds(way, [ticket.encode()], [line])
            answer = way.recv(1_024)
            if answer.startswith(_FULL):
                raise Busy(answer.removeprefix(_FULL).decode())
            if answer != _READY:
                raise Away
            way.sendall(_GO)
    except OSError as error:
        raise Away from error


class Doorway:
    """The hub's end: listens on a path, one short conversation for each client."""

    def __init__(self, path: Path) -> None:
        """Nothing listens before `open`."""
        self.path = path
        self._listener: socket.socket | None = None
        self._guests: set[_Guest] = set()

    def open(self, hub: Hub) -> None:
        """Listen. The path appears when there is somebody behind it, and replaces an older one."""
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._listener = listener
        draft = self.path.with_name(f"{self.path.name}.{os.getpid()}")
        listener.bind(str(draft))
        draft.chmod(0o600)
        listener.listen(BACKLOG)
        listener.setblocking(False)
        draft.replace(self.path)
        hub.selector.register(listener, selectors.EVENT_READ, lambda _: self._receive(hub))

    def close(self) -> None:
        """Let nobody else in; who was half in is still the API's to answer."""
        if self._listener is not None:
            self._listener.close()
        for guest in list(self._guests):
            guest.leave()

    def _receive(self, hub: Hub) -> None:
        assert self._listener is not None
        with contextlib.suppress(OSError):  # gone already, or no file left: it comes again
            way, _ = self._listener.accept()
            way.setblocking(False)
            self._guests.add(_Guest(way, hub, self._guests))


class _Guest:
    """One conversation: a ticket with a socket comes, a place is kept, "go" makes it a client."""

    def __init__(self, way: socket.socket, hub: Hub, guests: set[_Guest]) -> None:
        self.way = way
        self.hub = hub
        self.guests = guests
        self.line: socket.socket | None = None
        self.ticket: Ticket | None = None
        hub.selector.register(way, selectors.EVENT_READ, self._hear)

    def _hear(self, _mask: int) -> None:
        try:
            if self.ticket is None:
                self._take()
            else:
                self._go()
        except BlockingIOError:
            return
        except OSError:
            self.leave()

    def _take(self) -> None:
        """The first message."""
        raw, lines, flags, _ = socket.recv_fds(self.way, _MOST_BYTES, 1)
        if lines:
            self.line = socket.socket(fileno=lines[0])
        if self.line is None or flags & (socket.MSG_TRUNC | socket.MSG_CTRUNC):
            self.leave()
            return
        try:
            ticket = decode(raw)
            _ = ticket.wish  # a wish that cannot be read is no ticket
            self.hub.promise(ticket.caller.key_id)
        except Busy as error:
            self.way.send(_FULL + str(error).encode())
            self.leave()
        except ValueError:
            self.leave()
        else:
            self.ticket = ticket
            self.way.send(_READY)

    def _go(self) -> None:
        """The second message, or the end without one."""
        if self.way.recv(16) == _GO and self.line is not None and self.ticket is not None:
            line, ticket = self.line, self.ticket
            self.line = self.ticket = None
            self.hub.admit(line, ticket)
        self.leave()

    def leave(self) -> None:
        """The conversation is over; what was not taken is closed here, not at the client."""
        self.guests.discard(self)
        with contextlib.suppress(KeyError, ValueError):
            self.hub.selector.unregister(self.way)
        self.way.close()
        if self.line is not None:
            self.line.close()
        if self.ticket is not None:
            self.hub.forgo(self.ticket.caller.key_id)
        self.line = self.ticket = None
