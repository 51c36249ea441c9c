"""Chronic GVHD by the NIH consensus of 2014: organ scores, global severity, response.

Who comes in: scores and measurements of one subject, None where unknown. Who goes out: answers,
None where what is missing could change them. Sources: Jagasia 2015 (PMC4329079) for scores and
severity; Lee 2015 (PMC4744804), Tables 1, 3 and 4, for response; Inamoto 2020 for the refined
joint measure.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

Given = Mapping[str, Any]  # by argument; None: unknown
Range = tuple[int, int]  # the least and the most that a score may be

ORGANS = ("skin", "mouth", "eyes", "gi", "liver", "lungs", "joints", "genital")
# Genital tract is not scored for response; the gastrointestinal tract counts three times.
MEASURED = (
    *("skin", "eyes", "mouth", "oesophagus", "upper_gi", "lower_gi"),
    *("liver", "lungs", "joints"),
)
SEVERITIES = ("none", "mild", "moderate", "severe")
SITES = {"shoulder": 7, "elbow": 7, "wrist": 7, "ankle": 4}  # P-ROM, 1 to full motion
LIVER_TESTS = ("alt", "alp", "bilirubin")  # in multiples of their upper limits
FULL_MOTION = sum(SITES.values())
NORMAL_FEV1 = 80.0  # percent of predicted
WORST = 3

COMPLETE, PARTIAL, PROGRESSION = "complete", "partial", "progression"
UNCHANGED, UNINVOLVED, APPEARED, LEFT_OUT = "unchanged", "uninvolved", "appeared", "left_out"
# `appeared`: newly involved, by less than counts as progression; it forbids a complete response.
# `left_out`: a documented cause other than GVHD explains all of it.
ORGAN_RESPONSES = (
    *(COMPLETE, PARTIAL, UNCHANGED, PROGRESSION),
    *(UNINVOLVED, APPEARED, LEFT_OUT),
)
MIXED, STABLE, NOT_EVALUABLE = "mixed", "stable", "not_evaluable"
RESPONSES = (COMPLETE, PARTIAL, MIXED, STABLE, PROGRESSION, NOT_EVALUABLE)

_FEATURES = {"none": 0, "superficial": 2, "deep": 3}
_LUNG_SYMPTOMS = {"none": 0, "stairs": 1, "flat_ground": 2, "rest": 3}
SKIN_FEATURES, LUNG_SYMPTOMS = tuple(_FEATURES), tuple(_LUNG_SYMPTOMS)
_DIGITS = 9  # differences of told numbers, free of what binary fractions add


def reaches(value: float, limit: float) -> bool:
    """Whether a computed number is at least the limit, as people reckon."""
    return round(value - limit, _DIGITS) >= 0


# --- organ scores -------------------------------------------------------------------------------
def skin_score(given: Given) -> int | None:
    """The greater of body surface (percent) and sclerotic features."""
    bsa, features = given["bsa"], given["features"]
    surface = None if bsa is None else sum(bsa > limit for limit in (0, 18, 50))
    return _greatest(_sure(surface, WORST), _sure(_FEATURES.get(features or ""), WORST))


def liver_score(given: Given) -> int | None:
    """Of bilirubin (mg/dL and xULN), ALT and ALP (xULN)."""
    return _greatest(_of_bilirubin(given), _of_alt(given["alt"]), _of_alp(given["alp"]))


def _of_bilirubin(given: Given) -> Range:
    bilirubin, multiple = given["bilirubin"], given["bilirubin_xuln"]
    if bilirubin is not None and bilirubin > 3:
        return 3, 3
    most = 3 if bilirubin is None else 2
    if multiple is None:
        return 0, most
    return (2, most) if multiple > 1 else (0, 0)


def _of_alt(multiple: float | None) -> Range:
    known = None if multiple is None else 2 if multiple > 5 else 1 if multiple >= 3 else 0
    return _sure(known, 2)


def _of_alp(multiple: float | None) -> Range:
    return _sure(None if multiple is None else int(multiple >= 3), 1)


def lung_score(given: Given) -> int | None:
    """By FEV1 (percent of predicted), which overrides symptoms; by these only where there is none.

    The limits stand between whole percents in the text: what is not 60 yet is below it.
    """
    fev1 = given["fev1"]
    if fev1 is None:
        return _LUNG_SYMPTOMS.get(given.get("symptoms") or "")
    return 0 if fev1 >= NORMAL_FEV1 else 1 if fev1 >= 60 else 2 if fev1 >= 40 else 3


def _sure(score: int | None, most: int) -> Range:
    return (0, most) if score is None else (score, score)


def _greatest(*scores: Range) -> int | None:
    """The greatest; unknown while what is missing could still be greater."""
    least, most = (max(ends) for ends in zip(*scores, strict=True))
    return least if least == most else None


# --- global severity ----------------------------------------------------------------------------
def severity(given: Given) -> str | None:
    """Over the eight organs' scores; `<organ>_other_cause` true leaves that organ out.

    Known where the least and the most that the missing organs could score come to the same.
    """
    scores = {
        organ: 0 if given.get(f"{organ}_other_cause") is True else given[organ] for organ in ORGANS
    }
    least = _severity({organ: score or 0 for organ, score in scores.items()})
    most = _severity({organ: WORST if one is None else one for organ, one in scores.items()})
    return least if least == most else None


def _severity(scores: Mapping[str, int]) -> str:
    lungs = scores["lungs"]
    if max(scores.values()) == WORST or lungs >= 2:
        return "severe"
    involved = sum(score > 0 for score in scores.values())
    if max(scores.values()) == 2 or lungs == 1 or involved >= 3:
        return "moderate"
    return "mild" if involved else "none"


# --- response of one organ ----------------------------------------------------------------------
def by_steps(least: int, *, spared: bool) -> Callable[[Given], str | None]:
    """The response of an organ that is scored: a change by `least` counts.

    `spared`: a change from 0 to 1 is no progression.
    """

    def response(given: Given) -> str | None:
        return _left_out(given) or _by_steps(given["baseline"], given["now"], least, spared=spared)

    return response


def _by_steps(before: int | None, now: int | None, least: int, *, spared: bool) -> str | None:
    if before is None or now is None:
        return None
    if now - before >= least and not (spared and (before, now) == (0, 1)):
        return PROGRESSION
    if before == 0:
        return APPEARED if now else UNINVOLVED
    if now == 0:
        return COMPLETE
    return PARTIAL if before - now >= least else UNCHANGED


def lung_response(given: Given) -> str | None:
    """By FEV1 in points of percent predicted: normal is 80 or more, a change by 10 counts."""
    if left := _left_out(given):
        return left
    before, now = given["baseline"], given["now"]
    if before is None or now is None:
        return None
    if reaches(before - now, 10):
        return PROGRESSION
    if before >= NORMAL_FEV1:
        return UNINVOLVED if now >= NORMAL_FEV1 else APPEARED
    if now >= NORMAL_FEV1:
        return COMPLETE
    return PARTIAL if reaches(now - before, 10) else UNCHANGED


def liver_response(given: Given) -> str | None:
    """By ALT, ALP and total bilirubin, in multiples of their upper limits.

    One that was raised and has halved is a partial response; one that rose by 2 is progression,
    whatever the others did (so read here: the table does not say what several come to).
    """
    if left := _left_out(given):
        return left
    pairs = [(given[f"{test}_baseline"], given[test]) for test in LIVER_TESTS]
    told = [(before, now) for before, now in pairs if before is not None and now is not None]
    if any(reaches(now - before, 2) for before, now in told):
        return PROGRESSION
    if len(told) < len(pairs):
        return None
    raised = [(before, now) for before, now in told if before > 1]
    normal = all(now <= 1 for _, now in told)
    if not raised:
        return UNINVOLVED if normal else APPEARED
    if normal:
        return COMPLETE
    halved = any(reaches(before, 2 * now) for before, now in raised)
    return PARTIAL if halved else UNCHANGED


def joint_response(given: Given) -> str | None:
    """By the joint score and each site of P-ROM; worse in one is progression, whatever the others.

    Any change of either counts, from 0 to 1 too.
    """
    if left := _left_out(given):
        return left
    gains = _gains(given)
    known = [gain for gain in gains if gain is not None]
    if any(gain < 0 for gain in known):
        return PROGRESSION
    if len(known) < len(gains):
        return None
    if not _stiff(given, "_baseline"):
        return UNINVOLVED
    if not _stiff(given, ""):
        return COMPLETE
    return PARTIAL if any(gain > 0 for gain in known) else UNCHANGED


def refined_joint_response(given: Given) -> str | None:
    """Inamoto 2020: a change of 2 of the total P-ROM counts, of no single site.

    A joint score from 0 to 1 is no worsening.
    """
    if left := _left_out(given):
        return left
    score, *sites = _gains(given)
    if score is None or any(gain is None for gain in sites):
        return None
    motion = sum(gain for gain in sites if gain is not None)
    slight = (given["score_baseline"], given["score"]) == (0, 1)
    if (score < 0 and not slight) or motion <= -2:
        return PROGRESSION
    if not _stiff(given, "_baseline"):
        return APPEARED if _stiff(given, "") else UNINVOLVED
    if not _stiff(given, ""):
        return COMPLETE
    return PARTIAL if score > 0 or motion >= 2 else UNCHANGED


def _gains(given: Given) -> list[int | None]:
    """By how much the score and each site are better than at baseline."""

    def change(name: str) -> int | None:
        before, now = given[f"{name}_baseline"], given[name]
        return None if before is None or now is None else now - before

    score = change("score")
    return [None if score is None else -score, *(change(site) for site in SITES)]


def _stiff(given: Given, when: str) -> bool:
    """Whether joints are involved: any score, or less than full motion. All must be known."""
    motion = sum(given[f"{site}{when}"] for site in SITES)
    return bool(given[f"score{when}"] > 0 or motion < FULL_MOTION)


def _left_out(given: Given) -> str | None:
    return LEFT_OUT if given.get("other_cause") is True else None


# --- response of the subject --------------------------------------------------------------------
def response(given: Given) -> str | None:
    """Over the responses of all measured organs.

    Unknown where no organ is known; where only some are, the subject is not evaluable.
    """
    found = [given[organ] for organ in MEASURED]
    if any(one is None for one in found):
        return None if all(one is None for one in found) else NOT_EVALUABLE
    better = any(one in (COMPLETE, PARTIAL) for one in found)
    if PROGRESSION in found:
        return MIXED if better else PROGRESSION
    if not better:
        return STABLE
    return PARTIAL if _incomplete(found) else COMPLETE


def _incomplete(found: Iterable[str]) -> bool:
    return any(one in (PARTIAL, UNCHANGED, APPEARED) for one in found)


def progressed(given: Given) -> bool | None:
    """Whether any organ has progressed; known as soon as one has."""
    found = [given[organ] for organ in MEASURED]
    if PROGRESSION in found:
        return True
    return None if None in found else False
