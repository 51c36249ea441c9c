"""A subject's laboratory series: every value with its CTCAE grade and its change from baseline.

Who comes in: GET .../laboratory, the subject's page. Who goes out: a stream's state and log, and
the engine that grades them; nothing is graded here.
"""

from __future__ import annotations

from sqlalchemy import Connection

from services.reading import judged
from services.reading.pages import Json


def of_subject(conn: Connection, trial: str, subject: str) -> Json | None:
    """Every series of the evaluated events; None if there is no such subject or no protocol."""
    return judged.of_subject(
        conn, trial, subject, lambda engine, state, log: engine.laboratory_view(state, log())
    )
