"""Hy's law and the eDISH quadrants: which liver values of one subject together are a signal.

Who comes in: transaminases, bilirubin and alkaline phosphatase, each with its own upper limit. Who
goes out: what they are together, and the values it rests on. Sources: FDA 2009, Drug-induced liver
injury: premarketing clinical evaluation; multiples of an abnormal baseline: Lin 2012 (mDISH: 3.8
for ALT, 4.8 for bilirubin), for transaminases also common practice (3, or 300 U/L). Limits are
reached by the value itself (>=), so that none is missed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from rules.model import LiverRule

HEPATOCELLULAR, CHOLESTATIC = 5, 2  # of R = (ALT / ULN) / (ALP / ULN)


class Law(StrEnum):
    """What the values are together, the worst first; `LIMITS_MISSING`: nobody can tell."""

    CANDIDATE = "candidate"
    CHOLESTASIS_UNKNOWN = "cholestasis_unknown"
    CHOLESTATIC = "cholestatic"
    LIMITS_MISSING = "limits_missing"
    NONE = "none"


class Quadrant(StrEnum):
    """Where the highest values of all time lie."""

    NORMAL = "normal"
    TEMPLE = "temple"
    CHOLESTASIS = "cholestasis"
    HY = "hy"


class Sample(NamedTuple):
    """One value. `first`, `last`: the local days it may be of, as ordinals; `upper`: its ULN."""

    test: str
    first: int
    last: int
    value: float
    upper: float | None = None
    base: float | None = None  # the value before treatment, where this one is after it
    base_upper: float | None = None
    time_us: int = 0
    event: str | None = None
    n: int = 0  # its number in the subject's stream

    @property
    def times(self) -> float | None:
        """In multiples of its upper limit; None where no limit above zero was told."""
        if self.upper is None or self.upper <= 0:
            return None
        return _digits(self.value / self.upper)

    @property
    def over_base(self) -> float | None:
        """In multiples of an abnormal baseline; None where that was normal, or is not known."""
        if self.base is None or self.base_upper is None or self.base_upper <= 0:
            return None
        return _digits(self.value / self.base) if self.base > self.base_upper else None


@dataclass(frozen=True)
class Liver:
    """The values of one subject; `at`: ALT and AST alike."""

    at: Sequence[Sample]
    bilirubin: Sequence[Sample]
    alp: Sequence[Sample] = ()


class Judged(NamedTuple):
    """`law` None: not known, as where no bilirubin was measured beside a raised transaminase."""

    law: Law | None
    at: Sample | None = None
    bilirubin: Sample | None = None
    alp: Sample | None = None
    r: float | None = None


class Peaks(NamedTuple):
    """The highest multiples of all time, and the quadrant; None where it cannot be told."""

    quadrant: Quadrant | None
    at: Sample | None
    bilirubin: Sample | None


def _digits(value: float) -> float:
    return float(f"{value:.12g}")


class Standing(NamedTuple):
    """What some transaminases say so far: the worst hit, the first that nobody can tell (a limit is
    missing), the first without a bilirubin beside it; `measured`: whether there are any.
    """

    hit: Judged | None = None
    unsure: Judged | None = None
    alone: Judged | None = None
    measured: bool = False


NOTHING = Standing()


def judged(
    liver: Liver, rule: LiverRule, past: Standing = NOTHING, from_day: int | None = None
) -> Judged:
    """The worst that any transaminase is together with the bilirubin in its window.

    Days count, not hours: what may be of the same day is. Phosphatase is looked at within its days
    of the highest transaminase around the one that was raised. `past`: what the transaminases say
    whose last day is before `from_day`; they are not asked again.
    """
    found = together(past, standing(liver, rule, from_day))
    return found.hit or found.unsure or found.alone or Judged(Law.NONE if found.measured else None)


def standing(
    liver: Liver, rule: LiverRule, from_day: int | None = None, to_day: int | None = None
) -> Standing:
    """What the transaminases of these last days say (the first inclusive, the last not)."""
    asked = [
        one
        for one in liver.at
        if (from_day is None or one.last >= from_day) and (to_day is None or one.last < to_day)
    ]
    pairs = list(_pairs(asked, liver, rule))
    hits = [_classed(liver, rule, *pair) for *pair, sure in pairs if sure]
    unsure = (Judged(Law.LIMITS_MISSING, at, two) for at, two, sure in pairs if not sure)
    return Standing(
        min(hits, key=_order, default=None),
        next(unsure, None),
        None if pairs else _alone(asked, liver, rule),
        bool(asked),
    )


def together(one: Standing, other: Standing) -> Standing:
    """What both say; of what is alike that of the first transaminase, then the first bilirubin."""

    def first(mine: Judged | None, theirs: Judged | None) -> Judged | None:
        told = [found for found in (mine, theirs) if found is not None]
        return min(told, key=lambda found: (*_order(found), *_place(found)), default=None)

    def earliest(mine: Judged | None, theirs: Judged | None) -> Judged | None:
        told = [found for found in (mine, theirs) if found is not None]
        return min(told, key=lambda found: (found.law is None, *_place(found)), default=None)

    return Standing(
        first(one.hit, other.hit),
        earliest(one.unsure, other.unsure),
        earliest(one.alone, other.alone),
        one.measured or other.measured,
    )


def _place(found: Judged) -> tuple[tuple[bool, int, int], ...]:
    """ALT before AST, then by time and by number: as a subject's values are gone through."""
    told = [one for one in (found.at, found.bilirubin) if one is not None]
    return tuple((one.test == "ast", one.time_us, one.n) for one in told)


def _alone(asked: Sequence[Sample], liver: Liver, rule: LiverRule) -> Judged | None:
    """Of transaminases without a bilirubin that is raised beside them.

    A limit that is missing is told before a bilirubin that is, whichever value came first.
    """
    open_: Judged | None = None
    for at in asked:
        truth = at_raised(at, rule)
        if truth is False or any(_beside(at, one, rule) for one in liver.bilirubin):
            continue
        if truth is None:
            return Judged(Law.LIMITS_MISSING, at)
        open_ = open_ or Judged(None, at)
    return open_


def _pairs(
    asked: Sequence[Sample], liver: Liver, rule: LiverRule
) -> Iterator[tuple[Sample, Sample, bool]]:
    """Transaminases with a bilirubin in their window, both raised or perhaps; whether surely."""
    seconds = [(one, bilirubin_raised(one, rule)) for one in liver.bilirubin]
    seconds = [(one, truth) for one, truth in seconds if truth is not False]
    for at in asked if seconds else ():
        truth = at_raised(at, rule)
        if truth is False:
            continue
        for bilirubin, second in seconds:
            if _beside(at, bilirubin, rule):
                yield at, bilirubin, bool(truth and second)


def _beside(at: Sample, bilirubin: Sample, rule: LiverRule) -> bool:
    """Whether the bilirubin may be of the window's days."""
    return (
        bilirubin.last - at.first >= -rule.before_days
        and bilirubin.first - at.last <= rule.window_days
    )


def at_raised(one: Sample, rule: LiverRule) -> bool | None:
    """Three times the limit; after an abnormal baseline its multiple, or the absolute value."""
    if one.over_base is not None:
        absolute = rule.at_absolute is not None and one.value >= rule.at_absolute
        return absolute or one.over_base >= rule.at_over_baseline
    return None if one.times is None else one.times >= rule.at_times


def bilirubin_raised(one: Sample, rule: LiverRule) -> bool | None:
    """Twice the limit; after an abnormal baseline its multiple."""
    if one.over_base is not None:
        return one.over_base >= rule.bilirubin_over_baseline
    return None if one.times is None else one.times >= rule.bilirubin_times


def _classed(liver: Liver, rule: LiverRule, at: Sample, bilirubin: Sample) -> Judged:
    """Whether a hit goes with cholestasis; of peaks that are equally high the worse counts."""
    beside = [one for one in liver.at if _days_between(one, at) <= rule.window_days]
    top = max(map(_height, beside))
    found = [
        _with_phosphatase(liver, rule, at, bilirubin, one) for one in beside if _height(one) == top
    ]
    return min(found, key=_order)


def _with_phosphatase(
    liver: Liver, rule: LiverRule, at: Sample, bilirubin: Sample, peak: Sample
) -> Judged:
    """Only a phosphatase that was recorded near the peak says whether it is cholestasis."""
    near = [one for one in liver.alp if _days_between(one, peak) <= rule.alp_within_days]
    known = [one for one in near if one.times is not None]
    if not known:
        return Judged(Law.CHOLESTASIS_UNKNOWN, at, bilirubin, next(iter(near), None))
    alp = max(known, key=_height)
    law = Law.CHOLESTATIC if _height(alp) >= rule.alp_times else Law.CANDIDATE
    return Judged(law, at, bilirubin, alp, _ratio(liver, at, peak, alp))


def _order(found: Judged) -> tuple[int, float]:
    """The worst first, then the highest."""
    return list(Law).index(found.law or Law.NONE), -_height(found.at)


def _ratio(liver: Liver, at: Sample, peak: Sample, alp: Sample) -> float | None:
    """R, of the highest ALT of the days of the peak or of the pair."""
    alts = [
        one
        for one in liver.at
        if one.test == "alt" and one.times is not None and one.first in (peak.first, at.first)
    ]
    if not alts or not alp.times:
        return None
    return _digits(max(_height(one) for one in alts) / alp.times)


def _days_between(one: Sample, other: Sample) -> int:
    """The fewest days that may lie between."""
    return max(one.first - other.last, other.first - one.last, 0)


def _height(one: Sample | None) -> float:
    return -1.0 if one is None or one.times is None else one.times


def pattern(r: float) -> str:
    """The pattern of injury by R."""
    if r >= HEPATOCELLULAR:
        return "hepatocellular"
    return "cholestatic" if r <= CHOLESTATIC else "mixed"


def peaks(liver: Liver, rule: LiverRule) -> Peaks:
    """eDISH: the highest transaminase and the highest bilirubin, whenever each was."""
    at, bilirubin = _highest(liver.at), _highest(liver.bilirubin)
    over = _reached(liver.at, at, rule.at_times)
    second = _reached(liver.bilirubin, bilirubin, rule.bilirubin_times)
    if over is None or second is None:
        return Peaks(None, at, bilirubin)
    if over:
        return Peaks(Quadrant.HY if second else Quadrant.TEMPLE, at, bilirubin)
    return Peaks(Quadrant.CHOLESTASIS if second else Quadrant.NORMAL, at, bilirubin)


def _highest(samples: Iterable[Sample]) -> Sample | None:
    known = [one for one in samples if one.times is not None]
    return max(known, key=_height) if known else None


def _reached(samples: Sequence[Sample], highest: Sample | None, limit: float) -> bool | None:
    """Unknown without a value, and where one without a limit may be higher."""
    if _height(highest) >= limit:
        return True
    return None if not samples or any(one.times is None for one in samples) else False


__all__ = [
    "NOTHING", "Judged", "Law", "Liver", "Peaks", "Quadrant", "Sample", "Standing", "judged",
    "pattern", "peaks", "standing", "together",
]  # fmt: skip
