"""Did a worker of this container tell the store lately that it lives?

Who comes in: a health check with the kind of process. Who goes out: one query. It neither asks
Celery, whose ping is answered by workers that consume nothing, nor needs the broker.
"""

from __future__ import annotations

import os
import socket
import sys

from sqlalchemy.exc import SQLAlchemyError

from services import clock
from services.config import Settings
from services.database import Database
from services.repositories import heartbeats

# They beat every few seconds; a long thought may keep one from it.
LATELY_US = 60 * clock.SECOND_US
# The one of its kind, told by whoever hears it: it has no row of this host.
_ELSEWHERE = frozenset({"scheduler"})


def complaint(settings: Settings, kind: str, host: str, now_us: int) -> str | None:
    """What is wrong with this host's processes of `kind`; None: one was seen lately."""
    db = Database(settings.database_url)
    try:
        with db.reading() as conn:
            seen = heartbeats.seen(conn, now_us - LATELY_US)
    except SQLAlchemyError as error:
        return f"the store does not answer ({type(error).__name__})"
    finally:
        db.dispose()
    if any(row.kind == kind and _is_ours(row.process, kind, host) for row in seen):
        return None
    return f"no heartbeat of {kind} lately"


def _is_ours(process: str, kind: str, host: str) -> bool:
    return kind in _ELSEWHERE or process.startswith(f"{kind}:{host}:")


if __name__ == "__main__":
    sys.exit(
        complaint(Settings.from_env(os.environ), sys.argv[1], socket.gethostname(), clock.now_us())
    )
