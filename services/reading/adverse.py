"""A subject's adverse events: what is known of each, what follows from it, and how it came.

Who comes in: GET .../adverse-events, the subject's page. Who goes out: a stream's state and log,
and the engine that reads them; nothing is derived here.
"""

from __future__ import annotations

from sqlalchemy import Connection

from services.reading import engines
from services.reading.eligibility import evaluated
from services.reading.pages import Json
from services.repositories import events, streams


def of_subject(conn: Connection, trial: str, subject: str) -> Json | None:
    """Every adverse event of the evaluated events; None if there is no such subject or protocol."""
    stream = streams.find(conn, trial, subject)
    if stream is None:
        return None
    engine = engines.of_version(conn, trial, stream.protocol_version)
    if engine is None:
        return None
    log = evaluated(conn, stream, events.after(conn, stream.id, 0))
    return {
        "items": engine.adverse_view(stream.state, log),
        "trial": trial,
        "subject": subject,
        "pending": max(0, stream.next_n - stream.done_n),
        "next": None,
    }
