"""Receivers that try to break the deliver worker, and a worker that wakes up too late."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest
from sqlalchemy import select, update

from services import delivery
from services.channels import Answer, Outcome
from services.channels.address import Reach
from services.channels.webhook import WebhookChannel
from services.clock import SECOND_US, now_us
from services.delivery import sending, turn
from services.models import deliveries, subscriptions
from tests.integration.test_delivery import CHANNELS, Store, later
from tests.support.processes import wait_until
from tests.support.receiver import Receiver, answer, drip, hang, raw, reset


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as running:
        yield running


@pytest.fixture
def store(database) -> Store:
    return Store(database)


def wish(text: str):
    return raw(f"HTTP/1.1 503 X\r\nretry-after: {text}\r\ncontent-length: 0\r\n\r\n".encode())


@pytest.mark.parametrize(
    "behaviour",
    [
        pytest.param(wish("Mon, 01 Jan 99999999999999999999 00:00:00 GMT"), id="a year too large"),
        pytest.param(wish("Mon, 01 Jan 2030 00:00:00 +99999999999999999"), id="a zone too far"),
        pytest.param(wish("9" * 400), id="seconds beyond every float"),
        pytest.param(wish("-5"), id="a negative wait"),
        pytest.param(wish("²"), id="a digit that is no number"),
        pytest.param(raw(b"HTTP/1.1 99999999999 X\r\n\r\n"), id="a status that is none"),
        pytest.param(raw(b"HTTP/1.1 200\x00 \xff\r\n\r\n"), id="a status line of garbage"),
        pytest.param(raw(b"\x16\x03\x01\x00\x00" * 50), id="no HTTP at all"),
        pytest.param(raw(b"HTTP/1.1 503 X\r\n" + b"a: b\r\n" * 5000), id="headers without end"),
        pytest.param(raw(b"HTTP/1.1 100 C\r\n\r\n" * 9000), id="asked to go on without end"),
        pytest.param(
            raw(b"HTTP/1.1 503 X\r\nretry-after: \xff\xfe\r\ncontent-encoding: zstd\r\n\r\n"),
            id="a wish of garbage",
        ),
        pytest.param(
            raw(b"HTTP/1.1 503 X\r\ncontent-length: -9\r\ntransfer-encoding: chunked\r\n\r\nzz"),
            id="two lengths that lie",
        ),
    ],
)
def test_no_answer_stops_a_crew(store: Store, receiver: Receiver, behaviour) -> None:
    store.subscribe(receiver.url)
    (name,) = store.alert("bad")
    receiver.plan = [behaviour]
    crew = delivery.Crew(store.db, CHANNELS)
    crew.start()
    try:
        wait_until(lambda: store.delivery(name).status == "pending", 5, "the failed attempt")
        wait_until(lambda: store.delivery(name).attempts == 1, 5, "the failed attempt")
        (good,) = store.alert("good")
        crew.wake()
        wait_until(lambda: store.delivery(good).status == "delivered", 5, "the next delivery")
    finally:
        crew.stop(5)
    ((outcome, _),) = store.outcomes(name)
    assert outcome in {Outcome.REFUSED, Outcome.BROKEN_OFF}
    waits_us = store.delivery(name).next_attempt_us - now_us()
    assert waits_us <= 86_400 * SECOND_US


class Broken:
    """A channel with a fault that nobody foresaw."""

    def send(self, *_: object) -> Answer:
        raise ArithmeticError("38.4 Cel")


def test_a_fault_of_a_channel_is_an_attempt_that_failed_and_the_crew_goes_on(store: Store) -> None:
    store.subscribe("http://127.0.0.1:9/")
    (name,) = store.alert("a")
    crew = delivery.Crew(store.db, {"webhook": Broken()})
    crew.start()
    try:
        wait_until(lambda: store.outcomes(name) == [(Outcome.FAULT, None)], 5, "the attempt")
        (other,) = store.alert("b")
        wait_until(lambda: store.outcomes(other) == [(Outcome.FAULT, None)], 5, "the next one")
    finally:
        crew.stop(5)
    assert store.delivery(name).status == "pending"


def test_a_worker_that_slept_past_its_lease_sends_nothing_old(
    store: Store, receiver: Receiver
) -> None:
    store.subscribe(receiver.url)
    first, second = store.alert("a", changes=2)
    began_us = now_us()
    with store.db.writing() as conn:
        (claim,) = turn.take_on(conn, (), {}, began_us).claims
    slept = sending.send(CHANNELS, claim, began_us + 12 * SECOND_US)
    assert receiver.received == []
    with store.db.writing() as conn:
        turn.record(conn, [turn.Done(claim, slept)], now_us())
    assert store.outcomes(first) == [(Outcome.ABANDONED, None)]
    assert store.delivery(first).forgiven == 1  # the schedule has lost nothing by it
    delivery.deliver(store.db, CHANNELS)
    assert [request.id for request in receiver.received] == [first, second]


def test_what_is_due_at_once_is_sent_in_the_order_of_positions(
    store: Store, receiver: Receiver
) -> None:
    store.subscribe(receiver.url)
    names = [name for number in reversed(range(12)) for name in store.alert(f"a{number:02}")]
    with store.db.writing() as conn:
        conn.execute(update(deliveries).values(next_attempt_us=1))
    delivery.deliver(store.db, CHANNELS)
    assert [request.id for request in receiver.received] == names
    assert [request.json["position"] for request in receiver.received] == list(range(1, 13))


def test_410_is_heard_also_by_those_who_send_beside(store: Store, receiver: Receiver) -> None:
    store.subscribe(receiver.url)
    for number in range(60):
        store.alert(f"a{number}")
    receiver.plan = [answer(410)] * 60
    crew = delivery.Crew(store.db, {"webhook": WebhookChannel(Reach(private=True))})
    crew.start()
    try:
        wait_until(lambda: _status(store) == "disabled", 5, "the end of the subscription")
    finally:
        crew.stop(5)
    assert len(receiver.received) <= 2 * delivery.PER_ENDPOINT


def _status(store: Store) -> str:
    with store.db.reading() as conn:
        return str(conn.scalar(select(subscriptions.c.status)))


def endless(line: socket.socket) -> None:
    """200, and then gigabytes."""
    line.sendall(b"HTTP/1.1 200 X\r\ncontent-length: 99999999999\r\n\r\n")
    while True:
        line.sendall(b"x" * 65536)


def dripping_body(line: socket.socket) -> None:
    """200 at once, and a body that never ends."""
    line.sendall(b"HTTP/1.1 200 X\r\ncontent-length: 9000\r\n\r\n")
    while True:
        line.sendall(b"x")
        time.sleep(0.02)


@pytest.mark.parametrize("behaviour", [endless, dripping_body], ids=["huge", "dripping"])
def test_of_a_body_nobody_waits_for_the_end(store: Store, receiver: Receiver, behaviour) -> None:
    store.subscribe(receiver.url)
    (name,), (other,) = store.alert("a"), store.alert("b")
    receiver.plan = [behaviour]
    assert delivery.deliver(store.db, CHANNELS) == 2
    assert store.outcomes(name) == store.outcomes(other) == [(Outcome.DELIVERED, 200)]


def test_a_date_to_retry_after_is_respected(store: Store, receiver: Receiver) -> None:
    store.subscribe(receiver.url)
    (name,) = store.alert("a")
    moment = datetime.now(UTC) + timedelta(seconds=300)  # noqa: TID251 - a receiver has a clock
    receiver.plan = [answer(429, retry_after=format_datetime(moment, usegmt=True))]
    delivery.deliver(store.db, CHANNELS)
    waits_s = (store.delivery(name).next_attempt_us - now_us()) / SECOND_US
    assert 280 < waits_s < 301


@pytest.mark.parametrize(
    ("url", "outcome"),
    [
        pytest.param("http://127.0.0.1:1/", Outcome.UNREACHABLE, id="nobody listens"),
        pytest.param("http://no-such-host.invalid/", Outcome.UNREACHABLE, id="no such name"),
    ],
)
def test_who_cannot_be_reached_is_tried_again(store: Store, url: str, outcome: Outcome) -> None:
    store.subscribe(url)
    (name,) = store.alert("a")
    delivery.deliver(store.db, CHANNELS)
    assert store.outcomes(name) == [(outcome, None)]
    assert store.delivery(name).status == "pending"


def test_a_public_name_that_leads_into_the_house_is_not_called(
    store: Store, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = socket.getaddrinfo

    def leads_home(host: str, *rest: Any, **named: Any) -> list:
        return real("127.0.0.1" if host == "hooks.example" else host, *rest, **named)

    monkeypatch.setattr("socket.getaddrinfo", leads_home)
    store.subscribe(f"http://hooks.example:{receiver.port}/hook")
    (name,) = store.alert("a")
    delivery.deliver(store.db, {"webhook": WebhookChannel(Reach())})
    assert store.outcomes(name) == [(Outcome.FORBIDDEN_ADDRESS, None)]
    assert receiver.lines == 0
    delivery.deliver(store.db, {"webhook": WebhookChannel(Reach(private=True))}, later(6))
    assert receiver.received[0].headers["host"] == f"hooks.example:{receiver.port}"


def test_every_kind_of_failure_of_one_delivery_bears_one_id_one_body_and_one_position(
    store: Store, receiver: Receiver
) -> None:
    secret = store.subscribe(receiver.url)
    (name,) = store.alert("a")
    (other,) = store.alert("b")
    ways = [answer(500), answer(429, retry_after="1"), hang, drip, reset, answer(302, location="/")]
    receiver.plan = list(ways)
    for number in range(len(ways) + 1):
        with store.db.writing() as conn:  # only the first: the other one waits for tomorrow
            again = update(deliveries).where(deliveries.c.status == "pending")
            far = now_us() + 86_400 * SECOND_US
            conn.execute(again.values(next_attempt_us=far))
            conn.execute(again.where(deliveries.c.id == name).values(next_attempt_us=now_us()))
        assert delivery.deliver(store.db, CHANNELS) == 1, number
    assert {(got.id, got.body) for got in receiver.received} == {(name, receiver.received[0].body)}
    assert {got.verify(secret)["position"] for got in receiver.received} == {1}
    with store.db.writing() as conn:
        conn.execute(update(deliveries).values(next_attempt_us=now_us()))
    delivery.deliver(store.db, CHANNELS)
    assert [got.verify(secret)["position"] for got in receiver.received[-2:]] == [1, 2]
    assert receiver.received[-1].id == other


def test_a_line_is_kept_for_the_next_request_and_a_dead_one_is_no_failure(
    store: Store, receiver: Receiver
) -> None:
    store.subscribe(receiver.url)
    channel = {"webhook": WebhookChannel(Reach(private=True))}
    names = [name for number in range(6) for name in store.alert(f"a{number}")]
    receiver.keeps = True
    delivery.deliver(store.db, channel)
    assert receiver.lines == 1
    (late,) = store.alert("late")
    receiver.end_lines()
    delivery.deliver(store.db, channel)
    assert receiver.lines == 2
    for name in (*names, late):
        assert store.outcomes(name) == [(Outcome.DELIVERED, 200)]


def test_a_410_of_a_receiver_that_was_replaced_meanwhile_disables_nothing(
    store: Store, receiver: Receiver
) -> None:
    store.subscribe(receiver.url)
    store.alert("a")

    def replaced(line: socket.socket) -> None:
        with store.db.writing() as conn:
            elsewhere = '{"kind": "webhook", "url": "http://127.0.0.1:9/"}'
            conn.execute(update(subscriptions).values(channel=elsewhere))
        answer(410)(line)

    receiver.plan = [replaced]
    delivery.deliver(store.db, CHANNELS)
    assert _status(store) == "active"


def test_who_share_a_host_share_its_lines_and_never_their_addresses(
    store: Store, receiver: Receiver
) -> None:
    receiver.keeps = True
    for name in ("s", "r"):
        store.subscribe(f"{receiver.url}/{name}?of={name}", name=name)
        store.alert(f"a{name}", to=name)
        delivery.deliver(store.db, CHANNELS)
    assert receiver.lines == 1
    assert [got.path for got in receiver.received] == ["/hook/s?of=s", "/hook/r?of=r"]


@pytest.mark.parametrize(("status", "outcome"), [(200, Outcome.DELIVERED), (500, Outcome.REFUSED)])
def test_what_a_receiver_says_before_its_answer_is_no_answer(
    store: Store, receiver: Receiver, status: int, outcome: Outcome
) -> None:
    store.subscribe(receiver.url)
    (name,) = store.alert("a")
    receiver.keeps = True

    def at_last(line: socket.socket) -> None:
        line.sendall(b"HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n")
        time.sleep(0.1)
        answer(status)(line)

    receiver.plan = [at_last]
    delivery.deliver(store.db, CHANNELS)
    assert store.outcomes(name) == [(outcome, status)]


def test_a_line_that_changes_its_language_serves_no_other_request(
    store: Store, receiver: Receiver
) -> None:
    store.subscribe(receiver.url)
    names = [*store.alert("a"), *store.alert("b")]
    receiver.keeps = True
    receiver.plan = [raw(b"HTTP/1.1 101 X\r\nupgrade: x\r\n\r\n"), answer(200)]
    delivery.deliver(store.db, CHANNELS)
    assert [store.outcomes(name)[0] for name in names] == [
        (Outcome.REFUSED, 101),
        (Outcome.DELIVERED, 200),
    ]
    assert receiver.lines == 2
