"""What the integration tests share: a store on SQLite and on PostgreSQL, and a real Valkey."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.databases import (  # noqa: F401 - fixtures are found by name
    database,
    database_url,
    postgres,
    postgresql_url,
    sqlite_template,
    sqlite_url,
)
from tests.support.valkey import ValkeyServer


@pytest.fixture(scope="module")
def valkey() -> Iterator[ValkeyServer]:
    """A Valkey server without persistence for one file's tests."""
    with ValkeyServer() as server:
        yield server
