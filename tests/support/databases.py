"""Fixtures: an empty, migrated store for each test, on SQLite and on PostgreSQL.

One server a process; each test gets a copy of a template, which costs milliseconds.
A conftest.py takes them by `from tests.support.databases import ...`.
"""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from services import database as store
from services.database import Database
from tests.support.postgres import PostgresServer

_TEMPLATE = "vigil_template"
_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """A PostgreSQL server for this process's tests, with a migrated template."""
    with PostgresServer() as server:
        _migrate(server.create(_TEMPLATE))
        yield server


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated SQLite file, closed: copy it."""
    path = tmp_path_factory.mktemp("sqlite") / "template.db"
    _migrate(f"sqlite:///{path}")
    return path


@pytest.fixture
def sqlite_url(sqlite_template: Path, tmp_path: Path) -> str:
    """The address of an empty, migrated SQLite file."""
    path = tmp_path / "vigil.db"
    shutil.copy(sqlite_template, path)
    return f"sqlite:///{path}"


@pytest.fixture
def postgresql_url(postgres: PostgresServer) -> Iterator[str]:
    """The address of an empty, migrated PostgreSQL database."""
    name = f"vigil_{next(_numbers)}"
    yield postgres.create(name, _TEMPLATE)
    postgres.drop(name)


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest) -> str:
    """The address of an empty, migrated store: the test runs once on each kind."""
    return str(request.getfixturevalue(f"{request.param}_url"))


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """An empty, migrated store: the test runs once on each kind."""
    db = Database(database_url)
    yield db
    db.dispose()


def _migrate(url: str) -> None:
    db = Database(url)
    store.upgrade(db)
    db.dispose()
