"""A real RabbitMQ for the tests, where Debian's rabbitmq-server is installed; it dies with the tests.

Not the machine's own service: a node of its own on loopback, with its data, cookie and name server.
"""

from __future__ import annotations

import shutil
import socket
import tempfile
from pathlib import Path
from typing import Self

from kombu import Connection
from kombu.exceptions import OperationalError

from tests.support.processes import Child, free_port, wait_until

PROGRAM = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")


def why_not() -> str | None:
    """Why there is none; None: there is."""
    if not PROGRAM.exists() or shutil.which("epmd") is None:
        return "rabbitmq-server is not installed (Debian: apt-get install rabbitmq-server)"
    return None


class RabbitServer:
    """One node on a loopback port; what it was given survives `kill` and `start`."""

    def __init__(self, folder: Path | None = None) -> None:
        """Nothing runs before `start`."""
        self.folder = folder or Path(tempfile.mkdtemp(prefix="vigil-rabbit-"))
        self.port, names = free_port(), free_port()
        log = self.folder / "server.log"
        env = {
            "HOME": str(self.folder),
            "ERL_EPMD_PORT": str(names),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODENAME": f"vigil{self.port}@{socket.gethostname()}",
            "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODE_PORT": str(self.port),
            "RABBITMQ_DIST_PORT": str(free_port()),
            "RABBITMQ_MNESIA_BASE": str(self.folder / "data"),
            "RABBITMQ_LOG_BASE": str(self.folder / "log"),
            "RABBITMQ_PID_FILE": str(self.folder / "pid"),
            "RABBITMQ_CONFIG_FILE": str(self.folder / "rabbitmq"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(self.folder / "plugins"),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "+S 1:1 +sbwt none -kernel inet_dist_use_interface {127,0,0,1}",
        }
        self._names = Child(["epmd", "-port", str(names), "-address", "127.0.0.1"], env, log)
        self._server = Child([str(PROGRAM)], env, log)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def url(self) -> str:
        """The address for VIGIL_BROKER_URL."""
        return f"amqp://guest:guest@127.0.0.1:{self.port}//"

    def start(self) -> Self:
        """Start, on the same port each time, and wait until it answers."""
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / "plugins").write_text("[].\n")
        if self._names.process is None:
            self._names.start()
        self._server.start()
        wait_until(self._answers, 60, "RabbitMQ to answer", 0.2)
        return self

    def kill(self) -> None:
        """`kill -9`, as a fault would."""
        self._server.kill()

    def stop(self) -> None:
        """End it and forget its data."""
        self.kill()
        self._names.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _answers(self) -> bool:
        assert self._server.process is not None
        assert self._server.process.poll() is None, (self.folder / "server.log").read_text()
        try:
            with Connection(self.url, connect_timeout=2) as connection:
                connection.ensure_connection(max_retries=0)
        except (OSError, OperationalError):
            return False
        return True
