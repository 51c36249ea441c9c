"""CTCAE grades of measured values, by the dictionaries beside this module.

Who comes in: facts.grading, which knows units. Who goes out: a dictionary's terms, and of one value
the Grade with the reason. Nothing is guessed: what is missing makes no grade, never grade 0.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import yaml

NAME = "ctcae"  # as a protocol's `dictionaries` call it
FILES = {"5.0": "ctcae_v5.yaml"}
LATEST = "5.0"
ANY = "any"  # the unit of limits that are multiples
_NEAR = 2e-11  # of a number: closer than that, twelve digits decide
_LIMIT = re.compile(
    r"(?P<sign>[<>]=?) ?(?P<number>[\d.]+)? ?(?P<of>ULN|LLN|baseline)?(?: \+ (?P<plus>[\d.]+))?"
)
_FALL = re.compile(r"fall >= (?P<percent>[\d.]+) % below LLN")


class Direction(StrEnum):
    """On which side of its range a value is abnormal."""

    HIGH = "high"
    LOW = "low"


class Why(StrEnum):
    """Why a value has the grade that it has, or none."""

    NO_VALUE = "there is no value"
    UNIT = "the unit is missing or not one that the term's limits convert into"
    LOWER = "the lower limit of normal is missing"
    UPPER = "the upper limit of normal is missing"
    BASELINE = "the baseline is missing"
    BASELINE_VALUE = "the baseline was above its range, but its value is missing or not above 0"
    NORMAL = "within all limits in this direction"


@dataclass(frozen=True, slots=True)
class Given:
    """What is known of one value; all numbers in one unit, None: not known.

    `baseline_high`: whether the baseline was above its own upper limit; where that is not told, it
    is compared with `high`.
    """

    value: float | None
    low: float | None = None
    high: float | None = None
    baseline: float | None = None
    baseline_high: bool | None = None
    anticoagulated: bool = False


class Grade(NamedTuple):
    """A grade 0..4: the worst that the value allows, and the range; None: it cannot be graded."""

    grade: int | None
    min: int | None
    max: int | None
    reason: str


# Of one limit: whether the value is beyond it; None where what it is a multiple of is not known.
Beyond = Callable[[Given], bool | None]


class Band(NamedTuple):
    """The grades that a value has from one limit on."""

    worst: int
    mildest: int
    text: str
    limits: tuple[Beyond, ...]


Bands = tuple[Band, ...]


@dataclass(frozen=True, eq=False)  # one object a dictionary: hashed by identity
class Term:
    """One direction of one analyte, as a dictionary has it."""

    id: str
    label: str
    analyte: str
    direction: Direction
    units: Mapping[str, Bands]
    source: str
    open: str = ""
    high_baseline: Bands | None = None
    without_baseline: Bands | None = None
    anticoagulated: Bands | None = None

    @property
    def against_baseline(self) -> bool:
        """Whether its grades may depend on the baseline."""
        texts = (band.text for bands in self._all() for band in bands)
        return any("baseline" in text or "fall" in text for text in texts)

    def _all(self) -> tuple[Bands, ...]:
        more = (self.high_baseline, self.without_baseline, self.anticoagulated)
        return (*self.units.values(), *(bands for bands in more if bands))

    def grade(self, bands: Bands, given: Given) -> Grade:
        """The grade of a value that stands in the unit of `bands`."""
        if given.value is None:
            return ungraded(Why.NO_VALUE)
        given = self._above_zero(given)
        if self.high_baseline is not None:
            return self._against_own(bands, self.high_baseline, given)
        if self.without_baseline is not None and given.baseline is None:
            return self._walked(self.without_baseline, given, "no baseline")
        if self.anticoagulated is not None and given.anticoagulated:
            return self._on_anticoagulant(bands, self.anticoagulated, given)
        return self._walked(bands, given)

    def _above_zero(self, given: Given) -> Given:
        """Nothing is a multiple of 0: such a limit or baseline is as one that was not told.

        But a baseline that values need only exceed.
        """
        if given.high is not None and given.high <= 0:
            given = replace(given, high=None)
        if given.baseline is not None and given.baseline <= 0 and self.without_baseline is None:
            given = replace(given, baseline=None)
        return given

    def _against_own(self, bands: Bands, own: Bands, given: Given) -> Grade:
        """By multiples of the limit, or of a baseline that was itself above its limit."""
        if given.high is None:
            return ungraded(Why.UPPER)
        if not _was_high(given):
            none = given.baseline is None and given.baseline_high is None
            return self._walked(bands, given, "no baseline" if none else "")
        if given.baseline is None:
            return ungraded(Why.BASELINE_VALUE)
        return self._walked(own, given, "baseline above its range")

    def _on_anticoagulant(self, bands: Bands, multiples: Bands, given: Given) -> Grade:
        """The worse of both readings; the milder is what the anticoagulant alone would explain."""
        plain = self._walked(bands, given)
        if given.baseline is None:
            return plain if plain.grade else ungraded(Why.BASELINE)
        other = self._walked(multiples, given, "on an anticoagulant")
        mildest, worst = sorted((plain.grade or 0, other.grade or 0))
        reason = other.reason if (other.grade or 0) >= (plain.grade or 0) else plain.reason
        if mildest < worst:
            reason = f"{reason}; open: {self.open}"
        return Grade(worst, mildest, worst, reason)

    def _walked(self, bands: Bands, given: Given, note: str = "") -> Grade:
        unknown = False
        for band in bands:
            for beyond in band.limits:
                answer = beyond(given)
                if answer:
                    return self._told(band, note)
                unknown = unknown or answer is None
        if unknown and self._limit_missing(given):
            return ungraded(Why.UPPER if self.direction is Direction.HIGH else Why.LOWER)
        return Grade(0, 0, 0, f"{Why.NORMAL} ({note})" if note else str(Why.NORMAL))

    def _limit_missing(self, given: Given) -> bool:
        return (given.high if self.direction is Direction.HIGH else given.low) is None

    def _told(self, band: Band, note: str) -> Grade:
        parts = [part for part in (note, band.text) if part]
        if band.mildest < band.worst:
            parts.append(f"grade {band.mildest} to {band.worst}, open: {self.open}")
        return Grade(band.worst, band.mildest, band.worst, "; ".join(parts))


@dataclass(frozen=True)
class Analyte:
    """What laboratories measure, and the names that it goes by."""

    id: str
    label: str
    names: tuple[str, ...]
    loinc: tuple[str, ...]
    terms: tuple[Term, ...]


@dataclass(frozen=True)
class Dictionary:
    """One version of CTCAE, as far as values grade it."""

    version: str
    source: str
    terms: Mapping[str, Term]
    analytes: Mapping[str, Analyte]
    names: Mapping[str, tuple[Term, ...]]
    not_by_value: frozenset[str]  # folded names of terms that treatment or consequences grade

    def named(self, test: str) -> tuple[Term, ...]:
        """The terms of a term's name, an analyte, another name of it, or a LOINC code; or none."""
        return self.names.get(_folded(test), ())

    def graded_otherwise(self, test: str) -> bool:
        """Whether CTCAE has such a term, and grades it by treatment or consequences alone."""
        return _folded(test) in self.not_by_value


def ungraded(why: Why) -> Grade:
    """No grade, and why not."""
    return Grade(None, None, None, str(why))


def rounded(value: float) -> float:
    """At 12 significant digits, where the two sides of a limit are compared."""
    return float(f"{value:.12g}")


@cache
def dictionary(version: str = LATEST) -> Dictionary:
    """The dictionary of a version, read once. KeyError for one that is not among FILES."""
    text = (Path(__file__).parent / FILES[version]).read_text(encoding="utf-8")
    tree = yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506
    terms = {item["id"]: _term(item) for item in tree["terms"]}
    analytes = {key: _analyte(key, item, terms) for key, item in tree["analytes"].items()}
    names: dict[str, tuple[Term, ...]] = {}
    for analyte in analytes.values():
        for name in (analyte.id, analyte.label, *analyte.names, *analyte.loinc):
            names[_folded(name)] = analyte.terms
    for term in terms.values():
        names |= {_folded(name): (term,) for name in (term.id, term.label)}
    otherwise = frozenset(_folded(name) for name in tree["not_by_value"])
    return Dictionary(tree["version"], tree["source"], terms, analytes, names, otherwise)


def _analyte(key: str, item: Mapping[str, Any], terms: Mapping[str, Term]) -> Analyte:
    own = tuple(term for term in terms.values() if term.analyte == key)
    return Analyte(key, item["label"], tuple(item["codes"]), tuple(item["loinc"]), own)


def _term(item: Mapping[str, Any]) -> Term:
    return Term(
        id=item["id"],
        label=item["label"],
        analyte=item["analyte"],
        direction=Direction(item["direction"]),
        units={unit: _bands(grades) for unit, grades in item["units"].items()},
        source=item["source"],
        open=item.get("open", ""),
        high_baseline=_bands(item.get("high_baseline")) or None,
        without_baseline=_bands(item.get("without_baseline")) or None,
        anticoagulated=_bands(item.get("anticoagulated")) or None,
    )


def _bands(grades: Mapping[int | str, str | list[str]] | None) -> Bands:
    """The worst first."""
    found = []
    for grade, told in (grades or {}).items():
        mildest, _, worst = str(grade).partition("-")
        texts = [told] if isinstance(told, str) else told
        limits = tuple(_both([_limit(part) for part in text.split(" and ")]) for text in texts)
        found.append(Band(int(worst or mildest), int(mildest), " or ".join(texts), limits))
    return tuple(sorted(found, key=lambda band: (band.worst, band.mildest), reverse=True))


def _both(parts: list[Beyond]) -> Beyond:
    """Of limits joined by `and`."""
    if len(parts) == 1:
        return parts[0]

    def beyond(given: Given) -> bool | None:
        answers = [part(given) for part in parts]
        return False if False in answers else None if None in answers else True

    return beyond


def _limit(text: str) -> Beyond:
    """What `> 3 ULN` or `fall >= 25 % below LLN` asks of a value. ValueError where it says else."""
    fall = _FALL.fullmatch(text)
    if fall:
        return _fallen(float(fall["percent"]))
    found = _LIMIT.fullmatch(text)
    if found is None or not (found["number"] or found["of"]):
        raise ValueError(text)
    attribute = {"ULN": "high", "LLN": "low", "baseline": "baseline", None: None}[found["of"]]
    number, plus = float(found["number"] or 1), float(found["plus"] or 0)
    return _compared(found["sign"], number, attribute, plus)


def _compared(sign: str, number: float, attribute: str | None, plus: float) -> Beyond:
    up, at = sign[0] == ">", sign.endswith("=")

    def beyond(given: Given) -> bool | None:
        limit = number
        if attribute is not None:
            of = getattr(given, attribute)
            if of is None:
                return None
            limit = number * of + plus
        value = given.value or 0.0
        apart = _apart(value, limit) if up else _apart(limit, value)
        return apart > 0 or (at and apart == 0)

    return beyond


def _fallen(percent: float) -> Beyond:
    """By how much a value that is below its range lies below the baseline."""

    def beyond(given: Given) -> bool | None:
        if given.low is None:
            return None
        value = given.value or 0.0
        if given.baseline is None or given.baseline <= 0 or _apart(given.low, value) <= 0:
            return False
        return _apart((1 - percent / 100) * given.baseline, value) >= 0

    return beyond


def _apart(left: float, right: float) -> float:
    """How far `left` lies above `right`, both at 12 digits."""
    difference = left - right
    if abs(difference) > _NEAR * max(abs(left), abs(right)):
        return difference
    return rounded(left) - rounded(right)


def _was_high(given: Given) -> bool:
    if given.baseline_high is not None:
        return given.baseline_high
    if given.baseline is None or given.high is None:
        return False
    return _apart(given.baseline, given.high) > 0


def _folded(name: str) -> str:
    return name.strip().casefold().replace(" ", "_")
