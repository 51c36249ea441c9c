"""Operations: whether the service can do its work, what waits, what is held, what was given up.

Who comes in: operators and admins. Who goes out: services/reading, services/deadletters. Nothing
clinical is shown here.
"""

from __future__ import annotations

from flask import Response

from services import deadletters
from services.clock import now_us
from services.errors import NotFound
from services.http import auth, health
from services.http.context import actor, caller, parts
from services.reading import operations, queues
from services.web.blueprint import page, pages

MOST_SHOWN = 100


@pages.get("/operations", endpoint="operations")
def glance() -> Response:
    """Everything that an operator asks first."""
    services = parts()
    only, look = auth.within(caller(), None), services.broker.look()
    mode = queues.mode(services.broker.url, services.settings.data)
    states = health.states(services)
    with services.database.reading() as conn:
        return page(
            "operations.html",
            states=states,
            glance=queues.glance(conn, look, mode, only, now_us()),
            held=operations.waiting_streams(conn, "held", only, None, MOST_SHOWN)["items"],
            letters=operations.letters(conn, "open", only, None, MOST_SHOWN, now_us())["items"],
        )


@pages.post("/operations/dead-letters/<id:letter>/requeue")
def requeue(letter: str) -> Response:
    """Try again what was given up."""
    services, who = parts(), caller()
    with services.database.reading() as conn:
        found = operations.letter(conn, letter, now_us())
    if found is None or not auth.reaches(who, found["trial"]):
        raise NotFound("There is no such dead letter.")
    deadletters.requeue(services.database, services.broker, letter, actor(who), now_us())
    return Response(status=303, headers={"Location": "/operations"})
