"""A subject's adverse events: what is known of each, what follows from it, and how it came.

Who comes in: GET .../adverse-events, the subject's page. Who goes out: a stream's state and log,
and the engine that reads them; nothing is derived here.
"""

from __future__ import annotations

from sqlalchemy import Connection

from services.reading import judged
from services.reading.pages import Json


def of_subject(conn: Connection, trial: str, subject: str) -> Json | None:
    """Every adverse event of the evaluated events; None if there is no such subject or protocol."""
    return judged.of_subject(
        conn,
        trial,
        subject,
        lambda engine, state, log: {"items": engine.adverse_view(state, log())},
    )
