"""An ops key keeps the service running and sees no clinical value, by whatever way it asks."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import orjson
import pytest
from sqlalchemy import select

from services import deadletters, delivery, models
from services.channels.address import Reach
from services.channels.webhook import WebhookChannel
from services.clock import now_us
from services.evaluation import poison, work
from services.repositories import streams
from tests.support import flagship as f
from tests.support.receiver import Receiver

# What only a clinician may read; each stands in the store, in an alert or beside one.
SECRETS = ("38.771903", "SECRETTERM", "secret words", "1961-02-03", "secretcause", "4.5678")
STORY = (
    ("demographics", {"birth_date": "1961-02-03", "sex": "male"}),
    ("observation", {"code": "body_temperature", "value": 38.771903, "unit": "Cel"}),
    ("enrolment", {"status": "screened"}),
    ("enrolment", {"status": "enrolled"}),
    (
        "administration",
        {"product": "msc", "number": 1, "dose": 4.5678, "unit": "10*6/kg", "status": "completed"}
        | {"start": "2026-03-02T08:30:00+09:00", "end": "2026-03-02T08:40:00+09:00"},
    ),
    (
        "adverse_event",
        {"ae": "a1", "term": "SECRETTERM", "grade": 4, "serious": True, "causality": "related"},
    ),
    ("death", {"cause": "secretcause", "causality": "related"}),
)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as running:
        yield running


@pytest.fixture
def told(house, make_event, receiver):
    """A subject with alerts, a note of a person, a held stream, and a subscription of ops."""
    wish = {"name": "s", "channel": {"kind": "webhook", "url": "http://hooks.example/hook"}}
    made = house.key("ops", "the-operator").post("/v1/subscriptions", json=wish)
    assert made.status_code == 201
    there = orjson.dumps({"kind": "webhook", "url": receiver.url}).decode()
    with house.services.database.writing() as conn:
        conn.execute(models.subscriptions.update().values(channel=there))
    house.publish(*(make_event(n, kind, data) for n, (kind, data) in enumerate(STORY, 1)))
    house.evaluate()
    clinician = house.door("clinician")
    alerts = clinician.get("/v1/alerts?limit=100").json["items"]
    for alert in alerts:
        for action in ("acknowledge", "comment", "resolve"):
            path = f"/v1/alerts/{alert['id']}/{action}"
            assert clinician.post(path, json={"note": "secret words"}).status_code == 200
    house.publish(make_event(50, "observation", dict(STORY[1][1])))
    database = house.services.database
    with database.reading() as conn:
        stream = streams.find(conn, "msc-cgvhd", "S-001")
    assert stream is not None
    (waiting,) = work.read(database, [stream.id], now_us()).works
    assert poison.hold(database, waiting, "EvaluationError", now_us())
    return {"alerts": alerts, "subscription": made.json["id"]}


def ids(house, told: dict[str, Any], name: str) -> list[str]:
    """What may stand in that place of a path."""
    database = house.services.database
    tables = {"event": models.events.c.event, "letter": models.dead_letters.c.id}
    if name in tables:
        with database.reading() as conn:
            return [str(found) for found in conn.scalars(select(tables[name]))]
    return {
        "trial": ["msc-cgvhd"],
        "subject": ["S-001", "*"],
        "version": ["1.0"],
        "alert": [alert["id"] for alert in told["alerts"]],
        "subscription": [told["subscription"]],
        "backtest": ["bt_none"],
        "rule": ["ST-TOX"],
        "fact": ["edish"],
        "kind": ["boundary", "characteristics"],
    }[name]


def paths(house, told: dict[str, Any]) -> Iterator[str]:
    """Every GET of the service with every id that there is."""
    for rule in house.app.url_map.iter_rules():
        if "GET" not in (rule.methods or ()) or rule.endpoint.endswith(".static"):
            continue  # the page's own files are the same for everybody
        found = [str(rule)]
        for name in rule.arguments:
            found = [
                path.replace(f"<{kind}:{name}>", one)
                for path in found
                for one in ids(house, told, name)
                for kind in ("id", "name", "string", "path", "any(boundary,characteristics)")
                if f"<{kind}:{name}>" in path
            ]
        yield from found


def test_no_get_shows_a_value_to_ops(house, told) -> None:
    ops, clinician = house.door("ops"), house.door("clinician")
    asked = sorted(paths(house, told))
    assert len(asked) > 30
    seen_by_clinicians = ""
    for path in asked:
        answer = ops.get(path)
        assert answer.status_code in {200, 403, 404} or path == "/readyz", path
        for secret in SECRETS:
            assert secret not in answer.text, path
        seen_by_clinicians += clinician.get(path).text
    for secret in SECRETS[:4]:  # or the test would see nothing either
        assert secret in seen_by_clinicians


def test_no_post_of_ops_leads_to_a_value(house, told) -> None:
    ops = house.door("ops")
    wish = {"name": "s", "channel": {"kind": "webhook", "url": "http://hooks.example/hook"}}
    assert ops.post("/v1/subscriptions", json=wish | {"content": "full"}).status_code == 403
    path = f"/v1/subscriptions/{told['subscription']}"
    assert ops.call("PATCH", path, json={"content": "full"}).status_code == 403
    full = house.door("clinician").post("/v1/subscriptions", json=wish | {"content": "full"})
    mine = {"channel": {"kind": "webhook", "url": "http://ops.example/hook"}}
    theirs = f"/v1/subscriptions/{full.json['id']}"
    assert ops.call("PATCH", theirs, json=mine).status_code == 403
    (letter,) = ops.get("/v1/ops/dead-letters").json["items"]
    for answer in (
        ops.get(theirs),
        ops.post("/v1/alerts/" + told["alerts"][0]["id"] + "/comment", json={"note": "x"}),
        ops.post(f"/v1/ops/dead-letters/{letter['id']}/requeue"),
        ops.post("/v1/events", json=[]),
    ):
        for secret in SECRETS:
            assert secret not in answer.text


def test_no_webhook_of_ops_tells_a_value_at_any_event(house, told, receiver) -> None:
    channels = {"webhook": WebhookChannel(Reach(private=True))}
    database = house.services.database
    (letter,) = f.rows(database, models.dead_letters)
    deadletters.requeue(database, house.services.broker, letter.id, "the-operator", now_us())
    house.evaluate()
    delivery.deliver(database, channels)
    told_of = {request.json["type"] for request in receiver.received}
    assert {"alert.opened", "alert.updated", "alert.acknowledged", "alert.resolved"} <= told_of
    for request in receiver.received:
        for secret in SECRETS:
            assert secret not in request.body.decode()
        data = request.json["data"]
        assert "detail" not in data
        for item in data["evidence"]:
            assert set(item) == {"fact", "time", "event"}


def test_the_log_names_no_value(house, told, caplog) -> None:
    ops = house.door("ops")
    for path in paths(house, told):
        ops.get(path + "?cursor=secret+words&subject=SECRETTERM&as_of=38.771903")
    house.publish({"id": "SECRETTERM", "data": {"value": 38.771903}})
    written = caplog.text
    assert "/v1/alerts" in written
    refused = [line for line in written.splitlines() if "'status': 403" in line]
    assert refused
    assert not [line for line in refused if "'by': None" in line]
    for secret in SECRETS:
        assert secret not in written
