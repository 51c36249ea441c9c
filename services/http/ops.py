"""Operations: what waits and who works, streams that are held, and what was given up.

Who comes in: ops and admins. Who goes out: services/reading for lists, services/deadletters for
what releases a held stream. No event's data is shown here.
"""

from __future__ import annotations

from typing import Any

from flask import Response

from services import deadletters
from services.clock import iso, now_us
from services.errors import NotFound
from services.http import auth
from services.http.context import actor, caller, parts, person, reply
from services.http.openapi import Blueprint
from services.http.schemas.operations import (
    DeadLetter,
    DeadLetterPage,
    DeadLettersQuery,
    Queues,
    StreamPage,
    StreamsQuery,
)
from services.http.schemas.trials import Awaiting, Reason
from services.reading import operations
from services.reading import queues as glances

blueprint = Blueprint("ops", __name__, description="Queues and dead letters")
BASE = "/v1/ops"


@blueprint.route(f"{BASE}/queues")
@blueprint.answers(200, Queues)
def queues() -> Response:
    """Each queue's depth, oldest age, work in flight and rate; its canary; workers; endpoints.

    The rows are the truth, `messages` are only the broker's bells. A key of some trials sees the
    rows of these; broker, canaries and workers serve all.
    """
    services = parts()
    only, look = auth.within(caller(), None), services.broker.look()
    mode = glances.mode(services.broker.url, services.settings.data)
    with services.database.reading() as conn:
        return reply(glances.glance(conn, look, mode, only, now_us()))


@blueprint.route(f"{BASE}/streams")
@blueprint.arguments(StreamsQuery, location="query")
@blueprint.answers(200, StreamPage, 422)
def streams(query: dict[str, Any]) -> Response:
    """Streams with events that wait, and streams held by an event that cannot be evaluated."""
    only = auth.within(caller(), None)
    with parts().database.reading() as conn:
        return reply(
            operations.waiting_streams(
                conn, query.get("state"), only, query.get("cursor"), query["limit"]
            )
        )


@blueprint.route(f"{BASE}/dead-letters")
@blueprint.arguments(DeadLettersQuery, location="query")
@blueprint.answers(200, DeadLetterPage, 422)
def dead_letters(query: dict[str, Any]) -> Response:
    """What was given up, the newest first, without data."""
    only = auth.within(caller(), None)
    with parts().database.reading() as conn:
        return reply(
            operations.letters(
                conn, query.get("status"), only, query.get("cursor"), query["limit"], now_us()
            )
        )


@blueprint.route(f"{BASE}/dead-letters/<id:letter>/requeue", methods=["POST"])
@blueprint.answers(200, DeadLetter, 404, 409)
def requeue(letter: str) -> Response:
    """Try again."""
    _visible(letter)
    services = parts()
    deadletters.requeue(services.database, services.broker, letter, actor(caller()), now_us())
    return reply(_visible(letter))


@blueprint.route(f"{BASE}/dead-letters/<id:letter>/discard", methods=["POST"])
@blueprint.arguments(Reason)
@blueprint.answers(200, DeadLetter, 400, 404, 409, 413, 415, 422)
@blueprint.alt_response(202, schema=Awaiting, description="A second person must ask the same")
def discard(body: dict[str, Any], letter: str) -> Response:
    """Go on without it: needs a reason and, within 24 hours, a second person."""
    _visible(letter)
    services = parts()
    until_us = deadletters.discard(
        services.database, services.broker, letter, person(caller()), body["reason"], now_us()
    )
    if until_us is not None:
        return reply({"status": "awaiting_second", "until": iso(until_us)}, 202)
    return reply(_visible(letter))


def _visible(letter: str) -> dict[str, Any]:
    """The dead letter, if the key reaches its trial."""
    who = caller()
    with parts().database.reading() as conn:
        found = operations.letter(conn, letter, now_us())
    if found is None or not auth.reaches(who, found["trial"]):
        raise NotFound("There is no such dead letter.")
    return found
