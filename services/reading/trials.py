"""Trials and their protocol versions at a glance.

Who comes in: GET /v1/trials and below. Who goes out: trials, streams, alerts, protocols.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import orjson
from sqlalchemy import Connection, Row, func, select

from services.clock import iso
from services.models import alerts, protocol_versions, trials
from services.reading import engines
from services.reading.pages import Json, everything, iso_or_none, page, unpack
from services.repositories import streams as repository
from services.repositories import trials as repository_trials

# How long a first person's wish waits for a second person (contract §3).
SECOND_PERSON_WITHIN_US = 24 * 3600 * 1_000_000


def listed(
    conn: Connection, only: Collection[str] | None, cursor: str | None, limit: int, now_us: int
) -> Json:
    """Trials by id; `only` are those that the key reaches, None all."""
    query = select(trials).order_by(trials.c.id).limit(limit + 1)
    if only is not None:
        query = query.where(trials.c.id.in_(only))
    after = unpack(cursor, str)
    if after is not None:
        query = query.where(trials.c.id > after[0])
    rows = conn.execute(query).all()
    return page(rows, limit, lambda row: _shape(conn, row, now_us), lambda row: (row.id,))


def one(conn: Connection, trial: str, now_us: int) -> Json | None:
    """One trial, or None."""
    row = conn.execute(select(trials).where(trials.c.id == trial)).first()
    return None if row is None else _shape(conn, row, now_us)


def clock_us(conn: Connection, trial: str) -> int | None:
    """Where a replay trial's clock stands; None of a live trial, and before it was moved."""
    row = conn.execute(select(trials.c.mode, trials.c.clock_us).where(trials.c.id == trial)).first()
    return (row.clock_us or None) if row is not None and row.mode == "replay" else None


def exists(conn: Connection, trial: str) -> bool:
    """Whether there is such a trial."""
    return conn.execute(select(trials.c.id).where(trials.c.id == trial)).first() is not None


def _shape(conn: Connection, row: Row[Any], now_us: int) -> Json:
    protocol = engines.active(conn, row.id)
    return {
        "id": row.id,
        "mode": row.mode,
        "status": row.status,
        "title": protocol.definition.title if protocol else None,
        "banner": row.banner,
        "active_version": row.active_version,
        "enrolment": {
            "enrolled": _enrolled(conn, row.id),
            "target": protocol.definition.target if protocol else None,
        },
        "open_alerts": _open_alerts(conn, row.id),
        "clock": iso_or_none(row.clock_us or None) if row.mode == "replay" else None,
        "hold": _hold(row),
        "awaiting_second": waiting(row.awaiting_second, now_us),
        "created_at": iso(row.created_us),
    }


def _enrolled(conn: Connection, trial: str) -> int:
    """How many subjects were ever enrolled, by the trial's own stream."""
    stream = repository.find(conn, trial, repository.TRIAL_SUBJECT)
    engine = engines.of_version(conn, trial, stream.protocol_version) if stream else None
    return engine.counts_view(stream.state)["enrolled"] if engine and stream else 0


def _open_alerts(conn: Connection, trial: str) -> int:
    query = (
        select(func.count())
        .select_from(alerts)
        .where(alerts.c.trial == trial, alerts.c.status != "resolved")
    )
    return conn.execute(query).scalar_one()


def _with_time(text: str | None, name: str) -> Json | None:
    """A stored JSON object whose `<name>_us` leaves as `<name>`, RFC 3339."""
    if text is None:
        return None
    found: Json = orjson.loads(text)
    return {
        **{key: found[key] for key in found if key != f"{name}_us"},
        name: iso(found[f"{name}_us"]),
    }


def _hold(row: Row[Any]) -> Json | None:
    """The oldest hold that stands, and how many do."""
    held = _with_time(row.hold, "since")
    if held is None:
        return None
    standing = repository_trials.standing(row)
    return {"what": "enrolment", "kind": "person", **held, "standing": len(standing)}


def waiting(text: str | None, now_us: int) -> Json | None:
    """The first person's wish, while it still counts; a dead letter's names no action."""
    wish = _with_time(text, "at")
    if text is None or wish is None:
        return None
    until_us = orjson.loads(text)["at_us"] + SECOND_PERSON_WITHIN_US
    wish.pop("lifts", None)
    return {"action": "discard", **wish, "until": iso(until_us)} if now_us < until_us else None


def versions(conn: Connection, trial: str) -> Json:
    """A trial's protocol versions, oldest first."""
    query = (
        select(protocol_versions)
        .where(protocol_versions.c.trial == trial)
        .order_by(protocol_versions.c.created_us, protocol_versions.c.version)
    )
    return everything([version_shape(row) for row in conn.execute(query)])


def version_shape(row: Row[Any]) -> Json:
    """One version without its text."""
    return {
        "trial": row.trial,
        "version": row.version,
        "status": row.status,
        "digest": row.digest,
        "created_at": iso(row.created_us),
        "created_by": row.created_by,
        "effective_from": iso_or_none(row.effective_from_us),
        "approved_by": row.approved_by,
    }
