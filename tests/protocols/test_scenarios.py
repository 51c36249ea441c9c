"""Every scenario of every protocol file, run through the engine that judges subjects."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import pytest

import rules
from rules.checking.scenarios import check_scenario
from rules.language.checks import uncovered
from rules.model import Scenario

PROTOCOLS = Path(__file__).resolve().parents[2] / "rules" / "protocols"
FILES = sorted(PROTOCOLS.rglob("*.yaml"))
# It takes 150 subjects; the pilot study's own data show it.
SHOWN_ELSEWHERE = {"ACC-HALFWAY"}


@lru_cache
def engine(file: Path) -> rules.Engine:
    """One engine a file, as a worker keeps it."""
    return rules.Engine(rules.load(file))


def scenarios() -> list[object]:
    """(file, scenario) for every scenario there is."""
    return [
        pytest.param(file, scenario, id=f"{file.stem}: {scenario.name}")
        for file in FILES
        for scenario in rules.load(file).definition.scenarios
    ]


@pytest.mark.parametrize(("file", "scenario"), scenarios())
def test_a_protocols_scenario_holds(file: Path, scenario: Scenario) -> None:
    complaints = check_scenario(engine(file), scenario)
    assert not complaints, "\n".join(map(str, complaints))


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_every_criterion_is_shown_met_not_met_missing_and_not_applicable(file: Path) -> None:
    assert uncovered(engine(file).protocol.definition) == []


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_every_alert_rule_is_shown_to_fire(file: Path) -> None:
    definition = engine(file).protocol.definition
    shown = SHOWN_ELSEWHERE | {
        rule
        for scenario in definition.scenarios
        for expected in scenario.expect
        for rule in (*(expected.alerts or ()), *(expected.opened or ()))
    }
    assert [rule.id for rule in definition.rules if rule.id not in shown] == []


def test_a_scenario_that_does_not_hold_says_where_and_why() -> None:
    file = PROTOCOLS / "msc-cgvhd.yaml"
    text = file.read_text(encoding="utf-8").replace("ecog in [0, 1, 2]", "ecog in [0, 1]")
    protocol = rules.loads(text, "broken.yaml")
    scenario = next(
        item for item in protocol.definition.scenarios if item.name == "I3, ECOG 2 is met"
    )
    complaints = check_scenario(rules.Engine(protocol), scenario)
    assert [complaint.message for complaint in complaints] == [
        "the scenario `I3, ECOG 2 is met`: the decision is ineligible, not eligible",
        "the scenario `I3, ECOG 2 is met`: I3 is not_met, not met",
    ]
    assert {complaint.line for complaint in complaints} == {scenario.expect[0].line}
