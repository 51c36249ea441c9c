"""Alerts as lists and one by one, with what happened to them and who was told.

Who comes in: GET /v1/alerts and GET /v1/alerts/{id}. Who goes out: alerts, their log, deliveries.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import orjson
from sqlalchemy import ColumnElement, Connection, Row, Select, and_, func, or_, select

from services.clock import iso
from services.models import alert_log, alerts, deliveries
from services.reading.pages import Json, iso_or_none, page, unpack
from services.repositories.alerts import as_contract


@dataclass(frozen=True)
class Wanted:
    """Which alerts; None is all. `trials` are also those that the key reaches."""

    trials: Collection[str] | None = None
    subject: str | None = None
    category: str | None = None
    severity: str | None = None
    status: str | None = None

    def where(self) -> list[ColumnElement[bool]]:
        """The conditions."""
        found: list[ColumnElement[bool]] = []
        if self.trials is not None:
            found.append(alerts.c.trial.in_(self.trials))
        for name in ("subject", "category", "severity", "status"):
            value = getattr(self, name)
            if value is not None:
                found.append(alerts.c[name] == value)
        return found


def listed(
    conn: Connection, wanted: Wanted, cursor: str | None, limit: int, *, values: bool
) -> Json:
    """The newest first. `values` False leaves out what is clinical."""
    query = select(alerts).where(*wanted.where())
    before = unpack(cursor, int, str)
    if before is not None:
        opened_us, last = before
        older = alerts.c.opened_us < opened_us
        same = and_(alerts.c.opened_us == opened_us, alerts.c.id > last)
        query = query.where(or_(older, same))
    query = query.order_by(alerts.c.opened_us.desc(), alerts.c.id).limit(limit + 1)
    return page(
        conn.execute(query).all(),
        limit,
        lambda row: shown(row, values=values),
        lambda row: (row.opened_us, row.id),
    )


def changed_since(
    conn: Connection, wanted: Wanted, since: int, cursor: str | None, limit: int, *, values: bool
) -> Json:
    """What changed after position `since` of the alert log, as it is now, by last position."""
    after = unpack(cursor, int)
    start = after[0] if after else since
    query = _with_position().where(*wanted.where()).having(start < _LAST)
    rows = conn.execute(query.order_by(_LAST).limit(limit + 1)).all()
    return page(
        rows,
        limit,
        lambda row: {**shown(row, values=values), "position": row.position},
        lambda row: (row.position,),
    )


_LAST = func.max(alert_log.c.position)


def _with_position() -> Select[Any]:
    """Alerts with the position of their last numbered change."""
    return (
        select(alerts, _LAST.label("position"))
        .join(alert_log, alert_log.c.alert == alerts.c.id)
        .group_by(*alerts.c)
    )


def one(conn: Connection, alert: str, *, values: bool, whole: bool = True) -> Json | None:
    """One alert, or None; `whole`: with its history and deliveries."""
    row = conn.execute(select(alerts).where(alerts.c.id == alert)).first()
    if row is None:
        return None
    body = shown(row, values=values)
    if not whole:
        return body
    kept = row.explanation if values else None
    return {
        **body,
        "explanation": None if kept is None else _explanation(row),
        "history": _history(conn, alert, values=values),
        "deliveries": _deliveries(conn, alert),
    }


def _explanation(row: Row[Any]) -> Json:
    """The rule as it read when the alert last changed, with what it said then."""
    return {
        "protocol_version": row.protocol_version,
        "source_text": row.source_text,
        "clauses": orjson.loads(row.explanation),
    }


def _history(conn: Connection, alert: str, *, values: bool) -> list[Json]:
    """Every change in order; notes are a person's words and may hold anything."""
    query = select(alert_log).where(alert_log.c.alert == alert).order_by(alert_log.c.change)
    return [
        {
            "change": row.change,
            "kind": row.kind,
            "at": iso(row.at_us),
            "by": row.by,
            "note": row.note if values else None,
            "position": row.position,
        }
        for row in conn.execute(query)
    ]


def _deliveries(conn: Connection, alert: str) -> list[Json]:
    query = (
        select(deliveries)
        .where(deliveries.c.alert == alert)
        .order_by(deliveries.c.change, deliveries.c.subscription)
    )
    return [_delivery(row) for row in conn.execute(query)]


def _delivery(row: Row[Any]) -> Json:
    waits = row.status in {"pending", "sending"}
    return {
        "id": row.id,
        "subscription": row.subscription,
        "change": row.change,
        "event": row.event,
        "status": row.status,
        "attempts": row.attempts,
        "created_at": iso(row.created_us),
        "next_attempt_at": iso(row.next_attempt_us) if waits else None,
        "delivered_at": iso_or_none(row.delivered_us),
    }


def shown(row: Row[Any], *, values: bool) -> Json:
    """The contract's alert of a row of `alerts`."""
    body = as_contract(row._asdict())
    return body if values else without_values(body)


def without_values(body: Json) -> Json:
    """The alert for who may not see clinical values: no detail, no value, no person's words."""
    kept = {name: value for name, value in body.items() if name != "detail"}
    kept["evidence"] = [
        {name: value for name, value in item.items() if name in {"fact", "time", "event"}}
        for item in body["evidence"]
    ]
    for name in ("acknowledged", "resolution"):
        if kept[name] is not None:
            kept[name] = {**kept[name], "note": None}
    return kept
