"""Asking the rules: engines by protocol version, and one stream's steps with nothing open.

Who comes in: the loop and replay. Who goes out: rules, and the log where a fold begins anew.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from threading import Lock

import rules
from services import logs, protocols
from services.database import Database
from services.evaluation.work import Work, without
from services.repositories import events, trials
from services.repositories import protocols as versions

log = logs.get(__name__)


@dataclass(frozen=True, slots=True)
class Thought:
    """What the rules made of a stream's work."""

    work: Work
    outcome: rules.Outcome

    @property
    def passed_us(self) -> int | None:
        """The last due instant passed after the last event; None: no time passed there."""
        tail = [result.due_us for result in self.outcome.results if result.n == self.work.last_n]
        return max(tail, default=0) or None


class Engines:
    """The engines of this process. Each holds a knowledge base that must not cross a fork, and
    none of them is safe for two threads, so there is one lock for all.
    """

    def __init__(self) -> None:
        self.lock = Lock()
        self.patience_s: float | None = None  # None: thinking may take as long as it takes
        self._owner = os.getpid()
        self._kept: dict[tuple[str, str], rules.Engine] = {}

    @contextmanager
    def alone(self) -> Iterator[None]:
        """The lock, and beside it a clock: who thinks past `patience_s` is ended with the process.

        The kernel's alarm and not a thread's, for a loop in the C engine lets no thread run. It
        costs microseconds; nobody handles the signal, so the process ends.
        """
        with self.lock:
            if self.patience_s is None:
                yield
                return
            signal.setitimer(signal.ITIMER_REAL, self.patience_s)
            try:
                yield
            finally:
                signal.setitimer(signal.ITIMER_REAL, 0)

    def get(self, db: Database, trial: str, version: str) -> rules.Engine:
        """The engine of a stored protocol version, built at the first use."""
        if self._owner != os.getpid():
            self._kept, self._owner, self.lock = {}, os.getpid(), Lock()
        engine = self._kept.get((trial, version))
        if engine is None:
            with db.reading() as conn:
                row = versions.get(conn, trial, version)
            if row is None:
                raise rules.EvaluationError("the protocol version of a stream is not stored")
            others = partial(_other, db, trial)
            protocol = protocols.compiled(row)
            engine = self._kept[trial, version] = rules.Engine(protocol, others=others)
        return engine

    def prepare(self, db: Database) -> None:
        """Build the engines in force before the first event needs one: it takes up to a second."""
        with db.reading() as conn:
            wanted = [(row.id, row.active_version) for row in trials.every(conn)]
        for trial, version in wanted:
            if version is None:
                continue
            try:
                self.get(db, trial, version)
            except rules.RuleError:  # a text of an older language: each event will tell
                log.exception("protocol not prepared", trial=trial, version=version)


def _other(db: Database, trial: str, version: str) -> rules.Protocol | None:
    """Another version of the trial, that some subject is pinned to; None: there is none."""
    with db.reading() as conn:
        row = versions.get(conn, trial, version)
    return None if row is None else protocols.compiled(row)


ENGINES = Engines()


def limit(seconds: float) -> None:
    """In this process no single thought may take longer; for workers, which are started again."""
    ENGINES.patience_s = seconds


def think(db: Database, work: Work) -> Thought:
    """The stream's next steps. Raises what the rules raise: the event is poison, or its rule is."""
    head = work.head
    engine = ENGINES.get(db, head.trial, work.version)
    with ENGINES.alone():
        log = partial(_log, db, work)
        if work.is_trial:
            outcome = engine.trial_steps(head.trial, head.state, work.events, log, work.until_us)
        else:
            outcome = engine.subject_steps(
                head.trial,
                head.subject,
                head.state,
                work.events,
                log,
                work.until_us,
                began=work.began,
            )
    return Thought(work, outcome)


def _log(db: Database, work: Work, n: int) -> Sequence[rules.Event]:
    """The stream's events up to number `n`, without the discarded ones."""
    with db.reading() as conn:
        whole = events.after(conn, work.head.id, 0, until=n)
    return without(whole, work.excluded)
