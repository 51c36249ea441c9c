"""Whether the process lives, and whether the service can do its work.

Who comes in: anybody, without a key. Who goes out: heartbeats, the broker. Names no version,
address or count: nothing here helps an attacker.
"""

from __future__ import annotations

from flask import Response
from sqlalchemy.exc import SQLAlchemyError

from services import database
from services.bootstrap import Services
from services.broker import Look
from services.clock import SECOND_US, now_us
from services.database import Schema
from services.http.context import parts, reply
from services.http.openapi import Blueprint
from services.http.schemas.operations import Health, Ready
from services.reading import operations, queues

blueprint = Blueprint("health", __name__, description="Is it alive, can it work?")

# Workers and scheduler write their heartbeat every few seconds.
LATELY_US = 30 * SECOND_US
OK, DEGRADED, FAILED = "ok", "degraded", "failed"
# During a rolling upgrade the old version goes on with the new one's tables.
_SCHEMAS = {Schema.CURRENT: OK, Schema.NEWER: DEGRADED, Schema.BEHIND: FAILED}


@blueprint.route("/healthz")
@blueprint.answers(200, Health, public=True)
def healthz() -> Response:
    """The process is alive; asks nothing else."""
    return reply({"status": OK})


@blueprint.route("/readyz")
@blueprint.answers(200, Ready, public=True)
@blueprint.alt_response(503, schema=Ready, description="Something that must work does not")
def readyz() -> Response:
    """Database, schema and a worker must be there; the rest may be degraded.

    `queues` is degraded while the broker answers but a queue's canaries are not heard; `stream`
    while the process that serves the live stream is silent.
    """
    found = states(parts())
    if found["status"] == FAILED:
        return reply(found, 503, {"Retry-After": "5"})
    return reply(found)


def states(services: Services) -> dict[str, str]:
    """Each part's state, and under `status` what they come to."""
    look = services.broker.look()
    found = {**_store(services, look), "broker": OK if look.up else DEGRADED}
    must = (found["database"], found["schema"], found["worker"])
    whole = all(state == OK for state in found.values())
    status = FAILED if FAILED in must else OK if whole else DEGRADED
    return {"status": status, **found}


def _store(services: Services, look: Look) -> dict[str, str]:
    """What the database tells: itself, its schema, who was seen and what was heard lately."""
    try:
        with services.database.reading() as conn:
            seen = operations.last_seen(conn)
            heard = queues.canaries(conn, look, now_us())
        schema = database.schema(services.database)
    except SQLAlchemyError:
        return dict.fromkeys(("database", "schema", "worker"), FAILED) | dict.fromkeys(
            ("scheduler", "queues", "stream"), DEGRADED
        )
    recent = {kind for kind, seen_us in seen.items() if now_us() - seen_us <= LATELY_US}
    deaf = any(canary["state"] in {queues.LATE, queues.NEVER} for canary in heard.values())
    # Where no process of its own serves the stream, the API's own processes do.
    silent = services.settings.stream_socket is not None and "stream" not in recent
    return {
        "database": OK,
        "schema": _SCHEMAS[schema],
        "worker": OK if "evaluate" in recent else FAILED,
        "scheduler": OK if "scheduler" in recent else DEGRADED,
        "queues": DEGRADED if deaf else OK,
        "stream": DEGRADED if silent else OK,
    }
