"""The OpenAPI document: flask-smorest's, with our errors and our names in paths.

Who comes in: api.py, which makes an `Api`; the resources, which declare what they answer. Who
goes out: the document that /openapi.json and /docs show.
"""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus
from typing import Any, ParamSpec, TypeVar

import flask_smorest
from flask import Flask
from flask_smorest.utils import prepare_response
from marshmallow import Schema
from werkzeug.routing import BaseConverter

from services.http import auth, problems
from services.http.bodies import StrictParser
from services.http.schemas.errors import ProblemSchema
from services.http.schemas.events import CloudEvent

P = ParamSpec("P")
R = TypeVar("R")

# What any endpoint behind the guard may answer besides its own.
GUARDED = (401, 403, 500, 503)


class NameConverter(BaseConverter):
    """A trial, subject or version in a path: nothing that a database or a log chokes on."""

    regex = "[A-Za-z0-9][A-Za-z0-9._-]{0,63}"


class IdConverter(BaseConverter):
    """An id that the service gave."""

    regex = "[A-Za-z0-9_-]{1,80}"


class Blueprint(flask_smorest.Blueprint):  # type: ignore[misc]  # the package has no types
    """A resource; its bodies and queries are read strictly."""

    ARGUMENTS_PARSER = StrictParser()

    def answers(
        self,
        status: int,
        schema: type[Schema] | dict[str, str] | None,
        *errors: int,
        public: bool = False,
        content_type: str = "application/json",
    ) -> Callable[[Callable[P, R]], Callable[P, R]]:
        """Declare the good answer and the errors; what is declared is checked by a test."""

        def decorate(view: Callable[P, R]) -> Callable[P, R]:
            told: Any = view
            for code in sorted({*errors, *(() if public else GUARDED)}):
                told = self.alt_response(code, HTTPStatus(code).name)(told)
            if told is not view:
                # Ten calls around the view that only carry documentation: it can carry that itself.
                vars(view)["_apidoc"] = vars(told)["_apidoc"]
            if public:
                view = self.doc(security=[])(view)
            shown = self.response(status, schema, content_type=content_type)
            answered: Callable[P, R] = shown(view)
            return answered

        return decorate


class Api(flask_smorest.Api):  # type: ignore[misc]  # the package has no types
    """flask-smorest's Api, with problem documents for errors and no pages of its own."""

    DEFAULT_ERROR_RESPONSE_NAME = None
    ERROR_SCHEMA = ProblemSchema

    def _register_error_handlers(self) -> None:
        """problems.install does it."""

    def _register_responses(self) -> None:
        for status in HTTPStatus:
            response: dict[str, Any] = {"description": status.phrase, "schema": ProblemSchema}
            prepare_response(response, self.spec, problems.MEDIA_TYPE)
            self.spec.components.response(status.name, response, lazy=True)


def install(app: Flask) -> Api:
    """The Api of `app`, with the converters that paths use."""
    app.config.update(
        API_TITLE="Vigil",
        API_VERSION="v1",
        OPENAPI_VERSION="3.1.0",
        API_SPEC_OPTIONS={
            "info": {"description": "Clinical-trial events in, alerts with their reason out."},
            "security": [{"key": []}],
        },
    )
    app.url_map.converters.update(name=NameConverter, id=IdConverter)
    api = Api(app)
    api.spec.components.schema("CloudEvent", schema=CloudEvent)
    api.spec.components.security_scheme("key", auth.describe())
    for converter in (NameConverter, IdConverter):
        api.register_converter(converter, _pattern)
    return api


def _pattern(converter: BaseConverter) -> dict[str, str]:
    """The schema of a path parameter."""
    return {"type": "string", "pattern": f"^{converter.regex}$"}
