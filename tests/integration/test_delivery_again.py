"""Told again by a person's wish: retry, replay and requeue, and what minimal takes back."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy import select, update

from services import deadletters, delivery
from services.broker import Broker
from services.clock import SECOND_US, now_us
from services.database import Database
from services.models import dead_letters, deliveries, subscriptions
from services.repositories import deliveries as stored
from tests.integration.test_delivery import CHANNELS, Store, later
from tests.support.receiver import Receiver, answer

DAY_S = 86_400


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as running:
        yield running


@pytest.fixture
def store(database: Database) -> Store:
    return Store(database)


def fail_for_good(store: Store, receiver: Receiver) -> None:
    """Send until there is no next attempt."""
    receiver.plan = [answer(503)] * (len(delivery.WAITS_S) + 1)
    for days in range(len(delivery.WAITS_S) + 1):
        delivery.deliver(store.db, CHANNELS, later(days * DAY_S * 1.2))


def letters(store: Store) -> list[str]:
    with store.db.reading() as conn:
        return list(conn.scalars(select(dead_letters.c.status).order_by(dead_letters.c.id)))


def retry(store: Store, name: str) -> bool:
    with store.db.writing() as conn:
        return stored.retry(conn, name, now_us())


def test_a_requeued_delivery_gets_the_whole_schedule_again(
    store: Store, receiver: Receiver
) -> None:
    store.subscribe(receiver.url)
    with store.db.writing() as conn:  # operations' own alert goes elsewhere
        conn.execute(update(subscriptions).values(filter='{"categories": ["safety"]}'))
    (name,) = store.alert("a")
    fail_for_good(store, receiver)
    with store.db.reading() as conn:
        letter = conn.scalars(select(dead_letters.c.id)).one()
    deadletters.requeue(store.db, Broker(None), letter, "an operator", now_us())
    assert letters(store) == ["requeued"]
    receiver.plan = [answer(503)]
    delivery.deliver(store.db, CHANNELS)
    row = store.delivery(name)
    assert (row.status, row.attempts) == ("pending", len(delivery.WAITS_S) + 2)
    assert 3 < (row.next_attempt_us - now_us()) / SECOND_US < 5.6
    fail_for_good(store, receiver)
    assert store.delivery(name).status == "dead"
    assert sorted(letters(store)) == ["open", "requeued"]


@pytest.mark.parametrize("status", ["dead", "pending", "cancelled", "delivered"])
def test_retry_sends_now_with_the_same_id_and_body(
    store: Store, receiver: Receiver, status: str
) -> None:
    store.subscribe(receiver.url)
    (name,) = store.alert("a")
    delivery.deliver(store.db, CHANNELS)
    with store.db.writing() as conn:
        conn.execute(
            update(deliveries).values(status=status, next_attempt_us=now_us() + DAY_S * SECOND_US)
        )
    assert retry(store, name)
    assert delivery.deliver(store.db, CHANNELS) == 1
    first, second = receiver.received
    assert (first.id, first.body) == (second.id, second.body)
    assert (store.delivery(name).status, store.delivery(name).forgiven) == ("delivered", 1)


def test_retry_closes_the_dead_letter_and_leaves_alone_what_is_being_sent(
    store: Store, receiver: Receiver
) -> None:
    store.subscribe(receiver.url)
    (name,) = store.alert("a")
    fail_for_good(store, receiver)
    assert retry(store, name)
    assert letters(store) == ["requeued"]
    with store.db.writing() as conn:
        conn.execute(update(deliveries).values(status="sending", lease_until_us=now_us()))
    assert not retry(store, name)
    assert not retry(store, "no such delivery")


def test_replay_sends_everything_after_a_position_again_in_order(
    store: Store, receiver: Receiver
) -> None:
    store.subscribe(receiver.url)
    store.subscribe(receiver.url, name="other")
    store.alert("a", changes=3)
    store.alert("b", changes=2)
    store.alert("c", to="other")
    delivery.deliver(store.db, CHANNELS)
    before = {request.id: request.body for request in receiver.received}
    receiver.received.clear()
    with store.db.writing() as conn:
        assert stored.replay(conn, "s", 1, now_us()) == 4
    delivery.deliver(store.db, CHANNELS)
    again = [
        (request.json["data"]["id"], request.json["position"]) for request in receiver.received
    ]
    assert [place for alert, place in again if alert == "a"] == [2, 3]
    assert [place for alert, place in again if alert == "b"] == [4, 5]
    assert len(again) == 4
    assert all(before[request.id] == request.body for request in receiver.received)


def test_a_replay_overtakes_what_is_being_sent_so_that_the_last_word_is_the_newest(
    store: Store, receiver: Receiver
) -> None:
    store.subscribe(receiver.url)
    first, second = store.alert("a", changes=2)
    delivery.deliver(store.db, CHANNELS)
    with store.db.writing() as conn:
        busy = {"status": "sending", "lease_until_us": now_us() + 25 * SECOND_US}
        conn.execute(update(deliveries).where(deliveries.c.id == second).values(busy))
        assert stored.replay(conn, "s", 0, now_us()) == 2
    receiver.received.clear()
    delivery.deliver(store.db, CHANNELS)
    assert [request.id for request in receiver.received] == [first, second]


def test_content_stays_as_it_was_when_the_change_happened(store: Store, receiver: Receiver) -> None:
    store.subscribe(receiver.url)
    store.alert("a")
    with store.db.writing() as conn:
        conn.execute(update(subscriptions).values(content="full"))
    store.alert("b")
    delivery.deliver(store.db, CHANNELS)
    told = {request.json["data"]["id"]: request.json["data"] for request in receiver.received}
    assert "detail" not in told["a"]
    assert told["b"]["detail"] == "38.4 Cel"


def test_who_may_have_values_no_longer_gets_none_not_even_again(
    store: Store, receiver: Receiver
) -> None:
    store.subscribe(receiver.url, content="full")
    (delivered,) = store.alert("a")
    delivery.deliver(store.db, CHANNELS)
    assert b"38.4" in receiver.received.pop().body
    (waiting,) = store.alert("b")
    with store.db.writing() as conn:
        conn.execute(update(subscriptions).values(content="minimal"))
        stored.restrict(conn, "s")
        stored.replay(conn, "s", 0, now_us())
    delivery.deliver(store.db, CHANNELS)
    assert {request.id for request in receiver.received} == {delivered, waiting}
    assert not any(b"38.4" in request.body for request in receiver.received)
    assert (store.delivery(delivered).content, store.delivery(waiting).content) == (
        "full",
        "minimal",
    )


def test_the_list_of_deliveries_is_read_page_by_page(store: Store, receiver: Receiver) -> None:
    store.subscribe(receiver.url)
    names = store.alert("a", changes=5)
    receiver.plan = [answer(500)]
    delivery.deliver(store.db, CHANNELS)
    delivery.deliver(store.db, CHANNELS, later(6))
    with store.db.reading() as conn:
        page = stored.of_subscription(conn, "s", None, 3)
        rest = stored.of_subscription(conn, "s", page[-1].position, 3)
        made = stored.attempts_of(conn, names[0])
        assert [row.id for row in (*page, *rest)] == names[::-1]
        assert [(row.number, row.http_status) for row in made] == [(1, 500), (2, 200)]
        known = stored.get(conn, names[0])
        assert known is not None
        assert (known.status, stored.get(conn, "no such delivery")) == ("delivered", None)


def set_back(hours: float):
    return later(-hours * 3600)


def test_what_waits_is_sent_although_the_clock_was_set_back(
    store: Store, receiver: Receiver
) -> None:
    store.subscribe(receiver.url)
    names = store.alert("a", changes=2)
    with store.db.writing() as conn:
        assert stored.out_of_line(conn, set_back(2)())
        assert stored.line_up(conn, set_back(2)()) == 1
    delivery.deliver(store.db, CHANNELS, set_back(2))
    with store.db.writing() as conn:
        stored.line_up(conn, set_back(2)())
        assert not stored.out_of_line(conn, set_back(2)())
    delivery.deliver(store.db, CHANNELS, set_back(2))
    assert [request.id for request in receiver.received] == names


def test_what_failed_is_tried_again_although_the_clock_was_set_back(
    store: Store, receiver: Receiver
) -> None:
    store.subscribe(receiver.url)
    (name,) = store.alert("a")
    receiver.plan = [answer(500)]
    delivery.deliver(store.db, CHANNELS)
    with store.db.writing() as conn:
        assert not stored.out_of_line(conn, now_us())
        assert stored.line_up(conn, set_back(2)()) == 1
    delivery.deliver(store.db, CHANNELS, set_back(2))
    assert [request.id for request in receiver.received] == [name, name]
    assert store.delivery(name).status == "delivered"


def test_a_lease_longer_than_leases_are_holds_nobody(store: Store, receiver: Receiver) -> None:
    store.subscribe(receiver.url)
    (name,) = store.alert("a")
    with store.db.writing() as conn:
        died = {"status": "sending", "attempts": 1, "lease_until_us": set_back(-2)()}
        conn.execute(update(deliveries).where(deliveries.c.id == name).values(died))
    delivery.deliver(store.db, CHANNELS)
    assert store.delivery(name).status == "delivered"


def test_what_waits_behind_a_failed_one_is_due_once_that_arrived(
    store: Store, receiver: Receiver
) -> None:
    store.subscribe(receiver.url)
    names = store.alert("a", changes=2)
    receiver.plan = [answer(500)]
    delivery.deliver(store.db, CHANNELS)
    with store.db.writing() as conn:
        assert stored.line_up(conn, now_us()) == 1
        assert stored.line_up(conn, now_us()) == 0
    assert retry(store, names[0])
    delivery.deliver(store.db, CHANNELS)
    assert [request.id for request in receiver.received] == [names[0], *names]
