"""One writer for many requests: concurrent transactions of this process share a commit on SQLite.

Who comes in: the API's threads, each with a function of a connection. Who goes out: to each its
own result or exception, after the commit. A commit waits for the disk once, however many share it.
"""

from __future__ import annotations

import os
import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, TypeVar

from sqlalchemy import Connection

from services.database import Database
from services.errors import Busy

Result = TypeVar("Result")
Work = Callable[[Connection], Any]

# More in one transaction would only make the others wait longer.
_MOST_TOGETHER = 64
_PATIENCE_S = 30.0
_SAVEPOINT = "vigil_shared"


class GroupCommit:
    """Runs functions of a connection; those that come at once share one transaction.

    Each has its savepoint: one that raises takes back its own work only. On PostgreSQL, which
    commits in groups by itself, every function simply gets its own transaction.
    """

    def __init__(self, db: Database) -> None:
        """Nothing runs yet; the writer starts with the first work, after any fork."""
        self._db = db
        self._waiting: queue.SimpleQueue[tuple[Work, Future[Any]]] = queue.SimpleQueue()
        self._starting = threading.Lock()
        self._owner = 0  # the process whose writer runs

    def transact(self, fn: Callable[[Connection], Result]) -> Result:
        """What `fn` returns, once it is committed; its exception, with nothing of it stored.

        `fn` may run again after a lock was lost, as with Database.transact. Raises Busy.
        """
        if self._db.dialect != "sqlite":
            return self._db.transact(fn)
        if self._owner != os.getpid():
            self._start()
        done: Future[Result] = Future()
        self._waiting.put((fn, done))
        try:
            return done.result(timeout=_PATIENCE_S)
        except TimeoutError:
            if not done.cancel():  # it is being written just now
                return done.result()
            raise Busy("the database is busy; send the same request again in a moment") from None

    def _start(self) -> None:
        """Start this process's writer, once."""
        with self._starting:
            if self._owner == os.getpid():
                return
            self._waiting = queue.SimpleQueue()
            threading.Thread(target=self._write, name="group-commit", daemon=True).start()
            self._owner = os.getpid()

    def _write(self) -> None:
        """The writer: take what waits, do it, commit, tell everybody."""
        while True:
            together = [self._waiting.get()]
            while len(together) < _MOST_TOGETHER and not self._waiting.empty():
                together.append(self._waiting.get())
            together = [one for one in together if one[1].set_running_or_notify_cancel()]
            if together:
                self._commit(together)

    def _commit(self, together: list[tuple[Work, Future[Any]]]) -> None:
        """One transaction for all; if it fails as a whole, all hear why."""
        try:
            outcomes = self._db.transact(lambda conn: [_one(conn, work) for work, _ in together])
        except BaseException as error:  # noqa: BLE001 - handed to those who wait for it
            outcomes = [(None, error)] * len(together)
        for (_, done), (result, failure) in zip(together, outcomes, strict=True):
            if failure is None:
                done.set_result(result)
            else:
                done.set_exception(failure)


def _one(conn: Connection, work: Work) -> tuple[Any, BaseException | None]:
    """One piece of work within the shared transaction: its result or its exception."""
    conn.exec_driver_sql(f"SAVEPOINT {_SAVEPOINT}")
    try:
        result = work(conn)
    except Exception as error:  # noqa: BLE001 - handed to the one whose work it is
        conn.exec_driver_sql(f"ROLLBACK TO {_SAVEPOINT}")
        return None, error
    finally:
        conn.exec_driver_sql(f"RELEASE {_SAVEPOINT}")
    return result, None
