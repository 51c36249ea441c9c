"""Probes, held streams, dead letters, subscriptions and the document of the API."""

import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from services import database as store
from services.clock import now_us
from services.evaluation import poison, work
from services.repositories import heartbeats, streams

TEMPERATURE = {"code": "body_temperature", "value": 36.9, "unit": "Cel"}


@pytest.fixture
def ops(house):
    return house.key("ops", "the-operator")


@pytest.fixture
def held(house, make_event):
    """A stream held at its first event, as after three failures."""
    house.publish(
        make_event(1, "observation", TEMPERATURE), make_event(2, "observation", TEMPERATURE)
    )
    database = house.services.database
    with database.reading() as conn:
        stream = streams.find(conn, "msc-cgvhd", "S-001")
    assert stream is not None
    (waiting,) = work.read(database, [stream.id], now_us()).works
    assert poison.hold(database, waiting, "EvaluationError", now_us())
    return stream.id


def test_alive_asks_nothing_and_ready_asks_everything(house):
    nobody = house.door(None)
    assert nobody.get("/healthz").json == {"status": "ok"}
    lonely = nobody.get("/readyz")
    assert lonely.status_code == 503
    assert (lonely.json["database"], lonely.json["schema"], lonely.json["worker"]) == (
        "ok",
        "ok",
        "failed",
    )
    with house.services.database.writing() as conn:
        heartbeats.beat(conn, "evaluate:h:1", "evaluate", now_us=now_us(), detail={})
    ready = nobody.get("/readyz")
    assert ready.status_code == 200
    assert ready.json["worker"] == "ok"
    assert (ready.json["broker"], ready.json["status"]) == ("degraded", "degraded")


def test_without_its_database_the_service_is_alive_and_not_ready(house, tmp_path):
    house.services.database.dispose()
    house.services.database.engine = store.Database(f"sqlite:///{tmp_path}/nowhere/x.db").engine
    nobody = house.door(None)
    assert nobody.get("/healthz").status_code == 200
    answer = nobody.get("/readyz")
    assert (answer.status_code, answer.json["database"]) == (503, "failed")
    unavailable = house.door("clinician").get("/v1/trials")
    assert unavailable.status_code == 503
    assert unavailable.headers["Retry-After"]


def test_a_held_stream_is_seen_and_eligible_is_not_said_of_it(house, ops, held):
    (item,) = ops.get("/v1/ops/streams?state=held").json["items"]
    assert (item["stream"], item["pending"], item["held"]) == (held, 2, True)
    assert item["oldest_pending_at"]
    assert ops.get("/v1/ops/streams?state=dirty").json["items"] == [item]
    body = house.door("clinician").get("/v1/trials/msc-cgvhd/subjects/S-001/eligibility").json
    assert (body["held"], body["pending"]) == (True, 2)
    assert body["decision"] != "eligible"


def test_a_dead_letter_shows_no_data_and_is_requeued(house, ops, held, make_event):
    (letter,) = ops.get("/v1/ops/dead-letters").json["items"]
    assert (letter["kind"], letter["subject"], letter["reason"], letter["status"]) == (
        "event",
        "S-001",
        "EvaluationError",
        "open",
    )
    assert "data" not in letter
    href = f"/v1/events/{letter['event']}"
    assert house.door("publisher").get(href).json | {"received_at": ""} == {
        "event": letter["event"],
        "status": "dead",
        "received_at": "",
        "evaluated_at": None,
        "alerts": [],
        "error": "EvaluationError",
    }
    for _ in range(2):
        again = ops.post(f"/v1/ops/dead-letters/{letter['id']}/requeue")
        assert (again.status_code, again.json["status"]) == (200, "requeued")
    assert house.door("publisher").get(href).json["status"] == "pending"
    house.evaluate()
    assert house.door("publisher").get(href).json["status"] == "evaluated"


def test_a_dead_letter_is_discarded_by_two_persons(house, ops, held):
    (letter,) = ops.get("/v1/ops/dead-letters").json["items"]
    path = f"/v1/ops/dead-letters/{letter['id']}/discard"
    assert ops.post(path, json={}).status_code == 422
    assert house.door("ops").post(path, json={"reason": "nobody"}).status_code == 403
    assert ops.post(path, json={"reason": "no sense"}).status_code == 202
    assert ops.post(path, json={"reason": "no sense"}).status_code == 409
    waiting = ops.get("/v1/ops/dead-letters?status=open").json["items"][0]["awaiting_second"]
    assert (waiting["action"], waiting["by"]) == ("discard", "the-operator")
    done = house.door("admin").post(path, json={"reason": "agreed"})
    assert (done.status_code, done.json["status"]) == (200, "discarded")
    house.evaluate()
    status = house.door("publisher").get(f"/v1/events/{letter['event']}").json
    assert (status["status"], status["error"]) == ("discarded", "EvaluationError")
    clinician = house.door("clinician")
    body = clinician.get("/v1/trials/msc-cgvhd/subjects/S-001/eligibility").json
    assert (body["held"], body["pending"]) == (False, 0)
    path = "/v1/trials/msc-cgvhd/subjects/S-001/eligibility?as_of=2100-01-01T00:00:00Z"
    assert clinician.get(path).status_code == 200


def test_a_subscription_is_made_shown_changed_and_removed(house):
    clinician = house.door("clinician")
    wish = {
        "name": "site",
        "channel": {"kind": "webhook", "url": "https://8.8.8.8/hook"},
        "content": "full",
    }
    made = clinician.post("/v1/subscriptions", json=wish)
    assert made.status_code == 201
    assert made.json["secret"].startswith("whsec_")
    here = made.headers["Location"]
    assert "secret" not in clinician.get(here).json
    assert clinician.call("PATCH", here, json={"name": "other"}).json["name"] == "other"
    assert [item["id"] for item in clinician.get("/v1/subscriptions").json["items"]] == [
        made.json["id"]
    ]
    assert clinician.call("DELETE", here).status_code == 204
    assert clinician.get(here).status_code == 404


@pytest.mark.parametrize(
    "channel",
    [
        {"kind": "webhook"},
        {"kind": "pigeon"},
        {"kind": "webhook", "url": "http://127.0.0.1/"},
        {"kind": "webhook", "url": "ftp://8.8.8.8/"},
        {"kind": "webhook", "url": 5},
    ],
)
def test_a_channel_that_cannot_be_is_refused(house, channel):
    answer = house.door("clinician").post(
        "/v1/subscriptions", json={"name": "x", "channel": channel}
    )
    assert answer.status_code == 422
    assert answer.json["errors"][0]["pointer"].startswith("/channel")


def test_ops_may_not_subscribe_to_clinical_values(house):
    wish = {"name": "ops", "channel": {"kind": "webhook", "url": "https://8.8.8.8/hook"}}
    ops = house.door("ops")
    assert ops.post("/v1/subscriptions", json={**wish, "content": "full"}).status_code == 403
    assert ops.post("/v1/subscriptions", json=wish).status_code == 201


def test_the_document_is_valid_and_complete(house):
    document = house.door("publisher").get("/openapi.json").json
    OpenAPIV31SpecValidator(document).validate()
    described = {
        (path, method)
        for path, item in document["paths"].items()
        for method in item
        if method != "parameters"
    }
    rules = {
        (str(rule).replace("<name:", "{").replace("<id:", "{").replace(">", "}"), method.lower())
        for rule in house.app.url_map.iter_rules()
        if not rule.endpoint.startswith(("web.", "bootstrap."))  # pages are for people
        for method in rule.methods - {"HEAD", "OPTIONS"}
    }
    assert described == rules
    for path, item in document["paths"].items():
        for method, operation in item.items():
            if method != "parameters":
                assert operation["summary"], (path, method)
                assert len(operation["responses"]) >= 1


def test_the_page_of_the_document_needs_no_other_server(house):
    answer = house.door("clinician").get("/docs")
    assert answer.status_code == 200
    assert answer.content_type.startswith("text/html")
    assert "http://" not in answer.text
    assert "https://" not in answer.text.replace("https://spec.openapis.org", "")
    assert "<script" not in answer.text
    assert "/v1/events" in answer.text
