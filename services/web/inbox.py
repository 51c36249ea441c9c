"""The inbox, and an alert of its own: what waits for a person, and what that person says to it.

Who comes in: whoever signed in. Who goes out: services/reading, services/responses. The list is
drawn here each time; static/vigil.js asks for it again when the stream rings.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from flask import Response, request
from sqlalchemy import Connection

from services import responses
from services.clock import now_us
from services.errors import NotFound, Problem, Rejected
from services.http import auth
from services.http.context import actor, caller, parts
from services.reading import alerts
from services.reading import inbox as reading
from services.reading.pages import Json
from services.web import signing
from services.web.blueprint import page, pages
from services.web.shapes import CATEGORIES, SEVERITIES, STATUSES

MOST_SHOWN = 200
LONGEST_NOTE = 2000
ANY = "any"
# After an action without scripts: back to the list or the alert that it came from.
_ACTIONS = {action.value: action for action in responses.Action}


@dataclass(frozen=True)
class Chosen:
    """The filters in the address; what is not among the choices is as if it were not there."""

    trial: str | None
    severity: str | None
    category: str | None
    status: str  # open, acknowledged, resolved or any

    @classmethod
    def from_address(cls, trials: set[str]) -> Chosen:
        """What the address of this request says."""
        return cls(
            trial=_one_of(trials, "trial"),
            severity=_one_of(SEVERITIES, "severity"),
            category=_one_of(CATEGORIES, "category"),
            status=_one_of((*STATUSES, ANY), "status") or "open",
        )

    def wanted(self) -> alerts.Wanted:
        """The same as a question to the store."""
        return alerts.Wanted(
            trials=auth.within(caller(), self.trial),
            severity=self.severity,
            category=self.category,
            status=None if self.status == ANY else self.status,
        )

    def address(self) -> str:
        """The same as a query."""
        chosen = {"trial": self.trial, "severity": self.severity, "category": self.category}
        kept = {name: value for name, value in chosen.items() if value}
        if self.status != "open":
            kept["status"] = self.status
        return urlencode(kept)

    def stream(self) -> str:
        """What the stream can narrow down: any change of status may concern this list."""
        chosen = {"trial": self.trial, "category": self.category}
        return urlencode({name: value for name, value in chosen.items() if value})


@pages.get("/")
def home() -> Response:
    """The sign-in; for whoever is signed in, the inbox."""
    who = auth.visitor()
    back = signing.ours(request.args.get("next"))
    if who is None:
        return signing.door(back=back)
    if who.role not in auth.WATCHING:
        return signing.door("A publisher's key sends events; it has no page.")
    return page("inbox.html", **_found())


@pages.get("/inbox")
def inbox() -> Response:
    """The list alone, for the script that redraws it."""
    return page("list.html", **_found())


@pages.get("/alerts/<id:alert>")
def alert(alert: str) -> Response:
    """One alert with all that is known of it, its history and its deliveries."""
    with parts().database.reading() as conn:
        found = _visible(conn, alert, whole=True)
        places = reading.places(conn, (found["trial"],))
    return page("alert.html", item=found, places=places, here=f"/alerts/{alert}")


@pages.get("/alerts/<id:alert>/card")
def card(alert: str) -> Response:
    """One alert as the list shows it: for one that has left the list while somebody looks at it."""
    with parts().database.reading() as conn:
        found = _visible(conn, alert, whole=False)
        places = reading.places(conn, (found["trial"],))
    return page("one.html", item=found, places=places, here="/")


@pages.post("/alerts/<id:alert>/<any(acknowledge,resolve,comment):action>")
def act(alert: str, action: str) -> Response:
    """Acknowledge, resolve or comment by a plain form; the script uses the API's own endpoints."""
    note = request.form.get("note", "").strip() or None
    _check(action, note)
    services = parts()
    with services.database.reading() as conn:
        _visible(conn, alert, whole=False)
    responses.respond(
        services.database,
        services.broker,
        alert,
        _ACTIONS[action],
        by=actor(caller()),
        note=note,
        now_us=now_us(),
    )
    back = signing.ours(request.form.get("next"))
    return Response(status=303, headers={"Location": back})


def _check(action: str, note: str | None) -> None:
    """A comment says something, and nothing is too long. Raises Rejected."""
    if note is None and action == responses.Action.COMMENT:
        raise Rejected([Problem("/note", "A comment needs a text.")])
    if note is not None and (len(note) > LONGEST_NOTE or "\x00" in note):
        raise Rejected([Problem("/note", f"A note has at most {LONGEST_NOTE} characters.")])


def _found() -> dict[str, Any]:
    """What the list shows, in one snapshot."""
    who = caller()
    with parts().database.reading() as conn:
        places = reading.places(conn, auth.within(who, None))
        chosen = Chosen.from_address(set(places))
        found = reading.of(conn, chosen.wanted(), MOST_SHOWN, values=auth.sees_values(who))
    address = chosen.address()
    here = f"/?{address}" if address else "/"
    return {"found": found, "chosen": chosen, "places": places, "here": here}


def _visible(conn: Connection, alert: str, *, whole: bool) -> Json:
    """The alert, if it is this caller's to see. Raises NotFound."""
    who = caller()
    found = alerts.one(conn, alert, values=auth.sees_values(who), whole=whole)
    if found is None or not auth.reaches(who, found["trial"]):
        raise NotFound("There is no such alert.")
    return found


def _one_of(choices: Any, name: str) -> str | None:
    given = request.args.get(name)
    return given if given in choices else None
