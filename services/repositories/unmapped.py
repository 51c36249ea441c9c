"""Codes that were refused because no protocol declares them, counted by trial.

Who comes in: intake, after a refusal; reading. Who goes out: the store.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any, NamedTuple

from sqlalchemy import Connection, Row, func, select
from sqlalchemy.dialects import postgresql, sqlite

from services.models import unmapped

MOST = 1000  # different ones of a trial; any more are counted together
OTHER = "?"
CODED = ("observation", "assessment", "condition", "procedure", "medication")  # events with codes


class Unmapped(NamedTuple):
    """A code as it was published; `system` '' where it was to be one of the protocol's own."""

    trial: str
    type: str
    system: str
    code: str


def note(conn: Connection, found: Mapping[Unmapped, int], now_us: int) -> None:
    """Add to the counts; beyond MOST of a trial, what is new is counted as OTHER of its type."""
    for trial in sorted({one.trial for one in found}):
        known = _known(conn, trial)
        counts: Counter[Unmapped] = Counter()
        for one in sorted(one for one in found if one.trial == trial):
            if one not in known and len(known) >= MOST:
                counts[one._replace(system="", code=OTHER)] += found[one]
            else:
                known.add(one)
                counts[one] += found[one]
        for one, count in sorted(counts.items()):
            _add(conn, one, count, now_us)


def _known(conn: Connection, trial: str) -> set[Unmapped]:
    columns = (unmapped.c.trial, unmapped.c.type, unmapped.c.system, unmapped.c.code)
    rows = conn.execute(select(*columns).where(unmapped.c.trial == trial).limit(2 * MOST))
    return {Unmapped(*row) for row in rows}


def _add(conn: Connection, one: Unmapped, count: int, now_us: int) -> None:
    dialect = postgresql if conn.dialect.name == "postgresql" else sqlite
    statement = dialect.insert(unmapped).values(
        **one._asdict(), refusals=count, first_us=now_us, last_us=now_us
    )
    conn.execute(
        statement.on_conflict_do_update(
            index_elements=list(unmapped.primary_key),
            set_={
                "refusals": unmapped.c.refusals + count,
                "last_us": func.greatest(unmapped.c.last_us, now_us)
                if dialect is postgresql
                else func.max(unmapped.c.last_us, now_us),
            },
        )
    )


def of_trial(conn: Connection, trial: str) -> list[Row[Any]]:
    """A trial's rows, the most frequent first."""
    query = select(unmapped).where(unmapped.c.trial == trial)
    return list(conn.execute(query.order_by(unmapped.c.refusals.desc(), *unmapped.primary_key)))


def by_type(conn: Connection) -> dict[str, int]:
    """Type of event -> refusals for such a code, every coded type; never less than before."""
    query = select(unmapped.c.type, func.sum(unmapped.c.refusals)).group_by(unmapped.c.type)
    return dict.fromkeys(CODED, 0) | {row[0]: int(row[1]) for row in conn.execute(query)}
