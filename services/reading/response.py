"""Response: of a trial its rates with exact intervals, of a subject what they are made of.

Who comes in: GET .../response, the pages. Who goes out: a stream's state, and the engine.
"""

from __future__ import annotations

from sqlalchemy import Connection

from services.reading import engines, judged, trials
from services.reading.pages import Json, everything
from services.repositories import streams


def of_trial(conn: Connection, trial: str) -> Json | None:
    """Every response rate as last evaluated; None if there is no such trial."""
    if not trials.exists(conn, trial):
        return None
    stream = streams.find(conn, trial, streams.TRIAL_SUBJECT)
    engine = engines.of_version(conn, trial, stream.protocol_version if stream else None)
    if engine is None:
        return everything([])
    return everything(engine.response_view(stream.state if stream else None))


def of_subject(conn: Connection, trial: str, subject: str) -> Json | None:
    """What the clinical functions say of one subject; None if there is none, or no protocol."""
    return judged.of_subject(
        conn, trial, subject, lambda engine, state, _: engine.subject_response(state)
    )
