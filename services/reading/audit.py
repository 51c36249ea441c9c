"""The record of who did what, and whether it is what was written.

Who comes in: GET /v1/audit. Who goes out: the audit's rows, each held against its neighbours in
its chain. `vigil audit verify` looks at whole chains.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import orjson
from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    Select,
    Text,
    and_,
    cast,
    literal,
    or_,
    select,
)

from services.audit import FIRST_HASH, chained
from services.clock import iso
from services.models import audit, audit_heads, streams
from services.reading.pages import Json, page, unpack

_COLUMNS = ("chain", "n", "at_us", "actor", "action", "object", "detail", "hash")
_before, _after = audit.alias("before"), audit.alias("after")
_chain_of_stream = literal("stream:") + cast(streams.c.id, Text)


@dataclass(frozen=True)
class Wanted:
    """Which entries; None is all. `trials` are those that the key reaches."""

    trials: Collection[str] | None = None
    chain: str | None = None
    actor: str | None = None
    action: str | None = None
    object: str | None = None
    since_us: int | None = None

    def where(self) -> list[ColumnElement[bool]]:
        """The conditions; a key of some trials sees the chains of their streams alone."""
        found: list[ColumnElement[bool]] = []
        if self.trials is not None:
            own = select(_chain_of_stream).where(streams.c.trial.in_(self.trials))
            found.append(audit.c.chain.in_(own))
        if self.since_us is not None:
            found.append(audit.c.at_us >= self.since_us)
        for name in ("chain", "actor", "action", "object"):
            value = getattr(self, name)
            if value is not None:
                found.append(audit.c[name] == value)
        return found


def listed(
    conn: Connection, wanted: Wanted, cursor: str | None, limit: int, *, details: bool
) -> Json:
    """Entries, the newest first; without `details` no person's words are shown."""
    query = _entries().where(*wanted.where())
    last = unpack(cursor, int, str, int)
    if last is not None:
        query = query.where(_follows(*last))
    order = (audit.c.at_us.desc(), audit.c.chain, audit.c.n.desc())
    rows = conn.execute(query.order_by(*order).limit(limit + 1)).all()
    trials = _trials(conn, {row.chain for row in rows})
    return page(
        rows,
        limit,
        lambda row: _entry(row, trials, details=details),
        lambda row: (row.at_us, row.chain, row.n),
    )


def _entries() -> Select[Any]:
    """Entries with what stands before and after them in their chains."""
    before = and_(_before.c.chain == audit.c.chain, _before.c.n == audit.c.n - 1)
    after = and_(_after.c.chain == audit.c.chain, _after.c.n == audit.c.n + 1)
    return (
        select(
            *(audit.c[name] for name in _COLUMNS),
            _before.c.hash.label("hash_before"),
            _after.c.n.label("n_after"),
            audit_heads.c.n.label("head_n"),
            audit_heads.c.hash.label("head_hash"),
        )
        .outerjoin(_before, before)
        .outerjoin(_after, after)
        .outerjoin(audit_heads, audit_heads.c.chain == audit.c.chain)
    )


def _follows(at_us: int, chain: str, n: int) -> ColumnElement[bool]:
    """What comes after this entry in the list."""
    within = and_(audit.c.chain == chain, audit.c.n < n)
    same = and_(audit.c.at_us == at_us, or_(audit.c.chain > chain, within))
    # Said twice, so that the index on the time finds the place.
    return and_(audit.c.at_us <= at_us, or_(audit.c.at_us < at_us, same))


def _trials(conn: Connection, chains: Collection[str]) -> dict[str, str]:
    """The trial of each chain that is a stream's."""
    query = select(_chain_of_stream.label("chain"), streams.c.trial)
    rows = conn.execute(query.where(streams.c.id.in_(_stream_ids(chains))))
    return {row.chain: row.trial for row in rows}


def _stream_ids(chains: Collection[str]) -> list[int]:
    parts = (chain.partition(":") for chain in chains)
    return [int(number) for kind, _, number in parts if kind == "stream" and number.isdecimal()]


def _entry(row: Row[Any], trials: Mapping[str, str], *, details: bool) -> Json:
    return {
        "chain": row.chain,
        "n": row.n,
        "at": iso(row.at_us),
        "actor": row.actor,
        "action": row.action,
        "object": row.object,
        "trial": trials.get(row.chain),
        "detail": orjson.loads(row.detail) if details else None,
        "hash": row.hash,
        "verified": _holds(row),
    }


def _holds(row: Row[Any]) -> bool:
    """Whether its hash is that of its columns and of the entry before, and nothing was cut off."""
    before = FIRST_HASH if row.n == 1 else row.hash_before
    if before is None or row.head_n is None:
        return False
    if row.hash != chained(before, row._asdict()):
        return False
    if row.n == row.head_n:
        return bool(row.hash == row.head_hash)
    return row.n_after is not None
