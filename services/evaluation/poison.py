"""What happens to an event that cannot be evaluated: three attempts, then its stream is held.

Who comes in: the loop (failures), the sweep (reminders). Who goes out: streams, dead letters, an
operations alert. Hold, never skip: later events stay pending until somebody releases the stream.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection

from rules import Category, Severity
from services import audit, ids, logs
from services.clock import SECOND_US
from services.database import Database, retrying
from services.evaluation.work import Work
from services.repositories import alerts, deadletters, steps
from services.repositories.alerts import AlertRow
from services.telling import HELD_RULE, Ledger

MOST_ATTEMPTS = 3
REMIND_AFTER_US = 30 * 60 * SECOND_US
_ACTOR = "evaluation"

log = logs.get(__name__)


def hold(db: Database, work: Work, reason: str, now_us: int) -> bool:
    """Hold the stream at this event and tell operations and safety; False if it moved on meanwhile.

    `reason` is the name of an error's class.
    """

    def once() -> bool:
        with db.writing() as conn:
            head = work.head
            if not steps.hold(conn, head):
                return False
            event = work.next_event
            n = event.n if event else head.done_n
            letter = deadletters.put(
                conn, trial=head.trial, stream_id=head.id, n=n, reason=reason, now_us=now_us
            )
            _tell(conn, work, letter, now_us)
            chain = audit.stream_chain(head.id)
            detail = {"n": n, "reason": reason}
            audit.append(conn, chain, now_us, _ACTOR, "stream.held", letter, detail)
            return True

    held = retrying(once)
    if held:
        log.error("stream held", stream=work.head.id, n=work.head.done_n + 1, reason=reason)
    return held


def remind(db: Database, now_us: int) -> int:
    """Tell again about streams that are still held; how many."""
    with db.reading() as conn:
        if not alerts.silent_since(conn, HELD_RULE, now_us - REMIND_AFTER_US):
            return 0

    def once() -> int:
        with db.writing() as conn:
            silent = alerts.silent_since(conn, HELD_RULE, now_us - REMIND_AFTER_US)
            ledger = Ledger(conn, silent, now_us)
            for row in list(ledger.rows.values()):
                ledger.say(row, "escalated", now_us)
            return ledger.write()

    return retrying(once)


def _tell(conn: Connection, work: Work, letter: str, now_us: int) -> None:
    head = work.head
    alert = ids.alert_id(head.trial, head.subject, HELD_RULE, letter)
    ledger = Ledger(conn, [alert], now_us)
    row = ledger.rows.get(alert)
    if row is None:
        row = _row(alert, work, letter, now_us)
        steps.set_sequences(conn, {head.id: row["sequence"]})
        ledger.say(row, "opened", now_us)
    else:
        row |= {"status": "open", "still_true": True, "resolution": None, "acknowledged": None}
        ledger.say(row, "reopened", now_us)
    ledger.write()


def _row(alert: str, work: Work, letter: str, now_us: int) -> AlertRow:
    head, event = work.head, work.next_event
    about: dict[str, Any] = {
        "id": alert,
        "stream_id": head.id,
        "trial": head.trial,
        "subject": None if work.is_trial else head.subject,
        "rule": HELD_RULE,
        "key": letter,
        "protocol_version": work.version,
    }
    return about | {
        "category": Category.OPERATIONS.value,
        "severity": Severity.CRITICAL.value,
        "severity_rank": Severity.CRITICAL.rank,
        "status": "open",
        "still_true": True,
        "resolution": None,
        "title": "Evaluation is held: an event could not be evaluated",
        "detail": "Later events are stored and wait; none is judged until this one is released.",
        "action": "Look at the dead letter; requeue it, or discard it with a second person.",
        "source_text": "Vigil, poison handling",
        "evidence": "[]",
        "occurred_us": event.received_us if event else now_us,
        "opened_us": now_us,
        "due_us": None,
        "explanation": None,
        "acknowledged": None,
        "assigned_to": None,
        "snoozed_until_us": None,
        "sequence": head.alert_sequence + 1,
        "changes": 0,
    }
