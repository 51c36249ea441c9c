"""Every protocol of the house can be explained in the course of its own scenarios.

What the tree shows at its root is the verdict, what a change promises is what the criteria say, and
a subject whose decision nothing missing can change is asked for nothing.
"""

from __future__ import annotations

from pathlib import Path

import pytest

import rules
from rules.checking.scenarios import _logs as logs_of
from rules.explanation.clauses import ASIDE

FOLDER = Path(rules.__file__).parent / "protocols"
FILES = sorted([*FOLDER.glob("*.yaml"), *FOLDER.glob("examples/*.yaml")])
WORDS = {"met": {"true"}, "not_met": {"false"}, "indeterminate": {"unknown"}}


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_the_subjects_of_its_scenarios_are_explained(file):
    engine = rules.Engine(rules.load(file))
    explained = 0
    for scenario in engine.protocol.definition.scenarios:
        logs, complaints = logs_of(engine.protocol, scenario, str(file), scenario.name)
        assert complaints == []
        for subject, log in logs.items():
            for state in states(engine, subject, log):
                check(engine.explanation(state), engine.worklist(state))
                explained += 1
    assert explained


def states(engine, subject, log):
    """The state after half of its events, and after all."""
    half = len(log) // 2
    first = engine.subject_steps("t", subject, None, log[:half], lambda n: log[:n]).state
    yield first
    yield engine.subject_steps("t", subject, first, log[half:], lambda n: log[:n]).state


def check(told, asked):
    for item in told["criteria"]:
        if item["verdict"] == "not_applicable":
            outside = item["applies"] is not None and item["applies"]["holds"] == "false"
            assert outside or item["clauses"]["holds"] == ASIDE
        else:
            assert item["clauses"]["holds"] in WORDS[item["verdict"]], item["id"]
    found = told["counterfactual"]
    assert found["to"] == ("ineligible" if told["decision"] == "eligible" else "eligible")
    assert asked["decision"] == told["decision"]
    if told["decision"] == "eligible":
        assert [one for one in asked["items"] if one["kind"] == "datum"] == []
    for item in asked["items"]:
        assert item["reason"] not in {"recorded", "not_applicable"}
