"""The process that holds the open lines: `python -m services.live`.

Who comes in: the supervisor. Who goes out: a hub behind VIGIL_STREAM_SOCKET. It knows no HTTP: the
API's process reads the request, judges it and hands the open socket over; so lines outlive the API.
"""

from __future__ import annotations

import os
import signal

from services import logs
from services.config import Settings
from services.database import Database
from services.errors import ConfigError
from services.live.handover import Doorway
from services.live.hub import Hub
from services.live.pulse import Beating


def main() -> None:
    """Serve until told to end."""
    settings = Settings.from_env(os.environ)
    logs.configure(settings.log_level)
    logs.catch_strays()
    if settings.stream_socket is None:
        raise ConfigError("VIGIL_STREAM_SOCKET: expected a path to listen on")
    database = Database(settings.database_url)
    hub = Hub(database, settings.admin_key, Doorway(settings.stream_socket))
    for ending in (signal.SIGINT, signal.SIGTERM):
        signal.signal(ending, lambda *_: hub.stop())
    beating = Beating(database, hub)
    beating.start()
    hub.run()
    beating.stop()


if __name__ == "__main__":
    main()
