"""The door for events: bytes in, receipt out; nothing between but the guard.

Who comes in: publishers, and clinicians with overrides and corrections. Who goes out:
services/validation, services/intake. No marshmallow here: this is the hot path.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from flask import Response, request

from services import intake, validation
from services.clock import now_us
from services.errors import NotFound, UnsupportedContent
from services.http import auth, problems
from services.http.context import bell, caller, parts, reply, store
from services.http.openapi import Blueprint
from services.http.schemas.events import EventStatus, Receipt
from services.keys import PUBLISHER, Caller
from services.reading import events

blueprint = Blueprint("events", __name__, description="Publishing events, and how far they came")
BASE = "/v1/events"
PIECE_BYTES = 65_536

_ONE = {"$ref": "#/components/schemas/CloudEvent"}
_MANY = {"type": "array", "items": _ONE, "maxItems": validation.MAX_EVENTS}
BODIES = {
    "application/cloudevents+json": {"schema": _ONE},
    "application/json": {"schema": {"oneOf": [_ONE, _MANY]}},
    "application/cloudevents-batch+json": {"schema": _MANY},
    "application/x-ndjson": {"schema": {"type": "string", "description": "one event a line"}},
}


@blueprint.route(BASE, methods=["POST"])
@blueprint.doc(
    requestBody={"required": True, "content": BODIES},
    parameters=[
        {
            "name": "Prefer",
            "in": "header",
            "schema": {"type": "string", "enum": ["handling=lenient", "handling=strict"]},
            "description": "lenient: the good events are stored, the answer is 207",
        }
    ],
)
@blueprint.answers(202, Receipt, 400, 404, 409, 413, 415, 422)
@blueprint.alt_response(207, schema=Receipt, description="With Prefer: handling=lenient")
def publish() -> Response:
    """Store events: all of the request, or none.

    CloudEvents 1.0 in structured, batched or binary mode (application/json with ce-* headers), or
    one event a line. 202 says that they are in the durable log; evaluation follows.
    """
    services = parts()
    lenient = "handling=lenient" in request.headers.get("Prefer", "").replace(" ", "").lower()
    parsed = validation.read_events(_body(), request.content_type or "", _ce_headers())
    receipt = intake.publish(
        services.database, parsed, caller(), now_us(), lenient=lenient, store=store()
    )
    bell().ring(receipt.dirty)
    return reply(_shape(receipt, lenient=lenient), 207 if lenient else 202)


@blueprint.route(f"{BASE}/<id:event>")
@blueprint.answers(200, EventStatus, 404)
def status(event: str) -> Response:
    """How far one event came, by the server's id."""
    with parts().database.reading() as conn:
        found = events.status(conn, event)
    if found is None or not _may_see(caller(), found):
        raise NotFound("There is no such event.")
    return reply(found.body)


def _ce_headers() -> dict[str, str]:
    """Binary mode's attributes. Making all headers costs more than reading an event."""
    return {
        name[5:].replace("_", "-"): text
        for name, text in request.environ.items()
        if name.startswith("HTTP_CE_")
    }


def _body() -> bytes | Iterator[bytes]:
    """The body; in pieces where its length is not known beforehand."""
    if request.headers.get("Content-Encoding", "identity") != "identity":
        raise UnsupportedContent("Compressed bodies are not read here; send them as they are.")
    if request.content_length is None:
        return iter(lambda: request.stream.read(PIECE_BYTES), b"")
    return request.get_data(cache=False)


def _may_see(who: Caller, found: events.EventRead) -> bool:
    """A publisher sees what it published itself; the others what is in their trials."""
    if who.role == PUBLISHER and found.by_key != who.key_id:
        return False
    return auth.reaches(who, found.trial)


def _shape(receipt: intake.Receipt, *, lenient: bool) -> dict[str, Any]:
    """Contract §2's answer."""
    return {
        "accepted": receipt.accepted,
        "duplicates": receipt.duplicates,
        "events": [_item(item, lenient=lenient) for item in receipt.items],
    }


def _item(item: intake.Item, *, lenient: bool) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "id": item.id,
        "source": item.source,
        "status": item.status,
        "event": item.event,
        "href": f"{BASE}/{item.event}" if item.event else None,
        "late": item.late,
    }
    if lenient:
        shown["errors"] = [problems.as_json(error) for error in item.errors]
    return shown
