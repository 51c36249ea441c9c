"""The queue door: Celery's tasks and its schedule, each of them one call.

Who comes in: `celery -A worker worker -Q evaluate`, or `python -m worker KIND`, which also works
without a broker. Who goes out: services.working. Nothing connects before the fork.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Mapping
from typing import Any

from celery import Celery, signals

from services import canaries, logs
from services.broker import DELIVER, EVALUATE, MAINTENANCE, Broker
from services.config import Settings
from services.errors import ConfigError
from services.supervisor import lifeline
from services.working import KINDS, Worker, wait_for_schema

# A rule that never ends takes its process with it; the attempt was counted.
_EVALUATE_LIMIT_S = 120

settings = Settings.from_env(os.environ)
broker = Broker(settings.broker_url)
# Without a broker nobody asks the app for anything, but who imports it finds one.
app: Celery = broker.celery if broker.url else Celery("vigil", broker="memory://")
app.conf.beat_schedule = canaries.schedule()


class _Here:
    """The worker of this process, and its kind, known before the fork."""

    kind = EVALUATE
    worker: Worker | None = None


def _worker() -> Worker:
    if _Here.worker is None:
        raise ConfigError("a task came before the worker was ready")
    return _Here.worker


@app.task(name="vigil.evaluate", time_limit=_EVALUATE_LIMIT_S)
def evaluate(stream_ids: list[int]) -> None:
    """These streams have something to do."""
    _worker().evaluate(stream_ids)


@app.task(name="vigil.deliver")
def deliver(_delivery_ids: list[str]) -> None:
    """These deliveries are due; the crew finds them, and others that are."""
    _worker().deliver()


@app.task(name="vigil.maintenance")
def maintenance(backtest_ids: list[str]) -> None:
    """Parts of these backtests wait."""
    _worker().backtest(backtest_ids)


@app.task(name=canaries.TASK)
def canary(queue: str, sent_us: int, sent_by: str) -> None:
    """The scheduler's sign of life through one queue, and that queue's through this worker."""
    _worker().canary(queue, sent_us, sent_by)


@signals.celeryd_init.connect
def _before_the_fork(options: Mapping[str, Any], **_: object) -> None:
    """Learn what kind of worker this is; refuse a broker that would lose messages.

    And wait for the schema here, where Celery sets no time to the start of its children.
    """
    queues = options.get("queues") or ()
    named = queues.split(",") if isinstance(queues, str) else list(queues)
    _Here.kind = DELIVER if DELIVER in named and EVALUATE not in named else EVALUATE
    _refuse_eviction()
    wait_for_schema(settings)


@signals.worker_process_init.connect
def _after_the_fork(**_: object) -> None:
    """Build everything here: engines and connections must not cross a fork."""
    lifeline.watch_parent()
    logs.configure(settings.log_level)
    logs.catch_strays()
    _Here.worker = Worker(settings, _Here.kind)
    _Here.worker.start()


@signals.worker_process_shutdown.connect
def _before_the_end(**_: object) -> None:
    if _Here.worker is not None:
        _Here.worker.stop()


@signals.setup_logging.connect
def _log(**_: object) -> None:
    """Ours, not Celery's."""
    logs.configure(settings.log_level)


def _refuse_eviction() -> None:
    """A signal's exceptions are swallowed, an exit is not."""
    try:
        broker.refuse_eviction()
    except ConfigError as error:
        raise SystemExit(f"vigil: {error}") from None


def _brokerless(kind: str) -> None:
    """The sweep alone, until told to end."""
    stop = threading.Event()
    for ending in (signal.SIGINT, signal.SIGTERM):
        signal.signal(ending, lambda *_: stop.set())
    wait_for_schema(settings)
    worker = Worker(settings, kind)
    worker.start()
    stop.wait()
    worker.stop()


def main(kind: str) -> None:
    """Run as one of `KINDS`, or as the scheduler, until told to end."""
    logs.configure(settings.log_level)
    logs.catch_strays()
    level = ["--loglevel", settings.log_level]
    if kind == canaries.SCHEDULER:
        memory = ["--scheduler", canaries.SENDER, "--pidfile", ""]
        app.start(["--quiet", "beat", *memory, *level])
    elif settings.broker_url is None:
        _brokerless(kind)
    else:
        queues = kind if kind == EVALUATE else f"{kind},{MAINTENANCE}"
        name = f"{kind}.{os.getpid()}@%h"
        alone = ["--without-gossip", "--without-mingle"]
        app.start(["--quiet", "worker", "-Q", queues, "-c", "1", "-n", name, *alone, *level])


if __name__ == "__main__":
    if len(sys.argv) != 2 or sys.argv[1] not in (*KINDS, canaries.SCHEDULER):
        raise SystemExit(f"usage: python -m worker {'|'.join((*KINDS, canaries.SCHEDULER))}")
    main(sys.argv[1])
