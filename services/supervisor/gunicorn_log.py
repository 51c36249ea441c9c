"""gunicorn's words in our log: one JSON line each, and never what a client sent.

Who comes in: gunicorn, by its settings. Who goes out: services.logs. A request that is no HTTP may
hold anything, and gunicorn would quote it.
"""

from __future__ import annotations

from typing import Any

from gunicorn.config import Config
from gunicorn.glogging import Logger

_QUOTES = "Invalid request"


class Log(Logger):  # type: ignore[misc]  # the package has no types
    """No handler of its own: its records go where all others go."""

    def setup(self, cfg: Config) -> None:
        """Take gunicorn's level and nothing else of its format."""
        super().setup(cfg)
        self.error_log.handlers.clear()
        self.error_log.propagate = True

    def warning(self, msg: Any, *args: Any, **kwargs: Any) -> None:
        """Say that a request was none, and not what it was."""
        if str(msg).startswith(_QUOTES):
            msg, args = _QUOTES, ()
        super().warning(msg, *args, **kwargs)
