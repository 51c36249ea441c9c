"""The response rate of a trial: who counts, as what, and its exact interval."""

from __future__ import annotations

from functools import cache
from itertools import permutations
from typing import Any

import pytest
from scipy import stats

import rules
from rules.trial.responding import clopper_pearson
from tests.support.step_logs import event

TEXT = """
vigil: 1
protocol: {id: rated, version: "1", title: Rated, time_zone: Asia/Seoul, target: 6, sources: {doc: A document}}
codes:
  - {code: organs, type: assessment, label: Organ scores, scores: {skin: [0, 3]}}
  - {code: new_therapy, type: medication, label: New systemic therapy}
facts:
  skin: {from: assessment, code: organs, score: skin, take: latest, window: {days: [1, 35], after: first_infusion}}
  skin_before: {from: assessment, code: organs, score: skin, take: latest, window: {until: first_infusion}}
  skin_response: {clinical: nih_response_skin, of: {baseline: skin_before, now: skin}}
  days_after: {anchor: first_infusion, take: days_since}
response:
  - {id: RR-28, title: Response of the skin, evaluable: days_after >= 28 || dead, responder: 'skin_response in ["complete", "partial"] && !dead', source: {document: doc}}
rules:
  - {id: T-RATE, on: trial, category: response, severity: info, when: rr_28_lower >= 0.1, title: Response, detail: "{rr_28_responders} of {rr_28_evaluable}, {rr_28_lower} to {rr_28_upper}, {rr_28_pending} pending", action: Look., source: {document: doc}}
"""
LATER = 1_775_000_000_000_000  # 2026-03-31, after the day of response


@cache
def engine() -> rules.Engine:
    return rules.Engine(rules.loads(TEXT, "rated.yaml"))


def course(now: Any, *, dead: bool = False) -> list[rules.Event]:
    log = [
        event(1, "assessment", "2026-02-28T09:00:00Z", code="organs", scores={"skin": 2}),
        event(2, "administration", "2026-03-01T09:00:00Z", number=1, status="completed"),
    ]
    if now is not None:
        log.append(
            event(3, "assessment", "2026-03-29T09:00:00Z", code="organs", scores={"skin": now})
        )
    if dead:
        log.append(event(len(log) + 1, "death", "2026-03-30T09:00:00Z"))
    return log


def counted(
    subject: str, log: list[rules.Event], until_us: int = LATER
) -> list[rules.Contribution]:
    outcome = engine().subject_steps("t", subject, None, log, lambda n: log[:n], until_us)
    told = [one for step in outcome.results for one in step.contributions]
    return [one for one in told if one.rule == "RR-28"]


def trial(*subjects: tuple[str, list[rules.Event]]) -> rules.Outcome:
    told = [one for subject, log in subjects for one in counted(subject, log)]
    log = [
        event(n, "contribution", "2026-04-01T09:00:00Z", **one.as_data())
        for n, one in enumerate(told, start=1)
    ]
    return engine().trial_steps("t", None, log, lambda n: log[:n])


def shown(outcome: rules.Outcome) -> dict[str, Any]:
    (found,) = engine().response_view(outcome.state)
    return found


def test_before_the_day_of_response_nobody_counts() -> None:
    assert counted("S-1", course(None), 1_772_600_000_000_000) == []


def test_responders_and_others_count_with_the_exact_interval() -> None:
    found = shown(trial(("S-1", course(0)), ("S-2", course(1)), ("S-3", course(2))))
    assert (found["responders"], found["evaluable"], found["pending"]) == (2, 3, 0)
    assert found["rate"] == pytest.approx(2 / 3, abs=1e-6)
    assert (found["lower"], found["upper"]) == (0.094299, 0.991596)
    assert [one["status"] for one in found["subjects"]] == [
        "responder",
        "responder",
        "non_responder",
    ]


def test_who_was_not_assessed_on_the_day_is_pending_and_no_non_responder() -> None:
    found = shown(trial(("S-1", course("not_done")), ("S-2", course(None))))
    assert (found["evaluable"], found["pending"], found["rate"], found["lower"]) == (
        0,
        2,
        None,
        None,
    )


def test_death_before_the_assessment_is_no_response() -> None:
    found = shown(trial(("S-1", course(None, dead=True)), ("S-2", course(0))))
    assert (found["responders"], found["evaluable"], found["pending"]) == (1, 2, 0)


def test_a_correction_moves_a_subject_from_one_side_to_the_other() -> None:
    log = course(0)
    target = {"source": log[2].source, "id": log[2].id}
    fix: dict[str, Any] = {
        "corrects": target,
        "data": {"code": "organs", "scores": {"skin": 2}},
        "reason": "x",
    }
    log.append(event(4, "correction", "2026-04-02T09:00:00Z", **fix))
    assert [one.event for one in counted("S-1", log)][-2:] == [True, False]


def test_a_rule_over_the_trial_tells_the_rate() -> None:
    outcome = trial(("S-1", course(0)), ("S-2", course(1)), ("S-3", course(1)))
    told = [change.detail for step in outcome.results for change in step.changes]
    assert told[-1] == "3 of 3, 0.292402 to 1, 0 pending"


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_the_order_in_which_subjects_tell_makes_no_difference(order: tuple[int, ...]) -> None:
    subjects = [("S-1", course(0)), ("S-2", course(2)), ("S-3", course("refused"))]
    assert shown(trial(*[subjects[one] for one in order])) == shown(trial(*subjects))


@pytest.mark.parametrize("among", [1, 2, 3, 10, 30])
def test_the_interval_is_that_of_exact_binomial_tests(among: int) -> None:
    for events in range(among + 1):
        exact = stats.binomtest(events, among).proportion_ci(0.95, method="exact")
        assert clopper_pearson(events, among) == pytest.approx(tuple(exact), abs=2e-6)
