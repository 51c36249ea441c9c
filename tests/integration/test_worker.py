"""The real worker: Celery on a real Valkey, killed and started, and the same without any broker."""

import time

import pytest
import redis

from services import canaries, models, replay
from services.broker import Broker
from services.errors import ConfigError
from services.repositories import heartbeats
from tests.support import flagship as f
from tests.support.flagship import ELIGIBLE, INFUSED, SAE, told
from tests.support.processes import Child, python, wait_until
from tests.support.valkey import ValkeyServer

AWAY = "redis://127.0.0.1:1/0"  # nobody listens there


def worker(database_url, broker_url, folder, name="one", kind="evaluate"):
    env = {
        "VIGIL_DATABASE_URL": database_url,
        "VIGIL_DATA": str(folder),
        "VIGIL_LOG_LEVEL": "warning",
    }
    if broker_url:
        env["VIGIL_BROKER_URL"] = broker_url
    return Child(python("-m", "worker", kind), env, folder / f"{name}.log")


def all_done(db):
    return all(row.done_n == row.next_n for row in f.rows(db, models.streams))


def depths(valkey):
    found = Broker(valkey.url).depths()
    assert found is not None
    return found


def heard(db):
    with db.reading() as conn:
        return set(heartbeats.canaries(conn))


def alive(db):
    with db.reading() as conn:
        return {row.kind for row in heartbeats.seen(conn, 0)}


def test_a_ring_reaches_a_worker_that_commits_the_alert(database, database_url, valkey, tmp_path):
    f.make(database)
    broker = Broker(valkey.url)
    child = worker(database_url, valkey.url, tmp_path).start()
    try:
        wait_until(lambda: "evaluate" in alive(database), 30, "the worker's heartbeat")
        broker.ring_evaluate(
            f.publish(database, f.events("S-0", told("man")), time.time_ns() // 1000)
        )
        wait_until(lambda: all_done(database), 20, "the first events")  # the engine is built now
        began = time.monotonic()
        broker.ring_evaluate(
            f.publish(database, f.events("S-1", told(*ELIGIBLE)), time.time_ns() // 1000)
        )
        wait_until(lambda: f.open_rules(database, "S-1") == ["EL-ELIGIBLE"], 20, "the alert")
        assert time.monotonic() - began < 1.0, "before any sweep"
        assert broker.missed_rings == 0
    finally:
        child.kill()


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_kills_of_workers_and_of_the_broker_lose_and_double_nothing(
    database, database_url, tmp_path
):
    f.make(database)
    with ValkeyServer(tmp_path / "valkey") as valkey:
        broker = Broker(valkey.url)
        children = [worker(database_url, valkey.url, tmp_path, name).start() for name in ("a", "b")]
        try:
            for number in range(24):
                some = f.events(f"S-{number}", [*told(*INFUSED), SAE])
                for piece in (some[:15], some[15:]):
                    broker.ring_evaluate(f.publish(database, piece, time.time_ns() // 1000))
                if number in {5, 12, 19}:
                    children[number % 2].kill()
                    children[number % 2].start()
                if number == 9:
                    valkey.kill()
                if number == 15:
                    valkey.start()
            wait_until(lambda: all_done(database), 60, "every event")
        finally:
            for child in children:
                child.kill()
    assert len(f.rows(database, models.alerts, models.alerts.c.rule == "S-RELATED-G3")) == 24
    report = replay.verify(database, f.TRIAL)
    assert report.differences == []
    assert report.decisions == sum(row.next_n for row in f.rows(database, models.streams))


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_without_a_broker_the_sweep_does_all(database, database_url, tmp_path):
    f.make(database)
    child = worker(database_url, None, tmp_path).start()
    try:
        f.publish(database, f.events("S-1", told(*ELIGIBLE)), time.time_ns() // 1000)
        wait_until(lambda: f.open_rules(database, "S-1") == ["EL-ELIGIBLE"], 30, "the alert")
    finally:
        child.kill()


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_the_scheduler_is_seen_through_the_broker(database, database_url, valkey, tmp_path):
    children = [
        worker(database_url, valkey.url, tmp_path, kind, kind).start()
        for kind in ("deliver", "scheduler")
    ]
    try:
        wait_until(lambda: {"deliver", "scheduler"} <= alive(database), 40, "their heartbeats")
        wait_until(lambda: {"deliver", "maintenance"} == heard(database), 40, "their canaries")
        assert depths(valkey)["evaluate"] > 0  # nobody listens there
    finally:
        for child in children:
            child.kill()


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_worker_that_ends_in_good_order_leaves_its_counts_and_no_heartbeat(
    database, database_url, valkey, tmp_path
):
    child = worker(database_url, valkey.url, tmp_path, kind="deliver").start()
    try:
        wait_until(lambda: "deliver" in alive(database), 30, "the worker's heartbeat")
        assert child.process is not None
        child.process.terminate()
        child.process.wait(60)
        assert alive(database) == set()
        with database.reading() as conn:
            assert heartbeats.counted(conn)["deliver"]["sweep_sweeps"] > 0
    finally:
        child.kill()


def test_a_queue_that_nobody_hears_is_not_filled_with_canaries(valkey, monkeypatch):
    app = Broker(valkey.url).celery
    app.conf.beat_schedule = canaries.schedule()
    sender = canaries.Sender(app)
    before = depths(valkey)
    monkeypatch.setattr(canaries, "CROWDED", before["deliver"] + 3)
    for _ in range(5):
        sender.apply_entry(sender.schedule["canary-deliver"])
    assert depths(valkey) == {**before, "deliver": before["deliver"] + 3}
    away = canaries.Sender(Broker(AWAY).celery)
    away.apply_entry(sender.schedule["canary-deliver"])  # says so, and nothing else happens


# --- the doorbell -----------------------------------------------------------------------------
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_ring_reaches_its_own_queue_alone(database, database_url, tmp_path):
    with ValkeyServer(tmp_path / "valkey") as valkey:
        child = worker(database_url, valkey.url, tmp_path, kind="deliver").start()
        try:  # the worker declares queues and binds them
            wait_until(lambda: "deliver" in alive(database), 30, "the worker's heartbeat")
            broker = Broker(valkey.url)
            broker.ring_evaluate([1])
            assert broker.depths() == {"evaluate": 1, "deliver": 0, "maintenance": 0}
        finally:
            child.kill()


def test_many_ids_travel_in_few_messages_and_only_ids(valkey):
    broker = Broker(valkey.url)
    before = broker.depths()
    broker.ring_evaluate(range(60))
    after = broker.depths()
    assert before is not None
    assert after is not None
    assert after["evaluate"] - before["evaluate"] == broker.rings == 3


def test_a_broker_that_is_away_costs_little_and_is_counted():
    broker = Broker("redis://127.0.0.1:1/0")
    began = time.monotonic()
    for number in range(50):
        broker.ring_evaluate([number])
    assert time.monotonic() - began < 1.0
    assert (broker.rings, broker.missed_rings) == (0, 50)
    began = time.monotonic()
    assert broker.depths() is None
    assert time.monotonic() - began < 1.0  # who asks for health does not wait long
    broker.refuse_eviction()  # away is not evicting: the service works without it


def test_a_broker_that_comes_back_is_rung_again(tmp_path):
    with ValkeyServer(tmp_path / "valkey") as valkey:
        broker = Broker(valkey.url)
        broker.ring_evaluate([1])
        valkey.kill()
        broker.ring_evaluate([2])
        valkey.start()
        time.sleep(1.1)
        broker.ring_evaluate([3])
        assert (broker.rings, broker.missed_rings) == (2, 1)


def test_a_broker_that_evicts_is_refused(valkey):
    client = redis.Redis(port=valkey.port)
    client.config_set("maxmemory-policy", "allkeys-lru")
    try:
        with pytest.raises(ConfigError, match="allkeys-lru"):
            Broker(valkey.url).refuse_eviction()
    finally:
        client.config_set("maxmemory-policy", "noeviction")
        client.close()


def test_without_a_broker_a_ring_is_silent_and_not_missed():
    broker = Broker(None)
    broker.ring_evaluate([1])
    broker.ring_deliver(["dl_1"])
    assert (broker.rings, broker.missed_rings) == (0, 0)
