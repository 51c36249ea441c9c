"""The audit trail: who did what, in hash chains that show any later change.

Who comes in: whoever changes something, with the change's own connection, so that both commit
together. Who goes out: rows of one chain; there is one chain a stream and one for administration,
so that nothing global stands in a stream's transaction.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import orjson
from sqlalchemy import Connection

from services.database import Database
from services.repositories import audit as stored

ADMIN = "admin"
FIRST_HASH = "0" * 64

# What an entry says, apart from its place in the chain and its instant.
Entry = tuple[str, str, str, Mapping[str, Any]]


@dataclass(frozen=True)
class Broken:
    """A place where a chain does not hold."""

    chain: str
    n: int
    reason: str


def stream_chain(stream_id: int) -> str:
    """The name of a stream's chain."""
    return f"stream:{stream_id}"


def append(
    conn: Connection,
    chain: str,
    at_us: int,
    actor: str,
    action: str,
    obj: str,
    detail: Mapping[str, Any],
) -> None:
    """One more row of `chain`, in the transaction of `conn`; `detail` without clinical values."""
    append_all(conn, chain, at_us, [(actor, action, obj, detail)])


def append_all(conn: Connection, chain: str, at_us: int, entries: Iterable[Entry]) -> None:
    """Several rows in order: (actor, action, object, detail) each."""
    n, last = stored.lock_head(conn, chain, FIRST_HASH)
    rows: list[dict[str, Any]] = []
    for number, (actor, action, obj, detail) in enumerate(entries, n + 1):
        row = {
            "chain": chain,
            "n": number,
            "at_us": at_us,
            "actor": actor,
            "action": action,
            "object": obj,
            "detail": orjson.dumps(detail, option=orjson.OPT_SORT_KEYS).decode(),
        }
        last = row["hash"] = chained(last, row)
        rows.append(row)
    if rows:
        stored.add(conn, rows)


def chained(before: str, row: Mapping[str, Any]) -> str:
    """The hash of a row: over the hash before it and every column of its own."""
    names = ("chain", "n", "at_us", "actor", "action", "object", "detail")
    text = orjson.dumps([before, *(row[name] for name in names)])
    return hashlib.sha256(text).hexdigest()


def verify(db: Database, chain: str | None = None) -> list[Broken]:
    """Where the chains (or one of them) do not hold; [] when nothing was changed since."""
    with db.reading() as conn:
        heads = stored.heads(conn)
        names = sorted(stored.chains(conn)) if chain is None else [chain]
        found = (_first_break(conn, name, heads.get(name)) for name in names)
        return [broken for broken in found if broken is not None]


def _first_break(conn: Connection, chain: str, head: tuple[int, str] | None) -> Broken | None:
    """The first row that does not follow from the one before, or a head that is not the last."""
    n, last = 0, FIRST_HASH
    with stored.chain_rows(conn, chain) as rows:
        for row in rows:
            if row.n != n + 1:
                return Broken(chain, n + 1, "a row is missing")
            n, last = row.n, chained(last, row._asdict())
            if row.hash != last:
                return Broken(chain, n, "the row or one before it was changed")
    if head != (n, last):
        return Broken(chain, n, "rows at the end are missing, or the head was changed")
    return None
