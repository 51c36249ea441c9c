"""A trial's stopping rules as figures and as a report, and holding the trial or letting it go on.

Who comes in: clinicians and admins. Who goes out: services/drawing, services/holding,
services/reading.
"""

from __future__ import annotations

from functools import lru_cache

import orjson
from flask import Response, request
from sqlalchemy import Connection

from services import drawing, holding
from services.clock import iso, now_us
from services.drawing import Shape
from services.errors import Conflict, NotFound
from services.http.context import caller, parts, person
from services.reading import engines, inbox
from services.reading import stopping as reading
from services.reading.pages import Json
from services.web import figures
from services.web.blueprint import page, pages
from services.web.trials import existing, shown

MOST_REASON = 2000
# Figures kept in this process, of some 20 to 100 KB each.
_KEPT = 64
_DRAW = {"boundary": drawing.boundary, "characteristics": drawing.characteristics}
_NO_REASON = "Say why: the reason is kept in the audit."


@pages.get("/trials/<name:trial>/stopping/<name:rule>/<any(boundary,characteristics):kind>.svg")
def figure(trial: str, rule: str, kind: str) -> Response:
    """One figure of one rule, drawn once for what it shows."""
    with parts().database.reading() as conn:
        found = reading.of_trial(conn, trial) or {"items": []}
    one = next((item for item in found["items"] if item["id"] == rule), None)
    if one is None or (kind == "characteristics" and not one.get("characteristics")):
        raise NotFound("There is no such figure.")
    return figures.answer(_drawn(orjson.dumps(one), kind, figures.shape()))


@lru_cache(maxsize=_KEPT)
def _drawn(rule: bytes, kind: str, shape: Shape) -> bytes:
    """The figure by the content that it shows."""
    return _DRAW[kind](orjson.loads(rule), shape=shape)


@pages.get("/trials/<name:trial>/report")
def report(trial: str) -> Response:
    """Every stopping rule with its figures, tables, parameters and sources: to be printed."""
    at_us = now_us()
    with parts().database.reading() as conn:
        found = reading.of_trial(conn, trial)
        if found is None:
            raise NotFound("There is no such trial.")
        return page(
            "report.html",
            trial=existing(conn, trial),
            zone=inbox.places(conn, (trial,))[trial].zone,
            stopping=found["items"],
            holds=found.get("holds", []),
            sources=_sources(conn, trial),
            as_of=iso(at_us),
        )


def _sources(conn: Connection, trial: str) -> Json:
    """By rule, what the protocol in force says that it rests on."""
    protocol = engines.active(conn, trial)
    return {} if protocol is None else {it.id: it.source for it in protocol.definition.stopping}


@pages.post("/trials/<name:trial>/suspend")
def suspend(trial: str) -> Response:
    """Hold enrolment, or the whole trial, at once; one person is enough."""
    reason = _reason()
    what = holding.TRIAL if request.form.get("what") == holding.TRIAL else holding.ENROLMENT
    if not reason:
        return shown(trial, problem=_NO_REASON, status=422)
    who = person(caller())
    return _done(trial, holding.suspend(parts().database, trial, what, who, reason, now_us()))


@pages.post("/trials/<name:trial>/resume")
def resume(trial: str) -> Response:
    """Ask to lift what holds the trial, or agree to it as the second person."""
    reason = _reason()
    if not reason:
        return shown(trial, problem=_NO_REASON, status=422)
    database = parts().database
    try:
        with database.reading() as conn:
            known = reading.counted(conn, trial)
        done = holding.resume(database, trial, person(caller()), reason, now_us(), known)
    except Conflict as refused:
        return shown(trial, problem=str(refused), status=409)
    return _done(trial, done)


def _reason() -> str:
    return request.form.get("reason", "").replace("\x00", "").strip()[:MOST_REASON]


def _done(trial: str, done: holding.Asked) -> Response:
    parts().broker.ring_evaluate(done.dirty)
    return Response(status=303, headers={"Location": f"/trials/{trial}#hold"})
