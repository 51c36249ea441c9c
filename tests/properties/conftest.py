"""Stores for the properties that need one."""

from tests.support.databases import (  # noqa: F401 - fixtures are found by name
    database,
    database_url,
    postgres,
    postgresql_url,
    sqlite_template,
    sqlite_url,
)
