"""The API's own description: the OpenAPI document, and a page that needs no other server.

Who comes in: any key. Who goes out: the document that api.py installed.
"""

from __future__ import annotations

from typing import Any

from flask import Response, current_app, render_template

from services.http.context import reply
from services.http.openapi import Blueprint
from services.http.schemas.operations import Document

blueprint = Blueprint("docs", __name__, description="This description", template_folder="templates")


@blueprint.route("/openapi.json")
@blueprint.answers(200, Document)
def openapi() -> Response:
    """The whole interface as an OpenAPI 3.1 document."""
    return reply(document())


@blueprint.route("/docs")
@blueprint.answers(200, {"type": "string"}, content_type="text/html")
def page() -> Response:
    """The same for people; works without internet access and without scripts."""
    return Response(
        render_template("docs.html", spec=document()), content_type="text/html; charset=utf-8"
    )


def document() -> dict[str, Any]:
    """The document of this app."""
    api = current_app.extensions["flask-smorest"]["apis"][""]["ext_obj"]
    described: dict[str, Any] = api.spec.to_dict()
    return described
