"""The inbox: what waits for a person, the most severe first, with the place in the log it is of.

Who comes in: the page. Who goes out: alerts, their log, the trials they belong to.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, and_, func, select

from services.models import alerts, protocol_versions, trials
from services.reading import engines
from services.reading.alerts import Wanted, shown
from services.reading.pages import Json
from services.repositories import alerts as repository


@dataclass(frozen=True)
class Place:
    """What a page says of a trial besides its name."""

    banner: str | None
    zone: str


@dataclass(frozen=True)
class Inbox:
    """Alerts as they were at `position` of the log; `counts` are of all that is wanted."""

    items: list[Json]
    counts: dict[str, int]
    position: int

    @property
    def total(self) -> int:
        """How many there are, shown or not."""
        return sum(self.counts.values())


def of(conn: Connection, wanted: Wanted, limit: int, *, values: bool) -> Inbox:
    """The most severe first, then the oldest; what is over, the newest first."""
    order: tuple[Any, ...] = (alerts.c.severity_rank.desc(), alerts.c.opened_us, alerts.c.id)
    if wanted.status == "resolved":
        order = (alerts.c.opened_us.desc(), alerts.c.id)
    rows = conn.execute(select(alerts).where(*wanted.where()).order_by(*order).limit(limit))
    return Inbox(
        items=[shown(row, values=values) for row in rows],
        counts=counts(conn, wanted),
        position=repository.last_position(conn),
    )


def counts(conn: Connection, wanted: Wanted) -> dict[str, int]:
    """How many there are of each severity."""
    query = select(alerts.c.severity, func.count().label("many")).where(*wanted.where())
    rows = conn.execute(query.group_by(alerts.c.severity))
    return {row.severity: row.many for row in rows}


_ZONES: dict[str, str] = {}


def places(conn: Connection, only: Collection[str] | None) -> dict[str, Place]:
    """Banner and time zone of each trial, by id; UTC before its first protocol."""
    own = and_(
        protocol_versions.c.trial == trials.c.id,
        protocol_versions.c.version == trials.c.active_version,
    )
    query = (
        select(trials.c.id, trials.c.banner, trials.c.active_version, protocol_versions.c.digest)
        .outerjoin(protocol_versions, own)
        .order_by(trials.c.id)
    )
    if only is not None:
        query = query.where(trials.c.id.in_(only))
    return {
        row.id: Place(row.banner, _zone(conn, row.id, row.active_version, row.digest))
        for row in conn.execute(query).all()
    }


def _zone(conn: Connection, trial: str, version: str | None, digest: str | None) -> str:
    """The zone of a protocol's text, which never changes: read once a process."""
    if version is None or digest is None:
        return "UTC"
    if digest not in _ZONES:
        protocol = engines.version(conn, trial, version)
        _ZONES[digest] = protocol.definition.time_zone if protocol else "UTC"
    return _ZONES[digest]
