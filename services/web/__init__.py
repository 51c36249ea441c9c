"""The pages: what people see of Vigil, drawn here and served by the API's own process.

Who comes in: browsers, signed in. Who goes out: services/reading, services/responses, accounts.
Nothing is loaded from elsewhere and no script stands in a page, so that the policy can be strict.
"""

from __future__ import annotations

from flask import Flask
from flask_bootstrap import Bootstrap5

from services.web import (
    edish,
    failures,
    inbox,
    operations,
    shapes,
    signing,
    stopping,
    subjects,
    trials,
    versions,
)
from services.web.blueprint import pages

# Each puts its views on the one blueprint when it is imported.
ROOMS = (signing, inbox, trials, stopping, edish, versions, subjects, operations, failures)
# Ours change their address with their content; Bootstrap changes with an update.
ASSETS_S = 3600


def install(app: Flask) -> None:
    """Put the pages on `app`, after the HTTP rooms, whose guard stands before them too."""
    app.config.update(BOOTSTRAP_SERVE_LOCAL=True, SEND_FILE_MAX_AGE_DEFAULT=ASSETS_S)
    app.static_url_path = "/static"  # Bootstrap-Flask builds its own address out of it
    Bootstrap5(app)
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    shapes.install(app)
    app.register_blueprint(pages)
