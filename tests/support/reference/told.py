"""What the events say of each source: records with a span, a value, and words where there is none.

Also the entities: enrolment, infusions, adverse events, death, overrides; merged by the contract's
words: ordered by time, then receipt; absent is unchanged, null is withdrawn.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import rules
from tests.support.reference.moments import Span, span_at, span_of

TRUTH: Mapping[str, bool | None] = {
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
# What is told in one unit and asked in another: factor and offset, from any textbook.
CONVERSIONS: Mapping[tuple[str, str], tuple[float, float]] = {
    ("[degF]", "Cel"): (5 / 9, -160 / 9),
    ("K", "Cel"): (1.0, -273.15),
    ("g/L", "g/dL"): (0.1, 0.0),
    ("mg/dL", "g/L"): (0.01, 0.0),
}
ENDED = ("treatment_stopped", "withdrawn", "completed", "lost")


class Record(NamedTuple):
    """One event's say about one source; `value` None: recorded, and not known."""

    span: Span
    n: int
    value: Any
    data: Mapping[str, Any]

    @property
    def order(self) -> tuple[int, int]:
        return self.span[0], self.n


@dataclass(frozen=True)
class Entity:
    """One entity as now known: its values, and the span of the first event that tells of it."""

    name: str
    values: Mapping[str, Any]
    first: Span
    when: Span


def converted(value: float, unit: str | None, wanted: str | None, mass: float | None) -> float:
    """The value in the wanted unit at 12 significant digits; untouched where they are equal."""
    if unit is None or wanted is None or unit == wanted:
        return value
    if (unit, wanted) == ("mg/dL", "umol/L") and mass is not None:
        return float(f"{value * 10_000 / mass:.12g}")
    factor, offset = CONVERSIONS[unit, wanted]
    return float(f"{value * factor + offset:.12g}")


class Told:
    """The effective log of one subject, sorted into what it tells of."""

    def __init__(self, events: Sequence[rules.Event], zone: str, codes: Mapping[Any, Any]) -> None:
        """`codes`: the protocol's declarations by (type, code)."""
        self.zone, self.codes = zone, codes
        self.events = sorted(events, key=lambda one: (one.time_us, one.n))

    def span(self, event: rules.Event) -> Span:
        return span_at(self.zone, event.time_us, event.timeprecision)

    def of(self, *kinds: str) -> list[rules.Event]:
        return [one for one in self.events if one.type in kinds]

    def records(self, origin: str, codes: Sequence[str], giver: str | None) -> list[Record]:
        """Everything told of these codes (a document, a field), oldest first."""
        result = []
        for event in self.of(origin):
            data: Any = event.data
            if giver is not None and data.get("given_by") != giver:
                continue
            for code in codes:
                if self._tells(origin, code, data):
                    value = self._value(origin, code, data)
                    result.append(Record(self.span(event), event.n, value, data))
        return result

    def _tells(self, origin: str, code: str, data: Mapping[str, Any]) -> bool:
        if origin == "demographics":
            return bool(data.get(code))
        if origin == "consent":
            guardian = data["document"] == "informed_consent" and data["given_by"] == "guardian"
            return data["document"] == code or (guardian and code == "guardian_consent")
        return bool(data.get("code") == code)

    def _value(self, origin: str, code: str, data: Mapping[str, Any]) -> Any:
        if origin == "demographics":
            return None if data[code] == "unknown" else data[code]
        if origin not in {"observation", "assessment"}:
            return TRUTH[data["status"]]
        if "absent" in data:
            return None
        value, declared = data["value"], self.codes[origin, code]
        if declared["value"] not in {"number", "integer"}:
            return value
        value = converted(value, data.get("unit"), declared.get("unit"), declared.get("molar_mass"))
        return int(value) if declared["value"] == "integer" else value

    # --- entities -----------------------------------------------------------------------------
    def enrolment(self) -> list[tuple[Span, str]]:
        return [(self.span(one), str(one.data["status"])) for one in self.of("enrolment")]

    def enrolled(self) -> Span | None:
        return next((span for span, status in self.enrolment() if status == "enrolled"), None)

    def died(self) -> Span | None:
        return next((self.span(one) for one in self.of("death")), None)

    def infusions(self) -> list[Entity]:
        """Those that were given, at all or in part, in order of their start."""
        found = self._merged("administration", "number", "start")
        given = [one for one in found if one.values.get("status") != "not_done"]
        return sorted(given, key=lambda one: one.when)

    def entities(self, kind: str, field: str | None) -> list[Record]:
        """Infusions that were given, or adverse events, as records of their own time."""
        several = self.infusions() if kind == "administration" else self.adverse_events()
        found = [
            Record(one.when, place, one.values.get(field) if field else True, facts_of(one))
            for place, one in enumerate(several)
        ]
        return sorted(found, key=lambda one: one.order)

    def adverse_events(self) -> list[Entity]:
        found = self._merged("adverse_event", "ae", "onset")
        return [one for one in found if one.values.get("status") != "withdrawn"]

    def _merged(self, kind: str, key: str, when: str) -> list[Entity]:
        values: dict[str, dict[str, Any]] = {}
        firsts: dict[str, Span] = {}
        for event in self.of(kind):
            name = str(event.data[key])
            firsts.setdefault(name, self.span(event))
            values.setdefault(name, {}).update(event.data)
        result = []
        for name, merged in values.items():
            text = merged.get(when)
            span = span_of(self.zone, text) if text else firsts[name]
            result.append(Entity(name, merged, firsts[name], span))
        return result

    def overrides(self, at: int | None, now: int) -> set[str]:
        """The criteria with an override in force: the last one told of it has not expired."""
        last: dict[str, Mapping[str, Any]] = {}
        for event in self.of("override"):
            if at is None or event.time_us <= at:
                last[str(event.data["criterion"])] = event.data
        moment = now if at is None else at
        return {name for name, data in last.items() if not expired(self.zone, data, moment)}


def facts_of(one: Entity) -> dict[str, Any]:
    """What a `where` may ask of an infusion or an adverse event."""
    own = {"infusion_number": one.values.get("number"), "infusion_status": one.values.get("status")}
    return {**one.values, **own}


def expired(zone: str, data: Mapping[str, Any], at: int) -> bool:
    """An instant is the first at which it no longer holds; a bare day is still good."""
    if not data.get("expires"):
        return False
    low, high = span_of(zone, data["expires"])
    return at >= low if low == high else at > high
