"""The API on a real store, keys of every role, and evaluation in this process."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

import api
from services import evaluation, http, keys, protocols, sequencer
from services.bootstrap import Services
from services.clock import now_us
from services.config import Settings
from services.database import Database
from services.repositories import streams

FLAGSHIP = Path(__file__).parents[3] / "rules" / "protocols" / "msc-cgvhd.yaml"
# Without its scenarios, which tests/protocols runs: they would be run again for every test here.
YAML = FLAGSHIP.read_text().partition("\nscenarios:")[0]
ADMIN_KEY = "admin-key-for-tests-only"
TRIAL = "msc-cgvhd"
SOURCE = "https://lis.example/"


@dataclass
class Door:
    """A client with one key in its hand."""

    client: FlaskClient
    key: str | None

    def call(self, method: str, path: str, **kwargs: Any) -> TestResponse:
        headers = {"Authorization": f"Bearer {self.key}"} if self.key else {}
        headers.update(kwargs.pop("headers", {}))
        return self.client.open(path, method=method, headers=headers, **kwargs)

    def get(self, path: str, **kwargs: Any) -> TestResponse:
        return self.call("GET", path, **kwargs)

    def post(self, path: str, **kwargs: Any) -> TestResponse:
        return self.call("POST", path, **kwargs)


@dataclass
class House:
    """The API with a trial in it and a key of every role."""

    app: Flask
    services: Services
    keys: dict[str, str] = field(default_factory=dict)

    def door(self, role: str | None) -> Door:
        return Door(self.app.test_client(), self.keys[role] if role else None)

    def key(
        self, role: str, person: str | None = None, trials: tuple[str, ...] | None = None
    ) -> Door:
        _, secret = keys.create(
            self.services.database,
            role=role,
            person=person,
            trials=trials,
            by="test",
            now_us=now_us(),
        )
        return Door(self.app.test_client(), secret)

    def publish(self, *events: dict[str, Any], **kwargs: Any) -> TestResponse:
        return self.door("publisher").post("/v1/events", json=list(events), **kwargs)

    def evaluate(self, trial: str = TRIAL) -> None:
        """Every stream of the trial, until nothing waits; the trial's own stream last."""
        database = self.services.database
        for _ in range(3):
            with database.reading() as conn:
                rows = streams.of_trial(conn, trial)
            for row in sorted(rows, key=lambda row: row.subject == "*"):
                evaluation.evaluate(database, self.services.broker, row.id, now_us())
        sequencer.number(database)


def event(number: int, kind: str, data: dict[str, Any], **others: Any) -> dict[str, Any]:
    """A CloudEvent of subject S-001."""
    return {
        "specversion": "1.0",
        "id": f"e-{number}",
        "source": SOURCE,
        "type": kind,
        "trial": TRIAL,
        "subject": "S-001",
        "time": f"2026-03-02T08:{number % 60:02d}:00+09:00",
        "data": data,
        **others,
    }


@pytest.fixture
def settings(database_url: str, tmp_path: Path) -> Settings:
    return Settings.from_env(
        {
            "VIGIL_DATABASE_URL": database_url,
            "VIGIL_DATA": str(tmp_path),
            "VIGIL_ADMIN_KEY": ADMIN_KEY,
        }
    )


@pytest.fixture(scope="session")
def app(tmp_path_factory: pytest.TempPathFactory) -> Flask:
    """One app a process: its routes and pages cost more than most tests; each test furnishes it."""
    data = tmp_path_factory.mktemp("app")
    return api.create_app(
        Settings.from_env({"VIGIL_DATA": str(data), "VIGIL_ADMIN_KEY": ADMIN_KEY})
    )


@pytest.fixture
def house(settings: Settings, database: Database, app: Flask) -> Iterator[House]:
    services = Services.build(settings)
    http.furnish(app, services)
    protocols.create_trial(services.database, TRIAL, "live", YAML, "test", now_us())
    built = House(app, services)
    for role, person in {"publisher": None, "clinician": "the-investigator", "ops": None}.items():
        _, built.keys[role] = keys.create(
            services.database, role=role, person=person, by="test", now_us=now_us()
        )
    built.keys["admin"] = ADMIN_KEY
    yield built
    services.dispose()


@pytest.fixture
def make_event() -> Callable[..., dict[str, Any]]:
    return event
