"""What each `take` may be asked of, and of which type and unit its answer is.

Who comes in: facts.py with what a fact reads and how. Who goes out: its type, or complaints.
"""

from __future__ import annotations

from dataclasses import dataclass

from rules.language.reading import Section
from rules.language.vocabulary import NUMERIC
from rules.model import Window
from rules.terms import Absence, ChangeKind, Conflict, EventType, Measure, Take, ValueType

LASTING = (EventType.CONDITION, EventType.PROCEDURE, EventType.MEDICATION)
GRADES = (Measure.GRADE, Measure.GRADE_HIGH, Measure.GRADE_LOW)
ENTITIES = (EventType.ADMINISTRATION, EventType.ADVERSE_EVENT)
ONE_RECORD = (Take.LATEST, Take.EARLIEST, Take.RATIO_TO_REFERENCE)
AGES = (*ONE_RECORD, Take.ABSENCE, Take.CHANGE_FROM_BASELINE)  # what `valid` may stand beside
_RECORDED = frozenset({Take.LATEST, Take.EARLIEST, Take.COUNT, Take.DAYS_SINCE, Take.ABSENCE})
_OF_NUMBERS = frozenset(
    {Take.MIN, Take.MAX, Take.SUM, Take.MEAN, Take.CHANGE_FROM_BASELINE, Take.CONSECUTIVE}
)
_OF_BOOLEANS = frozenset({Take.ANY, Take.ALL, Take.CONSECUTIVE})
_OF_ENTITIES = frozenset({Take.COUNT, Take.ANY, Take.DAYS_SINCE, Take.CONSECUTIVE})
_TOUCHES = frozenset({Take.TOUCHES_POINT, Take.TOUCHES_SPAN})


@dataclass(frozen=True)
class Read:
    """What a fact reads: records of one value type; None: entities as such, without a field."""

    origin: EventType
    value: ValueType | None
    unit: str | None = None
    values: tuple[str, ...] = ()
    molar_mass: float | None = None

    @property
    def numeric(self) -> bool:
        """Whether its records are numbers."""
        return self.value in NUMERIC


@dataclass(frozen=True)
class Answer:
    """The type of a fact."""

    value: ValueType
    unit: str | None = None
    values: tuple[str, ...] = ()


_ALWAYS = {
    Take.ABSENCE: Answer(ValueType.CODE, None, tuple(word.value for word in Absence)),
    Take.DAYS_SINCE: Answer(ValueType.INTEGER, "d"),
    Take.COUNT: Answer(ValueType.INTEGER),
    Take.CONSECUTIVE: Answer(ValueType.INTEGER),
}


def possible(read: Read) -> tuple[Take, ...]:
    """The takes that may be asked of it, in the order of the language."""
    if read.value is None:
        found = _OF_ENTITIES
    elif read.numeric:
        found = _RECORDED | _OF_NUMBERS
        if read.origin is EventType.OBSERVATION:
            found |= {Take.RATIO_TO_REFERENCE}
    else:
        found = _RECORDED | {Take.CONSECUTIVE}
        if read.value is ValueType.BOOLEAN:
            found |= _OF_BOOLEANS
    if read.origin in LASTING:
        found |= _TOUCHES
    if read.origin in ENTITIES:
        found -= {Take.ABSENCE}
    return tuple(take for take in Take if take in found)


def answer(read: Read, take: Take, measure: Measure, change: ChangeKind) -> Answer:
    """The type and unit of what a take makes of its records."""
    if take in _ALWAYS:
        return _ALWAYS[take]
    if take in {Take.ANY, Take.ALL} | _TOUCHES or read.value is None:
        return Answer(ValueType.BOOLEAN)
    graded = measure in GRADES
    unit = read.unit if measure is Measure.VALUE else None if graded else "1"
    if take is Take.CHANGE_FROM_BASELINE:
        told: dict[ChangeKind, str | None] = {
            ChangeKind.ABSOLUTE: unit,
            ChangeKind.PERCENT: "%",
            ChangeKind.RATIO: "1",
        }
        return Answer(ValueType.NUMBER, told[change])
    if graded and take is not Take.MEAN:
        return Answer(ValueType.INTEGER)
    if take is Take.MEAN or measure is not Measure.VALUE:
        return Answer(ValueType.NUMBER, unit)
    return Answer(read.value, unit, read.values)


def check(section: Section, read: Read, take: Take, window: Window | None, where: bool) -> None:
    """Complain of a take that cannot be asked of these records."""
    may = possible(read)
    by_where = take in (Take.ANY, Take.ALL) and where and read.value is not None
    if take not in may and not by_where:
        section.complain("take", f"`take: {take}` {_needs(take)}", f"one of {', '.join(may)}")
    elif take.startswith("touches") and window is None:
        section.complain("take", f"`take: {take}` needs a `window`", "window: {months: 6}")
    elif take is Take.CONSECUTIVE and read.value is not ValueType.BOOLEAN and not where:
        message = "`take: consecutive` needs a `where` that says what is counted in a row"
        section.complain("take", message, "where: value > 3")


def _needs(take: Take) -> str:
    if take in _TOUCHES:
        return "needs a condition, a procedure or a medication"
    if take is Take.RATIO_TO_REFERENCE:
        return "needs an observation that is a number"
    if take is Take.ANY:
        return "needs a condition, a procedure, a medication or a boolean"
    if take is Take.ALL:
        return "needs a boolean"
    if take is Take.COMPLETED_YEARS:
        return "needs a birth date"
    return "needs a number" if take in _OF_NUMBERS else "is nothing of these records"


def check_conflict(
    section: Section, read: Read, take: Take, conflict: Conflict, worse: tuple[str, ...]
) -> None:
    """Complain of a policy that these records cannot follow."""
    if conflict is Conflict.MEAN and not read.numeric:
        section.complain("conflict", "`conflict: mean` needs a number")
    if conflict is Conflict.ANY and read.value is not ValueType.BOOLEAN:
        section.complain("conflict", "`conflict: any` needs a condition, a procedure or a boolean")
    if (conflict is Conflict.WORST) != bool(worse):
        hint = "worse: high, worse: low, or the values from best to worst"
        section.complain("conflict", "`conflict: worst` and `worse` go together", hint)
    elif worse and worse in (("high",), ("low",)):
        if read.value is ValueType.CODE:
            section.complain("worse", "a code has no high or low", "its values, best to worst")
    elif worse and sorted(worse) != sorted(read.values):
        section.complain("worse", "`worse` names each value once, from best to worst")
    if take in _TOUCHES and conflict is not Conflict.LAST:
        section.complain("conflict", f"`take: {take}` knows no conflict of records")
