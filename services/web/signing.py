"""Signing in and out, and whether somebody still is.

Who comes in: a person with a name and password, or with a key. Who goes out: services.accounts;
a cookie that no script can read and no other site can make a browser send.
"""

from __future__ import annotations

import re
from http import HTTPStatus
from urllib.parse import urlsplit

from flask import Response, g, redirect, render_template, request

from services.accounts import sessions
from services.accounts.throttle import Throttled
from services.clock import iso, now_us
from services.errors import Busy, Forbidden, Unauthenticated
from services.http import auth
from services.http.context import parts, reply
from services.repositories import alerts
from services.web.blueprint import pages

# A path of ours: what begins with two slashes, or with a backslash, is another site to a browser.
_OURS = re.compile(r"/(?![/\\])[\x21-\x5b\x5d-\x7e]*")


@pages.post("/sign-in")
def sign_in() -> Response:
    """Begin a session; whatever cookie came along is worth nothing afterwards."""
    back = ours(request.form.get("next"))
    if not from_here():
        return door("This did not come from our own page.", HTTPStatus.FORBIDDEN, back)
    try:
        cookie = _begin()
    except Throttled as error:
        answer = door(str(error), HTTPStatus.TOO_MANY_REQUESTS, back)
        answer.headers["Retry-After"] = str(error.seconds)
        return answer
    except Unauthenticated as error:
        answer = door(_sentence(error), HTTPStatus.UNAUTHORIZED, back)
        answer.headers["WWW-Authenticate"] = "Session"
        return answer
    except Forbidden as error:
        return door(str(error), HTTPStatus.FORBIDDEN, back)
    except Busy as error:
        return door(str(error), HTTPStatus.SERVICE_UNAVAILABLE, back)
    _end_of(request.cookies.get(auth.SESSION_COOKIE))
    answer = redirect(back, code=303)  # type: ignore[assignment]
    answer.set_cookie(
        auth.SESSION_COOKIE,
        cookie,
        httponly=True,
        samesite="Strict",
        secure=request.is_secure,
        path="/",
    )
    return answer


@pages.post("/sign-out")
def sign_out() -> Response:
    """End the session, here and for every tab."""
    session = g.get("session")
    if session is not None:
        sessions.sign_out(parts().database, session, now_us())
        auth.forget(request.cookies[auth.SESSION_COOKIE])
    answer = redirect("/", code=303)
    answer.delete_cookie(auth.SESSION_COOKIE, path="/", httponly=True, samesite="Strict")
    return answer  # type: ignore[return-value]


@pages.get("/session")
def session() -> Response:
    """Whether it goes on, and how far the log is: so a page finds out that its line is dead."""
    found = g.get("session")
    with parts().database.reading() as conn:
        position = alerts.last_position(conn)
    return reply({"position": position, "until": iso(found.until_us) if found else None})


def door(complaint: str = "", status: int = 200, back: str = "/") -> Response:
    """The sign-in page."""
    drawn = render_template("sign_in.html", who=None, complaint=complaint, back=back)
    return Response(drawn, status=status, content_type="text/html; charset=utf-8")


def ours(path: str | None) -> str:
    """Where to go after it: only ever to a page of ours."""
    return path if path and _OURS.fullmatch(path) else "/"


def from_here() -> bool:
    """Whether our own page sent the form, as far as the browser says anything about it."""
    site = request.headers.get("Sec-Fetch-Site")
    if site is not None:
        return site in {"same-origin", "none"}
    origin = request.headers.get("Origin")
    return origin is None or urlsplit(origin).netloc == request.host


def _begin() -> str:
    """The cookie of a new session."""
    services, address = parts(), request.remote_addr or ""
    key = request.form.get("key", "")
    if key.strip():
        return sessions.sign_in_with_key(
            services.database, key, services.settings.admin_key, address, now_us()
        )
    name, password = request.form.get("name", ""), request.form.get("password", "")
    return sessions.sign_in(services.database, name, password, address, now_us())


def _sentence(error: Unauthenticated) -> str:
    """Without a name it was a key."""
    return "This key is unknown or revoked." if request.form.get("key", "").strip() else str(error)


def _end_of(cookie: str | None) -> None:
    """End the session that a browser still had."""
    if not cookie:
        return
    services = parts()
    try:
        old = sessions.recognise(
            services.database, cookie, services.settings.admin_key, now_us(), active=False
        )
    except Unauthenticated:
        return
    sessions.sign_out(services.database, old, now_us())
    auth.forget(cookie)
