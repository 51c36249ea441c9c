"""All open lines of a process, in one thread: it looks at the log, and passes on what is new.

Who comes in: the view of the same process (`admit`), or `handover` from another. Who goes out: the
store, which is only read, and the lines. A reader that is slow, gone or far behind delays nobody.
"""

from __future__ import annotations

import contextlib
import enum
import resource
import selectors
import socket
import threading
import time
from collections import Counter, deque
from collections.abc import Callable
from functools import partial
from typing import Protocol

from sqlalchemy.exc import SQLAlchemyError

from services import keys, logs
from services.accounts import sessions
from services.clock import now_us
from services.database import Database
from services.errors import Busy
from services.live.client import Client
from services.live.log import Log
from services.live.ticket import Ticket

MOST_LINES = 1_000
MOST_EACH = 50  # of one key or account

LOOK_S = 0.05
PAGE = 250
# So long at a time for those who are behind; then those at the end are looked after again.
BEHIND_S = 0.05
STORE_AWAY_S = 1.0
TEND_S = 1.0
# The contract says 15 at the latest.
HEARTBEAT_S = 8.0
STALLED_S = 30.0
ASK_S = 5.0
# Half of the open files that a process may have are for the lines; the store, the log and, in the
# API's process, its own connections have the rest.
FILES_EACH = 2
ENDED = "stream_clients_ended"

log = logs.get("live")


class End(enum.StrEnum):
    """Why a line ended."""

    GONE = "gone"  # its reader went
    STALLED = "stalled"  # its reader took nothing for a long time
    REVOKED = "revoked"  # its key or session is no longer good
    STOPPED = "stopped"  # we go


class Source(Protocol):
    """Who else wants to be told when a socket can be read."""

    def open(self, hub: Hub) -> None:
        """Register what is to be watched."""

    def close(self) -> None:
        """Close what was opened."""


class Hub:
    """The lines of one process; what other threads may call stands first."""

    def __init__(
        self, database: Database, admin_key: str | None, source: Source | None = None
    ) -> None:
        """Nothing runs before `run`; `admin_key` is VIGIL_ADMIN_KEY."""
        self.selector = selectors.DefaultSelector()
        self._database = database
        self._admin_key = admin_key
        self._log = Log(database)
        self._source = source
        self._clients: set[Client] = set()
        self._each: Counter[str] = Counter()  # lines of a caller, arrivals and promises too
        self._arrivals: deque[tuple[socket.socket, Ticket]] = deque()
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._bell, self._wake = socket.socketpair()
        for end in (self._bell, self._wake):
            end.setblocking(False)
        self._look_s = self._tend_s = self._ask_s = 0.0
        self._opened = self._sent = 0
        self._most = _allowed_files(FILES_EACH * MOST_LINES) // FILES_EACH
        self._ended: Counter[End] = Counter()
        self._away = False

    # ------------------------------------------------------------------ for other threads

    def promise(self, who: str) -> None:
        """Keep a place for a caller. Raises Busy if there is none; give it up with `forgo`."""
        with self._lock:
            if self._stop.is_set() or self._each.total() >= min(MOST_LINES, self._most):
                raise Busy("There are as many streams as this process holds; try again soon.")
            if self._each[who] >= MOST_EACH:
                raise Busy("This key has as many streams open as one key may have.")
            self._each[who] += 1

    def forgo(self, who: str) -> None:
        """Give a place up."""
        with self._lock:
            self._each[who] -= 1
            if not self._each[who]:
                del self._each[who]

    def admit(self, line: socket.socket, ticket: Ticket) -> None:
        """Take a line for which a place was promised; it is ours from now on."""
        self._arrivals.append((line, ticket))
        self.ring()

    def stop(self) -> None:
        """End every line, and `run`."""
        self._stop.set()
        self.ring()

    def ring(self) -> None:
        """Wake the thread; a full bell is a bell that rings already."""
        with contextlib.suppress(BlockingIOError, OSError):
            self._wake.send(b"\0")

    def clients(self) -> int:
        """How many lines are open."""
        return len(self._clients)

    def counters(self) -> dict[str, float]:
        """What the heartbeat counts; these only grow."""
        ended = {f"{ENDED}|{why}": count for why, count in list(self._ended.items())}
        return {"stream_clients_opened": self._opened, "stream_events_sent": self._sent, **ended}

    # ------------------------------------------------------------------ the thread

    def run(self) -> None:
        """Serve until `stop`; whatever ends it, no line stays open without anybody behind it."""
        self.selector.register(self._bell, selectors.EVENT_READ, self._answer_bell)
        try:
            if self._source is not None:
                self._source.open(self)
            while not self._stop.is_set():
                self._turn()
        finally:
            self._stop.set()
            self._close()

    def _turn(self) -> None:
        for key, ready in self.selector.select(self._patience()):
            handle: Callable[[int], None] = key.data
            handle(ready)
        while self._arrivals:
            self._welcome(*self._arrivals.popleft())
        if not self._clients:
            return
        now_s = time.monotonic()
        if now_s >= self._look_s:
            self._look_s = now_s + LOOK_S
            self._with_store(self._look)
        if now_s >= self._tend_s:
            self._tend_s = now_s + TEND_S
            self._tend(now_s)
        if now_s >= self._ask_s:
            self._ask_s = now_s + ASK_S
            self._with_store(self._ask)

    def _patience(self) -> float | None:
        """Until when nothing is to be done; None: until somebody comes."""
        if self._arrivals:
            return 0.0
        if not self._clients:
            return None
        due_s = min(self._look_s, self._tend_s, self._ask_s)
        return max(0.0, due_s - time.monotonic())

    def _answer_bell(self, _ready: int) -> None:
        with contextlib.suppress(BlockingIOError):
            self._bell.recv(4_096)

    def _with_store(self, ask: Callable[[], None]) -> None:
        """Ask the store; while it is away the lines stay open, and nothing is passed over."""
        try:
            ask()
        except (SQLAlchemyError, Busy) as error:
            self._look_s = time.monotonic() + STORE_AWAY_S
            if not self._away:
                log.warning("store_unavailable", exc_info=error)
            self._away = True
        else:
            self._away = False

    # ------------------------------------------------------------------ lines

    def _welcome(self, line: socket.socket, ticket: Ticket) -> None:
        client = Client(line, ticket, time.monotonic())
        self._clients.add(client)
        self._opened += 1
        self.selector.register(line, selectors.EVENT_READ, lambda mask: self._ready(client, mask))
        log.info("stream_opened", by=ticket.caller.key_id, role=ticket.caller.role)
        self._attempt(client, client.push)
        self._look_s = 0.0

    def _ready(self, client: Client, mask: int) -> None:
        """Its reader took something, said something or went."""
        if mask & selectors.EVENT_READ and not client.hear():
            self._end(client, End.GONE)
        elif mask & selectors.EVENT_WRITE:
            self._attempt(client, client.push)
            if client.has_room:
                self._look_s = 0.0

    def _attempt(self, client: Client, say: Callable[[float], None]) -> None:
        """Let a client say something; watch for room where it could not say all."""
        try:
            say(time.monotonic())
        except OSError:
            self._end(client, End.GONE)
            return
        wanted = selectors.EVENT_READ | (selectors.EVENT_WRITE if client.waits else 0)
        key = self.selector.get_key(client.line)
        if key.events != wanted:
            self.selector.modify(client.line, wanted, key.data)

    def _end(self, client: Client, why: End) -> None:
        """Close a line; a second end is none."""
        if client not in self._clients:
            return
        self._clients.remove(client)
        self.selector.unregister(client.line)
        client.line.close()
        caller = client.ticket.caller
        self.forgo(caller.key_id)
        self._ended[why] += 1
        took_s = round(time.monotonic() - client.since_s, 1)
        log.info("stream_ended", by=caller.key_id, why=why, sent=client.sent, took_s=took_s)

    # ------------------------------------------------------------------ the log

    def _look(self) -> None:
        """A page for those at the end of what we know; then pages for those behind.

        Those furthest behind come first and take the others along: a thousand clients that come
        back together read the log once, not a thousand times.
        """
        hungry = [client for client in self._clients if client.has_room]
        if not hungry:
            return
        top = max(client.position for client in hungry)
        more = self._page(top, hungry) == PAGE
        until_s = time.monotonic() + BEHIND_S
        while behind := [one for one in hungry if one.position < top and self._may_have(one)]:
            if time.monotonic() > until_s:
                more = True
                break
            if not self._page(min(one.position for one in behind), behind):
                break
        if more:
            self._look_s = 0.0

    def _may_have(self, client: Client) -> bool:
        return client in self._clients and client.has_room

    def _page(self, start: int, readers: list[Client]) -> int:
        """Read one page from `start` to those whom it reaches; how many changes it held."""
        lines = self._log.after(start, PAGE)
        for client in readers:
            if lines and start <= client.position < lines[-1].position:
                before = client.sent
                self._attempt(client, partial(client.feed, lines))
                self._sent += client.sent - before
        return len(lines)

    # ------------------------------------------------------------------ now and then

    def _tend(self, now_s: float) -> None:
        """Cut who takes nothing, greet who heard nothing."""
        for client in list(self._clients):
            if client.waits and now_s - client.moved_s > STALLED_S:
                self._end(client, End.STALLED)
            elif now_s - client.spoke_s >= HEARTBEAT_S:
                self._attempt(client, client.greet)

    def _ask(self) -> None:
        """Cut whose key or session is no longer good, or no longer for the same."""
        tickets = [client.ticket for client in self._clients]
        callers = {ticket.caller for ticket in tickets if ticket.session is None}
        ids = {ticket.session for ticket in tickets if ticket.session is not None}
        with self._database.reading() as conn:
            good = keys.standing(conn, callers)
            signed_in = sessions.standing(conn, ids, self._admin_key, now_us())
        for client in list(self._clients):
            who, session = client.ticket.caller, client.ticket.session
            if who not in good if session is None else signed_in.get(session) != who:
                self._end(client, End.REVOKED)

    def _close(self) -> None:
        if self._source is not None:
            self._source.close()
        for client in list(self._clients):
            self._end(client, End.STOPPED)
        while self._arrivals:
            line, _ = self._arrivals.popleft()
            line.close()
        self.selector.close()
        self._bell.close()
        self._wake.close()


def _allowed_files(wanted: int) -> int:
    """How many files this process may have open: as many as are wanted, if it may say so."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return wanted if soft == resource.RLIM_INFINITY else soft
