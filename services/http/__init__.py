"""The HTTP rooms: one module a resource, one table who may come in, one shape for every error.

Who comes in: api.py with an app and its parts. Who goes out: the steps and services/reading.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Mapping
from http import HTTPStatus

import structlog
from flask import Flask, Response, current_app, g, request
from werkzeug.middleware.proxy_fix import ProxyFix

from services import logs
from services.bell import Bell
from services.bootstrap import Services
from services.errors import ServiceError
from services.groupcommit import GroupCommit
from services.http import (
    alerts,
    amendments,
    audit,
    auth,
    docs,
    events,
    health,
    metrics,
    openapi,
    ops,
    problems,
    protocols,
    stream,
    subjects,
    subscriptions,
    tally,
    trials,
)
from services.http.context import BELL, EXTENSION, WRITER
from services.pulse import Heart, Pulse
from services.recording import record
from services.validation import MAX_BYTES

RESOURCES = (
    *(events, trials, protocols, amendments, subjects, alerts, stream),
    *(subscriptions, ops, audit, metrics, health, docs),
)
# Of a body that is too large: so much is read and thrown away before the answer.
SPARE_BYTES = 16 * 1024 * 1024

HEART = "vigil-heart"

log = logs.get("http")


def install(app: Flask, services: Services, statuses: Mapping[type[ServiceError], int]) -> None:
    """Put every resource on `app`, and its parts behind them."""
    furnish(app, services)
    app.config.update(MAX_CONTENT_LENGTH=MAX_BYTES, PROVIDE_AUTOMATIC_OPTIONS=False)
    app.url_map.strict_slashes = False
    app.before_request(_begin)
    auth.install(app)
    app.after_request(_end)
    problems.install(app, statuses)
    api = openapi.install(app)
    for resource in RESOURCES:
        api.register_blueprint(resource.blueprint)
    hops = services.settings.proxy_hops
    if hops:
        # Who speaks to us is the proxy: the caller's address and https are what it says.
        app.wsgi_app = ProxyFix(app.wsgi_app, hops, hops)  # type: ignore[method-assign]


def furnish(app: Flask, services: Services) -> None:
    """Everything that the resources find on `app` when they are asked; they keep nothing else.

    An app may be furnished anew: its routes and pages are dear to make, its parts are not.
    """
    app.extensions[EXTENSION] = services
    app.extensions[WRITER] = GroupCommit(services.database, record)
    app.extensions[BELL] = Bell(services.broker.ring_evaluate)
    app.extensions[auth.REMEMBERED] = auth.Remembered(services)
    app.extensions[stream.HERE] = stream.Here(services)
    app.extensions[tally.EXTENSION] = tally.Tally()
    app.extensions[HEART] = _heart(services, app.extensions[tally.EXTENSION])


def _heart(services: Services, counted: tally.Tally) -> Heart:
    """The heartbeat of the process that serves; the server starts it (gunicorn_settings)."""
    bell = services.broker

    def counters() -> dict[str, float]:
        return {**counted.read(), "rings": bell.rings, "missed_rings": bell.missed_rings}

    return Heart(Pulse(services.database, "api"), counters)


def _begin() -> None:
    """Name the request; the caller's own id is not taken over, it could hold anything."""
    g.request_id = uuid.uuid4().hex
    g.began = time.perf_counter()
    structlog.contextvars.clear_contextvars()
    structlog.contextvars.bind_contextvars(request_id=g.request_id)


def _end(response: Response) -> Response:
    """Say what happened, by the route and never by the path, which may name a subject."""
    if response.status_code == HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
        _let_it_finish()
    response.headers["X-Request-Id"] = g.request_id
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers.setdefault("Cache-Control", "no-store")
    who = g.get("caller")
    method = request.method if request.method in METHODS else "other"
    route = str(request.url_rule) if request.url_rule else None
    took_s = time.perf_counter() - g.began
    counted: tally.Tally = current_app.extensions[tally.EXTENSION]
    counted.count(method, route or "none", response.status_code, took_s)
    log.info(
        "request",
        method=method,
        route=route,
        status=response.status_code,
        took_ms=round(took_s * 1000, 2),
        received_bytes=request.content_length,
        by=who.key_id if who else None,
    )
    return response


def _let_it_finish() -> None:
    """Throw away what still comes, within bounds: who is reset while sending sees no 413."""
    announced = request.content_length
    left = SPARE_BYTES if announced is None else min(announced, SPARE_BYTES)
    body = request.environ["wsgi.input"]
    while left > 0 and (piece := body.read(min(left, 65_536))):
        left -= len(piece)


METHODS = frozenset({"GET", "HEAD", "POST", "PATCH", "DELETE", "PUT", "OPTIONS"})
