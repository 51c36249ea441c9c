"""Watchers of the live stream: a browser's reading of the bytes, on a socket of our own."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
import time
from dataclasses import dataclass, field
from typing import Any, Self
from urllib.parse import urlsplit

from tests.support.processes import wait_until

RETRY_S = 0.2


@dataclass(frozen=True)
class Told:
    """One event as a browser dispatches it."""

    id: str
    kind: str
    data: str
    at_s: float = 0.0

    @property
    def position(self) -> int:
        return int(self.id)

    @property
    def alert(self) -> dict[str, Any]:
        return json.loads(self.data)


@dataclass
class Parser:
    """Interprets a stream as the HTML standard says (9.2.6), and keeps what it dispatched."""

    last_id: str = ""
    retry_ms: int | None = None
    comments: list[str] = field(default_factory=list)
    told: list[Told] = field(default_factory=list)
    _rest: bytes = b""
    _id: str = ""
    _kind: str = ""
    _data: str = ""

    def feed(self, raw: bytes) -> None:
        *lines, self._rest = (self._rest + raw).split(b"\n")
        for line in lines:
            self._line(line.decode())

    def _line(self, line: str) -> None:
        assert "\r" not in line
        name, colon, value = line.partition(":")
        value = value.removeprefix(" ")
        if not line:
            self._dispatch()
        elif colon and not name:
            self.comments.append(value)
        elif name == "event":
            self._kind = value
        elif name == "data":
            self._data += value + "\n"
        elif name == "id":
            self._id = value
        elif name == "retry" and value.isdigit():
            self.retry_ms = int(value)
        else:
            raise AssertionError(f"a field that nobody knows: {name}")

    def _dispatch(self) -> None:
        if self._data:
            data, kind = self._data.removesuffix("\n"), self._kind or "message"
            self.told.append(Told(self._id, kind, data, time.monotonic()))
        self.last_id = self._id  # last: whoever reads it finds all up to it in `told`
        self._data = self._kind = ""


class Watcher:
    """One open stream, read by a thread of its own; it keeps what it was told."""

    def __init__(self, url: str, key: str | None, query: str = "", last: str | None = None) -> None:
        """Opens at once; `url` is the service's."""
        where = urlsplit(url)
        self.parser = Parser(last_id=last or "")
        self.head = ""
        self.body = b""
        self.over = threading.Event()
        self.line = socket.create_connection((where.hostname or "", where.port or 80), 60)
        self.line.sendall(request(key, query, last).encode())
        threading.Thread(target=self._read, daemon=True).start()

    def __enter__(self) -> Self:
        return self.opened()

    def __exit__(self, *_: object) -> None:
        self.close()

    def opened(self) -> Self:
        """When the first comment has come."""
        wait_until(lambda: bool(self.parser.comments) or self.over.is_set(), 10, "the first words")
        assert self.parser.comments, self.head
        return self

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self.line.shutdown(socket.SHUT_RDWR)
        self.line.close()

    def _read(self) -> None:
        raw = b""
        with contextlib.suppress(OSError):
            while piece := self.line.recv(65_536):
                raw += piece
                if not self.head and b"\r\n\r\n" in raw:
                    head, _, raw = raw.partition(b"\r\n\r\n")
                    self.head = head.decode()
                if self.head:
                    self.body += raw
                    if self.status == 200:
                        self.parser.feed(raw)
                    raw = b""
        self.over.set()

    @property
    def status(self) -> int:
        return int(self.head.split()[1])

    @property
    def headers(self) -> dict[str, str]:
        pairs = (line.partition(": ") for line in self.head.splitlines()[1:])
        return {name.lower(): value for name, _, value in pairs}

    @property
    def told(self) -> list[Told]:
        return self.parser.told

    @property
    def positions(self) -> list[int]:
        return [told.position for told in list(self.told)]

    def reaches(self, position: int) -> Self:
        """When it was told of that position."""
        wait_until(lambda: position in self.positions, 30, f"position {position}")
        return self


class Loyal:
    """Comes back after each end with the last id it knows, as EventSource does; until `leave`."""

    def __init__(self, url: str, key: str, query: str = "") -> None:
        self.url, self.key, self.query = url, key, query
        self.told: list[Told] = []
        self.opened = 0
        self._last: str | None = None
        self._away = threading.Event()
        self._over = threading.Event()
        self._watcher: Watcher | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        wait_until(lambda: self._last is not None, 10, "a position to go on from")
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self.leave()
        self._thread.join(60)

    def leave(self) -> None:
        """Go away, without a word."""
        self._away.set()
        if self._watcher is not None:
            self._watcher.close()

    def come_back(self) -> None:
        self._away.clear()

    @property
    def positions(self) -> list[int]:
        return [told.position for told in list(self.told)]

    def _run(self) -> None:
        while not self._over.wait(RETRY_S):
            if self._away.is_set():
                continue
            try:
                self._watcher = Watcher(self.url, self.key, self.query, self._last)
            except OSError:
                continue  # the API is away
            self._watch(self._watcher)

    def _watch(self, watcher: Watcher) -> None:
        """Take what comes until the line ends."""
        seen = 0
        over = False
        while not over:
            over = watcher.over.wait(0.02) or self._away.is_set()
            last = watcher.parser.last_id
            new = watcher.parser.told[seen:]
            seen += len(new)
            self.told += new
            # What came between the two lines above comes once more, if the line ends now.
            self._last = (new[-1].id if new else last) or self._last
        self.opened += bool(watcher.parser.comments)
        watcher.close()


def request(key: str | None, query: str = "", last: str | None = None, method: str = "GET") -> str:
    """The request for a stream."""
    lines = [f"{method} /v1/alerts/stream{query} HTTP/1.1", "Host: localhost"]
    if key:
        lines.append(f"Authorization: Bearer {key}")
    if last is not None:
        lines.append(f"Last-Event-ID: {last}")
    return "\r\n".join([*lines, "", ""])
