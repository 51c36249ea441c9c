"""Child processes: started in groups of their own, tied to our life, started again when they die.

Who comes in: the supervisor's loop. Who goes out: processes. Start children from the main thread
only: the kernel watches the thread that forked.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from services.supervisor.lifeline import bound_to

FIRST_PAUSE_S = 0.2
LONGEST_PAUSE_S = 10.0
# A child that lived so long is well again: its next death is met as a first one.
WELL_AFTER_S = 30.0


@dataclass(frozen=True)
class Plan:
    """What to run; `keep` says whether it is started again."""

    name: str
    command: Sequence[str]
    env: Mapping[str, str]
    cwd: Path
    descriptors: tuple[int, ...] = ()
    keep: bool = True
    chatty: bool = False  # its standard output is for the person; others' is dropped
    log: Path | None = None  # where its standard error goes; None: to ours


@dataclass
class Child:
    """One plan and the process that carries it out just now."""

    plan: Plan
    process: subprocess.Popen[bytes] | None = None
    groups: set[int] = field(default_factory=set)
    restarts: int = 0
    status: int | None = None  # of its last end
    _started: float = 0.0
    _pause_s: float = FIRST_PAUSE_S
    _not_before: float = 0.0

    def start(self) -> None:
        """Start it now. Raises OSError where there is no such program."""
        self._started = time.monotonic()
        with contextlib.ExitStack() as stack:
            log = None if self.plan.log is None else stack.enter_context(self.plan.log.open("ab"))
            self._start(log)

    def _start(self, log: IO[bytes] | None) -> None:
        self.process = subprocess.Popen(
            list(self.plan.command),
            env=dict(self.plan.env),
            cwd=self.plan.cwd,
            stdin=subprocess.DEVNULL,
            stdout=None if self.plan.chatty else subprocess.DEVNULL,
            stderr=log,
            pass_fds=self.plan.descriptors,
            process_group=0,
            preexec_fn=bound_to(os.getpid()),  # noqa: PLW1509 - the supervisor has one thread
        )
        self.groups.add(self.process.pid)

    @property
    def running(self) -> bool:
        """Whether it lives, as far as we have looked."""
        return self.process is not None and self.process.poll() is None

    def look_after(self) -> int | None:
        """Start it again once its pause is over; the status of a death just seen, else None."""
        now = time.monotonic()
        if self.process is None:
            if self.plan.keep and now >= self._not_before:
                self.restarts += 1
                self.start()
            return None
        status = self.process.poll()
        if status is None:
            return None
        self.process, self.status = None, status
        self._sweep_up()
        if now - self._started >= WELL_AFTER_S:
            self._pause_s = FIRST_PAUSE_S
        self._not_before = now + self._pause_s
        self._pause_s = min(self._pause_s * 2, LONGEST_PAUSE_S)
        return status

    def ask_to_stop(self) -> None:
        """SIGTERM to the process itself, which ends its own children in order."""
        if self.process is not None:
            with contextlib.suppress(ProcessLookupError):
                self.process.terminate()

    def kill(self) -> None:
        """SIGKILL to all that is left of it."""
        self._sweep_up()
        if self.process is not None:
            self.process.wait()
            self.process = None

    def _sweep_up(self) -> None:
        """End what a dead process left behind in its group."""
        for group in self.groups:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(group, signal.SIGKILL)
        self.groups.clear()


def stop(children: Sequence[Child], seconds: float, hurry: Callable[[], bool]) -> None:
    """Ask all at once, wait up to `seconds` unless in a hurry, then leave nothing."""
    for child in children:
        child.ask_to_stop()
    until = time.monotonic() + seconds
    while time.monotonic() < until and not hurry() and any(child.running for child in children):
        time.sleep(0.02)
    for child in children:
        child.kill()
