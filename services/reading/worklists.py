"""What is still to be found out, by subject and by trial: missing data that can change a decision.

Who comes in: GET .../worklist. Who goes out: stored states, read by their engines; nothing is
folded for the list of a trial.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sqlalchemy import Connection, Row, or_, select

import rules
from services.models import streams
from services.reading import eligibility, engines
from services.reading.pages import Json, pack, unpack
from services.repositories.streams import TRIAL_SUBJECT

# Who is in none of these is in screening: an event came, and nobody was enrolled or left.
_SCREENING = or_(streams.c.status.is_(None), streams.c.status == "screened")
_CHUNK = 200


def of_subject(
    conn: Connection, trial: str, subject: str, as_of_us: int | None, now_us: int
) -> Json | None:
    """One subject's, now or as it was known at any time; None if there is no such subject."""
    view = rules.Engine.worklist
    found = eligibility.of_subject(conn, trial, subject, as_of_us, now_us, view)
    if found is None:
        return None
    items = [{"subject": subject, **item} for item in found["items"]]
    return {**found, "items": items, "next": None}


def of_trial(conn: Connection, trial: str, cursor: str | None, limit: int) -> Json:
    """All subjects in screening by name, each with the most decisive first, as last evaluated.

    Corrections that wait for their target are listed of every subject.
    """
    after, number = unpack(cursor, str, int) or ("", -1)
    shown: list[Json] = []
    place: tuple[str, int] | None = None
    for subject, items in _subjects(conn, trial, after):
        for at, item in enumerate(items):
            if subject == after and at <= number:
                continue
            if len(shown) == limit:
                assert place is not None
                return {"items": shown, "next": pack(place)}
            shown.append({"subject": subject, **item})
            place = (subject, at)
    return {"items": shown, "next": None}


def _subjects(conn: Connection, trial: str, start: str) -> Iterator[tuple[str, list[Any]]]:
    """Each subject from `start` on with its items."""
    known: dict[str | None, rules.Engine | None] = {}
    for row in _rows(conn, trial, start):
        version = row.protocol_version
        if version not in known:
            known[version] = engines.of_version(conn, trial, version)
        engine = known[version]
        if engine is not None:
            view = engine.worklist if row.screening else engine.waiting
            yield row.subject, view(row.state)["items"]


def _rows(conn: Connection, trial: str, start: str) -> Iterator[Row[Any]]:
    """The evaluated subjects by name, a few hundred states at a time."""
    query = select(
        streams.c.subject,
        streams.c.state,
        streams.c.protocol_version,
        _SCREENING.label("screening"),
    ).where(streams.c.trial == trial, streams.c.subject != TRIAL_SUBJECT)
    query = query.where(streams.c.state.is_not(None)).order_by(streams.c.subject).limit(_CHUNK)
    first, name = True, start
    while True:
        later = streams.c.subject >= name if first else streams.c.subject > name
        rows = conn.execute(query.where(later)).all()
        yield from rows
        if len(rows) < _CHUNK:
            return
        first, name = False, rows[-1].subject
