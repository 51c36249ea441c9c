"""A subject's laboratory series: every value with its CTCAE grade and its change from baseline.

Who comes in: GET .../laboratory, the subject's page. Who goes out: a stream's state and log, and
the engine that grades them; nothing is graded here.
"""

from __future__ import annotations

from sqlalchemy import Connection

from services.reading import engines
from services.reading.eligibility import evaluated
from services.reading.pages import Json
from services.repositories import events, streams


def of_subject(conn: Connection, trial: str, subject: str) -> Json | None:
    """Every series of the evaluated events; None if there is no such subject or no protocol."""
    stream = streams.find(conn, trial, subject)
    if stream is None:
        return None
    engine = engines.of_version(conn, trial, stream.protocol_version)
    if engine is None:
        return None
    log = evaluated(conn, stream, events.after(conn, stream.id, 0))
    return {
        **engine.laboratory_view(stream.state, log),
        "trial": trial,
        "subject": subject,
        "pending": max(0, stream.next_n - stream.done_n),
        "next": None,
    }
