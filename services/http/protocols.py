"""Protocol versions of a trial: immutable texts, drafted, then put in force.

Who comes in: admins; clinicians and ops read. Who goes out: services/protocols, services/reading.
"""

from __future__ import annotations

from typing import Any

from flask import Response, request

import rules
from services import protocols as step
from services.clock import now_us
from services.errors import Malformed, NotFound, UnsupportedContent
from services.http.context import actor, caller, parts, reply
from services.http.openapi import Blueprint
from services.http.schemas.trials import Activation, ProtocolPage, ProtocolShown, ProtocolVersion
from services.reading import engines, trials

blueprint = Blueprint("protocols", __name__, description="Protocol versions")
BASE = "/v1/trials/<name:trial>/protocols"
YAML_TYPES = ("application/yaml", "application/x-yaml", "text/yaml", "text/x-yaml", "text/plain")


@blueprint.route(BASE)
@blueprint.answers(200, ProtocolPage, 404)
def listed(trial: str) -> Response:
    """The versions of a trial's protocol, oldest first."""
    with parts().database.reading() as conn:
        if not trials.exists(conn, trial):
            raise NotFound("There is no such trial.")
        return reply(trials.versions(conn, trial))


@blueprint.route(BASE, methods=["POST"])
@blueprint.doc(
    requestBody={
        "required": True,
        "content": {kind: {"schema": {"type": "string"}} for kind in YAML_TYPES},
    }
)
@blueprint.answers(201, ProtocolVersion, 400, 404, 409, 413, 415, 422)
@blueprint.alt_response(200, schema=ProtocolVersion, description="It was there already")
def draft(trial: str) -> Response:
    """A new version out of its YAML, checked as `vigil protocol check` does; not yet in force."""
    outcome = step.add_version(parts().database, trial, _yaml(), actor(caller()), now_us())
    made = trials.version_shape(outcome.version)
    here = {"Location": f"/v1/trials/{trial}/protocols/{outcome.version.version}"}
    return reply(made, 201 if outcome.changed else 200, here)


@blueprint.route(f"{BASE}/<name:version>")
@blueprint.answers(200, ProtocolShown, 404)
def one(trial: str, version: str) -> Response:
    """A version as `vigil protocol show --format json` gives it."""
    with parts().database.reading() as conn:
        protocol = engines.version(conn, trial, version)
    if protocol is None:
        raise NotFound("There is no such version.")
    return reply(rules.show(protocol, "json"))


@blueprint.route(f"{BASE}/<name:version>/activate", methods=["POST"])
@blueprint.arguments(Activation)
@blueprint.answers(200, ProtocolVersion, 400, 404, 409, 413, 415, 422)
def activate(body: dict[str, Any], trial: str, version: str) -> Response:
    """Put a version in force, now; the one before is retired."""
    services = parts()
    outcome = step.activate(
        services.database,
        trial,
        version,
        effective_from_us=body["effective_from"],
        approved_by=body["approved_by"],
        backtest=body["backtest"],
        by=actor(caller()),
        now_us=now_us(),
    )
    services.broker.ring_evaluate(outcome.dirty)
    return reply(trials.version_shape(outcome.version))


def _yaml() -> str:
    """The body as text."""
    if request.mimetype not in YAML_TYPES:
        raise UnsupportedContent("This endpoint reads application/yaml.")
    try:
        return request.get_data(cache=False).decode("utf-8-sig")
    except UnicodeDecodeError:
        raise Malformed("The body is not UTF-8 text.") from None
