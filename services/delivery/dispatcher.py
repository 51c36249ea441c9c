"""The crew of a deliver process: a dispatcher that takes turns, and threads that send.

Who comes in: the doorbell, and attempts that ended. Who goes out: claims to the senders. Only the
dispatcher writes; a sender makes one call at a time and knows no store. What is due although nobody
rang is found by looking now and then; an idle process has one thread that looks.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable

from sqlalchemy import Connection

from services import clock, logs
from services.channels import Channels
from services.database import Database, is_unreachable
from services.delivery.sending import send
from services.delivery.sharing import MOST
from services.delivery.turn import Done, Taken, look, record, take_on
from services.errors import Busy
from services.repositories import deliveries
from services.repositories.deliveries import Claim

# How often to look for what nobody rang for, and for what found no room.
POLL_S = 1.0
_AGAIN_S = 0.1
# How long a result waits for company, so that one commit serves several: little while more waits
# to be sent, longer when nobody is kept waiting by it.
_LINGER_BUSY_S = 0.002
_LINGER_S = 0.02
_LINE_UP_S = 10.0
# A turn under way takes milliseconds; who stops waits so long for it, not to leave it half done.
_LAST_TURN_S = 2.0

log = logs.get(__name__)


class Crew:
    """Delivers until stopped."""

    def __init__(
        self,
        db: Database,
        channels: Channels,
        *,
        poll_s: float = POLL_S,
        now_us: Callable[[], int] = clock.now_us,
    ) -> None:
        """Threads start with `start`."""
        self._db = db
        self._channels = channels
        self._poll_s = poll_s
        self._now_us = now_us
        self._inbox: queue.SimpleQueue[Done | None] = queue.SimpleQueue()  # None: somebody rang
        self._outbox: queue.SimpleQueue[Claim | None] = queue.SimpleQueue()
        self._held: dict[tuple[str, int], str] = {}  # attempts that senders have: their deliveries
        self._done: list[Done] = []  # attempts that ended and are not written yet
        self._served: dict[str, int] = {}  # in which turn a subscription last had a share
        self._turns = 0
        self._more = True
        self._lined_up = 0.0
        self._stopping = self._leaving = False
        self._senders: list[threading.Thread] = []
        self._dispatcher = threading.Thread(target=self._dispatch, name="deliver", daemon=True)

    def start(self) -> None:
        """Begin; what is due already is found at once."""
        self._dispatcher.start()

    def wake(self) -> None:
        """Something may be due."""
        self._inbox.put(None)

    def stop(self, timeout_s: float) -> None:
        """End after the attempts under way, or leave them to their leases after `timeout_s`."""
        self._stopping = True
        self._inbox.put(None)
        self._dispatcher.join(timeout_s)
        self._leaving = True
        self._inbox.put(None)
        self._dispatcher.join(_LAST_TURN_S)
        for _ in self._senders:
            self._outbox.put(None)

    def _dispatch(self) -> None:
        while not (self._stopping and not self._held and not self._done):
            rang = self._gather()
            if self._leaving:
                return
            try:
                self._line_up()
                self._turn(rang)
            except Exception as error:
                # Whatever it is, a thread that ended here would be missed by nobody.
                log.exception("deliver_failed")
                if not (isinstance(error, Busy) or is_unreachable(error)):
                    self._write_alone()
                time.sleep(self._poll_s)

    def _gather(self) -> bool:
        """Wait for something to do, take what ended; whether somebody rang."""
        rang = False
        wait_s = _AGAIN_S if self._more or self._done else self._poll_s
        linger_s = _LINGER_BUSY_S if self._more else _LINGER_S
        until: float | None = None
        while True:
            try:
                message = self._inbox.get(timeout=max(wait_s, 0.0))
            except queue.Empty:
                return rang
            if message is None:
                rang = True
            else:
                self._held.pop((message.claim.delivery, message.claim.number), None)
                self._done.append(message)
            until = until or time.monotonic() + linger_s
            wait_s = 0.0 if rang else until - time.monotonic()

    def _turn(self, rang: bool) -> None:
        """Write what ended and take on what is due; with nothing to write, ask before writing."""
        now_us = self._now_us()
        if not (self._done or rang) and not self._finds_something(now_us):
            return
        taken = self._db.transact(lambda conn: self._write(conn, now_us))
        self._done = []
        self._more = taken.more
        self._turns += 1
        for claim in taken.claims:
            self._served[claim.subscription] = self._turns
            self._hand(claim)

    def _write(self, conn: Connection, now_us: int) -> Taken:
        record(conn, self._done, now_us)
        if self._stopping:
            return Taken([], more=False)
        return take_on(conn, self._held.values(), self._served, now_us)

    def _finds_something(self, now_us: int) -> bool:
        if self._stopping:
            return False
        with self._db.reading() as conn:
            plan = look(conn, self._held.values(), self._served, now_us)
        self._more = bool(plan.wanting)
        return bool(plan.shares)

    def _hand(self, claim: Claim) -> None:
        """To a sender: there are as many as attempts ever were under way, at most MOST."""
        self._held[claim.delivery, claim.number] = claim.delivery
        if len(self._senders) < min(len(self._held), MOST):
            name = f"send-{len(self._senders)}"
            self._senders.append(threading.Thread(target=self._send, name=name, daemon=True))
            self._senders[-1].start()
        self._outbox.put(claim)

    def _send(self) -> None:
        while (claim := self._outbox.get()) is not None:
            self._inbox.put(Done(claim, send(self._channels, claim, self._now_us())))

    def _write_alone(self) -> None:
        """One that cannot be written must not keep the others; its lease brings it back."""
        for one in self._done:
            try:
                with self._db.writing() as conn:
                    record(conn, [one], self._now_us())
            except Exception:
                log.exception("result_lost", delivery=one.claim.delivery)
        self._done = []

    def _line_up(self) -> None:
        """Now and then; see deliveries.line_up."""
        if time.monotonic() < self._lined_up:
            return
        self._lined_up = time.monotonic() + _LINE_UP_S
        now_us = self._now_us()
        with self._db.reading() as conn:
            if not deliveries.out_of_line(conn, now_us):
                return
        self._db.transact(lambda conn: deliveries.line_up(conn, now_us))


def deliver(db: Database, channels: Channels, now_us: Callable[[], int] = clock.now_us) -> int:
    """Send what is due, one after the other, in this thread; how many attempts that were."""
    made = 0
    done: list[Done] = []
    while True:
        at_us = now_us()

        def write(conn: Connection, done: list[Done] = done, at_us: int = at_us) -> Taken:
            record(conn, done, at_us)
            return take_on(conn, (), {}, at_us, most=1)

        taken = db.transact(write)
        if not taken.claims:
            return made
        done = [Done(claim, send(channels, claim, now_us())) for claim in taken.claims]
        made += len(done)
