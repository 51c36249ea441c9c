"""Whether the process lives, and whether the service can do its work.

Who comes in: anybody, without a key. Who goes out: heartbeats, the broker. Names no version,
address or count: nothing here helps an attacker.
"""

from __future__ import annotations

from flask import Response
from sqlalchemy.exc import SQLAlchemyError

from services import database
from services.bootstrap import Services
from services.clock import SECOND_US, now_us
from services.http.context import parts, reply
from services.http.openapi import Blueprint
from services.http.schemas.operations import Health, Ready
from services.reading import operations

blueprint = Blueprint("health", __name__, description="Is it alive, can it work?")

# Workers and scheduler write their heartbeat every few seconds.
LATELY_US = 30 * SECOND_US
OK, DEGRADED, FAILED = "ok", "degraded", "failed"


@blueprint.route("/healthz")
@blueprint.answers(200, Health, public=True)
def healthz() -> Response:
    """The process is alive; asks nothing else."""
    return reply({"status": OK})


@blueprint.route("/readyz")
@blueprint.answers(200, Ready, public=True)
@blueprint.alt_response(503, schema=Ready, description="Something that must work does not")
def readyz() -> Response:
    """Database, schema and a worker must be there; broker and scheduler may be degraded."""
    found = {**_store(parts()), "broker": _broker(parts())}
    must = (found["database"], found["schema"], found["worker"])
    if FAILED in must:
        return reply({"status": FAILED, **found}, 503, {"Retry-After": "5"})
    whole = all(state == OK for state in found.values())
    return reply({"status": OK if whole else DEGRADED, **found})


def _store(services: Services) -> dict[str, str]:
    """What the database tells: itself, its schema, and who was seen lately."""
    try:
        with services.database.reading() as conn:
            seen = operations.last_seen(conn)
        current = database.is_current(services.database)
    except SQLAlchemyError:
        return {"database": FAILED, "schema": FAILED, "worker": FAILED, "scheduler": DEGRADED}
    recent = {kind for kind, seen_us in seen.items() if now_us() - seen_us <= LATELY_US}
    return {
        "database": OK,
        "schema": OK if current else FAILED,
        "worker": OK if "evaluate" in recent else FAILED,
        "scheduler": OK if "scheduler" in recent else DEGRADED,
    }


def _broker(services: Services) -> str:
    return DEGRADED if services.broker.depths() is None else OK
