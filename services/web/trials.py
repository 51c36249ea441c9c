"""Trials, to be read: how enrolment stands, what is open, when to stop.

Who comes in: whoever signed in; operators see no subjects and no stopping rules. Who goes out:
services/reading.
"""

from __future__ import annotations

from typing import Any

from flask import Response, request
from sqlalchemy import Connection

from services.clock import now_us
from services.errors import NotFound
from services.http import auth
from services.http.context import caller, parts
from services.reading import (
    alerts,
    clocks,
    conduct,
    edish,
    inbox,
    response,
    stopping,
    subjects,
    trials,
    worklists,
)
from services.reading.pages import Json
from services.web.blueprint import page, pages

MOST_TRIALS = 200
SUBJECTS_A_PAGE = 50
WORKLIST_A_PAGE = 30
CLOCKS = 50
OPEN = "open"


@pages.get("/trials", endpoint="trials")
def trials_page() -> Response:
    """The trials that this person reaches."""
    only = auth.within(caller(), None)
    with parts().database.reading() as conn:
        found = trials.listed(conn, only, None, MOST_TRIALS, now_us())["items"]
        counts = {item["id"]: _open(conn, item["id"]) for item in found}
    return page("trials.html", trials=found, counts=counts)


@pages.get("/trials/<name:trial>")
def trial(trial: str) -> Response:
    """One trial at a glance."""
    return shown(trial)


def shown(trial: str, *, problem: str = "", status: int = 200) -> Response:
    """The trial's page; `problem` says beside the form why nothing was done."""
    clinical = auth.sees_values(caller())
    with parts().database.reading() as conn:
        found = existing(conn, trial)
        rules_found = stopping.of_trial(conn, trial) if clinical else None
        return page(
            "trial.html",
            status=status,
            trial=found,
            zone=inbox.places(conn, (trial,))[trial].zone,
            counts=_open(conn, trial),
            versions=trials.versions(conn, trial)["items"],
            stopping=rules_found["items"] if rules_found else [],
            holds=rules_found.get("holds", []) if rules_found else [],
            conduct=conduct.of_trial(conn, trial, now_us()) if clinical else None,
            responses=response.of_trial(conn, trial) if clinical else None,
            edish=edish.of_trial(conn, trial, now_us()) if clinical else None,
            clocks=clocks.of_trial(conn, trial, None, CLOCKS, now_us()) if clinical else None,
            subjects=_subjects(conn, trial) if clinical else None,
            q=request.args.get("q", ""),
            worklist=_worklist(conn, trial) if clinical else None,
            problem=problem,
            me=caller().person,
        )


def existing(conn: Connection, trial: str) -> Json:
    """The trial at a glance. Raises NotFound."""
    found = trials.one(conn, trial, now_us())
    if found is None:
        raise NotFound("There is no such trial.")
    return found


def _open(conn: Connection, trial: str) -> dict[str, int]:
    """Open alerts by severity."""
    return inbox.counts(conn, alerts.Wanted(trials=(trial,), status=OPEN))


def _worklist(conn: Connection, trial: str) -> Json:
    """What is still to be found out, from where the address says."""
    return worklists.of_trial(conn, trial, request.args.get("after"), WORKLIST_A_PAGE)


def _subjects(conn: Connection, trial: str) -> dict[str, Any]:
    """The subjects that the address asks for."""
    return subjects.listed(
        conn,
        trial,
        status=None,
        q=request.args.get("q", "").strip().replace("\x00", "") or None,
        cursor=request.args.get("cursor"),
        limit=SUBJECTS_A_PAGE,
    )
