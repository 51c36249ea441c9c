"""Real processes for the tests: started in their own group, ended by id, always."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Self

from tests.support.lifetime import dies_with_parent

PATIENCE_S = 90.0
ROOT = Path(__file__).resolve().parents[2]


def free_port() -> int:
    """A loopback port that nobody listens on just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def wait_until(true: Callable[[], bool], seconds: float, what: str, every: float = 0.05) -> None:
    """Return when `true()`; after `seconds` fail, saying `what` was waited for.

    Nobody fails before `PATIENCE_S`: a machine that is busy with other work is no fault of ours.
    """
    seconds = max(seconds, PATIENCE_S)
    end = time.monotonic() + seconds
    while not true():
        if time.monotonic() > end:
            message = f"waited {seconds:g} s for {what}"
            raise TimeoutError(message)
        time.sleep(every)


class Child:
    """One process group that can be killed and started again with the same command."""

    def __init__(self, command: Sequence[str], env: Mapping[str, str], log: Path) -> None:
        """Nothing runs before `start`; output is appended to `log`."""
        self.command = list(command)
        self.env = {**os.environ, "PYTHONPATH": str(ROOT), **env}
        self.log = log
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> Self:
        """Start it in a session of its own; it ends with the tests, also when they are killed."""
        # The kernel watches the thread that forks: only the main one lives as long as the tests.
        main = threading.current_thread() is threading.main_thread()
        with self.log.open("ab") as output:
            self.process = subprocess.Popen(
                self.command,
                env=self.env,
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
                preexec_fn=dies_with_parent(signal.SIGTERM) if main else None,  # noqa: PLW1509
            )
        return self

    def kill(self) -> None:
        """SIGKILL the whole group and reap it; quiet if it is gone."""
        if self.process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self.process = None

    def kill_and_start(self) -> None:
        """What a crash and a supervisor do together."""
        self.kill()
        self.start()


def python(*arguments: str) -> list[str]:
    """A command line of this very interpreter."""
    return [sys.executable, *arguments]
