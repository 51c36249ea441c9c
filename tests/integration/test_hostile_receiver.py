"""Receivers that try to break the deliver worker, and a worker that wakes up too late."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest
from sqlalchemy import select, update

from services import delivery
from services.channels import Answer, Outcome
from services.channels.address import Reach
from services.channels.webhook import WebhookChannel
from services.clock import SECOND_US, now_us
from services.models import deliveries, subscriptions
from tests.integration.test_delivery import CHANNELS, Store, later
from tests.support.processes import wait_until
from tests.support.receiver import Receiver, answer


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as running:
        yield running


@pytest.fixture
def store(database) -> Store:
    return Store(database)


def raw(text: bytes):
    """Answer with these very bytes."""

    def behave(line: socket.socket) -> None:
        line.sendall(text)

    return behave


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
    times = iter([began_us])  # the claim; whatever follows comes after a long sleep

    def slept() -> int:
        return next(times, began_us + 12 * SECOND_US)

    delivery.deliver(store.db, CHANNELS, slept)
    assert receiver.received == []
    assert store.outcomes(first) == [(Outcome.ABANDONED, None)]
    delivery.deliver(store.db, CHANNELS, later(30))
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
    for number in range(30):
        store.alert(f"a{number}")
    receiver.plan = [answer(410)] * 30
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
