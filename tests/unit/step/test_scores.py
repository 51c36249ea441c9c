"""An assessment of several scores: each read by a fact of its own, and what follows of them."""

from __future__ import annotations

from functools import cache
from typing import Any

import pytest

import rules
from rules.language.events import EventChecker
from tests.support.step_logs import event

TEXT = """
vigil: 1
protocol: {id: scored, version: "1", title: Scored, time_zone: Asia/Seoul, target: 6, sources: {doc: A document}}
codes:
  - {code: organs, type: assessment, label: Organ scores, scores: {skin: [0, 3], mouth: [0, 12]}}
facts:
  skin: {from: assessment, code: organs, score: skin, take: latest, label: Skin}
  skin_before: {from: assessment, code: organs, score: skin, take: latest, window: {until: first_infusion}}
  mouth_worst: {from: assessment, code: organs, score: mouth, take: max}
  mouth_often: {from: assessment, code: organs, score: mouth, take: count, where: value >= 2}
  skin_response: {clinical: nih_response_skin, of: {baseline: skin_before, now: skin}}
rules:
  - {id: R-SKIN, on: subject, category: response, severity: info, when: 'has(facts.skin_response)', title: Skin, detail: "{skin_response}, {skin_before} to {skin}", action: Look., source: {document: doc}}
  - {id: R-MOUTH, on: subject, category: response, severity: info, when: mouth_worst >= 5, title: Mouth, detail: "{mouth_worst}, {mouth_often} times", action: Look., source: {document: doc}}
"""


@cache
def engine() -> rules.Engine:
    return rules.Engine(rules.loads(TEXT, "scored.yaml"))


def scored(n: int, time: str, **scores: Any) -> rules.Event:
    return event(n, "assessment", time, code="organs", scores=scores)


def infused(n: int, time: str) -> rules.Event:
    return event(n, "administration", time, number=1, status="completed")


def told(log: list[rules.Event], rule: str) -> list[str]:
    outcome = engine().subject_steps("t", "S-1", None, log, lambda n: log[:n])
    return [c.detail for step in outcome.results for c in step.changes if c.rule == rule]


def test_a_response_follows_the_scores_before_and_after_the_first_infusion() -> None:
    log = [scored(1, "2026-03-01T09:00:00Z", skin=3, mouth=1), infused(2, "2026-03-02T09:00:00Z")]
    log += [scored(3, "2026-03-30T09:00:00Z", skin=2), scored(4, "2026-04-30T09:00:00Z", skin=0)]
    assert told(log, "R-SKIN")[-2:] == ["partial, 3 to 2", "complete, 3 to 0"]


def test_an_assessment_without_a_score_leaves_the_last_one_in_force() -> None:
    log = [scored(1, "2026-03-01T09:00:00Z", skin=3), infused(2, "2026-03-02T09:00:00Z")]
    log += [scored(3, "2026-03-30T09:00:00Z", skin=1), scored(4, "2026-04-30T09:00:00Z", mouth=4)]
    assert told(log, "R-SKIN")[-1] == "partial, 3 to 1"


def test_a_refused_score_is_unknown_and_no_response() -> None:
    log = [scored(1, "2026-03-01T09:00:00Z", skin=3), infused(2, "2026-03-02T09:00:00Z")]
    log += [
        scored(3, "2026-03-30T09:00:00Z", skin=1),
        scored(4, "2026-04-30T09:00:00Z", skin="refused"),
    ]
    outcome = engine().subject_steps("t", "S-1", None, log, lambda n: log[:n])
    assert outcome.results[-1].changes[0].change == "cleared"


def test_scores_are_counted_and_compared_over_their_records() -> None:
    log = [scored(n, f"2026-03-0{n}T09:00:00Z", mouth=n * 2) for n in (1, 2, 3)]
    assert told(log, "R-MOUTH")[-1] == "6, 3 times"


def test_a_correction_of_one_score_moves_the_response() -> None:
    log = [scored(1, "2026-03-01T09:00:00Z", skin=3), infused(2, "2026-03-02T09:00:00Z")]
    log += [scored(3, "2026-03-30T09:00:00Z", skin=1)]
    corrected = {"code": "organs", "scores": {"skin": 3}}
    target = {"source": log[2].source, "id": log[2].id}
    fix = event(
        4, "correction", "2026-03-31T09:00:00Z", corrects=target, data=corrected, reason="x"
    )
    assert told([*log, fix], "R-SKIN")[-1] == "unchanged, 3 to 3"


@pytest.mark.parametrize(
    ("scores", "said"),
    [
        ({"skin": 3, "mouth": 12}, None),
        ({"skin": "refused"}, None),
        ({"skin": 4}, "`skin` must be from 0 to 3"),
        ({"skni": 1}, "`skni` is no score of `organs`"),
        ({"skin": 1.5}, "must map organs to whole numbers, or to not_done, unknown, refused"),
        ({"skin": "bad"}, "must map organs to whole numbers, or to not_done, unknown, refused"),
    ],
)
def test_the_door_takes_the_scores_that_the_code_declares(
    scores: dict[str, Any], said: str | None
) -> None:
    checker: EventChecker = engine().plan.protocol.checker
    _, problems = checker.check(
        "assessment", {"code": "organs", "scores": scores}, 1_800_000_000_000_000, ""
    )
    assert [problem[1] for problem in problems] == ([] if said is None else [said])
