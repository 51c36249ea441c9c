"""The whole service on RabbitMQ: a story, `kill -9` of the broker, its return."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from services import clock
from services.client import Service
from tests.support import rabbitmq
from tests.support.processes import wait_until
from tests.support.rabbitmq import RabbitServer
from tests.support.receiver import Receiver
from tests.support.service import Up

TRIAL = "msc-cgvhd"
QUEUES = {"evaluate", "deliver", "maintenance"}


@pytest.fixture
def rabbit(tmp_path: Path):
    why = rabbitmq.why_not()
    if why is not None:
        pytest.skip(why)
    with RabbitServer(tmp_path / "rabbit") as server:
        yield server


def dies(service: Service, subject: str) -> None:
    """One event that raises an alert."""
    event = {
        "specversion": "1.0",
        "id": f"death-{subject}",
        "source": "https://site.example/",
        "type": "death",
        "trial": TRIAL,
        "subject": subject,
        "time": datetime.fromtimestamp(clock.now_us() / 1e6, tz=UTC).isoformat(),
        "data": {"causality": "unrelated"},
    }
    assert service.post("/v1/events", event).status == 202


def test_on_rabbitmq_a_story_outlives_kill_9_of_the_broker(
    rabbit: RabbitServer, tmp_path: Path, postgresql_url: str
) -> None:
    settings = {
        "VIGIL_DATABASE_URL": postgresql_url,
        "VIGIL_BROKER_URL": rabbit.url,
        "VIGIL_WEBHOOK_ALLOW_PRIVATE": "1",
    }
    with Receiver() as receiver, Up(tmp_path / "data", **settings) as up:
        admin = up.service("admin")

        def ready() -> dict:
            return admin.get("/readyz").body

        def heard() -> set[str]:
            """Queues whose last canary came through."""
            queues = admin.get("/v1/ops/queues").body["queues"]
            return {each["queue"] for each in queues if each["canary"]["state"] == "ok"}

        def subjects() -> list[str]:
            return [each.json["data"]["subject"] for each in receiver.received]

        wish = {"name": "ward", "channel": {"kind": "webhook", "url": receiver.url}}
        assert admin.post("/v1/subscriptions", wish).status == 201
        wait_until(lambda: ready()["status"] == "ok", 60, "readiness")
        wait_until(lambda: heard() == QUEUES, 60, "a canary through each queue")
        dies(admin, "S-1")
        wait_until(lambda: subjects() == ["S-1"], 60, "the first webhook")

        rabbit.kill()
        wait_until(lambda: ready()["broker"] == "degraded", 60, "the loss to be seen")
        dies(admin, "S-2")
        wait_until(lambda: subjects() == ["S-1", "S-2"], 60, "the webhook without a broker")

        returned = clock.now_us()
        rabbit.start()
        wait_until(lambda: ready()["broker"] == "ok", 60, "the broker's return to be seen")
        sent = f"{datetime.fromtimestamp(returned / 1e6, tz=UTC):%Y-%m-%dT%H:%M:%S}"
        wait_until(
            lambda: all(
                (each["canary"]["sent_at"] or "") > sent
                for each in admin.get("/v1/ops/queues").body["queues"]
            ),
            120,
            "every worker to listen again",
        )
        dies(admin, "S-3")
        wait_until(lambda: len(receiver.received) >= 3, 60, "the webhook after it")
        assert subjects() == ["S-1", "S-2", "S-3"]
        _, left = up.stop()
        assert left == {}
        assert up.process.returncode == 0
