"""A whole `vigil up` in a data directory of its own, as a user starts it."""

from __future__ import annotations

import atexit
import json
import os
import shutil
import signal
import subprocess
import tempfile
import time
from functools import cache
from pathlib import Path
from typing import Self

from services.client import Service
from tests.support.processes import Child, python, wait_until

PROTOCOLS = Path(__file__).parents[2] / "rules" / "protocols"


@cache
def without_scenarios() -> Path:
    """The protocols' folder less the scenarios, which tests/protocols plays: seconds a start."""
    folder = Path(tempfile.mkdtemp(prefix="vigil-protocols-"))
    atexit.register(shutil.rmtree, folder)
    for file in PROTOCOLS.glob("*.yaml"):
        (folder / file.name).write_text(file.read_text().partition("\nscenarios:")[0])
    return folder


class Up:
    """`vigil up` from start to end; what it printed stands in `log`."""

    def __init__(self, data: Path, *arguments: str, **env: str) -> None:
        """Nothing runs before `start`.

        The flagship stands in it without its scenarios, but where a demo plays or `env` says
        otherwise (VIGIL_PROTOCOLS="": as it is shipped).
        """
        self.data = data
        if "--demo" not in arguments:
            env = {"VIGIL_PROTOCOLS": str(without_scenarios()), **env}
        self.log = data.with_suffix(".log")
        main = "from services.cli import main; main()"
        command = python("-c", main, "up", "--data", str(data), "--port", "0", *arguments)
        self.child = Child(command, env, self.log)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.end()

    def end(self) -> None:
        """Leave nothing, whatever state it is in."""
        for pid in self.family():
            signal_quietly(pid, signal.SIGKILL)
        self.child.kill()

    def start(self, seconds: float = 60) -> Self:
        """Return when it serves."""
        self.child.start()
        try:
            wait_until(self._runs, seconds, "vigil up to serve")
        except BaseException:
            self.end()
            raise
        return self

    def _runs(self) -> bool:
        assert self.process.poll() is None, self.log.read_text()
        return (self.data / "run.json").exists() and self.run["pid"] == self.process.pid

    @property
    def process(self) -> subprocess.Popen[bytes]:
        assert self.child.process is not None
        return self.child.process

    @property
    def run(self) -> dict:
        return json.loads((self.data / "run.json").read_text())

    def service(self, role: str) -> Service:
        run = self.run
        return Service(run["url"], run["keys"][role])

    def family(self) -> dict[int, str]:
        """Everything that it started and that still runs, by process id."""
        return descendants(self.process.pid) if self.child.process else {}

    def stop(self, how: signal.Signals = signal.SIGTERM) -> tuple[float, dict[int, str]]:
        """End it; seconds that took, and what of its family still runs."""
        family = self.family()
        started = time.monotonic()
        self.process.send_signal(how)
        self.process.wait(30)
        took = time.monotonic() - started
        return took, {pid: name for pid, name in family.items() if alive(pid)}


def alive(pid: int) -> bool:
    """Whether it runs; a zombie that nobody has waited for does not."""
    status = _status(pid)
    return status is not None and status[0] != "Z"


def descendants(pid: int) -> dict[int, str]:
    """Processes below `pid`, with their command lines."""
    parents = {}
    for entry in Path("/proc").glob("[0-9]*"):
        status = _status(int(entry.name))
        if status is not None and status[0] != "Z":
            parents[int(entry.name)] = int(status[1])
    found: dict[int, str] = {}
    wave = {pid}
    while wave:
        wave = {child for child, parent in parents.items() if parent in wave}
        found |= {child: _command(child) for child in wave}
    return found


def signal_quietly(pid: int, what: signal.Signals) -> None:
    """Signal a process that may be gone."""

    try:
        os.kill(pid, what)
    except ProcessLookupError:
        return


def _status(pid: int) -> list[str] | None:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None


def _command(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ").strip()
    except OSError:
        return ""
