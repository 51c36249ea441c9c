"""The blueprint of all pages, and the headers that each of them bears.

Who comes in: the rooms of services/web. Who goes out: Flask.
"""

from __future__ import annotations

from flask import Blueprint, Response, g, render_template

from services.http import auth
from services.http.context import caller

pages = Blueprint("web", __name__, template_folder="templates", static_folder="static")

# Bootstrap draws its arrows and ticks from data: addresses; nothing else comes from elsewhere.
POLICY = (
    "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; "
    "form-action 'self'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Frame-Options": "DENY",
    # A subject's id stands in addresses; no other site is to see them.
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


@pages.after_request
def protect(response: Response) -> Response:
    """Let a browser load only what is ours, and keep pages with subjects out of its stores."""
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)
    return response


def page(template: str, *, status: int = 200, **values: object) -> Response:
    """A page for whoever is signed in."""
    who = caller()
    session = g.get("session")
    drawn = render_template(
        template,
        who=who,
        csrf=session.csrf if session else "",
        acts=who.role in auth.CLINICAL,
        operates=who.role in auth.OPERATING,
        sees_values=auth.sees_values(who),
        **values,
    )
    return Response(drawn, status=status, content_type="text/html; charset=utf-8")
