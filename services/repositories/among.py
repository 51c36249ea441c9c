"""`column IN (many values)` with one parameter, however many there are.

Who comes in: the other repositories. Who goes out: statements built once, and their parameter.
Thousands of single parameters cost more than the query, and SQLite has a limit; a statement
built anew each time costs more than SQLite's answer.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any

import orjson
from sqlalchemy import (
    ARRAY,
    BindParameter,
    ColumnElement,
    Connection,
    Executable,
    bindparam,
    func,
    select,
)

WANTED = "wanted"
Condition = Callable[[ColumnElement[Any]], ColumnElement[bool]]


def by_dialect(build: Callable[[Condition], Executable]) -> Mapping[str, Executable]:
    """One statement for each store; `build` gets the condition 'is among the values wanted'."""
    return {"sqlite": build(_in_json), "postgresql": build(_in_array)}


def wanted(conn: Connection, values: Collection[Any]) -> dict[str, Any]:
    """The parameter for such a statement."""
    listed = list(values)
    return {WANTED: listed if conn.dialect.name == "postgresql" else orjson.dumps(listed).decode()}


def _in_array(column: ColumnElement[Any]) -> ColumnElement[bool]:
    return column == func.any(bindparam(WANTED, type_=ARRAY(column.type)))


def _in_json(column: ColumnElement[Any]) -> ColumnElement[bool]:
    listed: BindParameter[str] = bindparam(WANTED)
    return column.in_(select(func.json_each(listed).table_valued("value").c.value))
