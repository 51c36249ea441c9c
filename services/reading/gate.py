"""Whether a subject may be infused: the gate of the protocol, and what holds the trial.

Who comes in: GET .../gate and the subject's page. Who goes out: the engine's view of the subject,
and the holds of the trial's own stream: they are joined here, when they are read.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection

import rules
from services.reading import eligibility
from services.reading.pages import Json
from services.repositories import streams, trials

OPEN, CLOSED, UNKNOWN = "open", "closed", "unknown"
_KEPT = ("id", "kind", "what", "since_us", "by", "reason")  # of a hold in the trial's row
_INFUSIONS = "trial"  # a hold of enrolment alone lets the enrolled be infused


def of_subject(
    conn: Connection, trial: str, subject: str, as_of_us: int | None, now_us: int
) -> Json | None:
    """The gate now, or as it was known at `as_of_us`; None where there is no such subject."""
    found = eligibility.seen(conn, trial, subject, as_of_us, now_us, rules.Engine.gate)
    if found is None:
        return None
    body, stream, at_us = found
    hold = _hold(conn, trial, at_us)
    return {**body, "gate": _word(body, held=stream.held, hold=hold), "trial_hold": hold}


def _hold(conn: Connection, trial: str, at_us: int) -> Json | None:
    """The oldest hold that kept everybody from being infused at that time."""
    standing = [
        one
        for one in _holds(conn, trial)
        if one.what == _INFUSIONS
        and one.since_us <= at_us
        and (one.until_us is None or one.until_us > at_us)
    ]
    oldest = min(standing, key=lambda one: one.since_us, default=None)
    return None if oldest is None else rules.hold_view(oldest)


def _holds(conn: Connection, trial: str) -> list[rules.TrialHold]:
    """Every hold of the trial: what its stream found, and a person's that still waits there."""
    stream = streams.find(conn, trial, streams.TRIAL_SUBJECT)
    found = [] if stream is None else list(rules.holds_of(stream.state))
    row, folded = trials.get(conn, trial), {one.id for one in found}
    standing = [] if row is None else trials.standing(row)
    asked = [
        rules.TrialHold(name=one["id"], **{key: one[key] for key in _KEPT})
        for one in standing
        if one["id"] not in folded
    ]
    return [*found, *asked]


def _word(body: dict[str, Any], *, held: bool, hold: Json | None) -> str | None:
    """A held trial closes every gate; while events of the subject wait, none is open."""
    if hold is not None:
        return CLOSED
    word: str | None = body["gate"]
    waits = held or body["pending"] > 0
    return UNKNOWN if waits and word == OPEN else word
