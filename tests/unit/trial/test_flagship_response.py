"""The flagship's response rate, RR-28, told event by event: who counts, as what, and live."""

from __future__ import annotations

from functools import cache
from typing import Any

import pytest
from scipy import stats

import rules
from rules.replay import replay_trial
from tests.support.processes import ROOT
from tests.support.step_logs import event

INFUSED = ("2026-03-02", "2026-03-09", "2026-03-16", "2026-03-23")  # the last one: day 0
BEFORE, LABORATORY, ORGANS, LATER = "2026-03-01", "2026-04-14", "2026-04-20", "2026-04-22"
STAGED = {
    "skin": 2,
    "mouth": 1,
    "eyes": 1,
    "gi": 0,
    "liver": 0,
    "lungs": 0,
    "joints": 0,
    "genital": 0,
    "mouth_omrs": 3,
    "oesophagus": 0,
    "upper_gi": 0,
    "lower_gi": 0,
    "shoulder": 7,
    "elbow": 7,
    "wrist": 7,
    "ankle": 4,
}
Told = tuple[str, str, dict[str, Any]]
VALUES = (("alt", 30, "U/L", 40), ("alp", 80, "U/L", 120), ("bilirubin", 10, "umol/L", 21))


@cache
def engine() -> rules.Engine:
    return rules.Engine(rules.load(ROOT / "rules" / "protocols" / "msc-cgvhd.yaml"))


def laboratory(day: str) -> list[Told]:
    told: list[Told] = [
        ("observation", day, {"code": code, "value": value, "unit": unit, "reference_high": high})
        for code, value, unit, high in VALUES
    ]
    return [*told, ("observation", day, {"code": "fev1_percent", "value": 95, "unit": "%"})]


def staged(day: str, **scores: object) -> Told:
    return "assessment", day, {"code": "nih_organs", "scores": STAGED | scores}


def infused(times: int = 4) -> list[Told]:
    every = enumerate(INFUSED[:times], 1)
    return [
        ("administration", day, {"product": "MSC", "number": n, "status": "completed"})
        for n, day in every
    ]


NO_NEWS: list[Told] = [
    ("medication", LATER, {"code": "new_systemic_treatment", "status": "not_taken"}),
    ("condition", LATER, {"code": "malignancy_relapse", "status": "absent"}),
]
START = [*laboratory(BEFORE), staged(BEFORE), *infused()]
ASSESSED = [*START, *laboratory(LABORATORY)]
TREATED: Told = (
    "medication",
    "2026-04-01",
    {"code": "new_systemic_treatment", "status": "started"},
)
RELAPSED: Told = (
    "condition",
    "2026-04-02",
    {"code": "malignancy_relapse", "status": "active", "onset": "2026-04-02"},
)
DEAD: Told = ("death", "2026-04-16", {"cause": "infection"})
COURSES: dict[str, tuple[list[Told], str | None]] = {
    "complete": (
        [*ASSESSED, staged(ORGANS, skin=0, mouth_omrs=0, mouth=0, eyes=0), *NO_NEWS],
        "responder",
    ),
    "partial": ([*ASSESSED, staged(ORGANS, skin=1), *NO_NEWS], "responder"),
    "mixed": ([*ASSESSED, staged(ORGANS, skin=1, eyes=2), *NO_NEWS], "non_responder"),
    "progression": ([*ASSESSED, staged(ORGANS, eyes=2), *NO_NEWS], "non_responder"),
    "stable": ([*ASSESSED, staged(ORGANS), *NO_NEWS], "non_responder"),
    "better, of treatment and relapse nothing told": (
        [*ASSESSED, staged(ORGANS, skin=1)],
        "pending",
    ),
    "better, but treated anew": (
        [*ASSESSED, staged(ORGANS, skin=1), NO_NEWS[1], TREATED],
        "non_responder",
    ),
    "better, but relapsed": (
        [*ASSESSED, staged(ORGANS, skin=1), NO_NEWS[0], RELAPSED],
        "non_responder",
    ),
    "treated anew and never assessed": ([*START, TREATED], "non_responder"),
    "dead before any assessment": ([*START, DEAD], "non_responder"),
    "dead after the laboratory, before the organs were scored": (
        [*ASSESSED, DEAD],
        "non_responder",
    ),
    "dead after the response": (
        [*ASSESSED, staged("2026-04-15", skin=1), DEAD, *NO_NEWS],
        "responder",
    ),
    "eyes refused": ([*ASSESSED, staged(ORGANS, skin=1, eyes="refused"), *NO_NEWS], None),
    "not assessed yet": (START, None),
    "three infusions": (
        [*laboratory(BEFORE), staged(BEFORE), *infused(3), *laboratory("2026-04-13"), *NO_NEWS],
        None,
    ),
    "never infused and dead": ([*laboratory(BEFORE), staged(BEFORE), DEAD], None),
}


def log_of(told: list[Told]) -> list[rules.Event]:
    """In order of time, each received as it happened."""
    ordered = sorted(told, key=lambda one: one[1])
    return [
        event(n, kind, f"{day}T09:00:00+09:00", **data)
        for n, (kind, day, data) in enumerate(ordered, 1)
    ]


def rate(logs: dict[str, list[rules.Event]]) -> dict[str, Any]:
    replayed = replay_trial(engine(), "t", logs, None)
    (found,) = engine().response_view(replayed.trial.state)
    return found


def statuses(found: dict[str, Any]) -> dict[str, str]:
    return {one["subject"]: one["status"] for one in found["subjects"]}


@pytest.mark.parametrize("course", COURSES)
def test_a_course_counts_as_what_it_was(course: str) -> None:
    told, wanted = COURSES[course]
    assert statuses(rate({"S-1": log_of(told)})).get("S-1") == wanted


def test_the_rate_and_its_interval_are_those_of_a_direct_count() -> None:
    found = rate({name: log_of(told) for name, (told, _) in COURSES.items()})
    wanted = [word for _, word in COURSES.values()]
    responders = wanted.count("responder")
    evaluable = responders + wanted.count("non_responder")
    exact = stats.binomtest(responders, evaluable).proportion_ci(0.95, method="exact")
    assert (found["responders"], found["evaluable"]) == (responders, evaluable)
    assert found["pending"] == wanted.count("pending")
    assert (found["lower"], found["upper"]) == pytest.approx(tuple(exact), abs=2e-6)


@pytest.mark.parametrize(
    ("change", "wanted"),
    [
        ({"data": {"code": "nih_organs", "scores": STAGED | {"eyes": 3}}}, "non_responder"),
        ({"entered_in_error": True}, None),
    ],
)
def test_an_assessment_that_is_corrected_or_taken_back_counts_so_at_once(
    change: dict[str, Any], wanted: str | None
) -> None:
    log = log_of(COURSES["partial"][0])
    assert statuses(rate({"S-1": log})) == {"S-1": "responder"}
    (last,) = [one for one in log if one.type == "assessment" and one is not log[4]]
    target = {"source": last.source, "id": last.id}
    fix = {"corrects": target, "reason": "another chart", **change}
    log.append(event(len(log) + 1, "correction", "2026-05-01T09:00:00+09:00", **fix))
    assert statuses(rate({"S-1": log})).get("S-1") == wanted
