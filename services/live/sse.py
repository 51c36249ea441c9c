"""Server-Sent Events as bytes: the response's head, events, heartbeats.

Who comes in: the hub, the view that answers without one. Who goes out: nobody. A block of `id:`
without data makes no event, but a browser remembers the id: who is cut before the first event, or
long after the last, still goes on where it was.
"""

from __future__ import annotations

from collections.abc import Mapping

MEDIA_TYPE = "text/event-stream"
# After so long a browser comes back by itself.
RETRY_MS = 2_000
HEADERS: Mapping[str, str] = {
    "Content-Type": MEDIA_TYPE,
    "Cache-Control": "no-store",
    # A reverse proxy passes each piece on as it comes.
    "X-Accel-Buffering": "no",
    "X-Content-Type-Options": "nosniff",
    "Connection": "close",
}


def head(more: Mapping[str, str]) -> bytes:
    """The head of the response; its body ends with the connection."""
    lines = [f"{name}: {text}\r\n" for name, text in {**HEADERS, **more}.items()]
    return f"HTTP/1.1 200 OK\r\n{''.join(lines)}\r\n".encode("ascii")


def hello(position: int) -> bytes:
    """The first words: they come at once, so that everybody on the way sees the line is open."""
    return f": hello\nretry: {RETRY_MS}\nid: {position}\n\n".encode("ascii")


def event(position: int, kind: str, data: bytes) -> bytes:
    """One change of an alert; `data` is JSON in one line."""
    return b"id: %d\nevent: alert.%s\ndata: %s\n\n" % (position, kind.encode(), data)


def heartbeat(position: int | None) -> bytes:
    """A comment; with a position also how far the log was looked through for this client."""
    return b": heartbeat\n\n" if position is None else b": heartbeat\nid: %d\n\n" % position
