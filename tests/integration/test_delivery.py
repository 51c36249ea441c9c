"""Deliveries against a real receiver: every way it can answer, order, leases, signatures."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator

import orjson
import pytest
from sqlalchemy import insert, select, update
from standardwebhooks.webhooks import WebhookVerificationError

from services import delivery, ids
from services.channels import Outcome
from services.channels.address import Reach
from services.channels.webhook import WebhookChannel
from services.clock import SECOND_US, now_us
from services.database import Database
from services.models import (
    alert_log,
    alerts,
    attempts,
    dead_letters,
    deliveries,
    subscriptions,
    trials,
)
from services.repositories import streams
from services.subscriptions import new_secret
from tests.support.processes import ROOT, wait_until
from tests.support.receiver import Receiver, answer, drip, hang, reset

CHANNELS = {"webhook": WebhookChannel(Reach(private=True), timeout_s=0.5)}
ALERT = {
    "id": "al",
    "title": "Fever before an infusion",
    "detail": "38.4 Cel",
    "evidence": [
        {"fact": "body_temperature", "value": 38.4, "unit": "Cel", "time": "t", "event": "e"}
    ],
}


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as running:
        yield running


class Store:
    """Alerts, changes and deliveries put straight into the tables, as alerting leaves them."""

    def __init__(self, db: Database) -> None:
        self.db = db
        self.position = 0
        with db.writing() as conn:
            conn.execute(
                insert(trials).values(
                    id="t", mode="live", status="open", created_us=1, created_by="test"
                )
            )
            streams.add_own(conn, "t")

    def subscribe(self, url: str, content: str = "minimal", name: str = "s") -> str:
        secret = new_secret()
        with self.db.writing() as conn:
            conn.execute(
                insert(subscriptions).values(
                    id=name,
                    name=name,
                    channel=orjson.dumps({"kind": "webhook", "url": url}).decode(),
                    filter="{}",
                    events="[]",
                    content=content,
                    secret=secret,
                    status="active",
                    created_us=1,
                    created_by="test",
                )
            )
        return secret

    def alert(
        self, alert: str, changes: int = 1, to: str = "s", *, critical: bool = False
    ) -> list[str]:
        made = []
        with self.db.writing() as conn:
            row = dict.fromkeys(
                ("subject", "rule", "key", "protocol_version", "category", "title", "detail"), "x"
            )
            row |= dict.fromkeys(("action", "source_text", "evidence", "severity"), "x")
            conn.execute(
                insert(alerts).values(
                    id=alert,
                    trial="t",
                    **row,
                    severity_rank=1,
                    status="open",
                    still_true=True,
                    occurred_us=1,
                    opened_us=1,
                    sequence=1,
                )
            )
            for change in range(1, changes + 1):
                body = orjson.dumps({**ALERT, "id": alert, "sequence": change}).decode()
                conn.execute(
                    insert(alert_log).values(
                        alert=alert, change=change, kind="opened", at_us=now_us(), body=body
                    )
                )
                self.position += 1
                made.append(ids.delivery_id(alert, change, to))
                conn.execute(
                    insert(deliveries).values(
                        id=made[-1],
                        subscription=to,
                        alert=alert,
                        change=change,
                        event="alert.opened",
                        critical=critical,
                        content=select(subscriptions.c.content)
                        .where(subscriptions.c.id == to)
                        .scalar_subquery(),
                        status="pending",
                        position=self.position,
                        created_us=now_us(),
                        next_attempt_us=now_us(),
                    )
                )
            given = update(subscriptions).where(subscriptions.c.id == to)
            conn.execute(given.values(last_position=self.position))
        return made

    def delivery(self, name: str):
        with self.db.reading() as conn:
            return conn.execute(select(deliveries).where(deliveries.c.id == name)).one()

    def outcomes(self, name: str) -> list[tuple[str, int | None]]:
        with self.db.reading() as conn:
            query = select(attempts.c.outcome, attempts.c.http_status)
            rows = conn.execute(
                query.where(attempts.c.delivery == name).order_by(attempts.c.number)
            )
            return [(row.outcome, row.http_status) for row in rows]


@pytest.fixture
def store(database: Database) -> Store:
    return Store(database)


def later(seconds: float):
    return lambda: now_us() + round(seconds * SECOND_US)


def test_a_delivery_arrives_once_signed_and_without_clinical_values(
    store: Store, receiver: Receiver
) -> None:
    secret = store.subscribe(receiver.url)
    (name,) = store.alert("a")
    assert delivery.deliver(store.db, CHANNELS) == 1
    assert delivery.deliver(store.db, CHANNELS) == 0
    (got,) = receiver.received
    body = got.verify(secret)
    assert got.id == name
    assert body["type"] == "alert.opened"
    assert body["position"] == 1
    assert "detail" not in body["data"]
    assert body["data"]["evidence"] == [{"fact": "body_temperature", "time": "t", "event": "e"}]
    # The clock may show any digits.
    assert b"38.4" not in got.body.replace(body["timestamp"].encode(), b"")
    with pytest.raises(WebhookVerificationError):
        got.verify(new_secret())
    assert store.delivery(name).status == "delivered"
    assert store.outcomes(name) == [(Outcome.DELIVERED, 200)]


def test_content_full_tells_the_values(store: Store, receiver: Receiver) -> None:
    secret = store.subscribe(receiver.url, content="full")
    store.alert("a")
    delivery.deliver(store.db, CHANNELS)
    assert receiver.received[0].verify(secret)["data"]["evidence"][0]["value"] == 38.4


def test_during_a_rotation_both_secrets_verify(store: Store, receiver: Receiver) -> None:
    old, new = store.subscribe(receiver.url), new_secret()
    with store.db.writing() as conn:
        retired = [{"secret": old, "until_us": now_us() + 60 * SECOND_US}]
        conn.execute(
            update(subscriptions).values(secret=new, old_secrets=orjson.dumps(retired).decode())
        )
    store.alert("a")
    delivery.deliver(store.db, CHANNELS)
    assert receiver.received[0].verify(old) == receiver.received[0].verify(new)


@pytest.mark.parametrize(
    ("behaviour", "outcome", "status"),
    [
        pytest.param(answer(500), Outcome.REFUSED, 500, id="a server error"),
        pytest.param(answer(404), Outcome.REFUSED, 404, id="an unknown path"),
        pytest.param(answer(302, location="/"), Outcome.REDIRECTED, 302, id="a redirect"),
        pytest.param(hang, Outcome.TIMED_OUT, None, id="no answer at all"),
        pytest.param(drip, Outcome.TIMED_OUT, None, id="an answer byte by byte"),
        pytest.param(reset, Outcome.BROKEN_OFF, None, id="a reset after the whole body"),
    ],
)
def test_a_failed_attempt_is_tried_again_with_the_same_id_and_body(
    store: Store, receiver: Receiver, behaviour, outcome: Outcome, status: int | None
) -> None:
    store.subscribe(receiver.url)
    (name,) = store.alert("a")
    receiver.plan = [behaviour]
    delivery.deliver(store.db, CHANNELS)
    assert store.outcomes(name) == [(outcome, status)]
    waits_s = (store.delivery(name).next_attempt_us - now_us()) / SECOND_US
    assert 3 < waits_s < 5.6
    assert delivery.deliver(store.db, CHANNELS, later(4)) == 0
    assert delivery.deliver(store.db, CHANNELS, later(6)) == 1
    first, second = receiver.received
    assert (first.id, first.body) == (second.id, second.body)
    assert {request.path for request in receiver.received} == {"/hook"}
    assert store.delivery(name).status == "delivered"


def test_retry_after_is_respected(store: Store, receiver: Receiver) -> None:
    store.subscribe(receiver.url)
    (name,) = store.alert("a")
    receiver.plan = [answer(429, retry_after="120")]
    delivery.deliver(store.db, CHANNELS)
    waits_s = (store.delivery(name).next_attempt_us - now_us()) / SECOND_US
    assert 118 < waits_s < 122


def test_410_disables_the_subscription_and_gives_up_aloud(store: Store, receiver: Receiver) -> None:
    store.subscribe(receiver.url)
    (name,), (other,) = store.alert("a"), store.alert("b")
    receiver.plan = [answer(410)]
    delivery.deliver(store.db, CHANNELS)
    assert len(receiver.received) == 1
    with store.db.reading() as conn:
        assert conn.scalar(select(subscriptions.c.status)) == "disabled"
        letter = conn.execute(select(dead_letters)).one()
        alert = conn.execute(select(alerts).where(alerts.c.rule == "OPS-UNDELIVERED")).one()
    assert (letter.kind, letter.reason, letter.trial) == ("delivery", "gone", "t")
    assert (alert.category, alert.key, alert.status) == ("operations", "s", "open")
    assert sorted(store.delivery(each).status for each in (name, other)) == ["dead", "pending"]


def test_after_the_last_attempt_there_is_a_dead_letter(store: Store, receiver: Receiver) -> None:
    store.subscribe(receiver.url)
    (name,) = store.alert("a")
    receiver.plan = [answer(503)] * 20
    for days in range(15):
        delivery.deliver(store.db, CHANNELS, later(days * 86_400 * 1.2))
    assert len(receiver.received) == len(delivery.WAITS_S) + 1
    assert store.delivery(name).status == "dead"
    with store.db.reading() as conn:
        assert conn.execute(select(dead_letters.c.reason)).scalars().all() == ["refused"]


def test_changes_of_one_alert_arrive_in_order_and_others_overtake(
    store: Store, receiver: Receiver
) -> None:
    store.subscribe(receiver.url)
    first, second, third = store.alert("a", changes=3)
    (other,) = store.alert("b")
    receiver.plan = [answer(500)]
    delivery.deliver(store.db, CHANNELS)
    assert [request.id for request in receiver.received] == [first, other]
    delivery.deliver(store.db, CHANNELS, later(6))
    assert [request.id for request in receiver.received[2:]] == [first, second, third]


def test_an_unnumbered_delivery_waits(store: Store, receiver: Receiver) -> None:
    store.subscribe(receiver.url)
    store.alert("a")
    with store.db.writing() as conn:
        conn.execute(update(deliveries).values(position=None))
    assert delivery.deliver(store.db, CHANNELS) == 0
    assert receiver.received == []


def test_a_crew_never_sends_twice_and_a_slow_receiver_holds_only_its_share(
    store: Store, receiver: Receiver
) -> None:
    with Receiver() as slow:
        slow.plan = [hang] * 100
        store.subscribe(receiver.url)
        store.subscribe(slow.url, name="slow")
        for number in range(40):
            store.alert(f"a{number}")
            store.alert(f"b{number}", to="slow")
        crew = delivery.Crew(store.db, {"webhook": WebhookChannel(Reach(private=True), 2.0)})
        crew.start()
        wait_until(lambda: len(receiver.received) >= 40, 10, "forty deliveries")
        assert len(slow.received) <= delivery.PER_ENDPOINT
        crew.stop(5)
        assert len({request.id for request in receiver.received}) == 40
        assert len(receiver.received) == 40


SENDER = """
import sys
from services import delivery
from services.channels.address import Reach
from services.channels.webhook import WebhookChannel
from services.database import Database
delivery.deliver(Database(sys.argv[1]), {"webhook": WebhookChannel(Reach(private=True))})
"""


def test_a_lease_brings_back_what_a_killed_worker_was_sending(
    store: Store, receiver: Receiver, database_url: str
) -> None:
    store.subscribe(receiver.url)
    (name,) = store.alert("a")
    receiver.plan = [hang]
    worker = subprocess.Popen([sys.executable, "-c", SENDER, database_url], cwd=ROOT)
    wait_until(lambda: len(receiver.received) == 1, 20, "the first attempt")
    os.kill(worker.pid, signal.SIGKILL)
    worker.wait()
    assert delivery.deliver(store.db, CHANNELS) == 0
    assert delivery.deliver(store.db, CHANNELS, later(26)) == 1
    assert [request.id for request in receiver.received] == [name, name]
    assert store.outcomes(name) == [(Outcome.ABANDONED, None), (Outcome.DELIVERED, 200)]


def test_private_addresses_are_refused_when_the_call_is_made(
    store: Store, receiver: Receiver
) -> None:
    store.subscribe(receiver.url)
    (name,) = store.alert("a")
    delivery.deliver(store.db, {"webhook": WebhookChannel(Reach())})
    assert receiver.received == []
    assert store.outcomes(name) == [(Outcome.FORBIDDEN_ADDRESS, None)]


def test_a_trusted_receiver_may_be_private(store: Store, receiver: Receiver) -> None:
    store.subscribe(receiver.url)
    store.alert("a")
    reach = Reach(trusted=frozenset({f"127.0.0.1:{receiver.port}"}))
    delivery.deliver(store.db, {"webhook": WebhookChannel(reach)})
    assert len(receiver.received) == 1


def test_an_answer_that_comes_after_the_lease_was_lost_changes_nothing(
    store: Store, receiver: Receiver
) -> None:
    store.subscribe(receiver.url)
    (name,) = store.alert("a")
    waiting = threading.Event()

    def late(line) -> None:
        waiting.wait(5)
        answer(500)(line)

    receiver.plan = [late]
    channel = {"webhook": WebhookChannel(Reach(private=True), 5.0)}
    slow = threading.Thread(target=delivery.deliver, args=(store.db, channel))
    slow.start()
    wait_until(lambda: len(receiver.received) == 1, 5, "the first attempt")
    delivery.deliver(store.db, CHANNELS, later(26))
    waiting.set()
    slow.join()
    assert store.delivery(name).status == "delivered"
