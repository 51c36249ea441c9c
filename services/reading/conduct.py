"""How a trial is conducted: departures from the protocol, and how enrolment comes on.

Who comes in: GET .../conduct, the trial's page. Who goes out: alerts, the trial's stream.
A departure is an alert of a rule that the protocol marks so. It stays one when what it tells of is
over; only what was told in error is none.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

import orjson
from sqlalchemy import Connection, Row, select

import rules
from rules import Deviation
from services import protocols
from services.clock import iso
from services.models import alerts
from services.reading import engines, trials
from services.reading.pages import Json
from services.repositories import protocols as versions
from services.repositories import streams

_SUPERSEDED = "superseded"


def of_trial(conn: Connection, trial: str, now_us: int) -> Json | None:
    """Deviations, newest first, their number by class, and accrual; None if there is no such trial.

    Accrual is as of `now_us` in a live trial, as of its clock in a replay trial.
    """
    found = trials.one(conn, trial, now_us)
    if found is None:
        return None
    items = _deviations(conn, trial)
    counted = Counter(item["class"] for item in items)
    return {
        "deviations": items,
        "counts": {kind.value: counted[kind.value] for kind in Deviation},
        "accrual": _accrual(conn, trial, trials.clock_us(conn, trial) or now_us),
    }


def _deviations(conn: Connection, trial: str) -> list[Json]:
    classes = _classes(conn, trial)
    query = (
        select(alerts)
        .where(alerts.c.trial == trial, alerts.c.rule.in_(classes))
        .order_by(alerts.c.occurred_us.desc(), alerts.c.id)
    )
    return [_shape(row, classes[row.rule]) for row in conn.execute(query) if not _withdrawn(row)]


def _classes(conn: Connection, trial: str) -> dict[str, Deviation]:
    """How grave each rule's departure is; a later version's word wins."""
    found: dict[str, Deviation] = {}
    for row in versions.of_trial(conn, trial):
        found |= rules.deviations(protocols.compiled(row).definition)
    return found


def _withdrawn(row: Row[Any]) -> bool:
    """Whether it turned out never to have been so."""
    return row.resolution is not None and orjson.loads(row.resolution)["reason"] == _SUPERSEDED


def _shape(row: Row[Any], kind: Deviation) -> Json:
    return {
        "alert": row.id,
        "subject": row.subject or _named(row),
        "rule": row.rule,
        "class": kind.value,
        "title": row.title,
        "occurred_at": iso(row.occurred_us),
        "status": row.status,
    }


def _named(row: Row[Any]) -> str | None:
    """The subject that an alert of the trial as a whole tells of."""
    told = (item for item in orjson.loads(row.evidence) if item["fact"] == "held_subject")
    return next((item["value"] for item in told), None)


def _accrual(conn: Connection, trial: str, now_us: int) -> Json:
    stream = streams.find(conn, trial, streams.TRIAL_SUBJECT)
    engine = engines.of_version(conn, trial, stream.protocol_version if stream else None)
    if engine is None:
        nothing = dict.fromkeys(("target", "as_of", "per_month", "full_at"))
        return {**nothing, "enrolled": 0, "path": []}
    return engine.accrual_view(stream.state if stream else None, now_us)
