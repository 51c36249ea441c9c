"""The heartbeat row of a hub, written by a thread of its own: a store that is slow stops no line.

Who comes in: who runs a hub. Who goes out: the store.
"""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable, Mapping
from typing import Any

from sqlalchemy.exc import SQLAlchemyError

from services import clock, logs
from services.database import Database
from services.errors import Busy
from services.repositories import heartbeats

KIND = "stream"
EVERY_S = 3.0

log = logs.get("live")


def begin(database: Database, counts: Callable[[], Mapping[str, Any]]) -> threading.Event:
    """Beat until the event that is returned is set, or the process ends."""
    over = threading.Event()
    process = f"{KIND}:{socket.gethostname()}:{os.getpid()}"

    def run() -> None:
        while True:
            _beat(database, process, counts())
            if over.wait(EVERY_S):
                return

    threading.Thread(target=run, name="stream-pulse", daemon=True).start()
    return over


def _beat(database: Database, process: str, detail: Mapping[str, Any]) -> None:
    """One beat; where the store is away, the next one may find it."""
    try:
        with database.writing() as conn:
            heartbeats.beat(conn, process, KIND, now_us=clock.now_us(), detail=detail)
    except (SQLAlchemyError, Busy) as error:
        log.warning("heartbeat_failed", exc_info=error)
