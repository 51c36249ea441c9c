"""One transaction for many requests: those that come at once are stored together.

Who comes in: the API's threads, each with a parcel. Who goes out: to each its own result or
exception, after the commit. A commit waits for the disk once, and its statements run once, however
many share it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from threading import Lock
from typing import Generic, TypeVar

from sqlalchemy import Connection

from services.database import Database, is_unreachable
from services.errors import Busy

Parcel = TypeVar("Parcel")
Result = TypeVar("Result")

# More in one transaction would only make the others wait longer.
_MOST_TOGETHER = 64
_PATIENCE_S = 30.0
# Transactions at a time: SQLite has one writer; on PostgreSQL one group waits for the disk while
# the next is at it.
_LANES = {"sqlite": 1, "postgresql": 2}


class GroupCommit(Generic[Parcel, Result]):
    """Stores parcels; whoever finds a free lane stores its own with all that wait.

    There is no thread for it: who comes alone hands nothing over. At its end the leader makes the
    first of those who came meanwhile the next one.
    """

    def __init__(
        self, db: Database, store: Callable[[Connection, Sequence[Parcel]], Sequence[Result]]
    ) -> None:
        """`store` gives each parcel its result, in their order; it may run again (see put)."""
        self._db, self._store = db, store
        self._waiting: deque[_Ticket[Parcel, Result]] = deque()
        self._free = _LANES[db.dialect]
        self._lock = Lock()

    def put(self, parcel: Parcel) -> Result:
        """What `store` made of it, once that is committed; its exception, with nothing stored.

        It may be stored again after a lock was lost, or alone after it failed among others, for
        nobody shall suffer for another's parcel. Raises Busy.
        """
        mine = _Ticket[Parcel, Result](parcel)
        if not self._leads(mine):
            self._wait(mine)
        if not mine.settled:
            self._lead(mine)
        if mine.error is not None:
            raise mine.error
        assert mine.result is not None
        return mine.result

    def _leads(self, mine: _Ticket[Parcel, Result]) -> bool:
        """Take a free lane, or stand in line."""
        with self._lock:
            if self._free:
                self._free -= 1
                return True
            self._waiting.append(mine)
            return False

    def _wait(self, mine: _Ticket[Parcel, Result]) -> None:
        """Until it is settled, or ours to lead. Raises Busy if it is neither in time."""
        if mine.called.acquire(timeout=_PATIENCE_S):
            return
        with self._lock:
            if mine in self._waiting:
                self._waiting.remove(mine)
                raise Busy("the database is busy; send the same request again in a moment")
        mine.called.acquire()  # it is being written just now

    def _lead(self, mine: _Ticket[Parcel, Result]) -> None:
        """Store what waits, then leave the lane to the next."""
        with self._lock:
            others = min(len(self._waiting), _MOST_TOGETHER - 1)
            together = [mine, *(self._waiting.popleft() for _ in range(others))]
        try:
            self._commit(together)
        finally:
            for ticket in together[1:]:
                ticket.called.release()
            with self._lock:
                if self._waiting:
                    self._waiting.popleft().called.release()
                else:
                    self._free += 1

    def _commit(self, together: Sequence[_Ticket[Parcel, Result]]) -> None:
        """One transaction for all; if it fails, one for each, unless it is the database's fault."""
        parcels = [ticket.parcel for ticket in together]
        try:
            results = self._db.transact(lambda conn: self._store(conn, parcels))
        except BaseException as error:  # noqa: BLE001 - handed to those who wait for it
            if len(together) > 1 and not (isinstance(error, Busy) or is_unreachable(error)):
                for ticket in together:
                    self._commit([ticket])
                return
            for ticket in together:
                ticket.settled, ticket.error = True, error
        else:
            for ticket, result in zip(together, results, strict=True):
                ticket.settled, ticket.result = True, result


class _Ticket(Generic[Parcel, Result]):
    """One parcel's place in line."""

    __slots__ = ("called", "error", "parcel", "result", "settled")

    def __init__(self, parcel: Parcel) -> None:
        self.parcel = parcel
        self.settled = False
        self.result: Result | None = None
        self.error: BaseException | None = None
        self.called = Lock()  # free once it is settled, or its turn to lead
        self.called.acquire()
