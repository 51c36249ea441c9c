"""The grade of a series' newest value, beside that of its baseline.

Who comes in: series whose code has an analyte of the dictionary, where rules ask for a grade. Who
goes out: readings. The baseline itself, and what is older, is never graded against it.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, NamedTuple

from rules.clinical.ctcae import Given, Grade, Term
from rules.facts import laboratory
from rules.facts.calendar import Span
from rules.facts.grading import Scale, Worst, worst
from rules.facts.laboratory import EVENT, HIGH, LOW, RECORDS, START, VALUE, Place, Record, Series
from rules.facts.projections import Reading

Graded = Sequence[tuple[Term, Grade]]
Scales = tuple[Scale, ...]


class Compared(NamedTuple):
    """The worst grade of one record, that of the baseline in its direction, and every direction's.

    `base` None: there is no baseline, or it has no grade. `relative`: graded in multiples of a
    baseline that was itself beyond its range.
    """

    now: Worst
    base: int | None
    sides: Graded
    relative: bool = False

    @property
    def rise(self) -> int | None:
        """By how many grades it is worse than the baseline.

        In multiples of the baseline that one is itself 1.0, grade 0: its own grade, in multiples of
        the upper limit, is of another scale, and a fivefold rise would be none.
        """
        if self.base is None or self.now.grade.grade is None:
            return None
        return self.now.grade.grade - (0 if self.relative else self.base)


def readings(scales: Scales, series: Series, first: Span | None) -> dict[str, Reading]:
    """The facts of GRADED of one series; `first`: the first infusion. Raises LogNeeded."""
    newest = series[RECORDS][-1]
    found = compared(scales, series, newest, first)
    now, start, event = found.now.grade, newest[START], newest[EVENT]
    why = now.reason if now.grade is None else None
    told = {
        "lab_grade": Reading(now.grade, start, event, why),
        "lab_grade_min": Reading(now.min, start, event, why),
        "lab_baseline_grade": Reading(found.base, start, event),
        "lab_grade_rise": Reading(found.rise, start, event),
        "lab_grade_range": Reading(_range(now), start, event),
        "lab_grade_reason": Reading(now.reason, start, event),
        "lab_term": Reading(found.now.label, start, event),
    }
    for term, grade in found.sides:
        told[f"lab_grade_{term.direction}"] = Reading(grade.grade, start, event)
    return told


def compared(scales: Scales, series: Series, one: Record, first: Span | None) -> Compared:
    """One record of a series beside its baseline; what is not after that is graded by itself.

    Raises LogNeeded.
    """
    place = laboratory.place_of(series, one, first)
    if place in {Place.BASELINE, Place.BEFORE}:
        sides = of_base(scales, one[VALUE], one[LOW], one[HIGH])
        return _beside(sides, sides if place is Place.BASELINE else None)
    base = laboratory.based(series, first) if place is Place.AFTER else None
    if base is None or base.reading.value is None:
        given = Given(one[VALUE], one[LOW], one[HIGH])
        return _beside([(scale.term, scale.grade(given)) for scale in scales], None)
    value: Any = base.reading.value
    high = None if base.high is None else value > base.high
    given = Given(one[VALUE], one[LOW], one[HIGH], value, high)
    sides = [(scale.term, scale.grade(given)) for scale in scales]
    found = _beside(sides, of_base(scales, value, base.low, base.high))
    own = None if found.now.term is None else found.now.term.high_baseline
    return found._replace(relative=high is True and own is not None)


@lru_cache(maxsize=4096)
def of_base(scales: Scales, value: float, low: float | None, high: float | None) -> Graded:
    """The baseline's own grades, by the limits told with it."""
    given = Given(value, low, high, baseline_high=False)
    return tuple((scale.term, scale.grade(given)) for scale in scales)


def _range(grade: Grade) -> str | None:
    """`3`, or `2 to 3` where the value alone leaves it open."""
    if grade.grade is None:
        return None
    return f"{grade.min} to {grade.max}" if grade.min != grade.max else str(grade.grade)


def _beside(sides: Graded, base: Graded | None) -> Compared:
    now = worst(sides)
    if base is None or now.grade.grade is None:
        return Compared(now, None, sides)
    own = [one for one in base if now.term is None or one[0] is now.term]
    return Compared(now, worst(own).grade.grade, sides)
