"""What the engine reads of one subject as it was last evaluated, in the envelope of the doors.

Who comes in: the readings of a subject's laboratory, adverse events and response. Who goes out: a
stream's state and log, and the engine of its version; nothing is derived here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from sqlalchemy import Connection

import rules
from services.reading import engines
from services.reading.eligibility import evaluated
from services.reading.pages import Json
from services.repositories import events, streams

Log = Callable[[], Sequence[rules.Event]]
View = Callable[[rules.Engine, bytes | None, Log], Json]


def of_subject(conn: Connection, trial: str, subject: str, view: View) -> Json | None:
    """The view's own keys and the envelope's; None if there is no such subject or protocol.

    `pending`: how many of the subject's events wait to be evaluated and are not in it.
    """
    stream = streams.find(conn, trial, subject)
    if stream is None:
        return None
    engine = engines.of_version(conn, trial, stream.protocol_version)
    if engine is None:
        return None
    found = view(
        engine,
        stream.state,
        lambda: evaluated(conn, stream, events.after(conn, stream.id, 0)),
    )
    pending = max(0, stream.next_n - stream.done_n)
    return {**found, "trial": trial, "subject": subject, "pending": pending, "next": None}
