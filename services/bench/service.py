"""The whole service as its users meet it: intake, evaluation and webhooks of `vigil up`."""

from __future__ import annotations

import json
import os
import signal
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import urllib3

from services import clock, stories
from services.bench.limits import post_for_a_while
from services.bench.ports import free_port
from services.bench.single import FLAGSHIP

SUBJECTS, EVENTS_EACH, BATCH = 200, 50, 1000
RATE_PER_S, RATE_SECONDS = 50, 10
# What comes in beside, where the machine is to be busy.
BESIDE_BATCH, BESIDE_EVERY_S = 200, 0.25
READY_S, SETTLE_S = 120, 300
MAIN = "from services.cli import main; main()"


class Running:
    """A started service: its address, its administrator's key, its processes."""

    def __init__(self, data: Path, process: subprocess.Popen[bytes]) -> None:
        """`data` holds run.json once it is up."""
        self.process = process
        self.run = self._wait(data / "run.json")
        self.pool = urllib3.PoolManager(maxsize=8, retries=False, timeout=120)
        self.headers = {
            "Authorization": f"Bearer {self.run['keys']['admin']}",
            "Content-Type": "application/json",
        }

    def _wait(self, file: Path) -> dict[str, Any]:
        end = time.monotonic() + READY_S
        while not file.exists():
            if self.process.poll() is not None or time.monotonic() > end:
                message = "vigil up did not start; run it by hand to see why"
                raise RuntimeError(message)
            time.sleep(0.05)
        found: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
        return found

    def call(self, method: str, path: str, body: Any = None) -> Any:
        """The answer's JSON; a refusal raises with its status."""
        raw = None if body is None else json.dumps(body).encode()
        answer = self.pool.request(method, self.run["url"] + path, body=raw, headers=self.headers)
        if answer.status >= 300:
            message = f"{method} {path}: {answer.status} {answer.data[:300]!r}"
            raise RuntimeError(message)
        return json.loads(answer.data)

    def dirty(self, trial: str) -> int:
        """How many streams of `trial` have something left to evaluate."""
        answer = self.call("GET", "/v1/ops/streams?state=dirty")
        return sum(item["trial"] == trial for item in answer["items"])

    def settle(self, trial: str) -> None:
        """Return when every event of `trial` is evaluated."""
        end = time.monotonic() + SETTLE_S
        while self.dirty(trial):
            if time.monotonic() > end:
                message = f"streams are still dirty after {SETTLE_S} s"
                raise RuntimeError(message)
            time.sleep(0.02)

    def api_cpu_s(self) -> float:
        """Seconds of processor that the API has had so far."""
        family = _family(self.process.pid)
        return sum(_cpu_s(pid) for pid in family if b"gunicorn" in _command(pid))

    def rss_mb(self) -> float:
        """Resident memory of all processes, in MB; shared pages count each time."""
        return round(sum(_rss_kb(pid) for pid in _family(self.process.pid)) / 1024, 1)


@contextmanager
def running(data: Path) -> Iterator[Running]:
    """`vigil up` on a free port, stopped as Ctrl-C does."""
    port = str(free_port())
    command = [sys.executable, "-c", MAIN, "up", "--data", str(data), "--port", port]
    with (data.parent / "up.log").open("ab") as log:
        env = {**os.environ, "VIGIL_WEBHOOK_ALLOW_PRIVATE": "1"}
        process = subprocess.Popen(command, stdout=log, stderr=log, env=env)
    try:
        yield Running(data, process)
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(timeout=30)


class Receiver(ThreadingHTTPServer):
    """A webhook receiver that notes when each subject's first alert arrived."""

    def __init__(self) -> None:
        """Listens on a free loopback port."""
        super().__init__(("127.0.0.1", 0), _Handler)
        self.arrived: dict[str, float] = {}
        self.count = 0
        self.noting = threading.Lock()

    @property
    def url(self) -> str:
        """Where to send."""
        return f"http://127.0.0.1:{self.server_address[1]}/"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        """Note the subject and the moment; answer 204."""
        now = time.perf_counter()
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        assert isinstance(self.server, Receiver)
        with self.server.noting:
            self.server.count += 1
            self.server.arrived.setdefault(body["data"]["subject"], now)
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Be quiet."""


def measure(place: Path) -> dict[str, Any]:
    """Intake, evaluation and webhook figures of one running service."""
    with ExitStack() as stack:
        service = stack.enter_context(running(place / "data"))
        for trial in ("ingest", "evaluated", "alerts", "busy", "beside"):
            body = {"id": trial, "mode": "live", "protocol": FLAGSHIP.read_text(encoding="utf-8")}
            service.call("POST", "/v1/trials", body)
        receiver = stack.enter_context(_receiver())
        figures = {
            **_single(service),
            **_batches(service),
            **_latency(service, receiver, "alerts"),
            **_busy(service, receiver),
            **_deliveries(service, receiver),
        }
        figures["rss_mb"] = service.rss_mb()
    return figures


def _published(trial: str) -> list[dict[str, Any]]:
    start = datetime.fromtimestamp(clock.now_us() / 1e6, UTC) - timedelta(days=60)
    return [
        event
        for number in range(SUBJECTS)
        for event in stories.subject_events(trial, f"S-{number:04}", EVENTS_EACH, 3, start)
    ]


def _single(service: Running) -> dict[str, Any]:
    """Distinct events one by one, from several clients; and what one costs the API's processor."""
    moment = clock.iso(clock.now_us() - 3_600_000_000)
    counter = iter(range(10**9))

    def body() -> bytes:
        number = next(counter)
        return json.dumps(
            stories.envelope(
                "ingest",
                f"S-{number % 50}",
                f"one-{number}",
                moment,
                ("observation", {"code": "diastolic_bp", "value": 80, "unit": "mm[Hg]"}),
            )
        ).encode()

    before_s = service.api_cpu_s()
    posts = post_for_a_while(service.run["url"] + "/v1/events", body, service.headers)
    spent_s = service.api_cpu_s() - before_s
    return {
        "ingest_single_per_s": round(posts.per_s),
        "ingest_single_ms": percentiles([one * 1e3 for one in posts.seconds]),
        "ingest_single_cpu_us": round(spent_s / len(posts.seconds) * 1e6),
    }


def _batches(service: Running) -> dict[str, float]:
    """How fast batches are accepted, and all of it evaluated, from the first post on."""
    service.settle("ingest")
    events = _published("evaluated")
    bodies = [events[at : at + BATCH] for at in range(0, len(events), BATCH)]
    raw = [json.dumps(body).encode() for body in bodies]
    began = time.perf_counter()
    for one in raw:
        answer = service.pool.request(
            "POST", service.run["url"] + "/v1/events", body=one, headers=service.headers
        )
        if answer.status != 202:
            raise RuntimeError(answer.data[:300])
    accepted = time.perf_counter()
    service.settle("evaluated")
    return {
        "ingest_batch_per_s": round(len(events) / (accepted - began)),
        "evaluated_per_s": round(len(events) / (time.perf_counter() - began)),
    }


@contextmanager
def _receiver() -> Iterator[Receiver]:
    server = Receiver()
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()


def _latency(service: Running, receiver: Receiver, trial: str) -> dict[str, Any]:
    """From the post of a serious adverse event to its alert and its webhook, at a steady rate."""
    service.call("POST", "/v1/subscriptions", _subscription(receiver.url, trial))
    sent: dict[str, float] = {}
    names: list[str] = []
    service.call("POST", "/v1/events", _serious(trial, f"{trial}-first"))  # the engine is built
    _wait_for(receiver, {f"{trial}-first"})
    began = time.perf_counter()
    for number in range(RATE_PER_S * RATE_SECONDS):
        time.sleep(max(0.0, began + number / RATE_PER_S - time.perf_counter()))
        subject = f"{trial}-{number:04}"
        sent[subject] = time.perf_counter()
        answer = service.call("POST", "/v1/events", _serious(trial, subject))
        names.append(answer["events"][0]["event"])
    _wait_for(receiver, set(sent))
    webhook_ms = [(receiver.arrived[one] - at) * 1e3 for one, at in sent.items()]
    return {
        "event_to_alert_ms": percentiles([_evaluated_ms(service, name) for name in names]),
        "event_to_webhook_ms": percentiles(webhook_ms),
    }


def _busy(service: Running, receiver: Receiver) -> dict[str, Any]:
    """The same while batches of another trial come in and are evaluated."""
    events = _published("beside")
    bodies = [events[at : at + BESIDE_BATCH] for at in range(0, len(events), BESIDE_BATCH)]
    over = threading.Event()

    def beside() -> None:
        for body in bodies:
            service.call("POST", "/v1/events", body)
            if over.wait(BESIDE_EVERY_S):
                return

    importing = threading.Thread(target=beside, daemon=True)
    importing.start()
    figures = _latency(service, receiver, "busy")
    over.set()
    importing.join()
    return {name.replace("_ms", "_busy_ms"): figure for name, figure in figures.items()}


def _deliveries(service: Running, receiver: Receiver) -> dict[str, float]:
    """All webhooks of one subscription once more, beside plain posts to the same receiver."""
    (one,) = (
        item
        for item in service.call("GET", "/v1/subscriptions")["items"]
        if item["filter"]["trials"] == ["alerts"]
    )
    receiver.count, began = 0, time.perf_counter()
    path = f"/v1/subscriptions/{one['id']}/replay"
    wanted = service.call("POST", path, {"since": 0})["replayed"]
    end = time.monotonic() + SETTLE_S
    while receiver.count < wanted and time.monotonic() < end:
        time.sleep(0.005)
    per_s = receiver.count / (time.perf_counter() - began)
    plain = post_for_a_while(receiver.url, lambda: b'{"data": {"subject": "plain"}}', {})
    return {"deliveries_per_s": round(per_s), "plain_posts_per_s": round(plain.per_s)}


def _evaluated_ms(service: Running, event: str) -> float:
    """From an event's receipt to the commit that holds its alert, by the service's own clock."""
    answer = service.call("GET", f"/v1/events/{event}")
    received, evaluated = (
        datetime.fromisoformat(answer[name]) for name in ("received_at", "evaluated_at")
    )
    return (evaluated - received) / timedelta(milliseconds=1)


def _subscription(url: str, trial: str) -> dict[str, Any]:
    channel = {"kind": "webhook", "url": url}
    return {"name": "bench", "channel": channel, "filter": {"trials": [trial]}}


def _serious(trial: str, subject: str) -> dict[str, Any]:
    moment = clock.iso(clock.now_us() - 60_000_000)
    data = {
        "ae": "AE-1",
        "term": "Pneumonia",
        "grade": 2,
        "causality": "unrelated",
        "serious": True,
    }
    return stories.envelope(trial, subject, f"{subject}-ae", moment, ("adverse_event", data))


def _wait_for(receiver: Receiver, subjects: set[str]) -> None:
    end = time.monotonic() + SETTLE_S
    while missing := subjects - receiver.arrived.keys():
        if time.monotonic() > end:
            message = f"{len(missing)} of {len(subjects)} webhooks did not arrive"
            raise RuntimeError(message)
        time.sleep(0.05)


def percentiles(values: Sequence[float]) -> dict[str, float]:
    """p50, p95 and p99, rounded to a tenth."""
    cuts = statistics.quantiles(values, n=100)
    return {f"p{p}": round(cuts[p - 1], 1) for p in (50, 95, 99)}


def _family(pid: int) -> list[int]:
    """`pid` and all below it, by /proc."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()
    return [pid, *(found for child in children for found in _family(int(child)))]


def _command(pid: int) -> bytes:
    return Path(f"/proc/{pid}/cmdline").read_bytes()


def _cpu_s(pid: int) -> float:
    """User and system time, the fields 14 and 15 of stat; the name before may hold anything."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _rss_kb(pid: int) -> int:
    for line in Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1])
    return 0
