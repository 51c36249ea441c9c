"""What follows of an adverse event counts in facts over events and in stopping endpoints alike."""

from __future__ import annotations

import pytest

import rules
from rules.replay import replay_trial
from tests.support.small import SMALL
from tests.support.step_logs import event

LISTED = "reference_safety: [{terms: [Pyrexia], max_grade: 2, source: {document: record}}]\n"
GROUPS = "event_groups:\n  clots: {label: C, terms: [Embolism], source: {document: record}}\n"
FACTS = """\
facts:
  susars: {from: adverse_event, take: count, where: is_susar}
  clots: {from: adverse_event, take: count, where: ae_in_clots}
"""
RULES = """\
rules:
  - {id: HAS-SUSAR, on: subject, category: safety, severity: serious, when: susars >= 1, title: T, action: A, source: {document: record}}
  - {id: HAS-CLOT, on: subject, category: safety, severity: serious, when: clots >= 1, title: T, action: A, source: {document: record}}
"""
PROTOCOL = (
    SMALL.replace("facts:\n", f"{GROUPS}{LISTED}{FACTS}", 1)
    .replace("rules:\n", RULES, 1)
    .replace("endpoint: grade >= 3", "endpoint: is_susar && !ae_in_clots", 1)
    .partition("\nfixtures:")[0]
)


@pytest.fixture(scope="module")
def engine():
    return rules.Engine(rules.loads(PROTOCOL + "\n", "p.yaml"))


def found(engine, *told):
    """Rules that told of the subject, and the events that count for the boundary."""
    log = [event(1, "enrolment", "2026-01-09T09:00", "2026-01-09T09:00", status="enrolled")]
    day = "2026-01-10T09:00"
    log.append(event(2, "administration", day, day, product="MSC", number=1, status="completed"))
    for n, fields in enumerate(told, start=3):
        at = f"2026-01-{9 + n}T09:00"
        log.append(event(n, "adverse_event", at, at, ae="x", **fields))
    replayed = replay_trial(engine, "t", {"S-1": log}, None)
    told_of = {one.rule for _, _, one in replayed.changes()}
    (view,) = engine.stopping_view(replayed.trial.state)
    return told_of & {"HAS-SUSAR", "HAS-CLOT"}, view["events"]


@pytest.mark.parametrize(
    ("fields", "telling", "events"),
    [
        ({"term": "Dyspnoea", "serious": True}, {"HAS-SUSAR"}, 1),
        ({"term": "Embolism", "serious": True}, {"HAS-SUSAR", "HAS-CLOT"}, 0),
        ({"term": "Embolism", "serious": False}, {"HAS-CLOT"}, 0),
        ({"term": "Pyrexia", "grade": 2, "serious": True}, set(), 0),
        ({"term": "Pyrexia", "grade": 3, "serious": True}, {"HAS-SUSAR"}, 1),
        ({"term": "Dyspnoea", "serious": True, "causality": "unrelated"}, set(), 0),
        ({"term": "Dyspnoea", "serious": True, "status": "withdrawn"}, set(), 0),
    ],
)
def test_what_follows_is_counted_in_facts_and_by_boundaries(engine, fields, telling, events):
    assert found(engine, fields) == (telling, events)


def test_attributed_otherwise_later_it_counts_no_more(engine):
    susar = {"term": "Dyspnoea", "serious": True}
    assert found(engine, susar, {"causality": "unrelated"})[1] == 0
