"""The HTTP door: an app out of settings, and the one table of what an error answers.

Who comes in: gunicorn (`api:create_app()`), tests with their own settings. Who goes out:
services/http. No decisions here.
"""

from __future__ import annotations

import os
from collections.abc import Mapping

from flask import Flask

from services import errors, http, logs, web
from services.bootstrap import Services
from services.config import Settings

STATUSES: Mapping[type[errors.ServiceError], int] = {
    errors.Malformed: 400,
    errors.Unauthenticated: 401,
    errors.Forbidden: 403,
    errors.NotFound: 404,
    errors.Conflict: 409,
    errors.TooLarge: 413,
    errors.UnsupportedContent: 415,
    errors.Rejected: 422,
    errors.Busy: 503,
}


def create_app(settings: Settings | None = None, services: Services | None = None) -> Flask:
    """The whole API; without settings they come from the environment. Call after a fork."""
    chosen = settings or Settings.from_env(os.environ)
    logs.configure(chosen.log_level)
    app = Flask("vigil", static_folder=None)
    http.install(app, services or Services.build(chosen), STATUSES)
    web.install(app)
    return app
