"""The store's engine: how transactions begin, end and are tried again, on SQLite and PostgreSQL.

Who comes in: repositories' callers (`writing`, `reading`, `retrying`) and bootstrap. Who goes out:
SQLAlchemy, Alembic. A `Database` holds connections: make it after a fork, never before.
"""

from __future__ import annotations

import random
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from importlib import resources
from typing import Any, TypeVar

import sqlalchemy
from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError, IntegrityError, OperationalError
from sqlalchemy.pool import ConnectionPoolEntry

from services import errors

Result = TypeVar("Result")

_SQLITE = "sqlite"
_POSTGRESQL = "postgresql"
# How long SQLite's own waiting for the one writer may last before `retrying` sees "locked".
_BUSY_TIMEOUT_MS = 5_000
# How long a process waits before it asks again for the writer's place on SQLite, at random.
_LOOK_AGAIN_S = (0.0003, 0.0015)
# PostgreSQL: wait so long for a lock, give up a transaction that its owner forgot after so long.
_POSTGRESQL_OPTIONS = (
    "-c synchronous_commit=on -c timezone=UTC -c lock_timeout=10s "
    "-c idle_in_transaction_session_timeout=60s"
)
# serialization_failure, deadlock_detected, lock_not_available, and the server going or coming.
_TRANSIENT_STATES = frozenset({"40001", "40P01", "55P03", "57P01", "57P02", "57P03"})
TRIES = 8
_FIRST_PAUSE_S = 0.01
# One advisory lock for all migrators of a database: "vigil" in ASCII.
_MIGRATION_LOCK = 0x766967696C


class Schema(StrEnum):
    """How the tables that stand compare with this code's."""

    CURRENT = "current"
    BEHIND = "behind"  # nothing works before `vigil prepare`
    NEWER = "newer"  # a newer version was prepared; migrations add, so this code goes on


class Database:
    """One store; `dialect` is 'sqlite' or 'postgresql'."""

    def __init__(self, url: str) -> None:
        """Nothing connects yet. Raises ConfigError for a URL of another kind of store."""
        parsed = make_url(url)
        if parsed.drivername == _SQLITE:
            self.engine: Engine = _sqlite_engine(url)
        elif parsed.drivername == "postgresql+psycopg":
            self.engine = _postgresql_engine(url)
        else:
            raise errors.ConfigError(
                "VIGIL_DATABASE_URL: expected sqlite:///FILE or postgresql+psycopg://..., "
                f"not {parsed.drivername}"
            )
        self.dialect: str = self.engine.dialect.name
        self._turn = threading.Lock()

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """One transaction that may write: committed at the end, rolled back by an exception.

        On SQLite it takes the one writer's place at once (BEGIN IMMEDIATE): a transaction that
        began by reading and then writes fails with "database is locked" whatever the timeout.
        """
        with self._in_turn(), self.engine.connect() as connection:
            connection.execution_options(vigil_writes=True)
            with connection.begin():
                yield connection

    @contextmanager
    def _in_turn(self) -> Iterator[None]:
        """On SQLite one thread of a process at a time asks for the one writer's place."""
        if self.dialect == _POSTGRESQL:
            yield
            return
        if not self._turn.acquire(timeout=_BUSY_TIMEOUT_MS / 1000):
            raise errors.Busy("other threads keep the database; send the same request again soon")
        try:
            yield
        finally:
            self._turn.release()

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """One snapshot: every query in it sees the same committed state; it cannot write."""
        with self.engine.connect() as connection:
            if self.dialect == _POSTGRESQL:
                connection.execution_options(
                    isolation_level="REPEATABLE READ", postgresql_readonly=True
                )
            connection.begin()
            yield connection

    def transact(self, fn: Callable[[Connection], Result]) -> Result:
        """What `fn` returns, in a writing transaction that is tried again as `retrying` does."""

        def once() -> Result:
            with self.writing() as connection:
                return fn(connection)

        return retrying(once)

    def dispose(self) -> None:
        """Close all connections; the object may be used again."""
        self.engine.dispose()


def retrying(fn: Callable[[], Result], *, tries: int = TRIES) -> Result:
    """What `fn` returns, tried again on deadlock, serialization failure, lock or lost connection.

    `fn` must be a whole transaction that may run twice: a connection lost during the commit leaves
    open whether it happened. Raises errors.Busy when it never got through.
    """
    for attempt in range(tries):
        try:
            return fn()
        except (DBAPIError, sqlite3.OperationalError) as error:
            if not is_transient(error):
                raise
        # Full jitter, so that two losers do not meet again.
        time.sleep(random.uniform(0, _FIRST_PAUSE_S * 2**attempt))  # noqa: S311
    raise errors.Busy("the database stayed locked; send the same request again in a moment")


def is_transient(error: BaseException) -> bool:
    """Whether the same transaction may succeed when tried again."""
    if isinstance(error, DBAPIError):
        if error.connection_invalidated:
            return True
        return error.orig is not None and is_transient(error.orig)
    if isinstance(error, sqlite3.OperationalError):
        return getattr(error, "sqlite_errorcode", 0) & 0xFF in (
            sqlite3.SQLITE_BUSY,
            sqlite3.SQLITE_LOCKED,
        )
    return getattr(error, "sqlstate", None) in _TRANSIENT_STATES


def is_unreachable(error: BaseException) -> bool:
    """Whether the database itself is away, rather than in dispute with the statement."""
    return isinstance(error, OperationalError) and not isinstance(error, IntegrityError)


def upgrade(db: Database) -> None:
    """Bring the schema to the newest revision; several processes may call it at once."""
    with db.writing() as connection:
        if db.dialect == _POSTGRESQL:
            connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_MIGRATION_LOCK})")
        config = _alembic()
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


def is_current(db: Database) -> bool:
    """Whether the schema is the one that this code was written for."""
    return schema(db) is Schema.CURRENT


def schema(db: Database) -> Schema:
    """Whether the schema is the one that this code was written for, an older or a newer one."""
    with db.reading() as connection:
        stored = set(MigrationContext.configure(connection).get_current_heads())
    scripts = ScriptDirectory.from_config(_alembic())
    if stored == set(scripts.get_heads()):
        return Schema.CURRENT
    known = {script.revision for script in scripts.walk_revisions()}
    return Schema.BEHIND if stored <= known else Schema.NEWER


def _alembic() -> Config:
    """Alembic's settings; the scripts travel with the package, so no ini file is needed."""
    config = Config()
    config.set_main_option("script_location", str(resources.files("migrations")))
    return config


def _sqlite_engine(url: str) -> Engine:
    """An engine whose transactions begin when and how we say, with durable commits.

    Parameters are hidden: an error's text must not quote a subject.
    """
    engine = sqlalchemy.create_engine(url, pool_size=16, max_overflow=48, hide_parameters=True)
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _prepare_sqlite(raw: sqlite3.Connection, _entry: ConnectionPoolEntry) -> None:
    """Turn off the driver's own transactions and make commits survive a power cut."""
    raw.isolation_level = None
    for pragma in (
        f"busy_timeout={_BUSY_TIMEOUT_MS}",
        "journal_mode=WAL",
        "synchronous=FULL",
        "foreign_keys=ON",
        "cache_size=-32000",
        "temp_store=MEMORY",
    ):
        raw.execute(f"PRAGMA {pragma}").close()


def _begin_sqlite(connection: Connection) -> None:
    """BEGIN IMMEDIATE for whoever said it will write, asked for again every millisecond or two.

    SQLite's own waiting sleeps up to 100 ms between looks, which at three writing processes was
    most of the time from an event to its webhook.
    """
    if not connection.get_execution_options().get("vigil_writes", False):
        connection.exec_driver_sql("BEGIN")
        return
    raw = connection.connection.driver_connection
    assert isinstance(raw, sqlite3.Connection)
    give_up = time.monotonic() + _BUSY_TIMEOUT_MS / 1000
    raw.execute("PRAGMA busy_timeout=0").close()
    try:
        while not _taken(raw):
            if time.monotonic() > give_up:
                # Once more by SQLAlchemy, for its errors are what everybody expects.
                connection.exec_driver_sql("BEGIN IMMEDIATE")
                return
            time.sleep(random.uniform(*_LOOK_AGAIN_S))  # noqa: S311
    finally:
        raw.execute(f"PRAGMA busy_timeout={_BUSY_TIMEOUT_MS}").close()


def _taken(raw: sqlite3.Connection) -> bool:
    """Whether the writer's place is ours now."""
    try:
        raw.execute("BEGIN IMMEDIATE").close()
    except sqlite3.OperationalError as error:
        if not is_transient(error):
            raise OperationalError("BEGIN IMMEDIATE", None, error) from error
        return False
    return True


def _postgresql_engine(url: str) -> Engine:
    """An engine with waits that end; commits wait for the disk."""
    arguments: dict[str, Any] = {"options": _POSTGRESQL_OPTIONS, "connect_timeout": 5}
    return sqlalchemy.create_engine(
        url,
        pool_size=16,
        max_overflow=48,
        pool_recycle=1800,
        connect_args=arguments,
        hide_parameters=True,
    )
