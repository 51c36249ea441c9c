"""What goes wrong on a page, as a page: a sentence, and a way on.

Who comes in: errors of the pages' views and of the guard before them. Who goes out: HTML; a 500
tells only its id, which the log has too.
"""

from __future__ import annotations

import http
from collections.abc import Mapping
from urllib.parse import urlencode

from flask import Response, g, redirect, render_template, request
from sqlalchemy.exc import DBAPIError
from werkzeug.exceptions import HTTPException

from services.errors import (
    Busy,
    Conflict,
    Forbidden,
    NotFound,
    Rejected,
    ServiceError,
    Unauthenticated,
)
from services.http import problems
from services.web.blueprint import page, pages

SENTENCES: Mapping[int, str] = {
    400: "This could not be read.",
    403: "You may not see this.",
    404: "There is nothing here.",
    405: "This cannot be done here.",
    409: "This is not possible now.",
    413: "This is too long.",
    422: "This cannot be taken.",
    500: "Something went wrong. It was written down.",
    503: "Vigil cannot reach its store now. Try again in a moment.",
}
_STATUSES: Mapping[type[ServiceError], int] = {
    Forbidden: 403,
    NotFound: 404,
    Conflict: 409,
    Rejected: 422,
    Busy: 503,
}


@pages.errorhandler(Unauthenticated)
def to_the_door(_error: Unauthenticated) -> Response:
    """The sign-in, and from there back here; who looks for the session itself is told plainly."""
    if request.endpoint in {"web.session", "web.inbox", "web.card"}:
        return Response("signed out", status=401, headers={"WWW-Authenticate": "Session"})
    back = f"?{urlencode({'next': request.full_path.rstrip('?')})}" if _worth_it() else ""
    return redirect(f"/{back}", code=303)  # type: ignore[return-value]


def _worth_it() -> bool:
    return request.method == "GET" and request.path != "/"


@pages.errorhandler(ServiceError)
def of_service(error: ServiceError) -> Response:
    """What the steps refuse."""
    status = next((code for kind, code in _STATUSES.items() if isinstance(error, kind)), None)
    if status is None:
        return unexpected(error)
    if isinstance(error, Rejected):
        return sorry(status, "; ".join(problem.detail for problem in error.problems))
    return sorry(status, str(error))


@pages.errorhandler(HTTPException)
def of_http(error: HTTPException) -> Response:
    """What Flask refuses."""
    if error.code is None or error.code < http.HTTPStatus.BAD_REQUEST:
        return error.get_response()  # type: ignore[return-value]
    return sorry(error.code)


@pages.errorhandler(DBAPIError)
def of_store(error: DBAPIError) -> Response:
    """The store is away: said as the API says it, drawn as a page."""
    return sorry(problems.of_store(error).status_code)


@pages.errorhandler(Exception)
def unexpected(error: Exception) -> Response:
    """A 500, logged as the API logs it."""
    answered = problems.unexpected(error)
    return sorry(500, f"Its number is {answered.get_json()['error_id']}.")


def sorry(status: int, detail: str = "") -> Response:
    """The page of a failure; whoever is not signed in sees no more than that."""
    values = {"sentence": SENTENCES.get(status, SENTENCES[400]), "detail": detail}
    if g.get("caller") is None:
        drawn = render_template("sorry.html", who=None, **values)
        return Response(drawn, status=status, content_type="text/html; charset=utf-8")
    return page("sorry.html", status=status, **values)
