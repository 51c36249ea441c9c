"""What the end-to-end tests share: an empty store on SQLite and on PostgreSQL."""

from __future__ import annotations

from tests.support.databases import (  # noqa: F401 - fixtures are found by name
    database_url,
    postgres,
    postgresql_url,
    sqlite_template,
    sqlite_url,
)
