"""What the laboratory and the clinic of the demo measure: liver tests and the scores of the organs.

Who comes in: cast and story. Who goes out: facts, each value with the limits that it is read by.
"""

from __future__ import annotations

from random import Random

from services.demo.scenes import Data, Fact, Moment

# The laboratory's upper limits of normal, and their unit. Bilirubin goes first: a transaminase that
# is raised would ask for it.
_LIMITS: dict[str, tuple[int, str]] = {
    "bilirubin": (21, "umol/L"),
    "alp": (120, "U/L"),
    "alt": (40, "U/L"),
}
_ORGANS = ("skin", "mouth", "eyes", "gi", "liver", "lungs", "joints", "genital")
_GUT = ("oesophagus", "upper_gi", "lower_gi")
_WELL: Data = {
    **dict.fromkeys((*_ORGANS, *_GUT), 0),
    **dict.fromkeys(("shoulder", "elbow", "wrist"), 7),
    "ankle": 4,
}


def liver(who: int, when: Moment, **times: float) -> list[Fact]:
    """The liver tests, as so many `times` their upper limits."""
    found = []
    for code, (limit, unit) in _LIMITS.items():
        value = round(limit * times[code])
        data = {"code": code, "value": value, "unit": unit, "reference_high": limit}
        found.append(Fact(who, "observation", data, when))
    return found


def well(chance: Random) -> dict[str, float]:
    """Liver tests within their limits."""
    return {code: round(chance.uniform(0.3, 0.9), 2) for code in _LIMITS}


def organs(who: int, when: Moment, fev1_percent: int, **scores: int) -> list[Fact]:
    """The organs by the NIH consensus, but for the liver: `scores` of those that are affected."""
    assessed = {"code": "nih_organs", "scores": {**_WELL, **scores}, "by": "investigator"}
    breath = {"code": "fev1_percent", "value": fev1_percent, "unit": "%"}
    return [Fact(who, "assessment", assessed, when), Fact(who, "observation", breath, when)]


def untreated(who: int, when: Moment) -> list[Fact]:
    """No new treatment and no relapse: without that word a response is not counted."""
    return [
        Fact(who, "medication", {"code": "new_systemic_treatment", "status": "not_taken"}, when),
        Fact(who, "condition", {"code": "malignancy_relapse", "status": "absent"}, when),
    ]
