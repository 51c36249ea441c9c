"""Trials: which there are, how they stand, and who stops or resumes enrolment.

Who comes in: admins make them, clinicians read and hold them. Who goes out: services/trials and
services/reading.
"""

from __future__ import annotations

from typing import Any

from flask import Response

from services import holding, protocols
from services import trials as step
from services.clock import iso, now_us
from services.errors import NotFound
from services.http import auth
from services.http.context import actor, caller, parts, person, reply
from services.http.openapi import Blueprint
from services.http.schemas.edish import EdishPage
from services.http.schemas.fields import PageQuery
from services.http.schemas.trials import (
    Advance,
    Awaiting,
    ClockPage,
    Conduct,
    Reason,
    ResponsePage,
    StoppingPage,
    Suspension,
    Trial,
    TrialNew,
    TrialPage,
    UnmappedPage,
)
from services.reading import clocks as owed
from services.reading import conduct as conducted
from services.reading import edish as quadrants
from services.reading import response as responses
from services.reading import stopping as boundaries
from services.reading import trials
from services.reading import unmapped as undeclared

blueprint = Blueprint("trials", __name__, description="Trials, their enrolment and stopping rules")
BASE = "/v1/trials"


@blueprint.route(BASE)
@blueprint.arguments(PageQuery, location="query")
@blueprint.answers(200, TrialPage, 422)
def listed(query: dict[str, Any]) -> Response:
    """The trials that the key reaches."""
    only = auth.within(caller(), None)
    with parts().database.reading() as conn:
        return reply(trials.listed(conn, only, query.get("cursor"), query["limit"], now_us()))


@blueprint.route(BASE, methods=["POST"])
@blueprint.arguments(TrialNew)
@blueprint.answers(201, Trial, 400, 409, 413, 415, 422)
@blueprint.alt_response(200, schema=Trial, description="It was there already, exactly so")
def create(body: dict[str, Any]) -> Response:
    """A new trial with its first protocol version, active at once."""
    auth.require_trial(caller(), body["id"])
    by = actor(caller())
    outcome = protocols.create_trial(
        parts().database, body["id"], body["mode"], body["protocol"], by, now_us()
    )
    status = 201 if outcome.changed else 200
    return reply(_one(body["id"]), status, {"Location": f"{BASE}/{body['id']}"})


@blueprint.route(f"{BASE}/<name:trial>")
@blueprint.answers(200, Trial, 404)
def one(trial: str) -> Response:
    """Mode, enrolment against target, status, active version, open alerts."""
    return reply(_one(trial))


@blueprint.route(f"{BASE}/<name:trial>/advance", methods=["POST"])
@blueprint.arguments(Advance)
@blueprint.answers(200, Trial, 400, 404, 409, 413, 415, 422)
def advance(body: dict[str, Any], trial: str) -> Response:
    """Move a replay trial's clock on; never back, and not in a live trial."""
    services = parts()
    step.advance(services.database, trial, body["to"], actor(caller()), now_us())
    return reply(_one(trial))


@blueprint.route(f"{BASE}/<name:trial>/suspend", methods=["POST"])
@blueprint.arguments(Suspension)
@blueprint.answers(200, Trial, 400, 404, 409, 413, 415, 422)
def suspend(body: dict[str, Any], trial: str) -> Response:
    """Hold enrolment, or the whole trial, at once; one person is enough."""
    who = person(caller())
    done = holding.suspend(parts().database, trial, body["what"], who, body["reason"], now_us())
    return _asked(done, trial)


@blueprint.route(f"{BASE}/<name:trial>/resume", methods=["POST"])
@blueprint.arguments(Reason)
@blueprint.answers(200, Trial, 400, 404, 409, 413, 415, 422)
@blueprint.alt_response(202, schema=Awaiting, description="A second person must ask the same")
def resume(body: dict[str, Any], trial: str) -> Response:
    """Lift the holds that stand; two different persons must ask for it within 24 hours."""
    who, database = person(caller()), parts().database
    with database.reading() as conn:
        known = boundaries.counted(conn, trial)
    return _asked(holding.resume(database, trial, who, body["reason"], now_us(), known), trial)


@blueprint.route(f"{BASE}/<name:trial>/stopping")
@blueprint.answers(200, StoppingPage, 404)
def stopping(trial: str) -> Response:
    """Every stopping rule: its boundary, the trial's path, how near it is."""
    with parts().database.reading() as conn:
        found = boundaries.of_trial(conn, trial)
    if found is None:
        raise NotFound("There is no such trial.")
    return reply(found)


@blueprint.route(f"{BASE}/<name:trial>/conduct")
@blueprint.answers(200, Conduct, 404)
def conduct(trial: str) -> Response:
    """Departures from the protocol, and how enrolment comes on against its target."""
    with parts().database.reading() as conn:
        found = conducted.of_trial(conn, trial, now_us())
    if found is None:
        raise NotFound("There is no such trial.")
    return reply(found)


@blueprint.route(f"{BASE}/<name:trial>/clocks")
@blueprint.arguments(PageQuery, location="query")
@blueprint.answers(200, ClockPage, 404, 422)
def clocks(query: dict[str, Any], trial: str) -> Response:
    """Reports that adverse events ask for and that nobody made yet, the soonest due first."""
    with parts().database.reading() as conn:
        found = owed.of_trial(conn, trial, query.get("cursor"), query["limit"], now_us())
    if found is None:
        raise NotFound("There is no such trial.")
    return reply(found)


@blueprint.route(f"{BASE}/<name:trial>/response")
@blueprint.answers(200, ResponsePage, 404)
def response(trial: str) -> Response:
    """Every response rate: how many of the evaluable responded, with the exact 95 % interval."""
    with parts().database.reading() as conn:
        found = responses.of_trial(conn, trial)
    if found is None:
        raise NotFound("There is no such trial.")
    return reply(found)


@blueprint.route(f"{BASE}/<name:trial>/edish")
@blueprint.answers(200, EdishPage, 404)
def edish(trial: str) -> Response:
    """The highest liver values of every subject and their quadrant; who has none, and why."""
    with parts().database.reading() as conn:
        found = quadrants.of_trial(conn, trial, now_us())
    if found is None:
        raise NotFound("There is no such trial.")
    return reply(found)


@blueprint.route(f"{BASE}/<name:trial>/unmapped")
@blueprint.answers(200, UnmappedPage, 404)
def unmapped(trial: str) -> Response:
    """Codes that publishers sent and the protocol in force does not declare: to be mapped."""
    with parts().database.reading() as conn:
        found = undeclared.of_trial(conn, trial)
    if found is None:
        raise NotFound("There is no such trial.")
    return reply(found)


def _asked(done: holding.Asked, trial: str) -> Response:
    """The trial as it is now, or how long the first person's wish waits."""
    if done.until_us is not None:
        return reply({"status": "awaiting_second", "until": iso(done.until_us)}, 202)
    parts().broker.ring_evaluate(done.dirty)
    return reply(_one(trial))


def _one(trial: str) -> dict[str, Any]:
    with parts().database.reading() as conn:
        found = trials.one(conn, trial, now_us())
    if found is None:
        raise NotFound("There is no such trial.")
    return found
