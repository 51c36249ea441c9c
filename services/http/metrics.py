"""`/metrics`: what a monitor alarms on, read from the store when it is asked for.

Who comes in: a Prometheus with an ops or admin key of all trials, or anybody where
VIGIL_METRICS_OPEN=1. Who goes out: services/reading; one snapshot of the store, one look at the
broker.

Any process of the API gives the same answer, and no file is shared between processes. Totals come
from rows that are never taken back. What only processes know (HTTP requests, rings, the sweep's
finds) they count in memory and tell with their heartbeat; here the heartbeats are added up, the
ended processes' last ones included (services/repositories/heartbeats keeps them), so a sum does not
fall when a process ends, is killed or takes over a dead one's name. What a killed process counted
since its last beat, up to five seconds, is never counted.
"""

from __future__ import annotations

import platform
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from importlib.metadata import version
from typing import Any

import orjson
from flask import Response, request
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector
from sqlalchemy import Connection

import rules
from services.broker import Look
from services.clock import now_us
from services.errors import Forbidden
from services.http import tally
from services.http.context import caller_or_none, parts
from services.http.openapi import Blueprint
from services.live import hub
from services.reading import backlog, endpoints, figures, queues
from services.repositories import heartbeats, unmapped

blueprint = Blueprint("metrics", __name__, description="For a monitor")
_SIMPLE = {
    "sweep_errors": "Looks of the sweep that failed; the log has why.",
    "rings": "Doorbells that the broker took.",
    "missed_rings": "Doorbells that it did not take: it is away or full.",
}
_SWEPT = ("streams", "events", "released", "unnumbered")

# The labels' values, in the order of their names -> the sample. A Mapping's keys are invariant.
Labelled = Mapping[Any, float]


@blueprint.route("/metrics")
@blueprint.answers(200, {"type": "string"}, content_type="text/plain")
def scrape() -> Response:
    """Prometheus text, or OpenMetrics if asked for; docs/operations.md says what each is for."""
    who = caller_or_none()
    if who is not None and who.trials is not None:
        raise Forbidden("Metrics are of all trials; this key is for some.")
    encode, content_type = choose_encoder(request.headers.get("Accept", ""))
    return Response(encode(Figures()), content_type=content_type)


class Figures(Collector):
    """All metrics, once."""

    def collect(self) -> Iterator[Metric]:
        """Read everything in one snapshot."""
        services, at_us = parts(), now_us()
        look = services.broker.look()
        yield _build()
        yield from _broker(look, queues.mode(services.broker.url, services.settings.data))
        with services.database.reading() as conn:
            yield from _events(conn, at_us)
            yield from _alerts(conn, at_us)
            yield from _deliveries(conn, at_us)
            yield from _processes(conn, look, at_us)
            yield from _counted(conn)


def _build() -> Metric:
    labels = {
        "version": version("vigil"),
        "engine_version": str(rules.ENGINE_VERSION),
        "python": platform.python_version(),
    }
    return _gauge("build_info", "What runs here; always 1.", {tuple(labels.values()): 1}, *labels)


def _broker(look: Look, mode: str) -> Iterator[Metric]:
    yield _gauge(
        "broker_up",
        "1: the broker answers. 0: nothing is lost, the sweep moves everything on about a second"
        " later; bring the broker back.",
        {(mode,): float(look.up)},
        "mode",
    )
    yield _gauge(
        "queue_messages",
        "Doorbells that wait in the broker; the rows are the truth (vigil_events_pending,"
        " vigil_deliveries_due).",
        {(queue,): float(depth) for queue, depth in look.depths.items()},
        "queue",
    )


def _events(conn: Connection, at_us: int) -> Iterator[Metric]:
    log = figures.in_the_log(conn)
    yield _counter(
        "events_received",
        "Events in the log. Flat while sites are at work: look at the publishers.",
        {(kind,): received for kind, (received, _) in log.items()},
        "stream",
    )
    yield _counter(
        "evaluations",
        "Events evaluated. Flat while vigil_events_pending grows: no worker evaluates.",
        {(kind,): evaluated for kind, (_, evaluated) in log.items()},
        "stream",
    )
    yield _counter(
        "codes_unmapped",
        "Refusals for a code that the protocol does not declare. Rising: data do not reach the"
        " rules; GET /v1/trials/.../unmapped lists the codes.",
        {(kind,): count for kind, count in unmapped.by_type(conn).items()},
        "type",
    )
    waits = backlog.pending(conn, None, at_us)
    yield _one("events_pending", "Events not evaluated yet, held ones included.", waits.events)
    yield _one("streams_dirty", "Subjects and trials with such events.", waits.streams)
    yield _one(
        "streams_held",
        "Streams stopped at an event that cannot be evaluated: nobody watches these subjects."
        " Mend the cause and requeue, or discard, the dead letter.",
        waits.held_streams,
    )
    yield _one(
        "oldest_pending_seconds",
        "Age of the oldest event that waits and is not held; over a minute: start workers.",
        _age(waits.oldest_us, at_us),
    )


def _alerts(conn: Connection, at_us: int) -> Iterator[Metric]:
    yield _gauge(
        "alerts_open",
        "Alerts that are not resolved; the 51st trial and later ones are 'other'.",
        dict(figures.open_alerts(conn)),
        *("trial", "category", "severity"),
    )
    yield _one("alert_log_position", "The last position given.", figures.log_position(conn))
    unnumbered, oldest_us = backlog.unnumbered(conn, None)
    yield _one(
        "alert_changes_unnumbered",
        "Changes of alerts that nobody can be told of yet; more than a moment: no worker sweeps.",
        unnumbered,
    )
    age_s = _age(oldest_us, at_us)
    yield _one("oldest_unnumbered_seconds", "Age of the oldest such change.", age_s)
    statuses = figures.trials_by_status(conn)
    yield _gauge("trials", "Trials by status.", _keyed(statuses), "status")
    yield _recent(
        "event_to_alert_seconds",
        "From an event's receipt to the committed alert, over the last 5 minutes.",
        figures.to_alert_s(conn, at_us),
    )


def _deliveries(conn: Connection, at_us: int) -> Iterator[Metric]:
    statuses = figures.deliveries_by_status(conn)
    yield _gauge("deliveries", "Deliveries by status.", _keyed(statuses), "status")
    waiting = backlog.waiting(conn, None, at_us).values()
    oldest = min((w.oldest_due_us for w in waiting if w.oldest_due_us is not None), default=None)
    yield _one(
        "deliveries_due", "Deliveries that a worker could send now.", sum(w.due for w in waiting)
    )
    yield _one("deliveries_in_flight", "Attempts under way.", sum(w.in_flight for w in waiting))
    yield _one(
        "oldest_due_seconds",
        "How long the oldest of them has been due; over a minute: no worker delivers, or a"
        " receiver is so slow that its four lines are full (GET /v1/ops/queues, endpoints).",
        _age(oldest, at_us),
    )
    failing, worst_us = figures.failing(conn)
    yield _one("endpoints_failing", "Subscribers whose receiver takes nothing.", failing)
    yield _one(
        "endpoint_failing_seconds", "Since when the worst of them does so.", _age(worst_us, at_us)
    )
    yield _gauge(
        "dead_letters_open",
        "What was given up and nobody has closed; GET /v1/ops/dead-letters.",
        {("event",): 0.0, ("delivery",): 0.0} | dict(_keyed(figures.open_letters(conn))),
        "kind",
    )
    yield _recent(
        "event_to_delivery_seconds",
        "From an event's receipt (or a due instant) to the arrival at a subscriber, over the last"
        " 5 minutes.",
        figures.to_delivery_s(conn, at_us),
    )


def _processes(conn: Connection, look: Look, at_us: int) -> Iterator[Metric]:
    working = queues.processes(conn, at_us)
    kinds = sorted({one["kind"] for one in working})
    states = Counter((one["kind"], one["state"]) for one in working)
    named = (queues.OK, queues.LATE, queues.GONE)
    every = {(kind, state): states[kind, state] for kind in kinds for state in named}
    yield _gauge(
        "processes",
        "Processes by their heartbeat; the gone ones are forgotten after an hour.",
        every,
        *("kind", "state"),
    )
    yield _gauge(
        "heartbeat_age_seconds",
        "Since the youngest heartbeat of a kind; over 30: none of that kind lives. Start one.",
        {(kind,): min(o["age_s"] for o in working if o["kind"] == kind) for kind in kinds},
        "kind",
    )
    yield _gauge(
        "process_peak_memory_bytes",
        "The most memory that a live process of that kind ever had.",
        {(kind,): _peak(working, kind) * 1e6 for kind in kinds},
        "kind",
    )
    yield _one("stream_clients", "Open live streams.", _clients(conn, at_us))
    yield from _canaries(queues.canaries(conn, look, at_us))


def _canaries(heard: Mapping[str, dict[str, Any]]) -> Iterator[Metric]:
    expected = {q: c for q, c in heard.items() if c["state"] != queues.NOT_EXPECTED}
    ages = {(q,): float("inf") if c["age_s"] is None else c["age_s"] for q, c in expected.items()}
    yield _gauge(
        "canary_age_seconds",
        "Since a message last came through a queue; over 30 with vigil_broker_up 1: its workers are"
        " deaf. Restart them.",
        ages,
        "queue",
    )
    took = {(q,): c["took_ms"] / 1000 for q, c in expected.items() if c["took_ms"] is not None}
    yield _gauge("canary_took_seconds", "How long it was on its way.", took, "queue")


def _counted(conn: Connection) -> Iterator[Metric]:
    counted = heartbeats.counted(conn)
    total: Counter[str] = sum(counted.values(), Counter())
    yield _counter(
        "sweep_found",
        "What the sweep found that nobody had rung for: events after a lost bell, streams also at"
        " their due instants. Events grow while a broker is up: bells are lost.",
        {(what,): total[f"sweep_{what}"] for what in _SWEPT},
        "what",
    )
    for name, meaning in _SIMPLE.items():
        yield _counter(name, meaning, {(): total[name]})
    yield _counter(
        "delivery_attempts",
        "Attempts to deliver by how they ended; 'fault' is ours: see the log.",
        _named(total, "attempts|"),
        "outcome",
    )
    yield _counter(
        "stream_clients_ended",
        "Live streams by how they ended; 'stalled': the client took nothing for 30 s.",
        {(str(why),): total[f"{hub.ENDED}|{why}"] for why in hub.End},
        "outcome",
    )
    yield from _http(total)


def _http(total: Mapping[str, float]) -> Iterator[Metric]:
    requests: Counter[tuple[str, ...]] = Counter()
    places: Counter[tuple[str, ...]] = Counter()
    seconds: dict[tuple[str, ...], float] = {}
    for name, count in total.items():
        kind, *parted = name.split("|")
        if kind == tally.REQUESTS:
            method, route, status, bound = parted
            requests[method, route, status] += int(count)
            places[method, route, bound] += int(count)
        elif kind == tally.SECONDS:
            seconds[tuple(parted)] = count
    yield _counter(
        "http_requests",
        "Requests by route; 5xx that are not 503 are ours: see the log by request id.",
        requests,
        *("method", "route", "status"),
    )
    took = HistogramMetricFamily(
        "vigil_http_request_seconds",
        "How long requests took, by route; open streams count until they are handed over.",
        labels=("method", "route"),
    )
    for group, spent in sorted(seconds.items()):
        took.add_metric(group, _cumulative(group, places), spent)
    yield took


def _cumulative(
    group: tuple[str, ...], places: Counter[tuple[str, ...]]
) -> Sequence[tuple[str, float]]:
    reached, found = 0, []
    for bound in tally.BOUNDS:
        reached += places[*group, bound]
        found.append((bound, float(reached)))
    return found


def _clients(conn: Connection, at_us: int) -> int:
    rows = heartbeats.seen(conn, at_us - queues.LATE_US)
    return sum(orjson.loads(row.detail).get("clients", 0) for row in rows if row.kind == "stream")


def _peak(working: Iterable[Mapping[str, Any]], kind: str) -> float:
    alive = (one for one in working if one["kind"] == kind and one["state"] == queues.OK)
    return max((one["rss_mb"] or 0.0 for one in alive), default=0.0)


def _age(since_us: int | None, at_us: int) -> float:
    """Seconds; 0 where nothing waits."""
    return 0.0 if since_us is None else endpoints.age_s(since_us, at_us)


def _named(total: Mapping[str, float], prefix: str) -> Labelled:
    return {(name.removeprefix(prefix),): n for name, n in total.items() if name.startswith(prefix)}


def _keyed(counts: Mapping[str, int]) -> Labelled:
    return {(name,): float(count) for name, count in counts.items()}


def _one(name: str, meaning: str, value: float) -> Metric:
    return _gauge(name, meaning, {(): value})


def _gauge(name: str, meaning: str, values: Labelled, *labels: str) -> Metric:
    family = GaugeMetricFamily(f"vigil_{name}", meaning, labels=labels)
    for key, value in sorted(values.items()):
        family.add_metric(key, value)
    return family


def _recent(name: str, meaning: str, ordered: list[float]) -> Metric:
    found = figures.quantiles(ordered)
    return _gauge(name, meaning, {(part,): value for part, value in found.items()}, "quantile")


def _counter(name: str, meaning: str, values: Labelled, *labels: str) -> Metric:
    family = CounterMetricFamily(f"vigil_{name}", meaning, labels=labels)
    for key, value in sorted(values.items()):
        family.add_metric(key, value)
    return family
