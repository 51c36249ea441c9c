"""Response of chronic GVHD: the clinical functions against a reading of the consensus by hand."""

from __future__ import annotations

from itertools import combinations_with_replacement, product
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from rules.clinical.cgvhd import MEASURED, ORGAN_RESPONSES
from rules.clinical.functions import FUNCTIONS
from rules.trial.responding import clopper_pearson
from tests.support.nih_text import ENZYMES, PROM, SCALES, organs, overall

_GUT = ("oesophagus", "upper_gi", "lower_gi")
FEV1 = st.integers(20, 120) | st.sampled_from([69.9, 70.0, 79.9, 80.0, 89.9, 90.0])
TENTHS = st.integers(2, 90).map(lambda one: one / 10)


@st.composite
def assessments(draw: st.DrawFn) -> tuple[dict[str, Any], dict[str, Any]]:
    """Two of one subject; the second is often close to the first, sometimes one is incomplete."""
    before: dict[str, Any] = {name: draw(st.integers(0, most)) for name, most in SCALES.items()}
    before |= {site: draw(st.integers(1, most)) for site, most in PROM.items()}
    before |= {enzyme: draw(TENTHS) for enzyme in ENZYMES}
    before |= {"fev1": draw(FEV1), "joints": draw(st.integers(0, 3))}
    if draw(st.booleans()):  # joints and liver that are free of it
        before |= {**PROM, "joints": 0, **dict.fromkeys(ENZYMES, 1.0)}
    after = dict(before)
    for name in draw(st.sets(st.sampled_from(sorted(before)), max_size=6)):
        after[name] = draw(_other(name, before[name]))
    for name in draw(st.sets(st.sampled_from(sorted(before)), max_size=2)):
        if draw(st.booleans()):
            (before if draw(st.booleans()) else after)[name] = None
    return before, after


def _other(name: str, value: float) -> st.SearchStrategy[float]:
    if name in ENZYMES:  # halves and rises by 2, and just beside them
        steps = (value / 2, value + 2, value + 1.9, 1.0, 1.1)
        return st.sampled_from([round(one, 4) for one in steps]) | TENTHS
    if name == "fev1":
        near = st.sampled_from([-10.1, -10, -9.9, 9.9, 10, 10.1])
        return near.map(lambda step: round(value + step, 4)) | FEV1
    most = (SCALES | PROM | {"joints": 3})[name]
    return st.integers(1 if name in PROM else 0, most)


def computed(before: dict[str, Any], after: dict[str, Any]) -> dict[str, str | None]:
    """The same by the functions that a protocol names."""

    def pair(name: str) -> dict[str, Any]:
        return {"baseline": before[name], "now": after[name]}

    def both(names: tuple[str, ...], **called: str) -> dict[str, Any]:
        told = {f"{called.get(one, one)}_baseline": before[one] for one in names}
        return told | {called.get(one, one): after[one] for one in names}

    found = {name: FUNCTIONS["nih_response_gi"].compute(pair(name)) for name in _GUT}
    found |= {
        name: FUNCTIONS[f"nih_response_{name}"].compute(pair(name))
        for name in ("skin", "eyes", "mouth")
    }
    return found | {
        "lungs": FUNCTIONS["nih_response_lungs"].compute(pair("fev1")),
        "liver": FUNCTIONS["nih_response_liver"].compute(both(ENZYMES)),
        "joints": FUNCTIONS["nih_response_joints"].compute(both(("joints", *PROM), joints="score")),
    }


@settings(max_examples=200, deadline=None)
@given(assessments())
def test_every_organ_and_the_subject_respond_as_the_consensus_reads(
    pair: tuple[dict[str, Any], dict[str, Any]],
) -> None:
    found, wanted = computed(*pair), organs(*pair)
    assert found == wanted
    assert FUNCTIONS["nih_response"].compute(found) == overall(wanted)
    progressed = (
        True if "progression" in wanted.values() else None if None in wanted.values() else False
    )
    assert FUNCTIONS["nih_progression"].compute(found) is progressed


@pytest.mark.parametrize("name", SCALES)
def test_every_pair_of_scores_of_a_scale_is_as_the_consensus_reads(name: str) -> None:
    function = f"nih_response_{'gi' if name in _GUT else name}"
    for before, now in product((None, *range(SCALES[name] + 1)), repeat=2):
        found = FUNCTIONS[function].compute({"baseline": before, "now": now})
        assert found == organs({name: before}, {name: now})[name], (before, now)


LIVER: list[tuple[float | None, float | None]] = [
    *((None, 1.0), (1.0, None), (0.5, 0.9), (1.0, 1.0), (1.0, 1.1), (1.1, 1.0), (1.1, 1.1)),
    *((0.9, 2.9), (2.1, 4.1), (2.1, 4.0), (4.2, 2.1), (4.2, 2.2), (9.0, 0.5)),
]


def test_every_three_liver_values_that_lie_at_an_edge_are_as_the_consensus_reads() -> None:
    for told in product(LIVER, repeat=3):
        before = dict(zip(ENZYMES, (one for one, _ in told), strict=True))
        now = dict(zip(ENZYMES, (one for _, one in told), strict=True))
        given = {f"{enzyme}_baseline": value for enzyme, value in before.items()} | now
        found = FUNCTIONS["nih_response_liver"].compute(given)
        assert found == organs(before, now)["liver"], told


def test_every_fev1_beside_a_limit_is_as_the_consensus_reads() -> None:
    edges = [None, *(one / 10 for one in range(600, 1000, 1) if one % 100 in {0, 1, 2, 99, 50})]
    for before, now in product(edges, repeat=2):
        found = FUNCTIONS["nih_response_lungs"].compute({"baseline": before, "now": now})
        assert found == organs({"fev1": before}, {"fev1": now})["lungs"], (before, now)


def test_joints_are_as_the_consensus_reads_whatever_sites_moved() -> None:
    scores = ((0, 0), (0, 1), (1, 0), (1, 1), (2, 1), (None, 0))
    motions = ((0, 0), (0, -1), (-1, 0), (-1, -1), (None, 0))  # below full motion
    for score, *moved in product(scores, *(motions for _ in PROM)):
        before: dict[str, Any] = {"joints": score[0]}
        now: dict[str, Any] = {"joints": score[1]}
        for (site, full), (one, other) in zip(PROM.items(), moved, strict=True):
            before[site], now[site] = None if one is None else full + one, full + other
        given = {"score_baseline": before["joints"], "score": now["joints"]}
        given |= {f"{site}_baseline": before[site] for site in PROM} | {s: now[s] for s in PROM}
        found = FUNCTIONS["nih_response_joints"].compute(given)
        assert found == organs(before, now)["joints"], (before, now)


def test_whatever_nine_organs_have_done_the_subject_has_the_response_of_table_4() -> None:
    words = (None, *ORGAN_RESPONSES)
    for some in combinations_with_replacement(words, len(MEASURED)):
        told = dict(zip(MEASURED, some, strict=True))
        assert FUNCTIONS["nih_response"].compute(told) == overall(told), some


@settings(max_examples=150, deadline=None)
@given(st.integers(1, 400), st.integers(0, 400))
def test_the_interval_of_a_rate_is_the_exact_one_whatever_the_numbers(
    among: int, events: int
) -> None:
    events = min(events, among)
    exact = stats.binomtest(events, among).proportion_ci(0.95, method="exact")
    assert clopper_pearson(events, among) == pytest.approx(tuple(exact), abs=2e-6)
