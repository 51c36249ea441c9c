"""What the rules speak of beyond facts: adverse events, infusions, enrolment, death, overrides.

Who comes in: events of those types. Who goes out: merged entities with their clinical times.
An entity is a list of parts, each one event's say; parts merge by key in order of (time, n):
absent means unchanged, null withdraws.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import orjson

from rules.clinical import adverse
from rules.errors import LogNeeded
from rules.events import Event
from rules.facts.calendar import DAY_US, Calendar, Span, iso
from rules.facts.reading import Reading
from rules.model import Reference

Part = list[Any]  # [start, end, n, event id, fields, and once collapsed: origins]
START, END, N, EVENT, FIELDS, ORIGINS = range(6)
MOST_PARTS = 8
AGAIN = "@again"  # since when one infusion was told as given on two days
_LONGEST_DAY_US = DAY_US * 5 // 4  # a local day with an hour or two put in
_KEPT = {
    "adverse_event": (
        "grade",
        "serious",
        "seriousness",
        "causality",
        "expected",
        "outcome",
        "onset",
        "status",
        "term",
        "coding",
        "resolved",
        "aware_at",
        "reported_at",
        "submitted_at",
    ),
    "administration": ("product", "number", "dose", "unit", "status", "start", "end"),
    "enrolment": ("status",),
    "death": ("causality",),
    "override": ("criterion", "by", "reason", "expires"),
}
ENTITY_TYPES = frozenset(_KEPT)
LEFT = frozenset({"withdrawn", "completed", "lost"})
STOPPED = LEFT | {"treatment_stopped"}


class Merged(NamedTuple):
    """One entity as now known: its values, where each is from, and the span of its first part."""

    values: Mapping[str, Any]
    origins: Mapping[str, tuple[int, str]]
    first: Span

    def reading(self, name: str) -> Reading:
        """One field with its provenance."""
        time_us, event = self.origins.get(name, (None, None))
        return Reading(self.values.get(name), time_us, event)


def unpack(held: str | list[Part]) -> list[Part]:
    """The parts of an entity; entities nobody asks about stay packed text in the state."""
    if isinstance(held, str):
        parts: list[Part] = orjson.loads(held)
        return parts
    return held


def pack(held: str | list[Part]) -> str:
    """The text of an entity's parts."""
    return held if isinstance(held, str) else orjson.dumps(held).decode()


def part(event: Event, calendar: Calendar) -> Part:
    """One event's say."""
    start, end = calendar.span(event.time_us, event.timeprecision)
    return [start, end, event.n, event.event, told_by(event)]


def told_by(event: Event) -> dict[str, Any]:
    """What an event itself says of its entity."""
    return {name: event.data[name] for name in _KEPT[event.type] if name in event.data}


def put(parts: list[Part], new: Part) -> None:
    """Put a part in its place. Raises LogNeeded where older ones were collapsed away."""
    if parts and len(parts[0]) > ORIGINS and (new[START], new[N]) < (parts[0][START], parts[0][N]):
        raise LogNeeded
    parts.append(new)
    parts.sort(key=lambda item: (item[START], item[N]))


def collapse(parts: list[Part]) -> None:
    """Fold the oldest parts into one, so that an entity told a hundred times stays small."""
    while len(parts) > MOST_PARTS:
        merged = merge(parts[:2])
        origins = {name: list(origin) for name, origin in merged.origins.items()}
        first, second = parts[0], parts[1]
        begin, last_us = [first[START], first[END]], first[END]
        if len(first) > ORIGINS:
            begin, last_us = first[ORIGINS]["@"], first[ORIGINS]["@last"]
        whole = {**origins, "@": begin, "@last": max(last_us, second[END])}
        parts[:2] = [[*second[:FIELDS], dict(merged.values), whole]]


def last_told(parts: list[Part]) -> int:
    """The last instant at which anything may have been told of an entity."""
    head = parts[0]
    collapsed = head[ORIGINS]["@last"] if len(head) > ORIGINS else head[END]
    last_us: int = max(collapsed, *(part[END] for part in parts))
    return last_us


def merge(parts: list[Part]) -> Merged:
    """All parts, oldest first, as one."""
    values: dict[str, Any] = {}
    origins: dict[str, tuple[int, str]] = {}
    day = ""
    for item in parts:
        told = item[ORIGINS] if len(item) > ORIGINS else {}
        given_on = _given_on(item[FIELDS])
        if AGAIN in told or (day and given_on and given_on != day):
            time_us, event = told.get(AGAIN, (item[START], item[EVENT]))
            origins.setdefault(AGAIN, (time_us, event))
        day = given_on or day
        for name, value in item[FIELDS].items():
            values[name] = value
            time_us, event = told.get(name, (item[START], item[EVENT]))
            origins[name] = (time_us, event)
    head = parts[0]
    first = head[ORIGINS]["@"] if len(head) > ORIGINS else (head[START], head[END])
    return Merged(values, origins, Span(*first))


def _given_on(fields: Mapping[str, Any]) -> str:
    """The day on which an event says that something was given; '' where it does not."""
    gave = fields.get("status") in ("completed", "interrupted")
    return str(fields.get("start") or "")[:10] if gave else ""


# --- infusions --------------------------------------------------------------------------------
def infusion_name(event: Event) -> str:
    """The number of the infusion, or the event's own id where none was given."""
    number = event.data.get("number")
    return event.id if number is None else str(number)


def infusion_span(merged: Merged, calendar: Calendar) -> Span:
    """When it began: its `start`, else the time of the first event that tells of it."""
    start = merged.values.get("start")
    return calendar.parse(str(start)) if start else merged.first


def given(merged: Merged) -> bool:
    """Whether anything of it went into the subject."""
    return merged.values.get("status") != "not_done"


def infusion_readings(merged: Merged) -> dict[str, Reading]:
    """The facts of one infusion."""
    return {
        "infusion_repeated": Reading(AGAIN in merged.origins, *merged.origins.get(AGAIN, ())),
        "infusion_number": merged.reading("number"),
        "infusion_status": merged.reading("status"),
        "dose": merged.reading("dose"),
    }


# --- adverse events ---------------------------------------------------------------------------
def withdrawn(merged: Merged) -> bool:
    """Whether the reporter took the adverse event back."""
    return merged.values.get("status") == "withdrawn"


def onset(merged: Merged, calendar: Calendar) -> Span:
    """When it began; else the time of the first event that tells of it."""
    text = merged.values.get("onset")
    return calendar.parse(str(text)) if text else merged.first


def adverse_event_readings(
    merged: Merged,
    began: Span,
    first_infusion: Span | None,
    reference: Reference,
    calendar: Calendar,
) -> dict[str, Reading]:
    """The facts of one adverse event; never infused, nothing of it is after an infusion."""
    readings = {
        name: merged.reading(name)
        for name in ("grade", "serious", "causality", "expected", "outcome", "term")
    }
    listed: Any = merged.values.get("seriousness")
    if isinstance(listed, list):
        told = merged.reading("seriousness")
        readings["seriousness_criteria"] = told._replace(value=len(listed))
    status = merged.reading("status")
    readings["ae_status"] = status if status.value else status._replace(value="valid")
    after = False if first_infusion is None else _after(began, first_infusion)
    readings["onset_after_infusion"] = merged.reading("onset")._replace(value=after)
    day = calendar.day(began.start).isoformat()
    for name, value in adverse.derived(merged.values, day, reference).items():
        readings[name] = _resting_on(merged, name)._replace(value=value)
    early = _before_aware(merged, calendar)
    readings["submitted_before_aware"] = merged.reading("submitted_at")._replace(value=early)
    return readings


# Which of the fields told is shown as the origin of what follows from them.
_RESTS_ON = {
    "is_suspected": "causality",
    "is_expected": "term",
    "expectedness_conflict": "expected",
    "ae_ongoing": "resolved",
    "is_fatal": "outcome",
    "is_susar": "serious",
}


def _resting_on(merged: Merged, name: str) -> Reading:
    field = "term" if name.startswith("ae_in_") else _RESTS_ON.get(name, "seriousness")
    found = merged.reading(field)
    return found if found.event is not None else merged.reading("serious")


def _before_aware(merged: Merged, calendar: Calendar) -> bool | None:
    """Whether the authority was told before the investigator knew, which cannot be."""
    told = [merged.values.get(name) for name in ("submitted_at", "aware_at")]
    if None in told:
        return None
    submitted, aware = (calendar.parse(str(text)) for text in told)
    return submitted.end < aware.start


def _after(began: Span, infusion: Span) -> bool | None:
    """Whether it began at or after the infusion; None where both may be.

    Of an infusion dated by its day alone all of that day is after it; one dated by its month or
    year may have been given at any time of it.
    """
    given_us = infusion.start if infusion.end - infusion.start <= _LONGEST_DAY_US else infusion.end
    if began.start >= given_us:
        return True
    return False if began.end < infusion.start else None


# --- enrolment --------------------------------------------------------------------------------
def enrolled_part(parts: list[Part]) -> Part | None:
    """The first enrolment: what eligibility is anchored to."""
    for item in parts:
        if item[FIELDS].get("status") == "enrolled":
            return item
    return None


def screened_at(parts: list[Part], as_of_us: int | None) -> Reading:
    """Whether screening has begun; who is enrolled was screened, who left before is no longer."""
    result, enrolled = Reading(False), False
    for item in parts:
        if as_of_us is not None and item[START] > as_of_us:
            break
        status = item[FIELDS].get("status")
        if status == "enrolled" or result.value is not True:
            result = Reading(status not in STOPPED, item[START], item[EVENT])
            enrolled = enrolled or status == "enrolled"
        elif status in STOPPED and not enrolled:
            result = Reading(False, item[START], item[EVENT])
    return result


def enrolled_at(parts: list[Part], as_of_us: int | None) -> Reading:
    """Whether definitely enrolled by then; unknown within the day of a date-only enrolment."""
    found = enrolled_part(parts)
    if found is None or (as_of_us is not None and found[START] > as_of_us):
        return Reading(False)
    sure = as_of_us is None or found[END] <= as_of_us
    return Reading(True if sure else None, found[START], found[EVENT])


def on_study_at(parts: list[Part], deaths: list[Part], as_of_us: int | None) -> Reading:
    """Enrolled, and nothing since that ends treatment or more."""
    return _enrolled_until(STOPPED, parts, deaths, as_of_us)


def followed_at(parts: list[Part], deaths: list[Part], as_of_us: int | None) -> Reading:
    """Enrolled, and nothing since that ends all; who is no longer treated is followed on."""
    return _enrolled_until(LEFT, parts, deaths, as_of_us)


def _enrolled_until(
    ending: frozenset[str], parts: list[Part], deaths: list[Part], as_of_us: int | None
) -> Reading:
    latest = Reading(False)
    for item in parts:
        status = item[FIELDS].get("status")
        if as_of_us is not None and item[START] > as_of_us:
            break
        if status == "enrolled" or status in ending:
            latest = Reading(status == "enrolled", item[START], item[EVENT])
    return dead_at(deaths, as_of_us)._replace(value=False) if _died(deaths, as_of_us) else latest


def enrolment_status_at(parts: list[Part], as_of_us: int | None) -> Reading:
    """What was last told of the subject's way through the trial; unknown before anything was."""
    told = [item for item in parts if as_of_us is None or item[START] <= as_of_us]
    if not told:
        return Reading(None)
    last = told[-1]
    return Reading(last[FIELDS].get("status"), last[START], last[EVENT])


def dead_at(deaths: list[Part], as_of_us: int | None) -> Reading:
    """Whether a death is recorded by then."""
    if not _died(deaths, as_of_us):
        return Reading(False)
    return Reading(True, deaths[0][START], deaths[0][EVENT])


def _died(deaths: list[Part], as_of_us: int | None) -> bool:
    return bool(deaths) and (as_of_us is None or deaths[0][START] <= as_of_us)


# --- overrides --------------------------------------------------------------------------------
class Override(NamedTuple):
    """An investigator's waiver of one criterion, in force until `expires_us`."""

    by: str | None
    at_us: int
    reason: str | None
    expires_us: int | None
    event: str

    def note(self) -> str:
        """That it is somebody's waiver, and until when."""
        until = "" if self.expires_us is None else f", until {iso(self.expires_us)}"
        return f"overridden by {self.by or 'an unnamed person'}{until}"


def overrides_at(
    held: Mapping[str, list[Part]], calendar: Calendar, as_of_us: int | None, now_us: int
) -> dict[str, Override]:
    """The overrides in force, by criterion."""
    at_us = now_us if as_of_us is None else as_of_us
    result: dict[str, Override] = {}
    for criterion, parts in held.items():
        known = [item for item in parts if as_of_us is None or item[START] <= as_of_us]
        if not known:
            continue
        last = known[-1]
        expires = expiry(last, calendar)
        if expires is None or expires > at_us:
            fields = last[FIELDS]
            result[criterion] = Override(
                fields.get("by"), last[START], fields.get("reason"), expires, last[EVENT]
            )
    return result


def expiry(item: Part, calendar: Calendar) -> int | None:
    """The first instant at which the override no longer holds; a bare day is still good."""
    text = item[FIELDS].get("expires")
    if not text:
        return None
    start, end = calendar.parse(str(text))
    return end if start == end else end + 1
