"""gunicorn's settings for the API, under `vigil up` and in a container.

Who comes in: gunicorn. Who goes out: nobody. SQLite has one writer on a machine, so the API is one
process of many threads there; on PostgreSQL it may be more.
"""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import Any, Protocol

from sqlalchemy.exc import SQLAlchemyError

from services import logs, protocols
from services.config import Settings
from services.http.context import EXTENSION
from services.supervisor import lifeline
from services.supervisor.gunicorn_log import Log

log = logs.get(__name__)

_settings = Settings.from_env(os.environ)
_sqlite = _settings.database_url.startswith("sqlite")
logs.configure(_settings.log_level)

worker_class = "gthread"
workers = 1 if _sqlite else min(_settings.workers + 1, 4)
threads = 48
backlog = 512
keepalive = 30
graceful_timeout = 4
loglevel = "warning"
logger_class = Log
proc_name = "vigil-api"
# A pulse on a file, in memory if there is such a folder: a slow disk would look like a dead worker.
_MEMORY = Path("/dev/shm")  # noqa: S108 - gunicorn makes its file there as one should
worker_tmp_dir = str(_MEMORY) if _MEMORY.is_dir() else None
# Whom to believe about https and addresses is VIGIL_PROXY_HOPS alone.
forwarded_allow_ips = ""
# It would leave a socket in somebody's home.
control_socket_disable = True


class _App(Protocol):
    extensions: dict[str, Any]


class _Worker(Protocol):
    ppid: int
    wsgi: _App


def post_fork(_arbiter: object, worker: _Worker) -> None:
    """A worker dies with gunicorn, as gunicorn dies with the supervisor."""
    lifeline.bind(worker.ppid)
    logs.catch_strays()


def post_worker_init(worker: _Worker) -> None:
    """The app is loaded: say from now on that this process lives, and what it counts."""
    worker.wsgi.extensions["vigil-heart"].start()
    threading.Thread(target=_warm, args=(worker.wsgi,), name="warm", daemon=True).start()


def worker_exit(_arbiter: object, worker: _Worker) -> None:
    """It ends in good order: its last counts stay. An app that did not load has no heart."""
    extensions = getattr(getattr(worker, "wsgi", None), "extensions", {})
    if "vigil-heart" in extensions:
        extensions["vigil-heart"].stop()


def _warm(app: _App) -> None:
    """Compile the protocols in force, else the first who publish wait seconds for it."""
    try:
        protocols.warm(app.extensions[EXTENSION].database)
    except SQLAlchemyError:  # away, or without tables yet: whoever asks first meets it
        log.warning("the protocols in force could not be read at the start")
