"""The grade of a series' newest value, beside that of its baseline.

Who comes in: series whose code has an analyte of the dictionary, where rules ask for a grade. Who
goes out: readings. The baseline itself, and what is older, is never graded against it.
"""

from __future__ import annotations

from rules.clinical.ctcae import Direction, Given, Grade, Term
from rules.facts import laboratory
from rules.facts.calendar import Span
from rules.facts.grading import Scale, worst
from rules.facts.laboratory import EVENT, HIGH, LOW, RECORDS, START, VALUE, Base, Record, Series
from rules.facts.projections import Reading

Graded = list[tuple[Term, Grade]]


def readings(scales: tuple[Scale, ...], series: Series, first: Span | None) -> dict[str, Reading]:
    """The facts of GRADED of one series; `first`: the first infusion. Raises LogNeeded."""
    newest = series[RECORDS][-1]
    base = None
    if first is not None and newest[START] > first.end:
        base = laboratory.based(series, first)
    found = of_record(scales, newest, base)
    before = None if base is None else of_base(scales, base)
    return {name: Reading(*told) for name, told in _told(newest, found, before).items()}


def of_record(scales: tuple[Scale, ...], one: Record, base: Base | None) -> Graded:
    """In each direction; `base` None: the record is the baseline or older, or there is none."""
    given = Given(one[VALUE], one[LOW], one[HIGH])
    if base is not None and base.reading.value is not None:
        value = float(base.reading.value)
        high = None if base.high is None else value > base.high
        given = Given(one[VALUE], one[LOW], one[HIGH], value, high)
    return [(scale.term, scale.grade(given)) for scale in scales]


def of_base(scales: tuple[Scale, ...], base: Base) -> Graded | None:
    """The baseline's own grades, by its own limits; None where there is no baseline."""
    if base.reading.value is None:
        return None
    given = Given(float(base.reading.value), base.low, base.high)
    return [(scale.term, scale.grade(given)) for scale in scales]


def _told(
    newest: Record, found: Graded, before: Graded | None
) -> dict[str, tuple[int | str | None, int, str, str | None]]:
    chosen = worst(found)
    now, term = chosen.grade, chosen.term
    base = None
    if before is not None and now.grade is not None:
        own = [one for one in before if term is None or one[0] is term]
        base = worst(own).grade.grade
    rise = None if base is None or now.grade is None else now.grade - base
    sides = {term.direction: grade.grade for term, grade in found}
    values = {
        "lab_grade": now.grade,
        "lab_grade_min": now.min,
        "lab_grade_high": sides.get(Direction.HIGH),
        "lab_grade_low": sides.get(Direction.LOW),
        "lab_baseline_grade": base,
        "lab_grade_rise": rise,
        "lab_grade_reason": now.reason,
        "lab_term": chosen.label,
    }
    why = now.reason if now.grade is None else None
    notes = {"lab_grade": why, "lab_grade_min": why}
    return {
        name: (value, newest[START], newest[EVENT], notes.get(name))
        for name, value in values.items()
    }
