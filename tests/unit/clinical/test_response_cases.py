"""NIH 2014 response and severity, written straight from the tables: one row, one sentence.

Table: Lee 2015, Tables 1, 3 and 4. Each row says the sentence, the function, what was told at
baseline and now, and what must come out (None: unknown).
"""

from __future__ import annotations

from itertools import product
from typing import Any

import pytest

from rules.clinical import cgvhd
from rules.clinical.functions import FUNCTIONS

CR, PR, SAME, WORSE = "complete", "partial", "unchanged", "progression"
FREE, NEW, OUT = "uninvolved", "appeared", "left_out"


def pair(before: float | None, now: float | None, **more: Any) -> dict[str, Any]:
    return {"baseline": before, "now": now, **more}


def liver(before: tuple[Any, ...], now: tuple[Any, ...], **more: Any) -> dict[str, Any]:
    """ALT, ALP, bilirubin in multiples of their upper limits."""
    tests = ("alt", "alp", "bilirubin")
    told = dict(zip((f"{test}_baseline" for test in tests), before, strict=True))
    return told | dict(zip(tests, now, strict=True)) | more


FULL = (7, 7, 7, 4)


def joints(before: tuple[Any, ...], now: tuple[Any, ...], **more: Any) -> dict[str, Any]:
    """Joint score, then P-ROM of shoulder, elbow, wrist and ankle."""
    names = ("score", "shoulder", "elbow", "wrist", "ankle")
    told = dict(zip((f"{name}_baseline" for name in names), before, strict=True))
    return told | dict(zip(names, now, strict=True)) | more


ORGANS = [
    # --- skin: NIH 0-3
    ("skin that was involved and is clear is a complete response", "skin", pair(2, 0), CR),
    ("skin of score 1 that is clear is a complete response", "skin", pair(1, 0), CR),
    ("skin from 3 to 2 is partial: one point", "skin", pair(3, 2), PR),
    ("skin from 3 to 1 is partial: two points", "skin", pair(3, 1), PR),
    ("skin that stays at 3 is unchanged", "skin", pair(3, 3), SAME),
    ("skin from 0 to 1 is new, but no progression", "skin", pair(0, 1), NEW),
    ("skin from 0 to 2 is progression in a new organ", "skin", pair(0, 2), WORSE),
    ("skin from 1 to 2 is progression: one point", "skin", pair(1, 2), WORSE),
    ("skin that never was involved says nothing", "skin", pair(0, 0), FREE),
    ("skin not assessed now is unknown", "skin", pair(2, None), None),
    ("skin not assessed at baseline is unknown", "skin", pair(None, 0), None),
    ("skin with another documented cause is left out", "skin", pair(0, 3, other_cause=True), OUT),
    ("another cause that is denied leaves skin in", "skin", pair(0, 3, other_cause=False), WORSE),
    ("another cause not told of leaves skin in", "skin", pair(0, 3, other_cause=None), WORSE),
    # --- eyes: 0-3
    ("eyes that are clear are a complete response", "eyes", pair(1, 0), CR),
    ("eyes from 2 to 1 are partial", "eyes", pair(2, 1), PR),
    ("eyes that stay at 1 are unchanged", "eyes", pair(1, 1), SAME),
    ("eyes from 0 to 1 are new, but no progression", "eyes", pair(0, 1), NEW),
    ("eyes from 2 to 3 are progression", "eyes", pair(2, 3), WORSE),
    ("eyes from 0 to 3 are progression", "eyes", pair(0, 3), WORSE),
    # --- mouth: OMRS 0-12
    ("mouth at 0 after 12 is a complete response", "mouth", pair(12, 0), CR),
    ("mouth at 0 after 1 is a complete response", "mouth", pair(1, 0), CR),
    ("mouth from 5 to 3 is partial: two points", "mouth", pair(5, 3), PR),
    ("mouth from 5 to 4 is unchanged: one point is too little", "mouth", pair(5, 4), SAME),
    ("mouth from 4 to 5 is unchanged: one point is too little", "mouth", pair(4, 5), SAME),
    ("mouth from 4 to 6 is progression: two points", "mouth", pair(4, 6), WORSE),
    ("mouth from 0 to 1 is new, but no progression", "mouth", pair(0, 1), NEW),
    ("mouth from 0 to 2 is progression", "mouth", pair(0, 2), WORSE),
    # --- oesophagus, upper and lower GI: response scales 0-3
    ("gut that is clear is a complete response", "gi", pair(3, 0), CR),
    ("gut from 2 to 1 is partial", "gi", pair(2, 1), PR),
    ("gut from 0 to 1 is new, but no progression", "gi", pair(0, 1), NEW),
    ("gut from 1 to 2 is progression", "gi", pair(1, 2), WORSE),
    # --- liver: ALT, ALP, bilirubin (xULN)
    ("liver normal after one was raised: CR", "liver", liver((4, 1, 1), (1, 1, 1)), CR),
    ("liver normal after all were raised: CR", "liver", liver((4, 3, 2), (0.9, 0.5, 1)), CR),
    ("ALT halved exactly is partial", "liver", liver((6, 1, 1), (3, 1, 1)), PR),
    ("ALT fallen by less than half is unchanged", "liver", liver((6, 1, 1), (3.1, 1, 1)), SAME),
    ("a halved value within the limits is no response", "liver", liver((4, 0.8, 1), (4, 0.4, 1)), SAME),
    ("bilirubin halved, ALT kept: partial", "liver", liver((3, 1, 4), (3, 1, 2)), PR),
    ("ALP up by exactly 2 xULN is progression", "liver", liver((1, 1.5, 1), (1, 3.5, 1)), WORSE),
    ("ALT up by 1.9 xULN is unchanged", "liver", liver((3, 1, 1), (4.9, 1, 1)), SAME),
    ("bilirubin from 1.1 to 3.1 xULN is progression", "liver", liver((1, 1, 1.1), (1, 1, 3.1)), WORSE),
    ("one halved and one up by 2: progression of the organ", "liver", liver((8, 2, 1), (2, 4, 1)), WORSE),
    ("liver newly raised by less than 2 is new", "liver", liver((1, 1, 1), (2.5, 1, 1)), NEW),
    ("liver normal before and now says nothing", "liver", liver((1, 1, 1), (1, 1, 1)), FREE),
    ("liver without bilirubin now is unknown", "liver", liver((4, 1, 1), (1, 1, None)), None),
    ("ALT up by 2 is progression though ALP is missing", "liver", liver((1, None, 1), (3, None, 1)), WORSE),
    ("liver explained by a drug is left out", "liver", liver((1, 1, 1), (9, 1, 1), other_cause=True), OUT),
    # --- lungs: FEV1 in percent of predicted
    ("FEV1 of 80 after 79 is normal: complete", "lungs", pair(79, 80), CR),
    ("FEV1 from 45 to 85 is normal: complete", "lungs", pair(45, 85), CR),
    ("FEV1 up by exactly 10 points is partial", "lungs", pair(50, 60), PR),
    ("FEV1 up by 9.9 points is unchanged", "lungs", pair(50, 59.9), SAME),
    ("points are absolute: 50 to 55 is 10 % more and unchanged", "lungs", pair(50, 55), SAME),
    ("FEV1 down by exactly 10 points is progression", "lungs", pair(60, 50), WORSE),
    ("FEV1 down by 9.9 points is unchanged", "lungs", pair(60, 50.1), SAME),
    ("FEV1 from 64.1 to 54.1 is 10 points as people reckon", "lungs", pair(64.1, 54.1), WORSE),
    ("FEV1 from 95 to 78 is progression in a new organ", "lungs", pair(95, 78), WORSE),
    ("FEV1 from 82 to 78 is new, but no progression", "lungs", pair(82, 78), NEW),
    ("FEV1 normal before and now says nothing", "lungs", pair(95, 90), FREE),
    ("FEV1 not done now is unknown", "lungs", pair(60, None), None),
    ("lungs explained by an infection are left out", "lungs", pair(70, 40, other_cause=True), OUT),
    # --- joints and fascia: score 0-3 and P-ROM of 25
    ("joints 0 and full motion: complete", "joints", joints((2, 5, 7, 6, 4), (0, *FULL)), CR),
    ("joints 0 without full motion: partial", "joints", joints((2, 5, 7, 6, 4), (0, 7, 7, 6, 4)), PR),
    ("full motion with score 1 left: partial", "joints", joints((2, 6, 7, 7, 4), (1, *FULL)), PR),
    ("joint score down by 1 is partial", "joints", joints((3, 5, 5, 5, 3), (2, 5, 5, 5, 3)), PR),
    ("one site up by 1 is partial", "joints", joints((2, 5, 5, 5, 3), (2, 5, 5, 5, 4)), PR),
    ("joint score up by 1 is progression", "joints", joints((1, 5, 5, 5, 3), (2, 5, 5, 5, 3)), WORSE),
    ("joint score 0 to 1 is progression: no exception", "joints", joints((0, *FULL), (1, *FULL)), WORSE),
    ("one site down by 1 is progression", "joints", joints((1, *FULL), (1, 7, 7, 7, 3)), WORSE),
    ("one site up, one down: progression", "joints", joints((1, 5, 7, 7, 4), (1, 7, 6, 7, 4)), WORSE),
    ("joints as before are unchanged", "joints", joints((1, 6, 7, 7, 4), (1, 6, 7, 7, 4)), SAME),
    ("joints free before and now say nothing", "joints", joints((0, *FULL), (0, *FULL)), FREE),
    ("an unknown site leaves joints unknown", "joints", joints((1, *FULL), (0, 7, 7, None, 4)), None),
    ("a worse site is progression whatever is missing", "joints", joints((1, *FULL), (None, 6, 7, 7, 4)), WORSE),
    # --- joints by the refinement of 2020
    ("refined: 0 to 1 is no worsening", "joints_refined", joints((0, *FULL), (1, *FULL)), NEW),
    ("refined: 1 to 2 is worsening", "joints_refined", joints((1, *FULL), (2, *FULL)), WORSE),
    ("refined: one point of motion is unchanged", "joints_refined", joints((1, *FULL), (1, 6, 7, 7, 4)), SAME),
    ("refined: two points lost are progression", "joints_refined", joints((1, *FULL), (1, 6, 6, 7, 4)), WORSE),
    ("refined: two points gained are partial", "joints_refined", joints((1, 5, 7, 7, 3), (1, 6, 7, 7, 4)), PR),
    ("refined: free of both is complete", "joints_refined", joints((1, 6, 7, 7, 4), (0, *FULL)), CR),
    ("refined: a missing site is unknown", "joints_refined", joints((1, *FULL), (1, 1, None, 7, 4)), None),
    # --- global rating 0-10, told apart
    ("global rating at 0 is complete", "global", pair(4, 0), CR),
    ("global rating down by 2 is partial", "global", pair(8, 6), PR),
    ("global rating down by 1 is unchanged", "global", pair(8, 7), SAME),
    ("global rating up by 2 is progression", "global", pair(3, 5), WORSE),
]  # fmt: skip

_FREE = dict.fromkeys(cgvhd.MEASURED, FREE)
OVERALL = [
    ("the only involved organ is clear: complete", {"skin": CR}, "complete"),
    ("all involved organs are clear: complete", {"skin": CR, "lungs": CR, "eyes": CR}, "complete"),
    ("one clear, one only better: partial", {"skin": CR, "eyes": PR}, "partial"),
    ("one clear, one unchanged: partial", {"skin": CR, "eyes": SAME}, "partial"),
    ("one better, one unchanged: partial", {"mouth": PR, "joints": SAME}, "partial"),
    ("clear, but an organ is new by less than progression: partial", {"skin": CR, "eyes": NEW}, "partial"),
    ("clear, and a new organ with progression: mixed", {"skin": CR, "eyes": WORSE}, "mixed"),
    ("better in one and worse in one: mixed", {"liver": PR, "lungs": WORSE}, "mixed"),
    ("better in many and worse in one: mixed", {"skin": CR, "eyes": CR, "mouth": PR, "joints": WORSE}, "mixed"),
    ("worse in one, better in none: progression", {"skin": SAME, "lungs": WORSE}, "progression"),
    ("a new organ alone is progression", {"upper_gi": WORSE}, "progression"),
    ("nothing better, nothing worse: stable", {"skin": SAME, "eyes": SAME}, "stable"),
    ("new by less than progression alone: stable", {"skin": SAME, "mouth": NEW}, "stable"),
    ("no organ ever involved: stable, not complete", {}, "stable"),
    ("an organ left out does not keep it from being complete", {"skin": CR, "liver": OUT}, "complete"),
    ("one organ missing: not evaluable though all others are clear", {"skin": CR, "lungs": None}, "not_evaluable"),
    ("one organ missing: not evaluable though another is worse", {"skin": WORSE, "eyes": None}, "not_evaluable"),
    ("each part of the gut counts", {"skin": CR, "lower_gi": None}, "not_evaluable"),
    ("nothing was assessed yet: unknown", dict.fromkeys(cgvhd.MEASURED), None),
]  # fmt: skip


@pytest.mark.parametrize(
    ("organ", "told", "expected"), [row[1:] for row in ORGANS], ids=[row[0] for row in ORGANS]
)
def test_an_organ_responds_as_the_table_says(
    organ: str, told: dict[str, Any], expected: str | None
) -> None:
    assert FUNCTIONS[f"nih_response_{organ}"].compute(told) == expected


@pytest.mark.parametrize(
    ("told", "expected"), [row[1:] for row in OVERALL], ids=[row[0] for row in OVERALL]
)
def test_organs_together_come_to_one_response(
    told: dict[str, str | None], expected: str | None
) -> None:
    assert FUNCTIONS["nih_response"].compute(_FREE | told) == expected


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        ({"skin": WORSE, "eyes": None}, True),
        ({"skin": CR, "eyes": None}, None),
        ({"skin": CR, "eyes": NEW}, False),
    ],
)
def test_progression_is_known_as_soon_as_one_organ_has_progressed(
    told: dict[str, str | None], *, expected: bool | None
) -> None:
    assert FUNCTIONS["nih_progression"].compute(_FREE | told) is expected


def test_at_least_sixty_cases_are_written_out() -> None:
    assert len(ORGANS) + len(OVERALL) >= 60
    assert {row[1] for row in ORGANS} >= {"skin", "eyes", "mouth", "gi", "liver", "lungs", "joints"}


# --- severity ----------------------------------------------------------------------------------
def directly(skin: int, mouth: int, eyes: int, gi: int, liver: int, lungs: int, *rest: int) -> str:
    """The rule of Jagasia 2015 as its sentences stand, organ by organ."""
    others = [skin, mouth, eyes, gi, liver, *rest]
    if 3 in others or lungs in (2, 3):
        return "severe"
    if 2 in others or lungs == 1:
        return "moderate"
    ones = others.count(1)
    if ones >= 3:
        return "moderate"
    return "mild" if ones in (1, 2) else "none"


def test_severity_agrees_with_a_direct_reading_for_all_scores_of_eight_organs() -> None:
    severity = FUNCTIONS["nih_severity"].compute
    wrong = [
        scores
        for scores in product(range(4), repeat=8)
        if severity(dict(zip(cgvhd.ORGANS, scores, strict=True)))
        != directly(*(scores[cgvhd.ORGANS.index(organ)] for organ in _READ))
    ]
    assert not wrong


_READ = ("skin", "mouth", "eyes", "gi", "liver", "lungs", "joints", "genital")


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        ({"skin": 3, "liver": None}, "severe"),
        ({"lungs": 2, "skin": None, "eyes": None}, "severe"),
        ({"skin": 2, "liver": None}, None),
        ({"skin": 0, "genital": None}, None),
        ({"skin": 3, "skin_other_cause": True}, "none"),
        ({"skin": 3, "eyes": 1, "skin_other_cause": True}, "mild"),
        ({"skin": None, "eyes": 1, "skin_other_cause": True}, "mild"),
        ({"skin": 3, "skin_other_cause": None}, "severe"),
        ({"lungs": 1}, "moderate"),
        ({"skin": 1, "eyes": 1}, "mild"),
        ({"skin": 1, "eyes": 1, "gi": 1}, "moderate"),
    ],
)
def test_severity_is_known_only_where_the_other_organs_decide_it(
    told: dict[str, Any], expected: str | None
) -> None:
    assert FUNCTIONS["nih_severity"].compute(dict.fromkeys(cgvhd.ORGANS, 0) | told) == expected


# --- organ scores ------------------------------------------------------------------------------
def skin(bsa: float | None, features: str | None) -> dict[str, Any]:
    return {"bsa": bsa, "features": features}


def hepatic(bilirubin: Any, multiple: Any, alt: Any, alp: Any) -> dict[str, Any]:
    return {"bilirubin": bilirubin, "bilirubin_xuln": multiple, "alt": alt, "alp": alp}


def lung(fev1: float | None, symptoms: str | None) -> dict[str, Any]:
    return {"fev1": fev1, "symptoms": symptoms}


@pytest.mark.parametrize(
    ("function", "told", "expected"),
    [
        ("skin", skin(0, "none"), 0),
        ("skin", skin(1, "none"), 1),
        ("skin", skin(18, "none"), 1),
        ("skin", skin(19, "none"), 2),
        ("skin", skin(50, "none"), 2),
        ("skin", skin(51, "none"), 3),
        ("skin", skin(5, "superficial"), 2),
        ("skin", skin(5, "deep"), 3),
        ("skin", skin(None, "deep"), 3),
        ("skin", skin(None, "superficial"), None),
        ("skin", skin(60, None), 3),
        ("liver", hepatic(0.9, 0.8, 2.9, 2.9), 0),
        ("liver", hepatic(0.9, 0.8, 3, 1), 1),
        ("liver", hepatic(0.9, 0.8, 5, 1), 1),
        ("liver", hepatic(0.9, 0.8, 5.1, 1), 2),
        ("liver", hepatic(0.9, 0.8, 1, 3), 1),
        ("liver", hepatic(3.0, 2.5, 1, 1), 2),
        ("liver", hepatic(3.1, 2.6, None, None), 3),
        ("liver", hepatic(2.0, 1.7, None, None), 2),
        ("liver", hepatic(2.0, None, 6, 1), 2),
        ("liver", hepatic(0.9, 0.8, None, 1), None),
        ("lung", lung(80, None), 0),
        ("lung", lung(79, "none"), 1),
        ("lung", lung(60, None), 1),
        ("lung", lung(59, None), 2),
        ("lung", lung(40, None), 2),
        ("lung", lung(39, "none"), 3),
        ("lung", lung(85, "rest"), 0),
        ("lung", lung(None, "rest"), 3),
        ("lung", lung(None, "stairs"), 1),
        ("lung", lung(None, None), None),
    ],
)
def test_an_organ_is_scored_as_the_staging_table_says(
    function: str, told: dict[str, Any], expected: int | None
) -> None:
    assert FUNCTIONS[f"nih_{function}_score"].compute(told) == expected
