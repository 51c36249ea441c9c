"""The live stream's door: who may watch what, and then the open socket goes to a hub.

Who comes in: whoever may see alerts. Who goes out: services/live. No thread of the API waits with a
stream. Where no socket can be handed over, what there is so far is answered, and the client comes
back after `retry`, as a polling client would: also that misses nothing.
"""

from __future__ import annotations

import os
import socket
import ssl
import threading
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from flask import Response, current_app, g, request

from services.accounts.sessions import Session
from services.bootstrap import Services
from services.errors import Busy
from services.http import auth
from services.http.context import caller, parts
from services.http.openapi import Blueprint
from services.http.schemas.alerts import StreamHeaders, StreamQuery
from services.live import handover, sse
from services.live.hub import PAGE, Hub
from services.live.log import Log
from services.live.pulse import Beating
from services.live.ticket import Ticket, asked
from services.repositories import alerts as stored

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

blueprint = Blueprint("stream", __name__, description="Alerts as they change")
HERE = "vigil-hub"


@blueprint.route("/v1/alerts/stream")
@blueprint.arguments(StreamQuery, location="query")
@blueprint.arguments(StreamHeaders, location="headers")
@blueprint.answers(200, {"type": "string"}, 422, content_type=sse.MEDIA_TYPE)
def alerts(query: dict[str, Any], headers: dict[str, Any]) -> Response:
    """Server-Sent Events: each change of an alert, from `Last-Event-ID` on, else from now on.

    `id` is the position in the alert log, `event` is `alert.opened`, `alert.resolved` and the
    like, `data` the alert as it then was. A comment comes at least every 15 seconds.
    """
    who = caller()
    session: Session | None = g.get("session")
    auth.within(who, query.get("trial"))
    last = headers.get("last_event_id", query.get("last_event_id"))
    with parts().database.reading() as conn:
        end = stored.last_position(conn)
    position = end if last is None else min(last, end)
    ticket = Ticket(
        caller=who,
        position=position,
        asked=asked(query),
        values=auth.sees_values(who),
        opening=(sse.head({"X-Request-Id": g.request_id}) + sse.hello(position)).decode(),
        session=None if session is None else session.id,
    )
    if request.method == "HEAD":
        return Response(headers=sse.HEADERS)
    if _taken(ticket):
        return _Elsewhere(headers=sse.HEADERS)
    return Response(_so_far(ticket), headers=sse.HEADERS)


class _Elsewhere(Response):
    """Somebody else answers: gunicorn takes StopIteration for the end of the connection."""

    def __call__(self, _: WSGIEnvironment, __: StartResponse) -> NoReturn:
        raise StopIteration


def _taken(ticket: Ticket) -> bool:
    """Whether a hub has the socket now. Raises Busy where it has no place."""
    line = _line()
    if line is None:
        return False
    path = parts().settings.stream_socket
    if path is None:
        _hold_here(line, ticket)
    elif not _passed_on(path, line, ticket):
        return False
    _let_go(line)
    return True


def _line() -> socket.socket | None:
    """The request's own socket, if it can be handed over: gunicorn's, without TLS or HTTP/2."""
    line = request.environ.get("gunicorn.socket")
    whole = request.environ.get("HTTP_VERSION") != "2"
    if isinstance(line, socket.socket) and not isinstance(line, ssl.SSLSocket) and whole:
        return line
    return None


def _passed_on(path: Path, line: socket.socket, ticket: Ticket) -> bool:
    try:
        handover.hand_over(path, line.fileno(), ticket)
    except handover.Away:
        return False
    return True


def _hold_here(line: socket.socket, ticket: Ticket) -> None:
    here: Here = current_app.extensions[HERE]
    hub = here.hub()
    ours = socket.socket(fileno=os.dup(line.fileno()))
    try:
        hub.promise(ticket.caller.key_id)
    except Busy:
        ours.close()
        raise
    hub.admit(ours, ticket)


def _let_go(line: socket.socket) -> None:
    """Leave gunicorn a socket to nobody: it shuts down what it closes, for every holder."""
    ours, nobodys = socket.socketpair()
    with ours, nobodys:
        os.dup2(nobodys.fileno(), line.fileno(), inheritable=False)


def _so_far(ticket: Ticket) -> Iterable[bytes]:
    """The stream up to now, or a page of it; its last id says where to go on."""
    lines = Log(parts().database).after(ticket.position, PAGE)
    wish = ticket.wish
    events = [line.event(values=ticket.values) for line in lines if wish.wants(line.about)]
    passed = lines[-1].position if lines else ticket.position
    return [sse.hello(ticket.position), *events, sse.heartbeat(passed)]


class Here:
    """The hub of this process, for an API without a process of its own for streams."""

    def __init__(self, services: Services) -> None:
        """Nothing runs before the first stream: a thread would not survive a fork."""
        self._services = services
        self._lock = threading.Lock()
        self._hub: Hub | None = None
        self._thread: threading.Thread | None = None

    def hub(self) -> Hub:
        """A hub that runs."""
        with self._lock:
            if self._hub is None or self._thread is None or not self._thread.is_alive():
                self._hub, self._thread = self._start()
            return self._hub

    def _start(self) -> tuple[Hub, threading.Thread]:
        database = self._services.database
        hub = Hub(database, self._services.settings.admin_key)
        beating = Beating(database, hub)

        def run() -> None:
            beating.start()
            try:
                hub.run()
            finally:
                beating.stop()

        thread = threading.Thread(target=run, name="stream-hub", daemon=True)
        thread.start()
        return hub, thread
