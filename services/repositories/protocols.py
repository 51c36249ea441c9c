"""The versions of each trial's protocol: immutable text, with who approved it and since when.

Who comes in: services.protocols, reading. Who goes out: the store.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from sqlalchemy import Connection, Row, case, insert, or_, select, update

from services.models import protocol_versions, streams, trials
from services.repositories.among import by_dialect, wanted

DRAFT = "draft"
SCHEDULED = "scheduled"  # approved, to be in force from `effective_from_us` on
ACTIVE = "active"
RETIRED = "retired"

VersionRow = Row[*tuple[Any, ...]]

_IS_ACTIVE = (trials.c.id == protocol_versions.c.trial) & (
    trials.c.active_version == protocol_versions.c.version
)
_DIGESTS = by_dialect(
    lambda among: (
        select(trials.c.id, trials.c.mode, trials.c.active_version, protocol_versions.c.digest)
        .select_from(trials.outerjoin(protocol_versions, _IS_ACTIVE))
        .where(among(trials.c.id))
    )
)


def add(
    conn: Connection, trial: str, version: str, *, digest: str, yaml: str, by: str, now_us: int
) -> None:
    """A draft. Raises IntegrityError if the version exists."""
    conn.execute(
        insert(protocol_versions).values(
            trial=trial,
            version=version,
            status=DRAFT,
            digest=digest,
            yaml=yaml,
            created_us=now_us,
            created_by=by,
        )
    )


def get(conn: Connection, trial: str, version: str) -> VersionRow | None:
    """The whole row, with its YAML."""
    wanted = (protocol_versions.c.trial == trial) & (protocol_versions.c.version == version)
    return conn.execute(select(protocol_versions).where(wanted)).one_or_none()


def of_trial(conn: Connection, trial: str) -> list[VersionRow]:
    """Every version of a trial, oldest first."""
    query = select(protocol_versions).where(protocol_versions.c.trial == trial)
    ordered = query.order_by(protocol_versions.c.created_us, protocol_versions.c.version)
    return list(conn.execute(ordered))


def once_in_force(conn: Connection, trial: str, but: Collection[str] = ()) -> list[VersionRow]:
    """The version in force and those that were before, without those named `but`, in order."""
    query = select(protocol_versions).where(
        protocol_versions.c.trial == trial,
        protocol_versions.c.status.in_((ACTIVE, RETIRED)),
        protocol_versions.c.version.not_in(but),
    )
    return list(conn.execute(query.order_by(protocol_versions.c.effective_from_us)))


def scheduled(conn: Connection, trial: str) -> list[VersionRow]:
    """The versions that wait for their instant, the earliest first."""
    query = select(protocol_versions).where(
        protocol_versions.c.trial == trial, protocol_versions.c.status == SCHEDULED
    )
    return list(conn.execute(query.order_by(protocol_versions.c.effective_from_us)))


def retired(conn: Connection, trial: str) -> bool:
    """Whether an earlier version was ever in force."""
    mine = (protocol_versions.c.trial == trial) & (protocol_versions.c.status == RETIRED)
    return (
        conn.execute(select(protocol_versions.c.version).where(mine).limit(1)).first() is not None
    )


def still_needed(conn: Connection, trial: str) -> list[VersionRow]:
    """Earlier versions that some subject is judged by or consented to; also one not known yet."""
    version = protocol_versions.c.version
    pinned = select(streams.c.id).where(
        streams.c.trial == trial,
        streams.c.subject != "*",
        or_(
            streams.c.pinned_version == version,
            streams.c.criteria_version == version,
            streams.c.pinned_version.is_(None),  # not evaluated yet
        ),
    )
    query = select(protocol_versions).where(
        protocol_versions.c.trial == trial,
        protocol_versions.c.status == RETIRED,
        pinned.exists(),
    )
    return list(conn.execute(query.order_by(protocol_versions.c.effective_from_us)))


def active(conn: Connection, trial: str) -> VersionRow | None:
    """The version in force, or None before the first activation."""
    joined = (trials.c.id == protocol_versions.c.trial) & (
        trials.c.active_version == protocol_versions.c.version
    )
    query = select(protocol_versions).join(trials, joined).where(trials.c.id == trial)
    return conn.execute(query).one_or_none()


def digests(conn: Connection, ids: Collection[str]) -> list[VersionRow]:
    """`id`, `mode`, `active_version` and its `digest` of trials; null before an activation."""
    return list(conn.execute(_DIGESTS[conn.dialect.name], wanted(conn, ids)))


def schedule(
    conn: Connection, trial: str, version: str, effective_from_us: int, approved_by: str
) -> None:
    """Let `version` be put in force when its instant has come."""
    wanted = (protocol_versions.c.trial == trial) & (protocol_versions.c.version == version)
    values = {"effective_from_us": effective_from_us, "approved_by": approved_by}
    conn.execute(update(protocol_versions).where(wanted).values(status=SCHEDULED, **values))


def due(conn: Connection, now_us: int) -> list[tuple[str, str]]:
    """(trial, version) of what is scheduled and has come: by `now_us`, or a replay trial's clock.

    The earliest first, so that of two the later one stays.
    """
    clock = case((trials.c.mode == "replay", trials.c.clock_us), else_=now_us)
    query = (
        select(protocol_versions.c.trial, protocol_versions.c.version)
        .join(trials, trials.c.id == protocol_versions.c.trial)
        .where(protocol_versions.c.status == SCHEDULED)
        .where(protocol_versions.c.effective_from_us <= clock)
        .order_by(protocol_versions.c.effective_from_us, protocol_versions.c.created_us)
    )
    return [(row.trial, row.version) for row in conn.execute(query)]


def set_active(
    conn: Connection, trial: str, version: str, *, effective_from_us: int, approved_by: str
) -> None:
    """Put `version` in force and retire the one before; the trial's row must be locked."""
    mine = protocol_versions.c.trial == trial
    was_active = mine & (protocol_versions.c.status == ACTIVE)
    conn.execute(update(protocol_versions).where(was_active).values(status=RETIRED))
    conn.execute(
        update(protocol_versions)
        .where(mine, protocol_versions.c.version == version)
        .values(status=ACTIVE, effective_from_us=effective_from_us, approved_by=approved_by)
    )
    conn.execute(update(trials).where(trials.c.id == trial).values(active_version=version))
