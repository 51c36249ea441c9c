"""The crew: many slow receivers starve nobody, results that cannot be written keep nobody."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from sqlalchemy import event, select, update
from sqlalchemy.exc import OperationalError
from sqlalchemy.pool import QueuePool

from services import delivery
from services.channels import Answer, Outcome
from services.channels.address import Reach
from services.channels.webhook import WebhookChannel
from services.clock import SECOND_US, now_us
from services.database import Database
from services.delivery import turn
from services.delivery.turn import Done
from services.models import alerts, dead_letters, deliveries, subscriptions
from services.repositories import deliveries as stored
from tests.integration.test_delivery import CHANNELS, Store, later
from tests.support.processes import wait_until
from tests.support.receiver import Receiver, answer, hang

PATIENT = {"webhook": WebhookChannel(Reach(private=True), timeout_s=15.0)}
SLOW_RECEIVERS = 30


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as running:
        yield running


@pytest.fixture
def receiver(stack: ExitStack) -> Receiver:
    return stack.enter_context(Receiver())


@pytest.fixture
def store(database: Database) -> Store:
    return Store(database)


def test_thirty_receivers_that_hang_keep_no_other_waiting(
    store: Store, receiver: Receiver, stack: ExitStack
) -> None:
    hanging = [stack.enter_context(Receiver()) for _ in range(SLOW_RECEIVERS)]
    for number, one in enumerate(hanging):
        one.plan = [hang] * 20
        store.subscribe(one.url, name=f"slow{number}")
        for change in range(5):
            store.alert(f"a{number}-{change}", to=f"slow{number}")
    store.subscribe(receiver.url)
    names = [name for number in range(60) for name in store.alert(f"good{number}")]
    crew = delivery.Crew(store.db, PATIENT)
    crew.start()
    try:
        wait_until(lambda: len(receiver.received) == 60, 60, "those that are well")
        assert sum(len(one.received) for one in hanging) >= SLOW_RECEIVERS
        # None of the slow ones has come to its end: nobody had to wait for that.
        with store.db.reading() as conn:
            done = select(deliveries.c.subscription).where(deliveries.c.status == "delivered")
            wait_until(lambda: set(conn.scalars(done)) <= {"s"}, 1, "only those")
    finally:
        crew.stop(0)
    assert {got.id for got in receiver.received} == set(names)


def test_who_leaves_at_once_leaves_no_turn_half_done(
    postgresql_url: str, receiver: Receiver
) -> None:
    store = Store(Database(postgresql_url))
    store.subscribe(receiver.url)
    store.alert("a")
    crew = delivery.Crew(store.db, CHANNELS)
    pool = store.db.engine.pool
    assert isinstance(pool, QueuePool)
    with store.db.writing() as conn:
        conn.exec_driver_sql("LOCK TABLE deliveries")
        crew.start()
        wait_until(lambda: pool.checkedout() == 2, 10, "a turn that waits for the lock")
        threading.Timer(0.3, conn.rollback).start()
        crew.stop(0)
        assert pool.checkedout() == 1  # the one of this test
    store.db.dispose()


def test_a_receiver_that_fails_is_tried_one_at_a_time_until_it_takes_something(
    store: Store, receiver: Receiver
) -> None:
    store.subscribe(receiver.url)
    for number in range(30):
        store.alert(f"a{number}")
    with store.db.writing() as conn:
        conn.execute(update(subscriptions).values(failing_since_us=1))
        (first,) = turn.take_on(conn, (), {}, now_us()).claims
        assert turn.take_on(conn, (first.delivery,), {}, now_us()).claims == []
        turn.record(conn, [Done(first, Answer(Outcome.DELIVERED, 200))], now_us())
        assert conn.scalar(select(subscriptions.c.failing_since_us)) is None
        many = turn.take_on(conn, (), {}, now_us()).claims
        assert len(many) > 1
        turn.record(conn, [Done(many[0], Answer(Outcome.TIMED_OUT))], now_us())
        assert conn.scalar(select(subscriptions.c.failing_since_us)) is not None
        fault = Done(many[1], Answer(Outcome.FAULT))
        arrived = Done(many[2], Answer(Outcome.DELIVERED, 200))
        turn.record(conn, [arrived, fault], now_us())
        assert conn.scalar(select(subscriptions.c.failing_since_us)) is None


def test_two_processes_share_the_limit_of_an_endpoint(store: Store, receiver: Receiver) -> None:
    store.subscribe(receiver.url)
    store.subscribe(receiver.url, name="other")
    for number in range(30):
        store.alert(f"a{number}")
        store.alert(f"b{number}", to="other")
    taken: list[str] = []
    ready = threading.Barrier(4)

    def take() -> None:
        ready.wait()
        for _ in range(5):
            claims = store.db.transact(lambda conn: turn.take_on(conn, (), {}, now_us()).claims)
            taken.extend(claim.delivery for claim in claims)

    workers = [threading.Thread(target=take) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert len(taken) == len(set(taken)) == delivery.PER_ENDPOINT


def test_two_crews_send_everything_once_and_in_order(store: Store, receiver: Receiver) -> None:
    store.subscribe(receiver.url)
    names = [name for number in range(30) for name in store.alert(f"a{number}", changes=4)]
    crews = [delivery.Crew(store.db, PATIENT, poll_s=0.1) for _ in range(2)]
    for crew in crews:
        crew.start()
    try:
        wait_until(lambda: len(receiver.received) >= len(names), 60, "all of them")
    finally:
        for crew in crews:
            crew.stop(30)
    assert Counter(got.id for got in receiver.received) == Counter(names)
    told: dict[str, list[int]] = {}
    for got in receiver.received:
        told.setdefault(got.json["data"]["id"], []).append(got.json["data"]["sequence"])
    assert all(changes == [1, 2, 3, 4] for changes in told.values())


def test_a_result_that_cannot_be_written_keeps_no_other(
    store: Store, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.subscribe(receiver.url)
    (bad,), (good,) = store.alert("bad"), store.alert("good")
    real = stored.finish

    def finish(conn, done, at_us) -> None:
        if any(one.claim.delivery == bad for one in done):
            raise ArithmeticError("38.4 Cel")
        real(conn, done, at_us)

    monkeypatch.setattr(stored, "finish", finish)
    crew = delivery.Crew(store.db, CHANNELS, poll_s=0.1)
    crew.start()
    try:
        wait_until(lambda: store.delivery(good).status == "delivered", 30, "the other one")
        (late,) = store.alert("late")
        crew.wake()
        wait_until(lambda: store.delivery(late).status == "delivered", 30, "what came after it")
    finally:
        crew.stop(5)
    assert store.delivery(bad).status == "sending"  # its lease will bring it back


def test_a_store_that_is_away_for_a_while_loses_no_result(store: Store, receiver: Receiver) -> None:
    store.subscribe(receiver.url)
    (name,) = store.alert("a")
    away = threading.Event()

    @event.listens_for(store.db.engine, "before_cursor_execute")
    def refuse(conn, cursor, statement, *_) -> None:
        if away.is_set():
            raise OperationalError("", None, ConnectionError("the store is away"))

    def leave(line) -> None:
        away.set()
        answer(200)(line)

    receiver.plan = [leave]
    crew = delivery.Crew(store.db, CHANNELS, poll_s=0.1)
    crew.start()
    try:
        wait_until(away.is_set, 30, "the attempt")
        threading.Event().wait(0.5)
        away.clear()
        wait_until(lambda: store.delivery(name).status == "delivered", 30, "the result")
    finally:
        crew.stop(5)
    assert len(receiver.received) == 1


def test_what_waits_behind_an_earlier_change_is_not_looked_at_until_then(
    store: Store, receiver: Receiver
) -> None:
    store.subscribe(receiver.url)
    first, second, third = store.alert("a", changes=3)
    receiver.plan = [answer(500)]
    delivery.deliver(store.db, CHANNELS)
    again_us = store.delivery(first).next_attempt_us
    with store.db.writing() as conn:
        assert stored.out_of_line(conn, now_us())
        assert stored.line_up(conn, now_us()) == 2
        assert not stored.out_of_line(conn, now_us())
    assert [store.delivery(name).next_attempt_us for name in (second, third)] == [again_us] * 2
    with store.db.writing() as conn:  # whoever asks for the first, asks for all of them
        assert stored.retry(conn, first, now_us())
    delivery.deliver(store.db, CHANNELS)
    assert [got.id for got in receiver.received] == [first, first, second, third]


def test_a_critical_change_does_not_wait_for_hours_behind_an_ordinary_one(
    store: Store, receiver: Receiver
) -> None:
    store.subscribe(receiver.url)
    first, second = store.alert("a", changes=2)
    receiver.plan = [answer(500)] * 3
    for seconds in (0, 6, 400):
        delivery.deliver(store.db, CHANNELS, later(seconds))
    assert store.delivery(first).next_attempt_us > now_us() + 1800 * SECOND_US
    with store.db.writing() as conn:
        conn.execute(update(deliveries).where(deliveries.c.id == second).values(critical=True))
        stored.line_up(conn, later(400)())
    assert store.delivery(first).critical
    delivery.deliver(store.db, CHANNELS, later(400))
    assert [got.id for got in receiver.received[3:]] == [first, second]


def test_many_given_up_at_once_are_one_alert_and_a_letter_each(
    store: Store, receiver: Receiver
) -> None:
    store.subscribe(receiver.url)
    for number in range(8):
        store.alert(f"a{number}")
    with store.db.writing() as conn:
        claims = turn.take_on(conn, (), {}, now_us()).claims
        gone = [Done(claim, Answer(Outcome.GONE, 410)) for claim in claims]
        turn.record(conn, gone, now_us())
        turn.record(conn, gone, now_us())  # a commit whose end nobody saw
        assert conn.scalar(select(subscriptions.c.status)) == "disabled"
        assert len(conn.scalars(select(dead_letters.c.delivery)).all()) == 8
        told = conn.scalars(select(alerts.c.changes).where(alerts.c.rule == "OPS-UNDELIVERED"))
        assert told.all() == [1]


@pytest.mark.parametrize(
    "question", ["_UNDER_WAY", "_DUE_SUBSCRIPTIONS", "_NEXT_DUE", "_BEHIND", "_OVERSLEPT"]
)
def test_what_was_delivered_long_ago_costs_no_turn_anything(sqlite_url: str, question: str) -> None:
    db = Database(sqlite_url)
    asked = getattr(stored, question).params(now_us=1, wanted="s", most=1)
    whole = {"render_postcompile": True}
    statement = str(asked.compile(dialect=db.engine.dialect, compile_kwargs=whole))
    with db.reading() as conn:
        unknowns = (1,) * statement.count("?")
        plan = conn.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", unknowns).all()
    db.dispose()
    looks = [row[3] for row in plan if "deliveries" in row[3] and "earlier" not in row[3]]
    assert looks
    assert all("ix_deliveries_due" in one or "ix_deliveries_sending" in one for one in looks), plan
