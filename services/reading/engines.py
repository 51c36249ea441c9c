"""The protocols and engines that reading asks: one a process and text.

Who comes in: the other modules of reading. Who goes out: services.protocols and `rules`.
"""

from __future__ import annotations

from functools import lru_cache

import orjson
from sqlalchemy import Connection, select

import rules
from services import protocols
from services.models import events
from services.repositories import protocols as versions
from services.repositories import steps
from services.repositories.protocols import VersionRow


def active(conn: Connection, trial: str) -> rules.Protocol | None:
    """The version in force, compiled; None before the first activation."""
    row = versions.active(conn, trial)
    return None if row is None else protocols.compiled(row)


def version(conn: Connection, trial: str, wanted: str) -> rules.Protocol | None:
    """One version, compiled; None if there is no such version."""
    row = versions.get(conn, trial, wanted)
    return None if row is None else protocols.compiled(row)


def of_version(conn: Connection, trial: str, wanted: str | None) -> rules.Engine | None:
    """The engine of one version, or of the one in force where none is named."""
    protocol = active(conn, trial) if wanted is None else version(conn, trial, wanted)
    return None if protocol is None else engine(conn, trial, protocol)


def at(conn: Connection, trial: str, stream_id: int, at_us: int) -> rules.Engine | None:
    """The engine of the version that this stream had been told of by `at_us`."""
    told = conn.scalar(
        select(events.c.data)
        .where(
            events.c.stream_id == stream_id,
            events.c.type == rules.EventType.ACTIVATION.value,
            events.c.received_us <= at_us,
        )
        .order_by(events.c.n.desc())
        .limit(1)
    )
    if told is not None:
        return of_version(conn, trial, orjson.loads(told)["version"])
    return of_version(conn, trial, steps.first_version(conn, trial, stream_id))


@lru_cache(maxsize=32)
def _engine(trial: str, protocol: rules.Protocol) -> rules.Engine:
    """The engine of a compiled version; several threads may use it, for no engine is behind it."""
    return rules.Engine(protocol, rules.Functions, lambda wanted: _other(trial, wanted))


def engine(conn: Connection, trial: str, protocol: rules.Protocol) -> rules.Engine:
    """The engine of a compiled version, with the trial's other versions at hand."""
    for row in versions.once_in_force(conn, trial, but=_texts.get(trial, {})):
        _texts.setdefault(trial, {})[row.version] = row
    return _engine(trial, protocol)


def _other(trial: str, wanted: str) -> rules.Protocol | None:
    row = _texts.get(trial, {}).get(wanted)
    return None if row is None else protocols.compiled(row)


# The texts of versions that are or were in force, by trial; they never change.
_texts: dict[str, dict[str, VersionRow]] = {}
