"""`column IN (many values)` with one parameter, however many there are.

Who comes in: the other repositories. Who goes out: a condition. Thousands of single parameters
cost more than the query, and SQLite has a limit.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import orjson
from sqlalchemy import ARRAY, BindParameter, ColumnElement, Connection, bindparam, func, select


def among(
    conn: Connection, column: ColumnElement[Any], values: Collection[Any]
) -> ColumnElement[bool]:
    """Whether `column` is one of `values`: an array on PostgreSQL, JSON on SQLite."""
    if conn.dialect.name == "postgresql":
        array = bindparam(None, list(values), type_=ARRAY(column.type))
        return column == func.any(array)
    listed: BindParameter[str] = bindparam(None, orjson.dumps(list(values)).decode())
    return column.in_(select(func.json_each(listed).table_valued("value").c.value))
