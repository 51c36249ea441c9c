"""One subject, to be read: may it take part, what speaks for it, what happened, what is open.

Who comes in: clinicians and admins. Who goes out: services/reading.
"""

from __future__ import annotations

from typing import Any

from flask import Response, request
from sqlalchemy import Connection

import rules
from services.clock import now_us
from services.errors import NotFound
from services.http.context import parts
from services.reading import (
    adverse,
    alerts,
    clocks,
    eligibility,
    events,
    inbox,
    laboratory,
    response,
    subjects,
    worklists,
)
from services.reading import gate as gates
from services.reading.pages import Json
from services.web.blueprint import page, pages

EVENTS_A_PAGE = 200
MOST_ALERTS = 200


@pages.get("/trials/<name:trial>/subjects/<name:subject>")
def subject(trial: str, subject: str) -> Response:
    """Checklist, alerts and timeline in one snapshot."""
    with parts().database.reading() as conn:
        found = subjects.one(conn, trial, subject)
        if found is None:
            raise NotFound("There is no such subject.")
        here = f"/trials/{trial}/subjects/{subject}"
        return page(
            "subject.html",
            subject=found,
            places=inbox.places(conn, (trial,)),
            checklist=eligibility.of_subject(
                conn, trial, subject, None, now_us(), rules.Engine.explanation
            ),
            gate=gates.of_subject(conn, trial, subject, None, now_us()),
            worklist=worklists.of_subject(conn, trial, subject, None, now_us()),
            alerts=_alerts(conn, trial, subject),
            laboratory=laboratory.of_subject(conn, trial, subject),
            response=response.of_subject(conn, trial, subject),
            adverse=adverse.of_subject(conn, trial, subject),
            clocks=clocks.of_subject(conn, trial, subject, now_us()),
            timeline=_timeline(conn, trial, subject),
            here=here,
        )


def _alerts(conn: Connection, trial: str, subject: str) -> list[Json]:
    wanted = alerts.Wanted(trials=(trial,), subject=subject)
    return inbox.of(conn, wanted, MOST_ALERTS, values=True).items


def _timeline(conn: Connection, trial: str, subject: str) -> dict[str, Any]:
    cursor = request.args.get("cursor")
    return events.timeline(conn, trial, subject, cursor, EVENTS_A_PAGE) or {"items": []}
