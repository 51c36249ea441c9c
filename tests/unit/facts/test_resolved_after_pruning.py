"""An undated resolution belongs to what began before it, also where that has left every window."""

import pytest

from rules.facts import timeline
from tests.support.one_fact import reading
from tests.support.step_logs import event

FACT = "x: {from: condition, code: infarct, take: touches_span, window: {hours: 24}}"


@pytest.fixture(autouse=True, params=["roomy", "tight"])
def room(request, monkeypatch):
    """Once as in service, once keeping as little as can be."""
    if request.param == "tight":
        monkeypatch.setattr(timeline, "KEEP", 1)
        monkeypatch.setattr(timeline, "PRUNE_EVERY", 2)


def told(n, time, status, **dates):
    return event(n, "condition", time, time, code="infarct", status=status, **dates)


def test_resolved_once_more_after_a_suspicion_it_is_still_the_old_one():
    log = [
        told(1, "2026-01-10T08:00", "active", onset="2025", abatement="2025"),
        told(2, "2026-02-12T16:00", "suspected", onset="2025"),
        told(3, "2026-02-12T16:30", "resolved"),
    ]
    assert reading(FACT, log, "2026-02-12T17:00").value is False


def test_resolved_where_nothing_had_begun_it_was_there_nobody_knows_when():
    log = [
        told(1, "2026-02-12T16:00", "suspected", onset="2025"),
        told(2, "2026-02-12T16:30", "resolved"),
    ]
    assert reading(FACT, log, "2026-02-12T17:00").value is None
