"""Values in any unit, graded: the clinical dictionary's limits, bound to a unit once.

Who comes in: series of laboratory values, `vigil grade`. Who goes out: Grade.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import NamedTuple

from rules.clinical import ctcae
from rules.clinical.ctcae import Bands, Given, Grade, Term, Why
from rules.facts import units
from rules.model import Code, Definition

UNITY = "1"
_EQUIVALENTS = "eq"  # an amount of substance only by its valence, which no unit tells


@dataclass(frozen=True, slots=True, eq=False)  # one object a term and unit: hashed by identity
class Scale:
    """The limits of a term that suit values in `unit`, and the unit that the limits stand in."""

    term: Term
    bands: Bands
    unit: str
    into: str

    def grade(self, given: Given) -> Grade:
        """The grade of a value with its limits and baseline, all in `unit`."""
        if self.unit != self.into:
            given = replace(
                given,
                value=self._told(given.value),
                low=self._told(given.low),
                high=self._told(given.high),
                baseline=self._told(given.baseline),
            )
        return self.term.grade(self.bands, given)

    def _told(self, number: float | None) -> float | None:
        return None if number is None else units.convert(number, self.unit, self.into)


@lru_cache(maxsize=1024)
def scale(term: Term, unit: str | None) -> Scale | None:
    """The limits for values in a UCUM unit (None: unit-free); None where no limits suit it."""
    told = unit or UNITY
    own = term.units.get(told) or term.units.get(ctcae.ANY)
    if own is not None:
        return Scale(term, own, told, told)
    if _EQUIVALENTS in told:
        return None
    for into, bands in term.units.items():
        if _EQUIVALENTS not in into and units.convertible(told, into):
            return Scale(term, bands, told, into)
    return None


def grade(term: Term, unit: str | None, given: Given) -> Grade:
    """The grade of one value; all numbers in `unit` (UCUM; None: unit-free)."""
    found = scale(term, unit)
    return ctcae.ungraded(Why.UNIT) if found is None else found.grade(given)


def scales(analyte: str, unit: str | None, version: str) -> tuple[Scale, ...]:
    """The directions in which values of an analyte are graded; none for what is not declared so.

    Raises KeyError for an analyte or a version that is not there.
    """
    terms = ctcae.dictionary(version).analytes[analyte].terms if analyte else ()
    return tuple(found for found in (scale(term, unit) for term in terms) if found is not None)


def of_code(definition: Definition, code: Code | None) -> tuple[Scale, ...]:
    """The same of a declared code; none where it says no analyte."""
    if code is None or not code.ctcae:
        return ()
    version = definition.dictionaries.get(ctcae.NAME, ctcae.LATEST)
    return scales(code.ctcae, code.unit, version)


class Worst(NamedTuple):
    """What the directions of one value come to: its grade, by which term; None: not known."""

    grade: Grade
    term: Term | None
    label: str


def worst(found: Sequence[tuple[Term, Grade]]) -> Worst:
    """The direction that is abnormal; 0 only where every direction is known to be."""
    term, grade = max(found, key=lambda one: one[1].grade or 0)
    if grade.grade or len(found) == 1:
        return Worst(grade, term, term.label)
    label = " / ".join(one.label for one, _ in found)
    open_ = [one for one in found if one[1].grade is None]
    return Worst(open_[0][1] if open_ else grade, None, label)
