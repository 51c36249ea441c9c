"""Dropping old liver values changes no answer, at no instant, whatever comes after."""

from __future__ import annotations

from contextlib import contextmanager

import pytest
from hypothesis import HealthCheck, given, settings

from rules import state as states
from rules.errors import LogNeeded
from rules.facts import timeline
from tests.support.liver_logs import DAY, FACTS, engine, logs

MANY = settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
NEVER = 1 << 40


@pytest.fixture(autouse=True)
def no_hold(monkeypatch):
    monkeypatch.setattr("rules.subject.fold.HOLD_STEPS", 0)  # what it does: test_bursts.py


@contextmanager
def keeping(least, every):
    """So many values of each source at least, dropped so often."""
    before = timeline.KEEP, timeline.PRUNE_EVERY
    timeline.KEEP, timeline.PRUNE_EVERY = least, every
    try:
        yield
    finally:
        timeline.KEEP, timeline.PRUNE_EVERY = before


def step(names, state, log, n):
    return engine(*names).subject_steps("t", "S-1", state, log[n - 1 : n], lambda last: log[:last])


def reading(names, held, name, as_of, now):
    return engine(*names).plan.read[name](held.timeline(), as_of, now)


def compare(names, log, least=1, every=2):
    """Each step with and without dropping: how many values were held of how many."""
    pruned = whole = None
    few = all_ = states.SubjectState("")
    for n in range(1, len(log) + 1):
        with keeping(least, every):
            one = step(names, pruned, log, n)
        with keeping(1, NEVER):
            other = step(names, whole, log, n)
        pruned, whole = one.state, other.state
        assert one.results == other.results
        few, all_ = states.loads(pruned), states.loads(whole)
        now = all_.reached_us
        assert engine(*names).edish_view(pruned) == engine(*names).edish_view(whole)
        for name in names:
            assert reading(names, few, name, None, now) == reading(names, all_, name, None, now), (
                name
            )
            for days in (0, 1, 5, 20):
                try:
                    found = reading(names, few, name, now - days * DAY, now)
                except LogNeeded:
                    continue
                assert found == reading(names, all_, name, now - days * DAY, now), (name, days)
    return count(few), count(all_)


def count(held):
    return sum(len(some) for key, some in held.records.items() if key.endswith("#liver"))


@pytest.mark.parametrize("name", FACTS)
@MANY
@given(logs())
def test_what_is_left_answers_as_everything_would(name, log):
    compare((name,), log)


@MANY
@given(logs())
def test_facts_that_share_values_leave_each_other_what_they_need(log):
    compare(tuple(FACTS), log)
