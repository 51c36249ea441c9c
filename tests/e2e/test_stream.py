"""The live stream of a whole `vigil up`: at once, for those who may see it, and nothing is missed."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from services import clock, keys
from services.client import Service
from services.database import Database
from tests.support import alert_rows as rows
from tests.support.processes import wait_until
from tests.support.service import Up, signal_quietly
from tests.support.watching import Loyal, Watcher

TRIAL = "msc-cgvhd"
CROWD, EACH = 300, 50
STREAM, API = "services.live", "gunicorn"


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    with Up(tmp_path_factory.mktemp("stream") / "data") as up:
        wait_until(lambda: up.service("ops").get("/readyz").status == 200, 60, "readiness")
        yield up
        _, left = up.stop()
        assert left == {}
        assert not list(up.data.glob("stream.sock*"))


@pytest.fixture(scope="module")
def db(up: Up) -> Iterator[Database]:
    """The store of the running service."""
    db = Database(f"sqlite:///{up.data}/vigil.db")
    yield db
    db.dispose()


def watch(up: Up, role: str, query: str = "", last: str | None = None) -> Watcher:
    return Watcher(up.run["url"], up.run["keys"][role], query, last)


def death(service: Service, subject: str) -> None:
    """Somebody dies, which is an alert always."""
    event = {
        "specversion": "1.0",
        "id": f"death-{subject}",
        "source": "https://site.example/",
        "type": "death",
        "trial": TRIAL,
        "subject": subject,
        "time": datetime.fromtimestamp(clock.now_us() / 1e6, tz=UTC).isoformat(),
        "data": {"causality": "unrelated"},
    }
    answer = service.post("/v1/events", event)
    assert answer.status == 202, answer


def shown(watcher: Watcher | Loyal) -> list[tuple[int, str, str]]:
    return [(told.position, told.kind, told.data) for told in watcher.told]


def other_trial(db: Database) -> str:
    """A key that reaches another trial only."""
    _, key = keys.create(
        db,
        role="clinician",
        person="the-investigator",
        trials=["another"],
        by="test",
        now_us=clock.now_us(),
    )
    return key


def test_an_alert_shows_at_once_to_those_who_may_see_it(up, db):
    with (
        watch(up, "clinician") as clinician,
        watch(up, "ops") as ops,
        watch(up, "admin", f"?trial={TRIAL}&subject=S-002&min_severity=critical") as narrow,
        Watcher(up.run["url"], other_trial(db)) as outsider,
    ):
        for subject in ("S-001", "S-002"):
            death(up.service("publisher"), subject)
        wait_until(lambda: len(clinician.told) == 2, 30, "both alerts")
        end = rows.last(db)
        assert shown(clinician) == rows.log(db)[-2:]
        assert clinician.told[0].alert["detail"] == "Causality unrelated."
        assert ops.reaches(end).positions == clinician.positions
        assert all("detail" not in told.alert for told in ops.told)
        wait_until(lambda: len(narrow.told) == 1, 30, "one alert")
        assert narrow.told[0].alert["subject"] == "S-002"
        wait_until(lambda: "heartbeat" in outsider.parser.comments, 30, "a heartbeat")
        assert outsider.told == []


def test_hundreds_of_idle_streams_leave_the_api_its_threads(up, db):
    made = [
        keys.create(db, role="ops", by="test", now_us=clock.now_us())[1]
        for _ in range(CROWD // EACH)
    ]
    crowd = [Watcher(up.run["url"], made[number % len(made)]) for number in range(CROWD)]
    try:
        for watcher in crowd:
            watcher.opened()
        assert all(watcher.headers.get("content-length") is None for watcher in crowd)
        for _ in range(20):
            assert up.service("admin").get("/v1/alerts").status == 200
        death(up.service("publisher"), "S-100")
        wait_until(lambda: all(watcher.told for watcher in crowd), 60, "everybody to be told")
        assert {tuple(watcher.positions) for watcher in crowd} == {(rows.last(db),)}
    finally:
        for watcher in crowd:
            watcher.close()


def test_who_comes_back_misses_nothing_whoever_was_killed_meanwhile(up, db):
    """Away for a while, the stream's process killed, the API killed, and both at once."""
    url, admin = up.run["url"], up.run["keys"]["admin"]
    start = rows.last(db)
    over = threading.Event()
    published: list[str] = []

    def publish() -> None:
        service = up.service("publisher")
        while not over.wait(0.05):
            subject = f"F-{len(published):04}"
            death(service, subject)
            published.append(subject)

    def more(count: int) -> None:
        wanted = len(published) + count
        wait_until(lambda: len(published) >= wanted, 60, "events")

    def kill(*names: str) -> None:
        family = up.family()
        for pid, command in family.items():
            if any(name in command for name in names):
                signal_quietly(pid, signal.SIGKILL)

    publisher = threading.Thread(target=publish)
    with Loyal(url, admin) as stays, Loyal(url, admin) as leaves:
        publisher.start()
        try:
            more(10)
            leaves.leave()
            kill(STREAM)
            more(20)
            kill(API)
            more(20)
            time.sleep(5)
            leaves.come_back()
            more(10)
            kill(STREAM, API)
            more(20)
        finally:
            over.set()
            publisher.join(90)
        wait_until(lambda: evaluated(db, start) >= len(published), 60, "all alerts")
        wait_until(lambda: rows.last(db) == len(rows.log(db)), 30, "their positions")
        expected = rows.log(db)[start:]
        both = (stays, leaves)
        wait_until(lambda: all(len(one.told) >= len(expected) for one in both), 60, "everything")
        for watcher in both:
            assert shown(watcher) == expected
            assert watcher.opened >= 2


def evaluated(db: Database, start: int) -> int:
    """How many subjects' deaths were told since then."""
    return sum('"rule":"S-DEATH"' in body for _, _, body in rows.log(db)[start:])
