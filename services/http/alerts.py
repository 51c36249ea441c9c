"""Alerts: what needs a person, and what that person says.

Who comes in: clinicians and admins; ops, who see them without clinical values. Who goes out:
services/reading, services/responses for what changes an alert.
"""

from __future__ import annotations

from typing import Any

from flask import Response
from sqlalchemy import Connection

from services import responses
from services.clock import now_us
from services.errors import NotFound
from services.http import auth
from services.http.context import actor, caller, parts, reply
from services.http.openapi import Blueprint
from services.http.schemas.alerts import Alert, AlertDetail, AlertPage, AlertsQuery, Comment, Note
from services.reading import alerts

blueprint = Blueprint("alerts", __name__, description="Alerts and what became of them")
BASE = "/v1/alerts"


@blueprint.route(BASE)
@blueprint.arguments(AlertsQuery, location="query")
@blueprint.answers(200, AlertPage, 422)
def listed(query: dict[str, Any]) -> Response:
    """Alerts, the newest first; with `since`, what changed after that position, in its order."""
    who = caller()
    wanted = alerts.Wanted(
        trials=auth.within(who, query.get("trial")),
        subject=query.get("subject"),
        category=query.get("category"),
        severity=query.get("severity"),
        status=query.get("status"),
    )
    cursor, limit, since = query.get("cursor"), query["limit"], query.get("since")
    values = auth.sees_values(who)
    with parts().database.reading() as conn:
        if since is None:
            return reply(alerts.listed(conn, wanted, cursor, limit, values=values))
        return reply(alerts.changed_since(conn, wanted, since, cursor, limit, values=values))


@blueprint.route(f"{BASE}/<id:alert>")
@blueprint.answers(200, AlertDetail, 404)
def one(alert: str) -> Response:
    """One alert with its history and its deliveries."""
    with parts().database.reading() as conn:
        return reply(_visible(conn, alert))


@blueprint.route(f"{BASE}/<id:alert>/acknowledge", methods=["POST"])
@blueprint.arguments(Note)
@blueprint.answers(200, Alert, 400, 404, 413, 415, 422)
def acknowledge(body: dict[str, Any], alert: str) -> Response:
    """Say that somebody has taken notice; again is without effect."""
    return _act(responses.Action.ACKNOWLEDGE, alert, body["note"])


@blueprint.route(f"{BASE}/<id:alert>/resolve", methods=["POST"])
@blueprint.arguments(Note)
@blueprint.answers(200, Alert, 400, 404, 413, 415, 422)
def resolve(body: dict[str, Any], alert: str) -> Response:
    """End it by hand; it stays so for its episode, even while the finding still holds."""
    return _act(responses.Action.RESOLVE, alert, body["note"])


@blueprint.route(f"{BASE}/<id:alert>/comment", methods=["POST"])
@blueprint.arguments(Comment)
@blueprint.answers(200, Alert, 400, 404, 413, 415, 422)
def comment(body: dict[str, Any], alert: str) -> Response:
    """Add a note to its history; the same note by the same person again is without effect."""
    return _act(responses.Action.COMMENT, alert, body["note"])


def _act(action: responses.Action, alert: str, note: str | None) -> Response:
    """Check that the alert is the caller's to see, act, and answer with it."""
    services = parts()
    with services.database.reading() as conn:
        _visible(conn, alert)
    by = actor(caller())
    responses.respond(
        services.database, services.broker, alert, action, by=by, note=note, now_us=now_us()
    )
    with services.database.reading() as conn:
        return reply(_visible(conn, alert, whole=False))


def _visible(conn: Connection, alert: str, *, whole: bool = True) -> dict[str, Any]:
    """The alert, if the key reaches its trial; else there is none, as far as the key may know."""
    who = caller()
    values = auth.sees_values(who)
    found = alerts.one(conn, alert, values=values, whole=whole)
    if found is None or not auth.reaches(who, found["trial"]):
        raise NotFound("There is no such alert.")
    return found
