"""The heart under fire: processes are killed while events come in, and nothing may differ.

5,000 events of 100 subjects through the real API, a real Valkey without persistence and real Celery
workers. Five workers and two brokers are killed, the API dies between a commit and its doorbell, and
one event cannot be evaluated until it is mended. The same events without any fault are the measure.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import urllib3
from sqlalchemy import func, select

from services import clock, database, evaluation, intake, keys, models, protocols, replay, stories
from services.broker import Broker
from services.database import Database
from services.repositories import heartbeats
from tests.support.processes import ROOT, Child, free_port, python, wait_until
from tests.support.service import descendants
from tests.support.valkey import ValkeyServer

TRIAL = "msc-cgvhd"
FLAGSHIP = (ROOT / "rules" / "protocols" / "msc-cgvhd.yaml").read_text(encoding="utf-8")
ADMIN = "an-administrators-key-for-tests"
SUBJECTS, EVENTS_EACH, BATCH = 100, 50, 25
KILLS = 5  # of workers
POISONED = "S-042"


def published() -> list[dict[str, Any]]:
    """All events in the order of their time, so that the subjects interleave; one is poisonous."""
    start = datetime.now(UTC) - timedelta(days=60)  # noqa: TID251 - the live trial's clock is real
    events = [
        event
        for number in range(SUBJECTS)
        for event in stories.subject_events(TRIAL, f"S-{number:03}", EVENTS_EACH, 7, start)
    ]
    for event in events:
        if event["id"] == f"{POISONED}-30":
            event["id"] = "poison"
    return sorted(events, key=lambda event: (event["time"], event["subject"]))


@dataclass
class House:
    """The processes of one service under test."""

    url: str
    api: Child
    workers: list[Child]
    broker: ValkeyServer
    die_once: Path
    mended: Path

    def request(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        """One request as the administrator; a dead API is asked again until it is back."""
        headers = {"Authorization": f"Bearer {ADMIN}", "Content-Type": "application/json"}
        payload = None if body is None else json.dumps(body).encode()
        for _ in range(100):
            try:
                answer = urllib3.request(
                    method,
                    self.url + path,
                    body=payload,
                    headers=headers,
                    retries=False,
                    timeout=30,
                )
            except urllib3.exceptions.HTTPError:
                time.sleep(0.2)
                continue
            return answer.status, json.loads(answer.data)
        message = "the API never came back"
        raise TimeoutError(message)


@contextmanager
def house(database_url: str, folder: Path, **more: str) -> Iterator[House]:
    """Everything started; everything ended, whatever happens.

    `more` is environment; PROCESSES, which is not, is how many each of the two workers has.
    """
    port = free_port()
    broker = ValkeyServer(folder / "valkey").start()
    env = {
        "VIGIL_DATABASE_URL": database_url,
        "VIGIL_BROKER_URL": broker.url,
        "VIGIL_DATA": str(folder),
        "VIGIL_ADMIN_KEY": ADMIN,
        "VIGIL_TEST_DIE_ONCE": str(folder / "die-once"),
        "VIGIL_TEST_MENDED": str(folder / "mended"),
        **more,
    }
    gunicorn = python("-m", "gunicorn", "-k", "gthread", "--threads", "8")
    gunicorn += ["-b", f"127.0.0.1:{port}", "tests.support.faulty_api:app"]
    api = Child(gunicorn, env, folder / "api.log").start()
    worker = python("-m", "celery", "-A", "tests.support.faulty_worker:app", "worker")
    worker += [
        "-Q",
        "evaluate",
        "-c",
        more.get("PROCESSES", "1"),
        "--without-gossip",
        "--without-mingle",
    ]
    worker += ["-l", "WARNING"]
    workers = [
        Child([*worker, "-n", f"{name}@localhost"], env, folder / f"{name}.log").start()
        for name in ("one", "two")
    ]
    url = f"http://127.0.0.1:{port}"
    running = House(url, api, workers, broker, folder / "die-once", folder / "mended")
    try:
        yield running
    finally:
        for child in (api, *workers):
            child.kill()
        broker.stop()


class Publisher(threading.Thread):
    """Posts in batches, again where no answer came; slowly where the faults lag behind."""

    def __init__(self, running: House, events: Sequence[dict[str, Any]]) -> None:
        super().__init__()
        self.running = running
        self.events = events
        self.faults = 0  # how many there were so far
        self.accepted = 0
        self.refused: list[Any] = []

    def run(self) -> None:
        batches = range(0, len(self.events), BATCH)
        for number, at in enumerate(batches):
            batch = self.events[at : at + BATCH]
            status, answer = self.running.request("POST", "/v1/events", batch)
            if status == 202:
                self.accepted += answer["accepted"] + answer["duplicates"]
            else:
                self.refused.append(answer)
            ahead = number > (self.faults + 1) * len(batches) / (KILLS + 1)
            time.sleep(0.1 if ahead else 0.015)


def kill_while_events_come_in(running: House, db: Database, publisher: Publisher) -> None:
    """Five SIGKILLs of workers, two of the broker, one death of the API, spread over the intake.

    A worker is killed only while it is at work: whoever is still starting is hard to hurt.
    """
    for number in range(KILLS):
        victim = running.workers[number % 2]
        see_at_work(db, victim)
        assert publisher.is_alive(), "the faults were to fall into the intake"
        victim.kill_and_start()
        if number in {1, 3}:
            running.broker.kill()
            time.sleep(0.3)
            running.broker.start()
        if number == 2:
            running.die_once.touch()
            wait_until(lambda: not running.die_once.exists(), 60, "the API to die after a commit")
        publisher.faults += 1


def see_at_work(db: Database, worker: Child) -> None:
    """Return when this very process has said that it lives, and events get done."""
    wait_until(lambda: lives(db, worker), 60, "a worker's heartbeat")
    before = events_done(db)
    wait_until(lambda: events_done(db) > before + 50, 60, "some events to be done")


def lives(db: Database, worker: Child) -> bool:
    """Whether this very process, or one of its own, has said that it lives."""
    assert worker.process is not None
    family = {worker.process.pid, *descendants(worker.process.pid)}
    with db.reading() as conn:
        return any(int(row.process.rsplit(":", 1)[1]) in family for row in heartbeats.seen(conn, 0))


def events_done(db: Database) -> int:
    """How many events were evaluated in all."""
    with db.reading() as conn:
        return int(conn.scalar(select(func.sum(models.streams.c.done_n))) or 0)


def undisturbed(folder: Path, events: Sequence[dict[str, Any]]) -> set[tuple[Any, ...]]:
    """The subjects' alerts of the same events in one process with no fault at all."""
    db = Database(f"sqlite:///{folder / 'undisturbed.db'}")
    database.upgrade(db)
    protocols.create_trial(db, TRIAL, "live", FLAGSHIP, "test", clock.now_us())
    by = keys.Caller("key_test", keys.ADMIN, None, "admin")
    for at in range(0, len(events), 1000):
        intake.publish(db, events[at : at + 1000], by, clock.now_us())
    settle(db)
    alerts = subject_alerts(db)
    db.dispose()
    return alerts


def settle(db: Database) -> None:
    """Evaluate in this process until no stream has anything left."""
    broker = Broker(None)
    while dirty := dirty_streams(db):
        for stream in dirty:
            evaluation.evaluate(db, broker, stream, clock.now_us())


def dirty_streams(db: Database) -> list[int]:
    """The streams with events that are not evaluated."""
    streams = models.streams.c
    with db.reading() as conn:
        question = select(streams.id).where(streams.next_n > streams.done_n)
        return list(conn.execute(question).scalars())


def subject_alerts(db: Database) -> set[tuple[Any, ...]]:
    """What was told about subjects; operations alerts tell of the faults themselves.

    Clocks hang on when each report was received, which differs between two publications of the same
    events; that they follow from their own log is what `replay.verify` shows.
    """
    alerts = models.alerts.c
    columns = (alerts.id, alerts.subject, alerts.rule, alerts.severity, alerts.status)
    with db.reading() as conn:
        question = select(*columns).where(
            alerts.subject.is_not(None),
            alerts.category != "operations",
            alerts.rule.not_like("CL-%"),
        )
        return {tuple(row) for row in conn.execute(question)}


def gaps(db: Database) -> list[Any]:
    """Streams in which the evaluation rows are not exactly one for each of the numbers 1..next_n."""
    streams, made = models.streams.c, models.decisions.c
    question = (
        select(streams.id)
        .outerjoin(models.decisions, (made.stream_id == streams.id) & (made.due_us == 0))
        .group_by(streams.id, streams.next_n, streams.done_n)
        .having(
            (func.count(made.n) != streams.next_n)
            | (func.coalesce(func.max(made.n), 0) != streams.next_n)
            | (streams.done_n != streams.next_n)
        )
    )
    with db.reading() as conn:
        return list(conn.execute(question))


def stored_events(db: Database) -> int:
    """Published events in the log."""
    with db.reading() as conn:
        question = select(func.count()).where(models.events.c.by_key.is_not(None))
        return int(conn.execute(question).scalar_one())


@pytest.mark.timeout(600)
def test_nothing_is_lost_doubled_or_changed_when_processes_are_killed(
    database_url: str,
    tmp_path: Path,
) -> None:
    db = Database(database_url)
    protocols.create_trial(db, TRIAL, "live", FLAGSHIP, "test", clock.now_us())
    events = published()
    with house(database_url, tmp_path) as running:
        wait_until(lambda: running.request("GET", "/healthz")[0] == 200, 30, "the API")
        publisher = Publisher(running, events)
        publisher.start()
        kill_while_events_come_in(running, db, publisher)
        publisher.join()
        assert publisher.refused == []
        assert publisher.accepted == SUBJECTS * EVENTS_EACH

        wait_until(lambda: len(dirty_streams(db)) == 1, 120, "all but the poisoned stream")
        wait_until(lambda: held_streams(db) == [POISONED], 30, "the poisoned stream to be held")
        running.mended.touch()
        requeue_all(running)
        wait_until(lambda: not dirty_streams(db), 60, "the mended stream")

    assert stored_events(db) == SUBJECTS * EVENTS_EACH
    assert gaps(db) == []
    assert subject_alerts(db) == undisturbed(tmp_path, events)
    assert replay.verify(db, TRIAL).differences == []
    db.dispose()


def held_streams(db: Database) -> list[str]:
    """The subjects whose stream waits for a person."""
    with db.reading() as conn:
        question = select(models.streams.c.subject).where(models.streams.c.held.is_(True))
        return list(conn.execute(question).scalars())


def requeue_all(running: House) -> None:
    """What an operator does after mending: requeue each open dead letter."""
    status, answer = running.request("GET", "/v1/ops/dead-letters")
    assert status == 200, answer
    assert [letter["kind"] for letter in answer["items"]] == ["event"]
    for letter in answer["items"]:
        status, answer = running.request("POST", f"/v1/ops/dead-letters/{letter['id']}/requeue", {})
        assert status == 200, answer
