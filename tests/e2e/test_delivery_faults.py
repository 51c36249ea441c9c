"""Deliveries under fire: every change of an alert reaches everybody who asked for it, nobody else.

Subscriptions with filters of every kind, at receivers that fail at random in every way; meanwhile
deliver workers, an evaluate worker and the broker are killed. Who should hear what is worked out
here, from the alert log and the filters as they were posted, not by the service's own matching.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest
from sqlalchemy import func, select

from services import clock, ids, models, protocols, stories
from services.database import Database
from tests.e2e.test_faults import FLAGSHIP, TRIAL, House, Publisher, dirty_streams, house
from tests.support.processes import Child, python, wait_until
from tests.support.receiver import Behaviour, Received, Receiver, answer, hang, reset

SUBJECTS, EVENTS_EACH = 20, 48
RECEIVERS = 3
KILLS = 5
RANKS = {"info": 0, "warning": 1, "serious": 2, "critical": 3}
WISHES: dict[str, dict[str, Any]] = {
    "all": {},
    "trial": {"filter": {"trials": [TRIAL]}},
    "other-trial": {"filter": {"trials": ["another"]}},
    "safety": {"filter": {"categories": ["safety"]}, "content": "full"},
    "serious": {"filter": {"min_severity": "serious"}},
    "two-subjects": {"filter": {"subjects": ["S-003", "S-007"]}, "content": "full"},
    "nobody": {"filter": {"subjects": ["S-nobody"]}},
    "opened": {"events": ["alert.opened"]},
    "resolved-eligibility": {
        "filter": {"categories": ["eligibility"]},
        "events": ["alert.resolved", "alert.superseded"],
    },
    "narrow": {
        "filter": {
            "trials": [TRIAL],
            "categories": ["safety", "conduct"],
            "min_severity": "serious",
        },
        "events": ["alert.opened", "alert.acknowledged"],
    },
}


@dataclass
class Subscriber:
    """One subscription and what came to its path."""

    id: str
    secret: str
    wish: dict[str, Any]
    path: str
    receiver: Receiver

    def received(self) -> list[Received]:
        return [got for got in self.receiver.received if got.path == self.path]


@dataclass
class Told:
    """One change of an alert, as the log has it."""

    alert: str
    change: int
    kind: str
    body: dict[str, Any]


def published() -> list[dict[str, Any]]:
    """Subjects' stories, in each of which a serious event is reported, and withdrawn later."""
    start = datetime.now(UTC) - timedelta(days=60)  # noqa: TID251 - the live trial's clock is real
    events: list[dict[str, Any]] = []
    for number in range(SUBJECTS):
        subject = f"S-{number:03}"
        story = list(stories.subject_events(TRIAL, subject, EVENTS_EACH, 7, start))
        reported = {"ae": "AE-9", "term": "Pneumonia", "grade": 3, "causality": "unrelated"}
        for place, data in ((-6, {**reported, "serious": True}), (-1, {"status": "withdrawn"})):
            content = ("adverse_event", {"ae": "AE-9", **data})
            own = f"{subject}-ae{place}"
            events.append(stories.envelope(TRIAL, subject, own, story[place]["time"], content))
        events += story
    return sorted(events, key=lambda event: (event["time"], event["subject"], event["id"]))


def moody(seed: int) -> Receiver:
    """A receiver that takes three of four requests, and spoils the others in every way."""
    mood = random.Random(seed)
    ways = [answer(500), answer(503, retry_after="0"), answer(429, retry_after="1")]
    ways += [answer(302, location="/elsewhere"), reset, reset, reset]

    def otherwise() -> Behaviour:
        fate = mood.random()
        if fate < 0.01:
            return hang
        return mood.choice(ways) if fate < 0.25 else answer(200)

    receiver = Receiver()
    receiver.otherwise = otherwise
    return receiver


def subscribe(running: House, receivers: list[Receiver]) -> list[Subscriber]:
    made = []
    for number, (name, wish) in enumerate(WISHES.items()):
        receiver = receivers[number % len(receivers)]
        url = receiver.url.replace("/hook", f"/{name}")
        body = {"name": name, "channel": {"kind": "webhook", "url": url}, **wish}
        status, shown = running.request("POST", "/v1/subscriptions", body)
        assert status == 201, shown
        made.append(Subscriber(shown["id"], shown["secret"], wish, f"/{name}", receiver))
    return made


@contextmanager
def deliverers(running: House, folder: Path) -> Iterator[list[Child]]:
    """Two deliver workers, as the supervisor starts them."""
    command = python("-m", "celery", "-A", "tests.support.quick_deliverer:app", "worker", "-c", "1")
    command += ["-Q", "deliver,maintenance", "--without-gossip", "--without-mingle"]
    crews = [
        Child([*command, "-n", f"{name}@localhost"], running.api.env, folder / f"{name}.log")
        for name in ("three", "four")
    ]
    try:
        yield [crew.start() for crew in crews]
    finally:
        for crew in crews:
            crew.kill()


def kill_while_alerts_flow(
    running: House, crews: list[Child], receivers: list[Receiver], publisher: Publisher
) -> None:
    """Deliver workers one after the other, each while deliveries arrive; twice the broker too."""
    for number in range(KILLS):
        before = heard(receivers)
        wait_until(lambda before=before: heard(receivers) > before + 25, 60, "some deliveries")  # type: ignore[misc]
        acknowledge_some(running)
        crews[number % 2].kill_and_start()
        if number in {1, 3}:
            running.broker.kill()
            running.broker.start()
        if number == 2:
            running.workers[0].kill_and_start()
        publisher.faults += 1


def heard(receivers: list[Receiver]) -> int:
    return sum(len(receiver.received) for receiver in receivers)


def acknowledge_some(running: House) -> None:
    """People act on alerts too; their acts are changes like others."""
    _, page = running.request("GET", "/v1/alerts?status=open")
    for alert in page["items"][:3]:
        path = f"/v1/alerts/{alert['id']}/acknowledge"
        status, shown = running.request("POST", path, {"note": "seen"})
        assert status == 200, shown


def log_of(db: Database) -> list[Told]:
    """The alert log in the order of positions."""
    log = models.alert_log.c
    with db.reading() as conn:
        query = select(log.alert, log.change, log.kind, log.body).order_by(log.position)
        rows = conn.execute(query).all()
    return [Told(row.alert, row.change, row.kind, orjson.loads(row.body)) for row in rows]


def wanted(wish: Mapping[str, Any], told: Told) -> bool:
    """Whether a subscription asks for this change, by what contract section 5 says of filters."""
    asked, body = wish.get("filter", {}), told.body
    return (
        body["trial"] in asked.get("trials", [body["trial"]])
        and body["category"] in asked.get("categories", [body["category"]])
        and body["subject"] in asked.get("subjects", [body["subject"]])
        and RANKS[body["severity"]] >= RANKS[asked.get("min_severity", "info")]
        and f"alert.{told.kind}" in wish.get("events", [f"alert.{told.kind}"])
    )


def expected(subscriber: Subscriber, log: list[Told]) -> dict[str, Told]:
    """What the subscriber must hear, by webhook-id; that it was wrong, who heard of it at all."""
    found: dict[str, Told] = {}
    heard_of: set[str] = set()
    for told in log:
        if wanted(subscriber.wish, told) or (told.kind == "superseded" and told.alert in heard_of):
            heard_of.add(told.alert)
            found[ids.delivery_id(told.alert, told.change, subscriber.id)] = told
    return found


def quiet(db: Database) -> bool:
    """Whether everything was evaluated, numbered and told."""
    log, told = models.alert_log.c, models.deliveries.c
    with db.reading() as conn:
        unnumbered = conn.scalar(select(func.count()).where(log.position.is_(None)))
        untold = conn.scalar(select(func.count()).where(told.status != "delivered"))
    return not unnumbered and not untold and not dirty_streams(db)


def check(subscriber: Subscriber, log: list[Told]) -> int:
    """Everything that one subscriber was promised; how many deliveries that were."""
    due = expected(subscriber, log)
    bodies: dict[str, bytes] = {}
    positions: dict[str, int] = {}
    reached: dict[str, int] = defaultdict(int)
    for got in subscriber.received():
        body = got.verify(subscriber.secret)
        assert got.id in due, f"{subscriber.path} was told what it did not ask for"
        told = due[got.id]
        assert bodies.setdefault(got.id, got.body) == got.body, "another body of the same id"
        assert body["type"] == f"alert.{told.kind}"
        full = subscriber.wish.get("content") == "full"
        assert body["data"] == told.body if full else "detail" not in body["data"]
        assert body["data"]["id"] == told.alert
        assert told.change >= reached[told.alert], "a change after a later one of its alert"
        reached[told.alert] = told.change
        positions[got.id] = body["position"]
    assert bodies.keys() == due.keys(), f"{subscriber.path} was not told everything"
    assert sorted(positions.values()) == list(range(1, len(due) + 1))
    return len(due)


@pytest.mark.timeout(600)
def test_every_change_reaches_whoever_asked_for_it_and_nobody_else_when_processes_are_killed(
    database_url: str, tmp_path: Path
) -> None:
    db = Database(database_url)
    protocols.create_trial(db, TRIAL, "live", FLAGSHIP, "test", clock.now_us())
    with ExitStack() as stack:
        receivers = [stack.enter_context(moody(seed)) for seed in range(RECEIVERS)]
        allowed = {"VIGIL_WEBHOOK_ALLOW_PRIVATE": "1"}
        running = stack.enter_context(house(database_url, tmp_path, **allowed))
        crews = stack.enter_context(deliverers(running, tmp_path))
        wait_until(lambda: running.request("GET", "/healthz")[0] == 200, 30, "the API")
        subscribers = subscribe(running, receivers)
        publisher = Publisher(running, published())
        publisher.start()
        kill_while_alerts_flow(running, crews, receivers, publisher)
        publisher.join()
        assert publisher.refused == []
        wait_until(lambda: quiet(db), 120, "everything to be told", every=0.5)
    log = log_of(db)
    told = {one.path: check(one, log) for one in subscribers}
    requests = heard(receivers)
    db.dispose()
    assert told["/all"] == told["/trial"] == len(log) > 200
    silent = {"/other-trial", "/nobody"}
    assert {path for path, count in told.items() if not count} == silent, told
    assert requests > sum(told.values()), "nothing was told twice, so nothing was tried"
