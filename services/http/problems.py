"""Errors as the world sees them: `application/problem+json` (RFC 9457), for every status.

Who comes in: api.py with its table "exception -> status". Who goes out: handlers on the app; a
500 tells nothing but an error id, which the log has too, without values.
"""

from __future__ import annotations

import http
import uuid
from collections.abc import Iterable, Mapping

import orjson
from flask import Flask, Response, g
from sqlalchemy.exc import DBAPIError
from werkzeug.exceptions import HTTPException
from werkzeug.http import HTTP_STATUS_CODES

from services import logs
from services.database import is_transient, is_unreachable
from services.errors import Conflict, Problem, Rejected, ServiceError

MEDIA_TYPE = "application/problem+json"
RETRY_AFTER_SECONDS = "2"
# Beyond these nobody reads, and an answer must stay smaller than its request.
MOST_ERRORS = 1000

log = logs.get("http")


def problem(
    status: int,
    detail: str = "",
    errors: Iterable[Problem] = (),
    **extensions: object,
) -> Response:
    """One problem document; `errors` is contract §2's list."""
    body: dict[str, object] = {
        "type": "about:blank",
        "title": HTTP_STATUS_CODES.get(status, "Unknown"),
        "status": status,
    }
    if detail:
        body["detail"] = detail
    listed = [as_json(error) for error in errors][:MOST_ERRORS]
    if listed:
        body["errors"] = listed
    body.update(extensions)
    body["request_id"] = g.get("request_id")
    response = Response(orjson.dumps(body), status=status, content_type=MEDIA_TYPE)
    if status == http.HTTPStatus.UNAUTHORIZED:
        response.headers["WWW-Authenticate"] = 'Bearer realm="vigil"'
    if status == http.HTTPStatus.SERVICE_UNAVAILABLE:
        response.headers["Retry-After"] = RETRY_AFTER_SECONDS
    return response


def as_json(error: Problem) -> dict[str, object]:
    """One entry of `errors`."""
    return {
        "index": error.index,
        "pointer": error.pointer,
        "detail": error.detail,
        "hint": error.hint,
    }


def install(app: Flask, statuses: Mapping[type[ServiceError], int]) -> None:
    """Answer every error of `app` as a problem document, by the table `statuses`."""

    def of_service(error: ServiceError) -> Response:
        status = next((statuses[kind] for kind in type(error).__mro__ if kind in statuses), None)
        if status is None:
            return unexpected(error)
        problems = error.problems if isinstance(error, Rejected | Conflict) else ()
        return problem(status, _detail(error), problems)

    def of_http(error: HTTPException) -> Response:
        if error.response is not None or error.code is None or error.code < 400:
            return error.get_response()  # type: ignore[return-value]
        if error.code >= http.HTTPStatus.INTERNAL_SERVER_ERROR:
            return unexpected(error)
        response = problem(error.code, _plain(error))
        for name, value in error.get_headers():
            if name.lower() in {"allow", "retry-after"}:
                response.headers[name] = value
        return response

    app.register_error_handler(ServiceError, of_service)
    app.register_error_handler(DBAPIError, of_store)
    app.register_error_handler(HTTPException, of_http)
    app.register_error_handler(Exception, unexpected)


def of_store(error: DBAPIError) -> Response:
    """The store is away or in dispute: try again; anything else of it is our fault."""
    if not (is_transient(error) or is_unreachable(error)):
        return unexpected(error)
    log.error("store_unavailable", exc_info=error)
    return problem(http.HTTPStatus.SERVICE_UNAVAILABLE, "The store cannot be reached now.")


def unexpected(error: Exception) -> Response:
    """A 500: the caller gets an id, the log gets the id and where it happened."""
    cause = getattr(error, "original_exception", None) or error
    error_id = uuid.uuid4().hex
    log.critical("unexpected_error", error_id=error_id, exc_info=cause)
    return problem(http.HTTPStatus.INTERNAL_SERVER_ERROR, error_id=error_id)


def _detail(error: ServiceError) -> str:
    """The text of the error; a `Rejected` has its own list instead."""
    return "Nothing of this request was stored." if isinstance(error, Rejected) else str(error)


def _plain(error: HTTPException) -> str:
    """Werkzeug's own sentence, unless somebody gave one that may quote the request."""
    return type(error).description or ""
