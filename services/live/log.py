"""The alert log as the stream reads it: numbered changes in order, each rendered once for all.

Who comes in: the hub, the view that answers without one. Who goes out: the store.
"""

from __future__ import annotations

from typing import Any

import orjson
from sqlalchemy import Row

from rules import Severity
from services.database import Database
from services.live import sse
from services.matching import About
from services.reading.alerts import without_values
from services.reading.pages import Json
from services.repositories import alerts, trials
from services.telling import categories

SUPERSEDED = "superseded"
_GRAVEST = max(Severity, key=lambda severity: severity.rank)


class Line:
    """One change of an alert: what filters ask of it, and its bytes for either kind of reader."""

    __slots__ = ("_bare", "_body", "_full", "_kind", "about", "position")

    def __init__(self, row: Row[Any], alert: Json, mode: str) -> None:
        """Of a row of alert_log, its body decoded, and the mode of its trial."""
        self.position: int = row.position
        self._kind: str = row.kind
        self._body: str = row.body
        self._full: bytes | None = None
        self._bare: bytes | None = None
        self.about = About(
            trial=alert["trial"],
            replay=mode == trials.REPLAY,
            subject=alert["subject"],
            site=None,
            rule=alert["rule"],
            categories=categories(alert["rule"], alert["category"]),
            # Whoever may have heard of the alert hears that it was wrong, however mild it became.
            severity_rank=(
                _GRAVEST if row.kind == SUPERSEDED else Severity(alert["severity"])
            ).rank,
            event=f"alert.{row.kind}",
        )

    def event(self, *, values: bool) -> bytes:
        """The bytes to send; without values to who may not see clinical ones."""
        if values:
            if self._full is None:
                self._full = sse.event(self.position, self._kind, self._body.encode())
            return self._full
        if self._bare is None:
            bare = orjson.dumps(without_values(orjson.loads(self._body)))
            self._bare = sse.event(self.position, self._kind, bare)
        return self._bare


class Log:
    """The log of one store. For one thread."""

    def __init__(self, database: Database) -> None:
        """Nothing is asked yet."""
        self._database = database
        self._modes: dict[str, str] = {}  # of trials: they never change

    def after(self, position: int, limit: int) -> list[Line]:
        """Up to `limit` changes past `position`, in order."""
        with self._database.reading() as conn:
            rows = alerts.after_position(conn, position, limit)
            bodies = [orjson.loads(row.body) for row in rows]
            if not {body["trial"] for body in bodies} <= self._modes.keys():
                self._modes = {trial.id: trial.mode for trial in trials.every(conn)}
        return [
            Line(row, body, self._modes.get(body["trial"], trials.LIVE))
            for row, body in zip(rows, bodies, strict=True)
        ]
