"""The protocols and engines that reading asks: one a process and text.

Who comes in: the other modules of reading. Who goes out: services.protocols and `rules`.
"""

from __future__ import annotations

from functools import lru_cache

from sqlalchemy import Connection

import rules
from services import protocols
from services.repositories import protocols as versions
from services.repositories.protocols import VersionRow


def active(conn: Connection, trial: str) -> rules.Protocol | None:
    """The version in force, compiled; None before the first activation."""
    row = versions.active(conn, trial)
    return None if row is None else protocols.compiled(row)


def version(conn: Connection, trial: str, wanted: str) -> rules.Protocol | None:
    """One version, compiled; None if there is no such version."""
    row = versions.get(conn, trial, wanted)
    return None if row is None else protocols.compiled(row)


def of_state(conn: Connection, trial: str, state_version: str | None) -> rules.Engine | None:
    """The engine of a stored state's version, else of the version in force."""
    row = versions.get(conn, trial, state_version) if state_version else None
    chosen = row or versions.active(conn, trial)
    return None if chosen is None else engine(chosen)


def engine(row: VersionRow) -> rules.Engine:
    """The engine of a stored version."""
    return _engine(protocols.compiled(row))


@lru_cache(maxsize=32)
def _engine(protocol: rules.Protocol) -> rules.Engine:
    return rules.Engine(protocol)
