"""At a glance: what waits in each queue, since when, whether it is heard, and who works.

Who comes in: GET /v1/ops/queues, GET /readyz, the operations page, metrics. Who goes out: JSON of
counts and ages. For each queue the rows tell the truth, the broker's depth stands beside them, and
a canary tells whether anybody listens.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import orjson
from sqlalchemy import Connection, Row, func, select

from services.broker import DELIVER, EVALUATE, MAINTENANCE, QUEUES, Look
from services.clock import SECOND_US, iso
from services.models import dead_letters
from services.reading import backlog
from services.reading.backlog import Only
from services.reading.endpoints import age_s, endpoints
from services.reading.pages import Json, iso_or_none
from services.repositories import heartbeats

# A beat comes every 3 to 5 s: who missed some is late, then gone; after an hour it is forgotten.
LATE_US, GONE_US = 15 * SECOND_US, 60 * SECOND_US
# A canary comes every 5 s.
CANARY_LATE_US = 30 * SECOND_US
OK, LATE, GONE, NEVER, NOT_EXPECTED = "ok", "late", "gone", "never", "not_expected"
EMBEDDED, EXTERNAL, NONE = "embedded", "external", "none"
_MINUTE_US = 60 * SECOND_US
_FORGOTTEN_US = 3600 * SECOND_US


def glance(conn: Connection, look: Look, mode: str, only: Only, now_us: int) -> Json:
    """Everything that an operator asks first, as JSON of the contract."""
    workers = processes(conn, now_us)
    heard = canaries(conn, look, now_us)
    shown = [
        {"queue": queue, "messages": look.depths.get(queue), "canary": heard[queue]}
        | rows
        | {"workers": _working(workers, queue)}
        for queue, rows in (
            (EVALUATE, _evaluate(conn, only, now_us)),
            (DELIVER, _deliver(conn, only, now_us)),
            (MAINTENANCE, _maintenance(conn, only, now_us)),
        )
    ]
    return {
        "at": iso(now_us),
        "broker": broker(look, mode),
        "queues": shown,
        "workers": workers,
        "endpoints": endpoints(conn, only, now_us),
    }


def broker(look: Look, mode: str) -> Json:
    """How the doorbell is doing."""
    state = "none" if mode == NONE else "ok" if look.up else "down"
    return {"state": state, "mode": mode, "policy": look.policy, "aof": look.aof}


def mode(broker_url: str | None, data: Path) -> str:
    """Whose broker it is: `vigil up`'s own, somebody's, nobody's."""
    if broker_url is None:
        return NONE
    own = broker_url.startswith("redis+socket://") and (
        str(data) in broker_url or broker_url.endswith("/valkey.sock")
    )
    return EMBEDDED if own else EXTERNAL


def canaries(conn: Connection, look: Look, now_us: int) -> dict[str, Json]:
    """Queue -> its last canary, and whether it is late; expected while a broker answers."""
    known = heartbeats.canaries(conn)
    return {queue: _canary(known.get(queue), look, now_us) for queue in QUEUES}


def _canary(known: dict[str, Any] | None, look: Look, now_us: int) -> Json:
    if known is None:
        state = NEVER if look.up else NOT_EXPECTED
        nothing = dict.fromkeys(("sent_at", "heard_at", "took_ms", "age_s", "heard_by"))
        return {"state": state, **nothing}
    late = now_us - known["heard_us"] > CANARY_LATE_US
    return {
        "state": NOT_EXPECTED if not look.up else LATE if late else OK,
        "sent_at": iso(known["sent_us"]),
        "heard_at": iso(known["heard_us"]),
        "took_ms": known["took_ms"],
        "age_s": age_s(known["heard_us"], now_us),
        "heard_by": known["heard_by"],
    }


def processes(conn: Connection, now_us: int) -> list[Json]:
    """Who works, by name; those that have been gone for an hour are forgotten."""
    return [_process(row, now_us) for row in heartbeats.seen(conn, now_us - _FORGOTTEN_US)]


def _process(row: Row[Any], now_us: int) -> Json:
    detail = orjson.loads(row.detail)
    host, _, pid = row.process.partition(":")[2].rpartition(":")
    silent_us = now_us - row.seen_us
    counters = detail.pop(heartbeats.COUNTERS, {})
    return {
        "process": row.process,
        "kind": row.kind,
        "host": host or None,
        "pid": int(pid) if pid.isdecimal() else None,
        "state": GONE if silent_us > GONE_US else LATE if silent_us > LATE_US else OK,
        "started_at": iso_or_none(detail.get(heartbeats.STARTED)),
        "seen_at": iso(row.seen_us),
        "age_s": age_s(row.seen_us, now_us),
        # When a message last reached it through the broker: a worker that only beats is deaf.
        "heard_at": iso_or_none(detail.get("heard_us")),
        "rss_mb": detail.get("rss_mb"),
        "rate_per_min": detail.get("rate_per_min"),
        "counters": {name: count for name, count in counters.items() if "|" not in name},
    }


def _working(workers: list[Json], queue: str) -> int:
    """How many live processes take from that queue."""
    kind = DELIVER if queue == MAINTENANCE else queue
    return Counter((worker["kind"], worker["state"]) for worker in workers)[kind, OK]


def _evaluate(conn: Connection, only: Only, now_us: int) -> Json:
    found = backlog.pending(conn, only, now_us)
    return _queue(found.events, found.oldest_us, found.claimed_streams, now_us) | {
        "rate_per_min": backlog.evaluated_since(conn, only, now_us - _MINUTE_US),
        "dirty_streams": found.streams,
        "held_streams": found.held_streams,
        "held_events": found.held_events,
        "oldest_held_at": iso_or_none(found.oldest_held_us),
    }


def _deliver(conn: Connection, only: Only, now_us: int) -> Json:
    found = backlog.waiting(conn, only, now_us).values()
    oldest = [one.oldest_due_us for one in found if one.oldest_due_us is not None]
    depth, in_flight = sum(one.waiting for one in found), sum(one.in_flight for one in found)
    return _queue(depth, min(oldest, default=None), in_flight, now_us) | {
        "rate_per_min": backlog.delivered_since(conn, only, now_us - _MINUTE_US),
        "due": sum(one.due for one in found),
        "dead": _dead(conn, only),
    }


def _maintenance(conn: Connection, only: Only, now_us: int) -> Json:
    """What the sequencer owes: changes of alerts that nobody can read by position yet."""
    count, oldest_us = backlog.unnumbered(conn, only)
    rate = backlog.numbered_since(conn, only, now_us - _MINUTE_US)
    return _queue(count, oldest_us, 0, now_us) | {"rate_per_min": rate}


def _queue(depth: int, oldest_us: int | None, in_flight: int, now_us: int) -> Json:
    """What every queue has; the oldest is the oldest of what a worker could take now."""
    return {
        "depth": depth,
        "oldest_at": iso_or_none(oldest_us),
        "oldest_age_s": None if oldest_us is None else age_s(oldest_us, now_us),
        "in_flight": in_flight,
    }


def _dead(conn: Connection, only: Only) -> int:
    query = select(func.count()).where(
        dead_letters.c.kind == "delivery", dead_letters.c.status == "open"
    )
    if only is not None:
        query = query.where(dead_letters.c.trial.in_(only))
    return int(conn.scalar(query) or 0)
