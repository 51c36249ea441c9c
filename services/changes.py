"""The alert log against one subscription's wish: what it would be told, and what it was not told.

Who comes in: previews (reading), replays (subscriptions). Who goes out: the log, delivery rows.
Only numbered changes are looked at: whoever wrote them has committed them.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import orjson
from sqlalchemy import Connection, Row, Select, select

from rules import Severity
from services.matching import Wish, wish
from services.models import alert_log, alerts, deliveries, streams, trials
from services.repositories.alerts import add_deliveries, last_position
from services.repositories.subscriptions import SubscriptionRow
from services.telling import about, delivery

# So many changes are looked at, the latest.
MOST_LOOKED_AT = 100_000
# Written at once; a statement holds only so many values.
_SOME = 500

Json = dict[str, Any]


def bound(conn: Connection) -> int:
    """The position up to which nobody looks."""
    return last_position(conn) - MOST_LOOKED_AT


def matching(conn: Connection, wanted: Wish, since_us: int) -> Iterator[tuple[Row[Any], Json]]:
    """The changes that fit, with the alert as it then was, in order of position.

    That an alert was wrong, whoever heard of it hears too. A site is the subject's of today.
    """
    heard: set[str] = set()
    query = _changes(wanted, since_us, bound(conn))
    with conn.execute(query.execution_options(yield_per=500)) as rows:
        for row in rows:
            alert = orjson.loads(row.body)
            told_before = row.kind == "superseded" and row.alert in heard
            if told_before or wanted.wants(about(_ranked(alert), row.kind, row.mode, row.site)):
                heard.add(row.alert)
                yield row, alert


def _ranked(alert: Json) -> Json:
    return {**alert, "severity_rank": Severity(alert["severity"]).rank}


def _changes(wanted: Wish, since_us: int, after: int) -> Select[Any]:
    query = (
        select(
            alert_log.c.alert,
            alert_log.c.change,
            alert_log.c.kind,
            alert_log.c.at_us,
            alert_log.c.body,
            trials.c.mode,
            streams.c.site,
        )
        .join(alerts, alerts.c.id == alert_log.c.alert)
        .join(streams, streams.c.id == alerts.c.stream_id)
        .join(trials, trials.c.id == alerts.c.trial)
        .where(alert_log.c.position > after, alert_log.c.at_us >= since_us)
        .order_by(alert_log.c.position)
    )
    return query if wanted.within is None else query.where(alerts.c.trial.in_(wanted.within))


def tell_missed(conn: Connection, row: SubscriptionRow, since_us: int, now_us: int) -> int:
    """Delivery rows for what a subscription was not told since then; how many.

    It was disabled then, or did not stand yet. Lock its row before: two replays make them once.
    """
    asked = wish(row.filter, row.events, row.trials)
    wanted = [
        {**delivery(alert, change.change, f"alert.{change.kind}", row.id, now_us)}
        | {"content": row.content}
        for change, alert in matching(conn, asked, since_us)
    ]
    made = 0
    for start in range(0, len(wanted), _SOME):
        some = wanted[start : start + _SOME]
        known = set(conn.scalars(_known([one["id"] for one in some])))
        missed = [one for one in some if one["id"] not in known]
        add_deliveries(conn, missed)
        made += len(missed)
    return made


def _known(ids: list[str]) -> Select[tuple[str]]:
    return select(deliveries.c.id).where(deliveries.c.id.in_(ids))
