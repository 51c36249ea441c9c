"""At a glance: what waits, since when, who works, and whether anybody hears."""

from __future__ import annotations

import dataclasses

import orjson
import pytest

from services import canaries, delivery, models
from services.broker import Broker
from services.channels.address import Reach
from services.channels.webhook import WebhookChannel
from services.clock import now_us
from services.evaluation import poison, work
from services.pulse import Pulse
from services.repositories import heartbeats, streams
from tests.support.receiver import Receiver, answer

TEMPERATURE = {"code": "body_temperature", "value": 36.9, "unit": "Cel"}
DEATH = {"cause": "x", "causality": "related"}
SECRET = "shared-word-4711"


def look(door):
    answer = door.get("/v1/ops/queues")
    assert answer.status_code == 200, answer.text
    return answer.json


def queue(door, name):
    (found,) = [one for one in look(door)["queues"] if one["queue"] == name]
    return found


@pytest.fixture
def ops(house):
    return house.door("ops")


def test_an_empty_house_waits_for_nothing(ops):
    seen = look(ops)
    assert [one["queue"] for one in seen["queues"]] == ["evaluate", "deliver", "maintenance"]
    for one in seen["queues"]:
        assert (one["depth"], one["oldest_at"], one["in_flight"], one["rate_per_min"]) == (
            0,
            None,
            0,
            0,
        )
        assert one["canary"]["state"] == "not_expected"
    assert (seen["broker"]["state"], seen["broker"]["mode"]) == ("none", "none")
    assert (seen["workers"], seen["endpoints"]) == ([], [])


def test_events_wait_until_they_are_evaluated_and_are_counted_then(house, ops, make_event):
    house.publish(*(make_event(n, "observation", TEMPERATURE) for n in (1, 2, 3)))
    waiting = queue(ops, "evaluate")
    assert (waiting["depth"], waiting["dirty_streams"], waiting["held_streams"]) == (3, 1, 0)
    assert waiting["oldest_at"]
    assert waiting["oldest_age_s"] >= 0
    house.evaluate()
    done = queue(ops, "evaluate")
    assert (done["depth"], done["dirty_streams"], done["oldest_age_s"]) == (0, 0, None)
    assert done["rate_per_min"] >= 3


def test_a_held_stream_is_counted_and_hides_nothing_that_waits(house, ops, make_event):
    house.publish(make_event(1, "observation", TEMPERATURE))
    database = house.services.database
    with database.reading() as conn:
        stream = streams.find(conn, "msc-cgvhd", "S-001")
    assert stream is not None
    (waiting,) = work.read(database, [stream.id], now_us()).works
    assert poison.hold(database, waiting, "EvaluationError", now_us())
    house.evaluate()  # the trial's own stream has something too
    held = queue(ops, "evaluate")
    assert (held["held_streams"], held["held_events"], held["oldest_at"]) == (1, 1, None)
    assert held["oldest_held_at"]
    house.publish(make_event(2, "observation", TEMPERATURE, subject="S-002"))
    both = queue(ops, "evaluate")
    assert (both["dirty_streams"], both["held_streams"]) == (2, 1)
    assert both["oldest_at"] > both["oldest_held_at"]


def subscribe(house, url):
    wish = {"name": "s", "channel": {"kind": "webhook", "url": "http://hooks.example/hook"}}
    made = house.door("clinician").post("/v1/subscriptions", json=wish)
    assert made.status_code == 201
    channel = orjson.dumps({"kind": "webhook", "url": url}).decode()
    with house.services.database.writing() as conn:
        conn.execute(models.subscriptions.update().values(channel=channel))
    return made.json["id"]


def test_a_delivery_is_seen_on_its_way_and_its_endpoint_by_its_host_alone(house, ops, make_event):
    channels = {"webhook": WebhookChannel(Reach(private=True))}
    with Receiver() as receiver:
        url = f"{receiver.url}/{SECRET}?token={SECRET}"
        name = subscribe(house, url)
        house.publish(make_event(1, "death", DEATH))
        house.evaluate()
        waiting = queue(ops, "deliver")
        assert waiting["depth"] == waiting["due"] > 0
        assert waiting["oldest_age_s"] >= 0
        receiver.plan = [answer(500)] * 100
        delivery.deliver(house.services.database, channels)
        (endpoint,) = look(ops)["endpoints"]
        assert (endpoint["subscription"], endpoint["kind"]) == (name, "webhook")
        assert endpoint["host"] == url.split("/")[2]
        assert endpoint["last_outcome"] == "refused"
        assert endpoint["failing_since"]
        assert endpoint["due"] == 0 < endpoint["waiting"]
        receiver.plan = []
        much_later = now_us() + 3600 * 24 * 1_000_000
        delivery.deliver(house.services.database, channels, lambda: much_later)
        (endpoint,) = look(ops)["endpoints"]
        assert (endpoint["waiting"], endpoint["failing_since"]) == (0, None)
        assert endpoint["last_outcome"] == "delivered"
        assert queue(ops, "deliver")["rate_per_min"] == waiting["depth"]
        assert SECRET not in ops.get("/v1/ops/queues").text


def test_what_is_behind_an_earlier_change_of_its_alert_is_not_due(house, ops, make_event):
    subscribe(house, "http://127.0.0.1:1/")
    house.publish(make_event(1, "death", DEATH))
    house.evaluate()
    alerts = house.door("clinician").get("/v1/alerts").json["items"]
    before = queue(ops, "deliver")
    for alert in alerts:
        house.door("clinician").post(f"/v1/alerts/{alert['id']}/acknowledge", json={})
    house.evaluate()
    after = queue(ops, "deliver")
    assert after["depth"] > before["depth"]
    assert after["due"] == before["due"]


def test_a_given_up_delivery_is_dead_and_its_endpoint_says_why(house, ops, make_event):
    channels = {"webhook": WebhookChannel(Reach(private=True))}
    with Receiver() as receiver:
        subscribe(house, receiver.url)
        house.publish(make_event(1, "death", DEATH))
        house.evaluate()
        receiver.plan = [answer(410)] * 100
        delivery.deliver(house.services.database, channels)
    assert queue(ops, "deliver")["dead"] >= 1
    (endpoint,) = look(ops)["endpoints"]
    assert (endpoint["status"], endpoint["last_outcome"], endpoint["due"]) == (
        "disabled",
        "gone",
        0,
    )


def test_who_works_is_seen_then_late_then_gone(house, ops):
    database, now = house.services.database, now_us()
    for name, age_s in {"ok": 1, "late": 20, "gone": 120, "forgotten": 4000}.items():
        pulse = Pulse(database, "evaluate", f"evaluate:{name}.example:17", now)
        pulse.beat(
            now - age_s * 1_000_000, {"sweep_sweeps": 5, "http|GET|/x|200|1": 1}, heard_us=now
        )
    workers = {one["host"].split(".")[0]: one for one in look(ops)["workers"]}
    assert {name: one["state"] for name, one in workers.items()} == {
        "ok": "ok",
        "late": "late",
        "gone": "gone",
    }
    one = workers["ok"]
    assert (one["kind"], one["pid"], one["counters"]) == ("evaluate", 17, {"sweep_sweeps": 5})
    assert one["rss_mb"] > 1
    assert one["heard_at"]
    assert queue(ops, "evaluate")["workers"] == 1


def hear(house, name, ago_s):
    at_us = now_us() - ago_s * 1_000_000
    who = {"sent_by": "scheduler:h:1", "heard_by": "evaluate:h:2"}
    canaries.heard(house.services.database, name, sent_us=at_us - 3000, now_us=at_us, **who)


def with_broker(house, url):
    object.__setattr__(house.services, "broker", Broker(url))


def test_a_broker_that_answers_and_is_not_heard_degrades_and_fails_nothing(house, ops, valkey):
    with house.services.database.writing() as conn:
        heartbeats.beat(conn, "evaluate:h:1", "evaluate", now_us=now_us(), detail={})
    ready = house.door(None)
    with_broker(house, valkey.url)
    assert {one["canary"]["state"] for one in look(ops)["queues"]} == {"never"}
    assert (ready.get("/readyz").status_code, ready.get("/readyz").json["queues"]) == (
        200,
        "degraded",
    )
    for name in ("evaluate", "deliver", "maintenance"):
        hear(house, name, 1)
    seen = look(ops)
    assert seen["broker"] == {
        "state": "ok",
        "mode": "external",
        "policy": "noeviction",
        "aof": False,
    }
    heard = seen["queues"][0]["canary"]
    assert (heard["state"], heard["took_ms"], heard["heard_by"]) == ("ok", 3.0, "evaluate:h:2")
    assert seen["queues"][0]["messages"] >= 0
    assert ready.get("/readyz").json == {
        **dict.fromkeys(("status", "database", "schema", "worker", "broker"), "ok"),
        **dict.fromkeys(("scheduler", "queues", "stream"), "ok"),
    }
    hear(house, "deliver", 40)
    assert ready.get("/readyz").json["queues"] == "degraded"
    assert ready.get("/readyz").status_code == 200
    assert queue(ops, "deliver")["canary"]["state"] == "late"
    with_broker(house, "redis://127.0.0.1:1/0")  # who is away carries no canary
    gone = ready.get("/readyz").json
    assert (gone["broker"], gone["queues"]) == ("degraded", "ok")
    assert queue(ops, "deliver")["canary"]["state"] == "not_expected"


def test_a_stream_process_that_is_silent_degrades_where_there_should_be_one(house, tmp_path):
    database, ready = house.services.database, house.door(None)
    with database.writing() as conn:
        heartbeats.beat(conn, "evaluate:h:1", "evaluate", now_us=now_us(), detail={})
    assert ready.get("/readyz").json["stream"] == "ok"  # the API serves it itself
    own = dataclasses.replace(house.services.settings, stream_socket=tmp_path / "stream.sock")
    object.__setattr__(house.services, "settings", own)
    answer = ready.get("/readyz")
    assert (answer.status_code, answer.json["stream"]) == (200, "degraded")
    with database.writing() as conn:
        heartbeats.beat(conn, "stream:h:3", "stream", now_us=now_us(), detail={})
    assert ready.get("/readyz").json["stream"] == "ok"


def test_a_key_of_other_trials_sees_none_of_these_rows(house, ops, make_event):
    subscribe(house, "http://127.0.0.1:1/")
    house.publish(make_event(1, "death", DEATH))
    house.evaluate()
    house.publish(make_event(2, "observation", TEMPERATURE))
    narrow = house.key("ops", trials=("other",))
    assert queue(ops, "evaluate")["depth"] > 0
    assert queue(ops, "deliver")["depth"] > 0
    seen = look(narrow)
    assert {one["depth"] for one in seen["queues"]} == {0}
    assert {one["rate_per_min"] for one in seen["queues"]} == {0}
    assert seen["endpoints"] == []
    own = look(house.key("ops", trials=("msc-cgvhd",)))
    assert [one["depth"] for one in own["queues"]] == [one["depth"] for one in look(ops)["queues"]]
