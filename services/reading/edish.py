"""eDISH: where the highest liver values of every subject of a trial lie.

Who comes in: GET .../edish, the trial's page. Who goes out: stored states, read by their engines;
nothing is folded. Every subject is listed: who has no place, with the reason.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

from sqlalchemy import Connection, Row, select

import rules
from services.clock import iso
from services.models import streams
from services.reading import engines, trials
from services.reading.pages import Json, everything
from services.repositories.streams import TRIAL_SUBJECT

_CHUNK = 200
QUADRANTS = ("hy", "temple", "cholestasis", "normal")
_UNKNOWN = "unknown"


def of_trial(conn: Connection, trial: str, now_us: int) -> Json | None:
    """By fact of quadrants every subject, as last evaluated; None if there is no such trial.

    `as_of`: `now_us` in a live trial, its clock in a replay trial.
    """
    if not trials.exists(conn, trial):
        return None
    engine = engines.of_version(conn, trial, None)
    figures = [] if engine is None else engine.edish_figures()
    found = list(_placed(conn, trial)) if figures else []
    as_of = iso(trials.clock_us(conn, trial) or now_us)
    return {"as_of": as_of, **everything([_figure(one, found) for one in figures])}


def _figure(figure: Json, found: list[tuple[Json, dict[str, Json]]]) -> Json:
    subjects = [
        {**who, **(places.get(figure["fact"]) or rules.edish_unseen())} for who, places in found
    ]
    counted = Counter(one["quadrant"] or _UNKNOWN for one in subjects)
    counts = {name: counted[name] for name in (*QUADRANTS, _UNKNOWN)}
    return {**figure, "counts": counts, "subjects": subjects}


def _placed(conn: Connection, trial: str) -> Iterator[tuple[Json, dict[str, Json]]]:
    """Each subject by name, with its place by fact."""
    known: dict[str | None, rules.Engine | None] = {}
    for row in _rows(conn, trial):
        version = row.protocol_version
        if version not in known:
            known[version] = engines.of_version(conn, trial, version)
        engine = known[version]
        own = row.engine_version == rules.ENGINE_VERSION
        places = engine.edish_view(row.state) if engine is not None and own else {}
        yield _who(row), places


def _who(row: Row[*tuple[Any, ...]]) -> Json:
    return {
        "subject": row.subject,
        "site": row.site,
        "pending": max(0, row.next_n - row.done_n),
        "held": row.held,
    }


def _rows(conn: Connection, trial: str) -> Iterator[Row[*tuple[Any, ...]]]:
    """The subjects by name, a few hundred states at a time."""
    query = (
        select(
            *(streams.c.subject, streams.c.site, streams.c.next_n, streams.c.done_n),
            *(streams.c.held, streams.c.protocol_version, streams.c.engine_version),
            streams.c.state,
        )
        .where(streams.c.trial == trial, streams.c.subject != TRIAL_SUBJECT)
        .order_by(streams.c.subject)
        .limit(_CHUNK)
    )
    last = ""
    while rows := conn.execute(query.where(streams.c.subject > last)).all():
        yield from rows
        last = rows[-1].subject
