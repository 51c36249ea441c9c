"""Alerts and their history: rows in, rows out.

Who comes in: alerting (writes), sequencer (positions), replay and reading. Who goes out: the store.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import orjson
from sqlalchemy import Connection, Row, bindparam, func, insert, select, update

from services.clock import iso
from services.models import alert_log, alerts, deliveries, streams, subscriptions, trials
from services.repositories.among import by_dialect, wanted

AlertRow = dict[str, Any]

# Statements of every evaluation that tells something, built once: building one costs more than
# running it.
_LOCKED = by_dialect(
    lambda among: (
        select(alerts)
        .where(among(alerts.c.id))
        .order_by(alerts.c.id)
        .with_for_update(key_share=True)
    )
)
_ADD, _LOG, _TELL = insert(alerts), insert(alert_log), insert(deliveries)
_STANDING = (
    select(
        subscriptions.c.id,
        subscriptions.c.filter,
        subscriptions.c.events,
        subscriptions.c.content,
        subscriptions.c.trials,
        (subscriptions.c.status == "active").label("active"),
    )
    .where(subscriptions.c.status != "deleted")
    .order_by(subscriptions.c.id)
)
_SURROUNDINGS = by_dialect(
    lambda among: (
        select(streams.c.id, trials.c.mode, streams.c.site)
        .join(trials, trials.c.id == streams.c.trial)
        .where(among(streams.c.id))
    )
)
_LAST_POSITION = select(func.max(alert_log.c.position))
_UNNUMBERED = (
    select(alert_log.c.alert, alert_log.c.change, alert_log.c.at_us)
    .where(alert_log.c.position.is_(None))
    .order_by(alert_log.c.at_us, alert_log.c.alert, alert_log.c.change)
)
_UNNUMBERED_DELIVERIES = (
    select(deliveries.c.id, deliveries.c.subscription, subscriptions.c.last_position)
    .join(subscriptions, subscriptions.c.id == deliveries.c.subscription)
    .join(
        alert_log,
        (alert_log.c.alert == deliveries.c.alert) & (alert_log.c.change == deliveries.c.change),
    )
    .where(deliveries.c.position.is_(None), alert_log.c.position.is_not(None))
    .order_by(deliveries.c.subscription, alert_log.c.position)
)
_LAST_POSITIONS = (
    update(subscriptions)
    .where(subscriptions.c.id == bindparam("b_id"))
    .values(last_position=bindparam("b_position"))
)


def get(conn: Connection, alert: str) -> AlertRow | None:
    """One alert's columns."""
    row = conn.execute(select(alerts).where(alerts.c.id == alert)).mappings().one_or_none()
    return None if row is None else dict(row)


def locked(conn: Connection, ids: Collection[str]) -> dict[str, AlertRow]:
    """Those of `ids` that exist, locked ascending until the transaction ends."""
    rows = conn.execute(_LOCKED[conn.dialect.name], wanted(conn, ids)).mappings()
    return {row["id"]: dict(row) for row in rows}


def of_stream(conn: Connection, stream_id: int) -> list[AlertRow]:
    """All alerts of one stream by sequence."""
    query = select(alerts).where(alerts.c.stream_id == stream_id).order_by(alerts.c.sequence)
    return [dict(row) for row in conn.execute(query).mappings()]


def add(conn: Connection, rows: Sequence[AlertRow]) -> None:
    """New alerts."""
    if rows:
        conn.execute(_ADD, list(rows))


_UPDATE = (
    update(alerts)
    .where(alerts.c.id == bindparam("b_id"))
    .values({column.name: bindparam(f"b_{column.name}") for column in alerts.c})
)


def save(conn: Connection, rows: Sequence[AlertRow]) -> None:
    """Write locked alerts back whole."""
    if rows:
        conn.execute(_UPDATE, [{f"b_{name}": value for name, value in row.items()} for row in rows])


def log(conn: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
    """Append changes: alert, change, kind, at_us, by, note, body."""
    if rows:
        conn.execute(_LOG, [dict(row) for row in rows])


def history(conn: Connection, alert: str) -> list[Row[*tuple[Any, ...]]]:
    """What happened to one alert, in order."""
    query = select(alert_log).where(alert_log.c.alert == alert).order_by(alert_log.c.change)
    return list(conn.execute(query))


def last_said(conn: Connection, stream_id: int) -> dict[str, tuple[int, str]]:
    """How many changes the log has of each alert of a stream, and the body of the last one."""
    own = alerts.c.stream_id == stream_id
    query = (
        select(alert_log.c.alert, alert_log.c.body)
        .join(alerts, alerts.c.id == alert_log.c.alert)
        .where(own)
        .order_by(alert_log.c.alert, alert_log.c.change)
    )
    said: dict[str, tuple[int, str]] = {}
    for alert, body in conn.execute(query):
        said[alert] = (said.get(alert, (0, ""))[0] + 1, body)
    return said


# Asked many times a second: built once.
_AFTER = (
    select(alert_log.c.position, alert_log.c.kind, alert_log.c.body)
    .where(alert_log.c.position > bindparam("position"))
    .order_by(alert_log.c.position)
    .limit(bindparam("most"))
)


def after_position(conn: Connection, position: int, limit: int) -> list[Row[*tuple[Any, ...]]]:
    """Numbered changes past `position`, in order: what the live stream reads."""
    return list(conn.execute(_AFTER, {"position": position, "most": limit}))


def told(conn: Connection, ids: Collection[str]) -> dict[str, set[str]]:
    """The subscriptions that have any delivery of each of these alerts."""
    query = select(deliveries.c.alert, deliveries.c.subscription).where(
        deliveries.c.alert.in_(sorted(ids))
    )
    found: dict[str, set[str]] = {}
    for alert, subscription in conn.execute(query.distinct()):
        found.setdefault(alert, set()).add(subscription)
    return found


def standing_subscriptions(conn: Connection) -> list[Row[*tuple[Any, ...]]]:
    """Those that were not deleted, with what matching needs; `active` ones want to be told."""
    return list(conn.execute(_STANDING))


def add_deliveries(conn: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
    """Who is to be told what; without positions, which the sequencer gives."""
    if rows:
        conn.execute(_TELL, [dict(row) for row in rows])


def last_position(conn: Connection) -> int:
    """The greatest position given; 0 before the first."""
    return conn.scalar(_LAST_POSITION) or 0


def unnumbered(conn: Connection) -> list[Row[*tuple[Any, ...]]]:
    """Changes without a position: alert, change, at_us, by time."""
    return list(conn.execute(_UNNUMBERED))


_NUMBER_LOG = (
    update(alert_log)
    .where(alert_log.c.alert == bindparam("b_alert"), alert_log.c.change == bindparam("b_change"))
    .values(position=bindparam("b_position"))
)
_NUMBER_DELIVERY = (
    update(deliveries)
    .where(deliveries.c.id == bindparam("b_id"))
    .values(position=bindparam("b_position"))
)


def number(conn: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
    """Give positions to changes: b_alert, b_change, b_position."""
    if rows:
        conn.execute(_NUMBER_LOG, [dict(row) for row in rows])


def unnumbered_deliveries(conn: Connection) -> list[Row[*tuple[Any, ...]]]:
    """Deliveries without a position whose change has one: id, subscription, its last position."""
    return list(conn.execute(_UNNUMBERED_DELIVERIES))


def number_deliveries(conn: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
    """Give positions to deliveries: b_id, b_position."""
    if rows:
        conn.execute(_NUMBER_DELIVERY, [dict(row) for row in rows])


def set_last_positions(conn: Connection, last: Mapping[str, int]) -> None:
    """Remember the last position given in each subscription."""
    if last:
        given = [{"b_id": one, "b_position": position} for one, position in last.items()]
        conn.execute(_LAST_POSITIONS, given)


def silent_since(conn: Connection, rule: str, before_us: int) -> list[str]:
    """Unresolved alerts of `rule` about which nothing was said after that instant."""
    latest = (
        select(func.max(alert_log.c.at_us))
        .where(alert_log.c.alert == alerts.c.id)
        .scalar_subquery()
    )
    query = select(alerts.c.id).where(
        alerts.c.rule == rule, alerts.c.status != "resolved", latest <= before_us
    )
    return list(conn.scalars(query))


def surroundings(
    conn: Connection, stream_ids: Collection[int]
) -> dict[int, tuple[str, str | None]]:
    """The mode of the trial and the subject's site, by stream."""
    found = conn.execute(_SURROUNDINGS[conn.dialect.name], wanted(conn, stream_ids))
    return {row.id: (row.mode, row.site) for row in found}


def as_contract(row: Mapping[str, Any]) -> dict[str, Any]:
    """The alert as JSON of the contract; `still_true` says so of one that a person resolved."""
    return {
        "id": row["id"],
        "trial": row["trial"],
        "protocol_version": row["protocol_version"],
        "subject": row["subject"],
        "rule": row["rule"],
        "category": row["category"],
        "severity": row["severity"],
        "status": row["status"],
        "still_true": row["still_true"],
        "resolution": _resolution(row["resolution"]),
        "title": row["title"],
        "detail": row["detail"],
        "action": row["action"],
        "source_text": row["source_text"],
        "evidence": [_evidence(item) for item in orjson.loads(row["evidence"])],
        "occurred_at": iso(row["occurred_us"]),
        "opened_at": iso(row["opened_us"]),
        "due_at": _iso(row["due_us"]),
        "acknowledged": _loaded(row["acknowledged"]),
        "assigned_to": row["assigned_to"],
        "snoozed_until": _iso(row["snoozed_until_us"]),
        "sequence": row["sequence"],
        "key": row["key"],
    }


def _evidence(item: dict[str, Any]) -> dict[str, Any]:
    """Evidence is stored with its time in microseconds."""
    return {**item, "time": _iso(item["time"])}


def _iso(instant_us: int | None) -> str | None:
    return None if instant_us is None else iso(instant_us)


def _resolution(text: str | None) -> Any:
    """Without the rank that is kept for reopening: it is nobody else's business."""
    resolution = _loaded(text)
    if resolution is not None:
        resolution.pop("severity_rank", None)
    return resolution


def _loaded(text: str | None) -> Any:
    return None if text is None else orjson.loads(text)


def has_unnumbered(conn: Connection) -> bool:
    """Whether any change or delivery has no position."""
    changes = select(alert_log.c.alert).where(alert_log.c.position.is_(None)).limit(1)
    told = select(deliveries.c.id).where(deliveries.c.position.is_(None)).limit(1)
    return conn.scalar(changes) is not None or conn.scalar(told) is not None
