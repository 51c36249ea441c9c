"""Canaries: a message through each queue every few seconds, because a worker's ping may lie.

Who comes in: the scheduler, which sends them; whichever worker hears one. Who goes out: heartbeats
of the queue and of the scheduler. "Alive, answers ping, consumes nothing" is seen only so.
"""

from __future__ import annotations

from typing import Any

from celery.beat import BeatLazyFunc, SchedulingError
from celery.beat import Scheduler as Memory
from sqlalchemy import Connection

from services import clock, logs, pulse
from services.broker import MAINTENANCE, QUEUES, Broker
from services.database import Database
from services.repositories import heartbeats

TASK = "vigil.canary"
SCHEDULER = "scheduler"
SENDER = "services.canaries:Sender"
EVERY_S = 5.0
# A canary that is older tells nothing any more; who finds it throws it away.
EXPIRES_S = 30
# Expired messages lie in their queue until somebody takes them: no more are added to so many.
CROWDED = 500

log = logs.get(__name__)


def schedule() -> dict[str, dict[str, Any]]:
    """Celery's schedule: one canary for each queue."""
    return {
        f"canary-{queue}": {
            "task": TASK,
            "schedule": EVERY_S,
            "args": (queue, BeatLazyFunc(clock.now_us), BeatLazyFunc(pulse.name, SCHEDULER)),
            "options": {"queue": queue, "expires": EXPIRES_S},
        }
        for queue in QUEUES
    }


class Sender(Memory):
    """Celery's scheduler, silent while the broker is away or a queue is full already."""

    def apply_entry(self, entry: Any, producer: Any = None) -> None:
        """Send what is due, if there is a use in it."""
        queue = entry.options["queue"]
        depths = Broker(self.app.conf.broker_url).depths()
        if depths is None or depths[queue] >= CROWDED:
            log.warning("no canary sent", queue=queue, depth=depths and depths[queue])
            return
        super().apply_entry(entry, producer=producer)

    def apply_async(self, entry: Any, *arguments: Any, **more: Any) -> Any:
        """Send one; a line that broke is never used again.

        Celery's scheduler would keep it: after RabbitMQ's return it sent nothing any more.
        """
        try:
            return super().apply_async(entry, *arguments, **more)
        except SchedulingError:
            self.__dict__.pop("producer", None)
            line = self.__dict__.pop("connection", None)
            if line is not None:
                line.release()
            raise


def heard(
    db: Database, queue: str, *, sent_us: int, sent_by: str, heard_by: str, now_us: int
) -> None:
    """Write down that a canary came through `queue`."""
    detail: dict[str, Any] = {"queue": queue, "sent_us": sent_us, "heard_by": heard_by}
    # Two machines' clocks may differ by more than a message takes.
    detail["took_ms"] = round(max(now_us - sent_us, 0) / 1000, 1)

    def write(conn: Connection) -> None:
        name = f"{heartbeats.CANARY}:{queue}"
        heartbeats.beat(conn, name, heartbeats.CANARY, now_us=now_us, detail=detail)
        if queue == MAINTENANCE:
            heartbeats.beat(conn, sent_by, SCHEDULER, now_us=now_us, detail={})

    db.transact(write)
