"""A webhook receiver on loopback that can behave badly in every way a test asks for."""

from __future__ import annotations

import json
import socket
import ssl
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Self

from standardwebhooks.webhooks import Webhook

Behaviour = Callable[[socket.socket], None]


@dataclass(frozen=True)
class Received:
    """One whole request."""

    path: str
    headers: Mapping[str, str]
    body: bytes
    at: float = field(default_factory=time.monotonic)

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]

    @property
    def json(self) -> dict:
        return json.loads(self.body)

    def verify(self, secret: str) -> dict:
        """By the public library; raises where the signature is not the secret's."""
        return Webhook(secret).verify(self.body, dict(self.headers))


class Receiver:
    """Answers as `plan` says for the next requests, then as `otherwise` does: 200."""

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        """With `tls` it speaks nothing else."""
        self.tls = tls
        self.keeps = False  # takes more than one request over a line
        self.lines = 0  # connections that were made
        self.received: list[Received] = []
        self.plan: list[Behaviour] = []
        self.otherwise: Callable[[], Behaviour] = lambda: answer(200)
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._server.getsockname()[1]

    @property
    def url(self) -> str:
        if self.tls is not None:
            return f"https://localhost:{self.port}/hook"
        return f"http://127.0.0.1:{self.port}/hook"

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()

    def end_lines(self) -> None:
        """End every line that is open, as a restart does."""
        with self._lock:
            for line in self._open:
                line.shutdown(socket.SHUT_RDWR)

    def _accept(self) -> None:
        while not self._stopped.is_set():
            try:
                line, _ = self._server.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(line,), daemon=True).start()

    def _serve(self, raw: socket.socket) -> None:
        self.lines += 1
        if self.tls is not None:
            try:
                raw = self.tls.wrap_socket(raw, server_side=True)
            except OSError:  # the caller does not trust us
                raw.close()
                return
        with self._lock:
            self._open.add(raw)
        with raw as line, suppress(OSError):
            while self._talk(line) and self.keeps:
                pass
        with self._lock:
            self._open.discard(raw)

    def _talk(self, line: socket.socket) -> bool:
        """One request and its answer; False at the end of the line."""
        request = _read(line)
        if request is None:
            return False
        with self._lock:
            self.received.append(request)
            behave = self.plan.pop(0) if self.plan else self.otherwise()
        behave(line)
        return True


def answer(status: int, **headers: str) -> Behaviour:
    """Answer `status`; header names with _ for -."""

    def behave(line: socket.socket) -> None:
        extra = "".join(f"{name.replace('_', '-')}: {text}\r\n" for name, text in headers.items())
        line.sendall(f"HTTP/1.1 {status} X\r\n{extra}content-length: 0\r\n\r\n".encode())

    return behave


def raw(text: bytes) -> Behaviour:
    """Answer with these very bytes."""

    def behave(line: socket.socket) -> None:
        line.sendall(text)

    return behave


def hang(line: socket.socket) -> None:
    """Say nothing until the caller gives up."""
    line.recv(1)


def drip(line: socket.socket) -> None:
    """A header a byte at a time, for ever."""
    line.sendall(b"HTTP/1.1 200 X\r\nx: ")
    while True:
        line.sendall(b"y")
        time.sleep(0.05)


def reset(line: socket.socket) -> None:
    """Break off without an answer, after the whole request was read."""
    line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")


def _read(line: socket.socket) -> Received | None:
    raw = b""
    while b"\r\n\r\n" not in raw:
        part = line.recv(65536)
        if not part:
            return None
        raw += part
    head, _, body = raw.partition(b"\r\n\r\n")
    first, *rest = head.decode("latin-1").split("\r\n")
    headers = {name.lower(): text.strip() for name, _, text in (h.partition(":") for h in rest)}
    while len(body) < int(headers.get("content-length", "0")):
        body += line.recv(65536)
    return Received(first.split(" ")[1], headers, body)
