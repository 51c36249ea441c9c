"""A service that was stopped for three days: on its start every instant of a clock is made up for."""

from typing import Any

import orjson
import pytest

from services import models, replay
from services.clock import iso
from tests.integration.test_sweep import sweep
from tests.support import flagship as f

HOUR_US = 3_600_000_000
AWARE_US = f.NOW_US - HOUR_US
SAE: dict[str, Any] = {
    "type": "adverse_event",
    "time": iso(AWARE_US),
    "data": {
        "ae": "a1",
        "term": "Vertigo",
        "serious": True,
        "seriousness": ["hospitalisation"],
        "causality": "unrelated",
        "aware_at": iso(AWARE_US),
    },
}
DUE = [
    ("CL-DUE", "opened", 1),  # hours after awareness: the receipt
    ("CL-DUE", "resolved", 12),
    ("CL-HALF", "opened", 12),
    ("CL-HALF", "resolved", 19.2),
    ("CL-NEAR", "opened", 19.2),
    ("CL-NEAR", "resolved", 24),
    ("CL-OVERDUE", "opened", 24),
]


@pytest.fixture
def db(database):
    f.make(database)
    f.evaluate(database, f.publish(database, f.events("S-1", [SAE])))
    return database


def clocks(db):
    """The log of the clocks' alerts: rule, what, when; and each alert's due_at."""
    found = []
    for row in f.rows(db, models.alert_log):
        body = orjson.loads(row.body)
        if body["rule"].startswith("CL-"):
            found.append((row.at_us, body["rule"], row.kind, body["due_at"]))
    return sorted(found)


def test_three_days_later_everything_that_fell_due_meanwhile_is_told_in_order(db):
    sweep(db).once(f.NOW_US + 72 * HOUR_US)
    expected = [(AWARE_US + int(hours * HOUR_US), rule, kind) for rule, kind, hours in DUE]
    assert [one[:3] for one in clocks(db)] == sorted(expected)
    assert {one[3] for one in clocks(db)} == {iso(AWARE_US + 24 * HOUR_US)}
    assert f.open_rules(db, "S-1") == ["CL-OVERDUE", "S-SAE"]
    assert replay.verify(db, f.TRIAL).differences == []


def test_it_is_told_as_by_a_service_that_never_stopped(db):
    for hours in range(73):
        sweep(db).once(f.NOW_US + hours * HOUR_US)
    expected = [(AWARE_US + int(hours * HOUR_US), rule, kind) for rule, kind, hours in DUE]
    assert [one[:3] for one in clocks(db)] == sorted(expected)
    assert replay.verify(db, f.TRIAL).differences == []


def test_a_report_told_on_the_start_comes_after_what_fell_due_meanwhile(db):
    start_us = f.NOW_US + 72 * HOUR_US
    made = {"ae": "a1", "reported_at": iso(AWARE_US + 2 * HOUR_US)}
    late = {"type": "adverse_event", "time": iso(start_us), "data": made}
    f.evaluate(db, f.publish(db, f.events("S-1", [late]), start_us), start_us)
    assert [one[1:3] for one in clocks(db)][-2:] == [
        ("CL-OVERDUE", "opened"),
        ("CL-OVERDUE", "resolved"),
    ]
    assert f.open_rules(db, "S-1") == ["S-SAE"]
    assert f.stream(db, "S-1").clocks is None
    assert replay.verify(db, f.TRIAL).differences == []


def test_a_correction_of_awareness_moves_the_due_instant_of_the_open_alert(db):
    (target,) = f.rows(db, models.events, models.events.c.type == "adverse_event")
    earlier_us = AWARE_US - 5 * HOUR_US
    data = {**SAE["data"], "aware_at": iso(earlier_us)}
    corrects = {"source": target.source, "id": target.id}
    correction = {
        "type": "correction",
        "time": iso(f.NOW_US),
        "data": {"corrects": corrects, "data": data, "reason": "Typing error"},
    }
    now_us = f.NOW_US + HOUR_US
    f.evaluate(db, f.publish(db, f.events("S-1", [correction]), now_us), now_us)
    (alert,) = f.rows(db, models.alerts, models.alerts.c.rule == "CL-DUE")
    assert (alert.status, alert.due_us) == ("open", earlier_us + 24 * HOUR_US)
    assert orjson.loads(f.stream(db, "S-1").clocks)[0]["due_at"] == iso(alert.due_us)
    assert replay.verify(db, f.TRIAL).differences == []
