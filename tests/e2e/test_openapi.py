"""Requests that nobody thought of, made from the API's own document: no 5xx, no surprise.

Schemathesis drives the real app on a real store with an administrator's key, so that nothing is
refused before it is read. Bounded, so that it runs within a minute.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis.checks import not_a_server_error
from schemathesis.core.failures import Failure, FailureGroup
from schemathesis.schemas import APIOperation
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from sqlalchemy import select

import api
from services import database as store
from services import evaluation, protocols, sequencer, subscriptions
from services.bootstrap import Services
from services.channels.address import Reach
from services.clock import now_us
from services.config import Settings
from services.intake import publish
from services.keys import Caller
from services.models import alerts, deliveries
from services.repositories import heartbeats, streams

ROOT = Path(__file__).parents[2]
YAML = (ROOT / "rules" / "protocols" / "msc-cgvhd.yaml").read_text().partition("\nscenarios:")[0]
KEY = "admin-key-for-tests-only"
TRIAL = "openapi"  # engines are kept by trial and version: no other test has this text
CHECKS = (
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
)
# So many made-up requests for each operation; the document has about thirty.
EXAMPLES = 15
AN_HOUR_US = 3_600_000_000

schemathesis.serializer.alias("application/x-ndjson", "text/plain")
for kind in ("application/x-yaml", "text/yaml", "text/x-yaml"):
    schemathesis.serializer.alias(kind, "text/plain")


@pytest.fixture(scope="module")
def known() -> dict[str, str]:
    """What the paths may name and what there is."""
    return {"trial": TRIAL, "subject": "S-001", "version": "1.0"}


@pytest.fixture(scope="module")
def schema(tmp_path_factory: pytest.TempPathFactory, known: dict[str, str]) -> Iterator[object]:
    """The document of an app whose trial has a subject with an alert."""
    folder = tmp_path_factory.mktemp("openapi")
    chosen = Settings.from_env(
        {"VIGIL_DATA": str(folder), "VIGIL_ADMIN_KEY": KEY, "VIGIL_LOG_LEVEL": "error"}
    )
    services = Services.build(chosen)
    store.upgrade(services.database)
    known |= _fill(services)
    app = api.create_app(chosen, services)
    yield schemathesis.openapi.from_wsgi(
        "/openapi.json", app, headers={"Authorization": f"Bearer {KEY}"}
    )
    services.dispose()


def _fill(services: Services) -> dict[str, str]:
    """A trial with one subject and an alert; what their paths need."""
    database = services.database
    protocols.create_trial(database, TRIAL, "live", YAML, "test", now_us())
    data = {"ae": "AE-1", "grade": 4, "serious": True, "causality": "related", "status": "valid"}
    event = {
        "specversion": "1.0",
        "id": "1",
        "source": "https://ae.example/",
        "type": "adverse_event",
        "trial": TRIAL,
        "subject": "S-001",
        "time": "2026-03-02T08:15:00+09:00",
        "data": data,
    }
    # An address that the service refuses to call: a test of it goes nowhere.
    wish = {"name": "x", "channel": {"kind": "webhook", "url": "http://127.0.0.1:9/"}}
    owner = subscriptions.Owner("admin", None, "admin")
    made = subscriptions.create(database, wish, owner, Reach(private=True), now_us())
    admin = Caller("test", "admin", None, "admin")
    receipt = publish(database, [event], admin, now_us())
    with database.reading() as conn:
        every = [row.id for row in streams.of_trial(conn, TRIAL)]
    for stream in reversed(every):
        evaluation.evaluate(database, services.broker, stream, now_us())
    sequencer.number(database)
    with database.writing() as conn:
        heartbeats.beat(
            conn, "evaluate:test:1", "evaluate", now_us=now_us() + AN_HOUR_US, detail={}
        )
    with database.reading() as conn:
        alert, told = conn.scalar(select(alerts.c.id)), conn.scalar(select(deliveries.c.id))
    return {
        "event": str(receipt.items[0].event),
        "alert": str(alert),
        "subscription": made["id"],
        "delivery": str(told),
    }


def hammer(operation: APIOperation, known: dict[str, str]) -> None:
    """Made-up requests for one operation, the same ones at every run; most name what exists."""

    @given(case=operation.as_strategy(), real=st.sampled_from([True, True, False]))
    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        derandomize=True,
        database=None,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    def attempt(case: schemathesis.Case, real: bool) -> None:
        if real and case.path_parameters:
            case.path_parameters |= {
                name: known[name] for name in case.path_parameters.keys() & known.keys()
            }
        response = case.call(headers={"Authorization": f"Bearer {KEY}"})
        case.validate_response(response, checks=list(CHECKS))

    attempt()


def test_no_request_makes_the_service_fail_or_answer_what_it_does_not_declare(
    schema, known
) -> None:
    # The plug-in's own parametrisation does not work with pytest 9, so the operations go in a loop.
    operations = [result.ok() for result in schema.get_all_operations()]
    assert len(operations) > 30
    surprises = {}
    for operation in operations:
        try:
            hammer(operation, known)
        except (FailureGroup, Failure) as found:
            surprises[operation.label] = found
    assert not surprises, "\n\n".join(f"{label}: {found}" for label, found in surprises.items())
