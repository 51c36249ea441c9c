"""NIH 2014 response of chronic GVHD read by hand from Lee 2015, Tables 1 and 4: no shared code.

Who comes in: tests that hold the clinical functions against it. Who goes out: of two assessments
the words for each organ, and for the subject. An assessment is a dict of measurements; None or a
missing key: not assessed.
"""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import Any

Assessed = Mapping[str, Any]
SCALES = {"skin": 3, "eyes": 3, "oesophagus": 3, "upper_gi": 3, "lower_gi": 3, "mouth": 12}
PROM = {"shoulder": 7, "elbow": 7, "wrist": 7, "ankle": 4}
ENZYMES = ("alt", "alp", "bilirubin")  # in multiples of the upper limit
MEASURES = (*SCALES, "fev1", "joints", *PROM, *ENZYMES)


def organs(before: Assessed, after: Assessed) -> dict[str, str | None]:
    """What each of the nine organs has done."""
    found = {name: _scale(name, before.get(name), after.get(name)) for name in SCALES}
    found["lungs"] = _lungs(before.get("fev1"), after.get("fev1"))
    found["liver"] = _liver(before, after)
    found["joints"] = _joints(before, after)
    return found


def _scale(name: str, before: int | None, after: int | None) -> str | None:
    if before is None or after is None:
        return None
    if name == "mouth":  # 2 points of 12, either way
        worse, better = after >= before + 2, after <= before - 2
    else:  # 1 point of 3; a score of 1 that is new is no progression
        worse, better = after > before and not (before == 0 and after == 1), after < before
    if worse:
        return "progression"
    if before > 0 and after == 0:
        return "complete"
    if better:
        return "partial"
    if before == 0:
        return "uninvolved" if after == 0 else "appeared"
    return "unchanged"


def _exact(told: float) -> Fraction:
    """The decimal number that was told."""
    return Fraction(str(told))


def _lungs(before: Any, after: Any) -> str | None:
    """Percent of predicted FEV1: absolute points."""
    if before is None or after is None:
        return None
    before, after = _exact(before), _exact(after)
    if after <= before - 10:
        return "progression"
    if before < 80:
        return "complete" if after >= 80 else "partial" if after >= before + 10 else "unchanged"
    return "uninvolved" if after >= 80 else "appeared"


def _liver(before: Assessed, after: Assessed) -> str | None:
    both = [one for one in ENZYMES if before.get(one) is not None and after.get(one) is not None]
    for enzyme in both:
        if _exact(after[enzyme]) >= _exact(before[enzyme]) + 2:
            return "progression"
    if len(both) < len(ENZYMES):
        return None
    elevated = [one for one in ENZYMES if before[one] > 1]
    still = [one for one in ENZYMES if after[one] > 1]
    if not elevated:
        return "appeared" if still else "uninvolved"
    if not still:
        return "complete"
    if any(2 * _exact(after[one]) <= _exact(before[one]) for one in elevated):
        return "partial"
    return "unchanged"


def _joints(before: Assessed, after: Assessed) -> str | None:
    """The score or the motion of any site: one point worse is progression."""

    def moved(name: str, sign: int) -> bool:
        one, other = before.get(name), after.get(name)
        return one is not None and other is not None and (other - one) * sign > 0

    if moved("joints", +1) or any(moved(site, -1) for site in PROM):
        return "progression"
    names = ("joints", *PROM)
    if any(one.get(name) is None for one in (before, after) for name in names):
        return None
    if before["joints"] == 0 and all(before[site] == PROM[site] for site in PROM):
        return "uninvolved"
    if after["joints"] == 0 and sum(after[site] for site in PROM) == 25:
        return "complete"
    if moved("joints", -1) or any(moved(site, +1) for site in PROM):
        return "partial"
    return "unchanged"


def overall(found: Mapping[str, str | None]) -> str | None:
    """Table 4: of an organ that is missing nothing is supposed."""
    words = list(found.values())
    if words.count(None) == len(words):
        return None
    if None in words:
        return "not_evaluable"
    involved = [one for one in words if one in {"complete", "partial", "unchanged", "progression"}]
    responds = "complete" in involved or "partial" in involved
    if "progression" in involved:
        return "mixed" if responds else "progression"
    if responds and set(involved) == {"complete"} and "appeared" not in words:
        return "complete"
    return "partial" if responds else "stable"
