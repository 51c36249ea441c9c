"""Where the trial's stopping rules stand.

Who comes in: GET .../stopping and the trial at a glance. Who goes out: the trial's own stream, and
the engine that reads its state.
"""

from __future__ import annotations

from sqlalchemy import Connection

import rules
from services.reading import engines
from services.reading.pages import Json, everything
from services.repositories import streams


def counted(conn: Connection, trial: str) -> dict[str, int]:
    """By stopping rule: the events that count as last evaluated, as a person can know them."""
    stream = streams.find(conn, trial, streams.TRIAL_SUBJECT)
    engine = stream and engines.of_version(conn, trial, stream.protocol_version)
    return engine.stopping_events(stream.state) if stream and engine else {}


def of_trial(conn: Connection, trial: str) -> Json | None:
    """Contract §3's list; None if there is no such trial."""
    stream = streams.find(conn, trial, streams.TRIAL_SUBJECT)
    if stream is None:
        return None
    engine = engines.of_version(conn, trial, stream.protocol_version)
    page = everything([] if engine is None else engine.stopping_view(stream.state))
    return {**page, "holds": [rules.hold_view(one) for one in rules.holds_of(stream.state)]}
