"""The net under the corridor: what nobody rang for, and what only time brings.

Who comes in: a thread in every worker, every second, with the broker or without it. Who goes out:
the steps it was given, the sequencer, the pulse. Steps do not know one another, so whoever starts
the sweep hands them over.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field

from services import clock, logs, protocols, sequencer
from services.broker import Broker
from services.database import Database
from services.pulse import Pulse
from services.repositories import steps, waiting

EVERY_S = 1.0
# Without a broker the sweep is the only bell.
BROKERLESS_S = 0.1
BEAT_EVERY_US = 3 * clock.SECOND_US
# What waits no longer than this, somebody was rung for and is at it.
_RUNG_FOR_US = 1_200_000
_MOST = 500

log = logs.get(__name__)


@dataclass(slots=True)
class SweepReport:
    """What sweeps found that nobody had rung for, since the process began."""

    sweeps: int = 0
    streams: int = 0  # dirty or due, and evaluated by the sweep
    events: int = 0
    released: int = 0  # times that contributions of a replay trial could go on
    reminded: int = 0
    unnumbered: int = 0  # changes of alerts that had no position yet
    maintained: int = 0  # subjects of backtests
    errors: int = 0


@dataclass(frozen=True, slots=True)
class Steps:
    """What this worker can do itself; None: it leaves that to workers of another kind."""

    evaluate: Callable[[Sequence[int], int], int] | None = None  # streams, now: events done
    release: Callable[[str, int], list[int]] | None = None  # replay trial, now: streams to do
    remind: Callable[[int], int] | None = None
    prepare: Callable[[], None] | None = None  # what the first event would have to wait for
    maintain: Callable[[int], int] | None = None  # one part of a batch that nobody is at


@dataclass(slots=True)
class Sweep:
    """One worker's sweep."""

    db: Database
    broker: Broker
    steps: Steps
    kind: str  # evaluate | deliver
    process: str  # kind:host:pid
    report: SweepReport = field(default_factory=SweepReport)
    # What the worker itself counts, and what else it says of itself.
    counters: Callable[[], Mapping[str, float]] = dict
    detail: Callable[[], Mapping[str, object]] = dict
    _beat_us: int = 0
    _pulse: Pulse = field(init=False)

    def __post_init__(self) -> None:
        """The pulse of the process that this sweep runs in."""
        self._pulse = Pulse(self.db, self.kind, self.process)

    def once(self, now_us: int) -> SweepReport:
        """Look once, and do what is found."""
        self.report.sweeps += 1
        for look in self._looks():
            look(now_us)
        return self.report

    def run(self, stop: threading.Event, every_s: float = EVERY_S) -> None:
        """Look until told to stop; what fails is met again at the next look.

        Whatever it is: one look that fails keeps the others from nothing, and a thread that ended
        here would be missed by nobody.
        """
        while not stop.wait(every_s):
            self.report.sweeps += 1
            for look in self._looks():
                try:
                    look(clock.now_us())
                except Exception:
                    self.report.errors += 1
                    log.exception("the sweep could not look", look=look.__name__)

    def _looks(self) -> list[Callable[[int], None]]:
        """What one sweep looks for, in this order."""
        looks: list[Callable[[int], None]] = [self._number, self._remind, self._beat]
        if self.steps.maintain is not None:
            looks.append(self._maintain)
        if self.steps.evaluate is None:
            return looks
        return [self._prepare, self._activate, self._evaluate, *looks]

    def _prepare(self, _now_us: int) -> None:
        if self.steps.prepare is not None:
            self.steps.prepare()

    def _activate(self, now_us: int) -> None:
        """Versions approved for an instant that has come; their streams are dirty then."""
        self.broker.ring_evaluate(protocols.activate_due(self.db, now_us))

    def _evaluate(self, now_us: int) -> None:
        """Streams that wait too long, passed instants, and replay trials whose clock moved on."""
        evaluate = self.steps.evaluate
        assert evaluate is not None
        overdue = self._overdue(now_us)
        if overdue:
            done = evaluate(overdue, now_us)
            self.report.events += done
            self.report.streams += len(overdue)
        for trial in self._waiting():
            streams = self.steps.release(trial, now_us) if self.steps.release else []
            if streams:
                self.report.released += 1
                evaluate(streams, now_us)

    def _overdue(self, now_us: int) -> list[int]:
        # Without a broker nobody was rung for anything.
        patience_us = 0 if self.broker.url is None else _RUNG_FOR_US
        with self.db.reading() as conn:
            return steps.overdue(
                conn, stored_before_us=now_us - patience_us, now_us=now_us, limit=_MOST
            )

    def _waiting(self) -> list[str]:
        with self.db.reading() as conn:
            return waiting.trials_with_some(conn)

    def _number(self, _now_us: int) -> None:
        """Changes whose writer died before it asked for their positions."""
        with self.db.reading() as conn:
            if not sequencer.something_waits(conn):
                return
        numbered = sequencer.number(self.db, self.process)
        self.report.unnumbered += numbered.changes
        self.broker.ring_deliver(numbered.deliveries)

    def _remind(self, now_us: int) -> None:
        """People about streams that are still held."""
        if self.steps.remind is not None:
            self.report.reminded += self.steps.remind(now_us)

    def _maintain(self, now_us: int) -> None:
        """A part of a backtest whose bell was lost, or whose worker was."""
        if self.steps.maintain is not None:
            self.report.maintained += self.steps.maintain(now_us)

    def _beat(self, now_us: int) -> None:
        if 0 <= now_us - self._beat_us < BEAT_EVERY_US:
            return
        self._beat_us = now_us
        self._pulse.beat(now_us, self._counts(), **self.detail())

    def _counts(self) -> dict[str, float]:
        found = {f"sweep_{name}": count for name, count in asdict(self.report).items()}
        bells = {"rings": self.broker.rings, "missed_rings": self.broker.missed_rings}
        return {**found, **bells, **self.counters()}

    def end(self, now_us: int) -> None:
        """The worker ends in good order: its last counts stay, its heartbeat goes."""
        self._pulse.beat(now_us, self._counts(), **self.detail())
        self._pulse.end(now_us)
