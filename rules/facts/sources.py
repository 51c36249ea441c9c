"""Where facts come from: the sources of records, and what of them the facts need.

Who comes in: a protocol's declarations. Who goes out: Source by key.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from enum import Enum, auto

from rules.clinical.ctcae import Direction
from rules.facts import grading
from rules.facts.grading import Scale
from rules.facts.windows import closed, reach_us
from rules.model import Code, Definition, FactSpec, Window
from rules.terms import EventType, Measure, Take, ValueType

SPANS = {
    EventType.CONDITION: ("onset", "abatement"),
    EventType.PROCEDURE: ("start", "end"),
    EventType.MEDICATION: (),
}
ENTITIES = frozenset({EventType.ADMINISTRATION, EventType.ADVERSE_EVENT})
TOUCHES = (Take.TOUCHES_POINT, Take.TOUCHES_SPAN)
_HAPPENED = (Take.COUNT, Take.DAYS_SINCE)  # asked of what happened, not of what was told of it
# By measure, the direction in which a value is graded; None: the worst of both.
_SIDES = {
    Measure.GRADE: None,
    Measure.GRADE_HIGH: Direction.HIGH,
    Measure.GRADE_LOW: Direction.LOW,
}
_SAME_TYPE = (Take.LATEST, Take.EARLIEST, Take.MIN, Take.MAX)


class Way(Enum):
    """What of a source's records a fact needs, besides the newest."""

    NEWEST = auto()  # nothing more
    COUNTING = auto()  # the newest that counts
    THINNED = auto()  # none that a newer one outdoes
    BASE = auto()  # the newest up to the end of its window
    FIRST = auto()  # the oldest
    RUN = auto()  # the newest in a row
    WHOLE = auto()  # all in its window
    LIVER = auto()  # what liver tests need of one another (liver_pruning.py)
    FOREVER = auto()  # all


@dataclass(frozen=True)
class Source:
    """Where facts come from: one code of one type, in one unit, one measure of it."""

    key: str
    origin: EventType
    code: str
    value: ValueType
    unit: str | None
    given_by: str | None
    touches: bool  # some fact asks for spans
    measure: Measure = Measure.VALUE
    molar_mass: float | None = None
    flagged: bool = False  # some fact asks which record is the baseline
    identity: str | None = None  # only what is told by this coding; None: whatever it is told by
    by_day: bool = False  # some fact takes the records of one local day for one
    specs: tuple[FactSpec, ...] = field(default=(), repr=False)
    scales: tuple[Scale, ...] = field(default=(), repr=False)  # where its measure is a grade
    score: str | None = None  # which one, of an assessment of several
    limits: bool = False  # each value is kept with the upper limit told with it


def source_key(spec: FactSpec, code: str | None = None) -> str:
    """The name of the source that a fact reads; of one of its codes."""
    giver = given_by(spec)
    tail = f":{giver}" if giver else f".{spec.score}" if spec.score else ""
    if spec.measure is not Measure.VALUE:
        tail = f"#{spec.measure}"
    if spec.liver is not None:
        tail = "#liver"
    return f"{spec.origin}:{spec.code if code is None else code}{tail}"


def source_keys(spec: FactSpec) -> tuple[str, ...]:
    """All sources that a fact reads; none for derived ones and those of entities."""
    if spec.origin is None or spec.origin in ENTITIES:
        return ()
    codes = (spec.code, *spec.also)
    if spec.identities:
        codes = tuple(f"{spec.code}|{identity}" for identity in spec.identities)
    return tuple(source_key(spec, code) for code in codes)


def identified(definition: Definition) -> dict[str, FactSpec]:
    """The facts, those of a code that stands for several things with the codings of each.

    Several codings of one system are different things (the drugs of a class): the end of one is
    not the end of another. One coding in each of several systems is one thing. Of several
    versions put together each fact has the codings of its own version already.
    """
    result = dict(definition.facts)
    if definition.criteria_version is not None:
        return result
    for name, spec in definition.facts.items():
        if spec.origin is EventType.ADVERSE_EVENT:
            result[name] = replace(spec, reference=definition.reference)
            continue
        declared = definition.codes.get((spec.origin, spec.code)) if spec.origin else None
        if declared is None or spec.origin not in SPANS:
            continue
        systems = [item.system for item in declared.codings]
        if len(set(systems)) < len(systems):
            told_by = sorted({f"{item.system}|{item.code}" for item in declared.codings})
            result[name] = replace(spec, identities=("", *told_by))
    return result


def given_by(spec: FactSpec) -> str | None:
    """Who must have given a consent; a guardian's consent is a guardian's unless it is said."""
    if spec.origin is not EventType.CONSENT:
        return None
    return spec.given_by or ("guardian" if spec.code == "guardian_consent" else None)


def sources(definition: Definition, facts: Iterable[FactSpec]) -> dict[str, Source]:
    """Every source that these facts read."""
    grouped: dict[str, list[FactSpec]] = {}
    told: dict[str, tuple[str, str | None]] = {}  # code and identity
    for spec in facts:
        named: list[tuple[str, str | None]] = [(code, None) for code in (spec.code, *spec.also)]
        if spec.identities:
            named = [(spec.code, identity) for identity in spec.identities]
        for key, one in zip(source_keys(spec), named, strict=False):
            grouped.setdefault(key, []).append(spec)
            told[key] = one
    return {key: _source(definition, key, *told[key], specs) for key, specs in grouped.items()}


def asks_for_spans(spec: FactSpec) -> bool:
    """Whether a fact is about when something lasted: also 'any' of a condition in a window."""
    if spec.take in TOUCHES or asks_what_happened(spec):
        return True
    return spec.origin in (EventType.CONDITION, EventType.PROCEDURE) and spec.take is Take.ANY


def asks_what_happened(spec: FactSpec) -> bool:
    """Whether a fact is about happenings, placed by their onset or start where it is told."""
    return spec.origin in SPANS and spec.take in _HAPPENED


def _source(
    definition: Definition, key: str, code: str, identity: str | None, specs: list[FactSpec]
) -> Source:
    first = specs[0]
    assert first.origin is not None
    declared = definition.codes.get((first.origin, code))
    alike = [spec for spec in specs if spec.take in _SAME_TYPE]
    value, unit = ValueType.BOOLEAN, None
    if declared is not None and declared.value is not None:
        value, unit = declared.value, declared.unit
    elif first.score is not None:
        value = ValueType.INTEGER
    elif declared is None and alike:
        value, unit = alike[0].value, alike[0].unit
    mass = declared.molar_mass if declared is not None else None
    return Source(
        key=key,
        origin=first.origin,
        code=code,
        value=value,
        unit=unit,
        given_by=given_by(first),
        touches=any(asks_for_spans(spec) for spec in specs),
        measure=first.measure,
        molar_mass=mass,
        flagged=any(spec.take is Take.CHANGE_FROM_BASELINE for spec in specs),
        identity=identity,
        by_day=any(spec.within_day for spec in specs),
        specs=tuple(specs),
        scales=_scales(definition, declared, first.measure),
        score=first.score,
        limits=first.liver is not None,
    )


def _scales(definition: Definition, code: Code | None, measure: Measure) -> tuple[Scale, ...]:
    """The directions that a measure looks at."""
    if measure not in _SIDES:
        return ()
    wanted = _SIDES[measure]
    found = grading.of_code(definition, code)
    return tuple(one for one in found if wanted in (None, one.term.direction))


# --- what must be kept --------------------------------------------------------------------------
def way(spec: FactSpec) -> Way:
    """What a fact needs of its records, beside the newest ones."""
    if spec.liver is not None:
        return Way.LIVER
    if asks_for_spans(spec):
        window = spec.window
        simple = window is not None and window.anchor is None and not closed(window)
        return Way.NEWEST if simple and not asks_what_happened(spec) else Way.FOREVER
    return _way_of_values(spec)


def _way_of_values(spec: FactSpec) -> Way:
    take, window = spec.take, spec.window
    if take in (Take.LATEST, Take.RATIO_TO_REFERENCE, Take.ABSENCE, Take.CHANGE_FROM_BASELINE):
        return _way_of_one(spec, window)
    if take in (Take.MIN, Take.MAX, Take.ANY, Take.ALL) and spec.where is None:
        return Way.THINNED if window is None or not closed(window) else Way.WHOLE
    if window is None or (window.low is None and not closed(window)):
        return _way_of_all(take)
    if take is Take.DAYS_SINCE and window.anchor is None and not closed(window):
        return Way.COUNTING
    return Way.FOREVER if window.low is None else Way.WHOLE


def opens_first(spec: FactSpec) -> bool:
    """Whether it is the first of a window that has a beginning and no end."""
    return spec.take is Take.EARLIEST and spec.window is not None and not closed(spec.window)


def _way_of_one(spec: FactSpec, window: Window | None) -> Way:
    if window is not None and closed(window):
        return Way.BASE if window.anchor is not None else Way.WHOLE
    return Way.NEWEST if spec.where is None else Way.COUNTING


def _way_of_all(take: Take) -> Way:
    ways = {
        Take.EARLIEST: Way.FIRST,
        Take.CONSECUTIVE: Way.RUN,
        Take.DAYS_SINCE: Way.COUNTING,
        Take.COMPLETED_YEARS: Way.NEWEST,
    }
    return ways.get(take, Way.FOREVER)


def reaches(specs: Iterable[FactSpec], wanted: Way) -> int | None:
    """How far back from the newest the facts of one way reach; None: for ever."""
    result = 0
    for spec in specs:
        if way(spec) is not wanted:
            continue
        reach = None if spec.window is None else reach_us(spec.window)
        if reach is None or (wanted is Way.THINNED and spec.window and spec.window.anchor):
            return None
        result = max(result, reach)
    return result
