"""One change of an alert: frozen in the log, and a delivery for each who wants to hear of it.

Who comes in: alerting (what rules found), responses (what people did), evaluation's poison. Who
goes out: alerts, their log, deliveries. All in the caller's transaction.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

import orjson
from sqlalchemy import Connection

from rules import Category
from services import ids
from services.clock import iso
from services.matching import About, Wish, wish
from services.repositories import alerts, streams
from services.repositories.alerts import AlertRow

# About these operations alerts the people of safety are told too: a held stream watches nobody.
HELD_RULE = "OPS-HELD"
_ALSO_SAFETY = frozenset({HELD_RULE})
_SUPERSEDED = "superseded"


class Rows:
    """Alerts while they change, in memory."""

    def __init__(self, rows: dict[str, AlertRow]) -> None:
        """`rows` are those that exist, by id."""
        self.rows = rows

    def say(
        self,
        row: AlertRow,
        kind: str,
        at_us: int,
        *,
        by: str | None = None,
        note: str | None = None,
    ) -> None:
        """Note that `row`, as it is now, was `kind` (opened, updated, ...)."""
        self.rows[row["id"]] = row
        row["changes"] += 1


class Ledger(Rows):
    """Collects the changes of one transaction, then writes them in five statements or fewer."""

    def __init__(self, conn: Connection, wanted: Collection[str], now_us: int) -> None:
        """Lock those of the alerts `wanted` that exist; `now_us` is the wall clock."""
        super().__init__(alerts.locked(conn, wanted) if wanted else {})
        self.conn, self.now_us = conn, now_us
        self._stored = frozenset(self.rows)
        self._log: list[dict[str, Any]] = []
        self._abouts: list[tuple[AlertRow, str, int]] = []  # as it was then, kind, change

    def say(
        self,
        row: AlertRow,
        kind: str,
        at_us: int,
        *,
        by: str | None = None,
        note: str | None = None,
    ) -> None:
        """Freeze `row` as it is now, for the log and for those who are told."""
        super().say(row, kind, at_us, by=by, note=note)
        entry = {"alert": row["id"], "change": row["changes"], "kind": kind, "at_us": at_us}
        body = orjson.dumps(alerts.as_contract(row)).decode()
        self._log.append({**entry, "by": by, "note": note, "body": body})
        self._abouts.append((dict(row), kind, row["changes"]))

    def write(self) -> int:
        """Store everything; how many changes there were."""
        if self._log:
            touched = {entry["alert"] for entry in self._log}
            alerts.add(self.conn, [self.rows[one] for one in sorted(touched - self._stored)])
            alerts.save(self.conn, [self.rows[one] for one in sorted(touched & self._stored)])
            alerts.log(self.conn, self._log)
            alerts.add_deliveries(self.conn, list(self._deliveries()))
        return len(self._log)

    def _deliveries(self) -> Iterator[dict[str, Any]]:
        """A row for each subscriber of each change."""
        standing = alerts.standing_subscriptions(self.conn)
        contents = {row.id: row.content for row in standing}
        wishes = [
            (row.id, wish(row.filter, row.events, row.trials) if row.active else None)
            for row in standing
        ]
        if not wishes:
            return
        surroundings = alerts.surroundings(
            self.conn, {row["stream_id"] for row, _, _ in self._abouts}
        )
        told = self._told()
        for row, kind, change in self._abouts:
            matched = about(row, kind, *surroundings[row["stream_id"]])
            for subscription in _hearers(wishes, matched, told.get(row["id"], set())):
                told.setdefault(row["id"], set()).add(subscription)
                made = delivery(row, change, matched.event, subscription, self.now_us)
                yield {**made, "content": contents[subscription]}

    def _told(self) -> dict[str, set[str]]:
        """Who was told before of the alerts that turn out to rest on wrong data."""
        wrong = {row["id"] for row, kind, _ in self._abouts if kind == _SUPERSEDED}
        return alerts.told(self.conn, wrong & self._stored) if wrong else {}


def delivery(
    alert: Mapping[str, Any], change: int, event: str, subscription: str, now_us: int
) -> dict[str, Any]:
    """The row that tells `subscription` of a change of `alert`; it has no position yet."""
    return {
        "id": ids.delivery_id(alert["id"], change, subscription),
        "subscription": subscription,
        "alert": alert["id"],
        "change": change,
        "event": event,
        "critical": alert["severity"] == "critical",
        "status": "pending",
        "created_us": now_us,
        "next_attempt_us": now_us,
    }


def _hearers(wishes: list[tuple[str, Wish | None]], about: About, told: set[str]) -> list[str]:
    """Who is to be told; that an alert was wrong, everyone who ever heard of it.

    Who is disabled wishes for nothing (None), but that waits for the day when it is active again.
    """
    must_hear = told if about.event == f"alert.{_SUPERSEDED}" else ()
    return [
        one
        for one, wanted in wishes
        if one in must_hear or (wanted is not None and wanted.wants(about))
    ]


def about(row: AlertRow, kind: str, mode: str, site: str | None) -> About:
    """What a filter may ask of a change of `row`, which holds trial, subject, rule and so on."""
    return About(
        trial=row["trial"],
        replay=mode == "replay",
        subject=row["subject"],
        site=site,
        rule=row["rule"],
        categories=categories(row["rule"], row["category"]),
        severity_rank=row["severity_rank"],
        event=f"alert.{kind}",
    )


def categories(rule: str, category: str) -> frozenset[str]:
    """Whose alerts these are: one category's, or two's where safety must hear of operations."""
    return frozenset({category, Category.SAFETY} if rule in _ALSO_SAFETY else {category})


def release_stream(conn: Connection, letter: str, *, stream_id: int, by: str, now_us: int) -> None:
    """Let the held and locked stream of a dead letter go on, and say so."""
    stream = streams.get(conn, stream_id)
    if stream is None or not streams.release(conn, stream_id):
        return
    alert = ids.alert_id(stream.trial, stream.subject, HELD_RULE, letter)
    ledger = Ledger(conn, [alert], now_us)
    row = ledger.rows.get(alert)
    if row is not None and row["status"] != "resolved":
        resolution: dict[str, str | None] = {"reason": "cleared", "at": iso(now_us), "by": by}
        resolution |= {"note": None, "because_of": None}
        row |= {"status": "resolved", "still_true": False}
        row["resolution"] = orjson.dumps(resolution).decode()
        ledger.say(row, "resolved", now_us, by=by)
        ledger.write()
