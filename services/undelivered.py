"""A subscriber who cannot be told: operations must know, in the trial whose alert was given up.

Who comes in: delivery, in the transaction that buries a delivery. Who goes out: one alert for each
trial and subscription, opened once: told again and again it would only bury itself.
"""

from __future__ import annotations

from sqlalchemy import Connection, update

from rules import Category, Severity
from services import ids
from services.models import streams
from services.repositories.alerts import AlertRow
from services.repositories.streams import TRIAL_SUBJECT
from services.telling import Ledger

UNDELIVERED_RULE = "OPS-UNDELIVERED"


def tell(conn: Connection, trial: str, subscription: str, now_us: int) -> None:
    """Open the alert, or open it again if somebody had resolved it."""
    alert = ids.alert_id(trial, TRIAL_SUBJECT, UNDELIVERED_RULE, subscription)
    ledger = Ledger(conn, [alert], now_us)
    row = ledger.rows.get(alert)
    if row is None:
        ledger.say(_row(conn, alert, trial, subscription, now_us), "opened", now_us)
    elif row["status"] == "resolved":
        row |= {"status": "open", "still_true": True, "resolution": None, "acknowledged": None}
        ledger.say(row, "reopened", now_us)
    ledger.write()


def _row(conn: Connection, alert: str, trial: str, subscription: str, now_us: int) -> AlertRow:
    """The alert, numbered in the trial's own stream; whoever thinks about that must look again."""
    own = conn.execute(
        update(streams)
        .where(streams.c.trial == trial, streams.c.subject == TRIAL_SUBJECT)
        .values(alert_sequence=streams.c.alert_sequence + 1, rev=streams.c.rev + 1)
        .returning(streams.c.id, streams.c.alert_sequence, streams.c.protocol_version)
    ).one()
    about: AlertRow = {
        "id": alert,
        "stream_id": own.id,
        "trial": trial,
        "subject": None,
        "rule": UNDELIVERED_RULE,
        "key": subscription,
        "protocol_version": own.protocol_version or "",
        "sequence": own.alert_sequence,
    }
    return about | {
        "category": Category.OPERATIONS.value,
        "severity": Severity.SERIOUS.value,
        "severity_rank": Severity.SERIOUS.rank,
        "status": "open",
        "still_true": True,
        "resolution": None,
        "title": "A subscriber cannot be told: a delivery was given up",
        "detail": "The subscription's receiver took no delivery within the whole schedule, or "
        "answered 410 and was disabled.",
        "action": "Mend the receiver or the subscription, then requeue its dead letters.",
        "source_text": "Vigil, delivery",
        "evidence": "[]",
        "occurred_us": now_us,
        "opened_us": now_us,
        "due_us": None,
        "explanation": None,
        "acknowledged": None,
        "assigned_to": None,
        "snoozed_until_us": None,
        "changes": 0,
    }
