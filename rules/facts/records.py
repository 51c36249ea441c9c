"""Events made into records: which sources an event feeds, and with what.

Who comes in: events, one by one. Who goes out: records with their sources.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from rules.clinical.ctcae import Given
from rules.events import Event
from rules.facts import units
from rules.facts.calendar import Calendar
from rules.facts.grading import worst
from rules.facts.reading import NO_REFERENCE, OPINION
from rules.facts.sources import SPANS, Source, sources
from rules.facts.timeline import Record
from rules.model import Definition, FactSpec, Scalar
from rules.terms import EventType, Measure, ValueType

_TRUTH: Mapping[str, bool | None] = {
    "active": True,
    "resolved": False,
    "absent": False,
    "suspected": None,
    "done": True,
    "not_done": False,
    "given": True,
    "withdrawn": False,
    "started": True,
    "tapering": True,
    "dose_changed": True,
    "stopped": False,
    "not_taken": False,
}
# What is told of a medication, in the words of conditions; `ongoing` began at some time before.
_LASTS = {
    "started": "active",
    "tapering": "ongoing",
    "dose_changed": "ongoing",
    "stopped": "resolved",
    "not_taken": "absent",
}


class Reader:
    """Turns events into records: which sources an event feeds, and with what."""

    def __init__(
        self, definition: Definition, calendar: Calendar, facts: Iterable[FactSpec]
    ) -> None:
        """Compile the routes from (type, code) to the sources of these facts."""
        self.calendar = calendar
        self.sources = sources(definition, facts)
        self._routes: dict[tuple[str, str], tuple[Source, ...]] = {}
        for source in self.sources.values():
            route = (source.origin.value, source.code)
            self._routes[route] = (*self._routes.get(route, ()), source)
        self._identities = {
            route: frozenset(one.identity for one in several)
            for route, several in self._routes.items()
        }
        self._fields = tuple(
            code for origin, code in self._routes if origin == EventType.DEMOGRAPHICS.value
        )

    def records(self, event: Event) -> Iterable[tuple[Source, Record]]:
        """The records that one event makes, with their sources."""
        data = event.data
        if event.type == EventType.DEMOGRAPHICS.value:
            codes: tuple[Any, ...] = tuple(code for code in self._fields if data.get(code))
        else:
            codes = _documents(data) if event.type == "consent" else (data.get("code"),)
        for code in codes:
            for source in self._routes.get((event.type, code), ()):
                if source.given_by is not None and source.given_by != data.get("given_by"):
                    continue
                if source.score is not None and not _tells(source.score, data):
                    continue
                if source.identity is None or source.identity == self._identity(event, code):
                    yield source, self._record(source, event)

    def _identity(self, event: Event, code: str) -> str:
        """The coding by which an event tells of a code; none: the code itself."""
        listed: Any = event.data.get("coding") or ()
        told_by = sorted(f"{item['system']}|{item['code']}" for item in listed)
        known = self._identities[event.type, code]
        return next((one for one in told_by if one in known), "")

    def _record(self, source: Source, event: Event) -> Record:
        data = event.data
        start, end = self.calendar.span(event.time_us, event.timeprecision)
        value, note = _value(source, data)
        if source.origin is EventType.ASSESSMENT and value is not None and data.get("by"):
            note = _opinion(data)
        record: Record = [start, end, event.n, value, event.event]
        if source.touches:
            status = str(data.get("status"))
            if source.origin is EventType.MEDICATION:
                return [*record, _LASTS.get(status, status), None, *_taken(status, start, end)]
            return [*record, status, None, *self._ends(source.origin, data, end)]
        if source.limits:
            flagged = data.get("baseline") is True
            return [*record, note, None, flagged, _upper(source, data)]
        if source.flagged and data.get("baseline") is True:
            return [*record, note, self._expiry(data), True]
        if source.origin is EventType.ASSESSMENT and data.get("expires"):
            return [*record, note, self._expiry(data)]
        return [*record, note] if note is not None else record

    def _expiry(self, data: Mapping[str, object]) -> int | None:
        """The first instant at which an assessment no longer holds; a bare day is still good."""
        if not data.get("expires"):
            return None
        start, end = self.calendar.parse(str(data["expires"]))
        return end if start == end else end + 1

    def _ends(
        self, origin: EventType, data: Mapping[str, object], known_us: int
    ) -> list[int | None]:
        """Both ends of the span as intervals; what began cannot have begun after it was told."""
        result: list[int | None] = []
        for name in SPANS[origin]:
            text = data.get(name)
            low, high = self.calendar.parse(str(text)) if text else (None, None)
            if low is not None and high is not None and low < high:
                high = max(low, min(high, known_us))
            result += [low, high]
        return result


def _opinion(data: Mapping[str, object]) -> str:
    """Whose judgement it is, and until when it holds."""
    expires = f", expires {data['expires']}" if data.get("expires") else ""
    return f"{OPINION}{data['by']}{expires}"


def _taken(status: str, start: int, end: int) -> list[int | None]:
    """Both ends of a medication's span as intervals: it begins and ends when that is told."""
    span, untold = [start, end], [None, None]
    return [*(span if status == "started" else untold), *(span if status == "stopped" else untold)]


def _documents(data: Mapping[str, object]) -> tuple[Any, ...]:
    """The consents an event tells of: a guardian's, whichever of its two names it is given."""
    document = data.get("document")
    if document == "informed_consent" and data.get("given_by") == "guardian":
        return document, "guardian_consent"
    return (document,)


def _value(source: Source, data: Mapping[str, object]) -> tuple[Scalar | None, str | None]:
    """The typed value in the source's unit, or None with the word that stood in its place."""
    if source.origin is EventType.DEMOGRAPHICS:
        text = str(data[source.code])
        return (None, text) if text == "unknown" else (text, None)
    if source.origin in {EventType.OBSERVATION, EventType.ASSESSMENT}:
        if data.get("absent") is not None:
            return None, str(data["absent"])
        return _measured(source, data) if source.score is None else _score(source.score, data)
    status = str(data.get("status"))
    if source.value is not ValueType.BOOLEAN:
        return status, None
    truth = _TRUTH.get(status)
    return truth, status if truth is None else None


def _tells(score: str, data: Mapping[str, Any]) -> bool:
    """Whether an assessment says anything of a score."""
    return score in data.get("scores", ())


def _score(name: str, data: Mapping[str, Any]) -> tuple[Scalar | None, str | None]:
    """One of the scores that an assessment tells, or the word that stands in its place."""
    told = data["scores"][name]
    return (None, told) if isinstance(told, str) else (int(told), None)


def _measured(source: Source, data: Mapping[str, object]) -> tuple[Scalar | None, str | None]:
    """The value, its ratio to its range, or its grade."""
    if source.measure is Measure.VALUE:
        return _typed(source, data.get("value"), data.get("unit")), None
    if source.measure in (Measure.RATIO_TO_HIGH, Measure.RATIO_TO_LOW):
        return _ratio(source, data)
    return _grade(source, data)


def _upper(source: Source, data: Mapping[str, object]) -> float | None:
    """The upper limit told with a value, in the source's unit."""
    limit = _typed(source, data.get("reference_high"), data.get("unit"))
    return limit if isinstance(limit, int | float) and limit > 0 else None


def _ratio(source: Source, data: Mapping[str, object]) -> tuple[Scalar | None, str | None]:
    """The value in multiples of the limit told with it, in whatever unit both were told."""
    end = "reference_high" if source.measure is Measure.RATIO_TO_HIGH else "reference_low"
    if data.get(end) is None:
        return None, NO_REFERENCE
    value = _typed(source, data.get("value"), data.get("unit"))
    limit = _typed(source, data[end], data.get("unit"))
    if not isinstance(value, int | float) or not isinstance(limit, int | float) or limit <= 0:
        return None, NO_REFERENCE
    return units.rounded(units.settled(value / limit)), None


def _grade(source: Source, data: Mapping[str, object]) -> tuple[Scalar | None, str | None]:
    """The grade by the limits told with the value; without those that it needs it has none."""

    def told(name: str) -> float | None:
        found = _typed(source, data.get(name), data.get("unit"))
        return float(found) if isinstance(found, int | float) else None

    given = Given(told("value"), told("reference_low"), told("reference_high"))
    if given.value is None:
        return None, None
    found = worst([(scale.term, scale.grade(given)) for scale in source.scales]).grade
    return found.grade, NO_REFERENCE if found.grade is None else None


def _typed(source: Source, value: Any, unit: object) -> Scalar | None:
    if isinstance(value, Mapping):
        value = value.get("code")
    if value is None or isinstance(value, bool | str):
        return value
    if isinstance(unit, str) and source.unit is not None:
        value = _converted(source, value, unit, source.unit)
    if source.value is ValueType.INTEGER and float(value).is_integer():
        return int(value)
    return value  # type: ignore[no-any-return]


def _converted(source: Source, value: float, unit: str, wanted: str) -> float:
    if source.molar_mass is None:
        return units.convert(value, unit, wanted)
    return units.convert(value, unit, wanted, source.molar_mass)
