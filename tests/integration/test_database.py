"""The store's engine: transactions, snapshots, retries, and migrations that match the models."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
import sqlalchemy
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from services import database as store
from services import errors
from services.database import Database, retrying
from services.models import metadata
from services.repositories import streams, trials
from tests.support.postgres import PostgresServer
from tests.support.valkey import ValkeyServer


def add_trial(db: Database, name: str = "t") -> None:
    with db.writing() as conn:
        trials.add(conn, name, mode="live", by="test", now_us=1, banner=None)


def test_models_and_migrations_agree(database: Database) -> None:
    with database.reading() as conn:
        options = {"compare_type": True, "compare_server_default": True}
        context = MigrationContext.configure(conn, opts=options)
        assert compare_metadata(context, metadata) == []


def test_a_migrated_store_is_current_and_an_empty_one_is_not(tmp_path: Path) -> None:
    db = Database(f"sqlite:///{tmp_path}/new.db")
    assert not store.is_current(db)
    store.upgrade(db)
    store.upgrade(db)
    assert store.is_current(db)
    db.dispose()


def test_processes_that_migrate_at_once_do_not_disturb_each_other(postgres: PostgresServer) -> None:
    url = postgres.create("raced")
    racers = [Database(url) for _ in range(4)]
    threads = [threading.Thread(target=store.upgrade, args=(db,)) for db in racers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert store.is_current(racers[0])
    for db in racers:
        db.dispose()
    postgres.drop("raced")


def test_a_transaction_that_fails_leaves_nothing(database: Database) -> None:
    def fail_half_way() -> None:
        with database.writing() as conn:
            trials.add(conn, "t", mode="live", by="test", now_us=1, banner=None)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail_half_way()
    with database.reading() as conn:
        assert trials.every(conn) == []


def test_a_reader_sees_one_snapshot(database: Database) -> None:
    with database.reading() as conn:
        assert trials.every(conn) == []
        add_trial(database)
        assert trials.every(conn) == []
    with database.reading() as conn:
        assert [row.id for row in trials.every(conn)] == ["t"]


def test_two_writers_wait_for_each_other(database: Database) -> None:
    add_trial(database)
    with database.writing() as conn:
        stream = streams.ensure(conn, "t", ["a"])["a"]

    def add_one() -> None:
        def once() -> None:
            with database.writing() as conn:
                row = streams.lock(conn, [stream])[0]
                streams.number(conn, [{"stream": stream, "n": row.next_n + 1, "received": 0}])

        for _ in range(25):
            retrying(once)

    threads = [threading.Thread(target=add_one) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with database.reading() as conn:
        row = streams.get(conn, stream)
        assert row is not None
        assert row.next_n == 100


def test_durable_settings_are_in_force(database: Database) -> None:
    with database.reading() as conn:
        if database.dialect == "sqlite":
            assert conn.scalar(text("PRAGMA journal_mode")) == "wal"
            assert conn.scalar(text("PRAGMA synchronous")) == 2
            assert conn.scalar(text("PRAGMA foreign_keys")) == 1
        else:
            assert conn.scalar(text("SHOW synchronous_commit")) == "on"
            assert conn.scalar(text("SHOW transaction_read_only")) == "on"


def test_a_writer_is_writing_from_its_first_statement(
    sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A deferred transaction that reads first fails at once when another one writes in between.
    monkeypatch.setattr(store, "_BUSY_TIMEOUT_MS", 10)
    db = Database(sqlite_url)
    add_trial(db)
    with db.writing() as conn:
        trials.every(conn)
        with db.engine.connect() as other:
            other.execution_options(vigil_writes=True)
            with pytest.raises(OperationalError, match="locked"):
                other.begin()
    db.dispose()


def test_what_stays_locked_is_busy_in_the_end() -> None:
    tries = []

    def locked() -> None:
        tries.append(1)
        raise OperationalError("select 1", {}, _with_state("40P01"))

    with pytest.raises(errors.Busy):
        retrying(locked, tries=3)
    assert len(tries) == 3


def test_what_is_wrong_in_itself_is_not_tried_again(database: Database) -> None:
    add_trial(database)
    tries = []

    def twice() -> None:
        tries.append(1)
        add_trial(database)

    with pytest.raises(sqlalchemy.exc.IntegrityError):
        retrying(twice)
    assert len(tries) == 1


def test_an_error_of_the_store_never_quotes_its_parameters(database: Database) -> None:
    add_trial(database, "S-SECRET")
    with pytest.raises(sqlalchemy.exc.IntegrityError) as caught:
        add_trial(database, "S-SECRET")
    statement = str(caught.value).partition("[SQL")[2]
    assert "S-SECRET" not in statement


def test_a_store_of_another_kind_is_refused_by_its_variable() -> None:
    with pytest.raises(errors.ConfigError, match="VIGIL_DATABASE_URL"):
        Database("mysql://localhost/x")


def test_work_goes_on_after_the_server_was_restarted() -> None:
    with PostgresServer() as server:
        db = Database(server.create("restarted"))
        try:
            store.upgrade(db)
            server.crash()
            server.start()
            retrying(lambda: add_trial(db))
            assert store.is_current(db)
        finally:
            db.dispose()


def test_a_real_valkey_answers(valkey: ValkeyServer) -> None:
    assert valkey.url.startswith("redis://127.0.0.1:")


def _with_state(state: str) -> Exception:
    error = Exception("made by the test")
    error.sqlstate = state  # type: ignore[attr-defined]
    return error
