"""Facts by brute force: every extreme completion of every date is tried, and all must agree.

`Facts` answers for one moment: the present (`at` None: everything received has happened) or an
anchor's instant, with all that is known now.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Any, NamedTuple

from tests.support.reference.logic import NOT_APPLICABLE, Logic, comparisons, is_condition, names
from tests.support.reference.moments import (
    CALENDAR,
    DAY,
    EXACT,
    FIRST,
    LAST,
    Span,
    age,
    day_begins,
    day_ends,
    day_of,
    days_of,
    extremes,
    shift,
)
from tests.support.reference.takes import (
    ENTITIES,
    TAKES,
    Seen,
    change,
    outcomes,
    rounded,
    short,
)
from tests.support.reference.told import Record, Told, expired
from tests.support.reference.touching import touching

UNKNOWN = None
_SIDES = {"ratio_to_high": "reference_high", "ratio_to_low": "reference_low"}
_CONDITIONS = ("when", "applicable_if")
MANY = 4096  # worlds: beyond that a log is too vague to be decided by trying
Spec = Mapping[str, Any]


class TooVague(Exception):
    """More completions than can be tried; the log is to be thrown away."""


class Bounds(NamedTuple):
    """A window in one world; ends that do not belong to it are already taken off."""

    low: int
    high: int


class Facts:
    """Every fact of one subject at one moment."""

    def __init__(
        self,
        protocol: Mapping[str, Any],
        told: Told,
        now: int,
        at: int | None = None,
        since: int | None = None,
    ) -> None:
        """`protocol`: the file as a plain dict; `at` None: now; `since`: when an anchor began."""
        self.protocol, self.told, self.zone = protocol, told, told.zone
        self.present, self.at = at is None, now if at is None else at
        self.since = self.at if since is None else since
        self._found: dict[str, Any] = {}

    @cached_property
    def specs(self) -> Mapping[str, Spec]:
        """The declared facts, and one of its own name for every code."""
        own = {
            code["code"]: {"from": code["type"], "code": code["code"]}
            | _only(code, "applicable_if")
            for code in self.protocol["codes"]
            if code["type"] != "assessment" or "value" in code
        }
        return own | dict(self.protocol.get("facts") or {})

    @cached_property
    def logic(self) -> Logic:
        return Logic(self.look, self.aside)

    def look(self, name: str) -> Any:
        """The value of a fact or parameter; None where it is not known."""
        if name.startswith("params."):
            return self.protocol["parameters"][name.removeprefix("params.")]["value"]
        if name not in self._found:
            self._found[name] = self._read(name, self.specs[name])
        return self._found[name]

    def aside(self, name: str) -> bool:
        """Not applicable, and nothing recorded that says otherwise."""
        spec = self.specs.get(name, {})
        if self._excluded(spec):
            return self.look(name) is None
        if "derive" not in spec:
            return False
        if is_condition(spec["derive"]):
            return self.logic.ask(spec["derive"]) is NOT_APPLICABLE
        return any(self.aside(one) for one in names(spec["derive"]))

    def perhaps_aside(self, name: str) -> bool:
        """Whether it is not known if it applies, and nothing recorded says that it does."""
        spec = self.specs.get(name)
        if spec is None or self.look(name) is not None:
            return False
        condition = spec.get("applicable_if")
        if condition is not None:
            return self.logic.ask(condition) is None
        return "derive" in spec and any(self.perhaps_aside(one) for one in names(spec["derive"]))

    def _excluded(self, spec: Spec) -> bool:
        """Whether it is asked only of others; what does not apply itself asks nobody."""
        condition = spec.get("applicable_if")
        return condition is not None and self.logic.ask(condition) in (False, NOT_APPLICABLE)

    # --- one fact -----------------------------------------------------------------------------
    def _read(self, name: str, spec: Spec) -> Any:
        take = spec.get("take", "latest")
        span = take == "any" and spec.get("from") in {"condition", "procedure"}
        readers = {
            "completed_years": self._age,
            "touches_point": lambda: touching(self, spec, point=True),
            "touches_span": lambda: touching(self, spec, point=False),
            "change_from_baseline": lambda: self._change(spec),
            "absence": lambda: self._absence(spec),
        }
        if "derive" in spec or "cases" in spec:
            return self._derived(spec)
        if "from" not in spec:
            return self._days_since(name, spec["anchor"])
        found = readers.get("touches_span" if span else take)
        return self._taken(name, spec) if found is None else found()

    def _by_now(self, spec: Spec) -> list[Record]:
        """Birth and sex are no matter of the moment: the latest told holds for every anchor."""
        records = self._records(spec)
        if spec["from"] == "demographics":
            return [one._replace(span=(0, 0)) for one in records[-1:]]
        return [one for one in records if self.present or one.span[0] <= self.at]

    def _records(self, spec: Spec) -> list[Record]:
        if spec["from"] in {"administration", "adverse_event"}:
            return self.told.entities(spec["from"], spec.get("field"))
        field = {"demographics": "field", "consent": "document"}.get(spec["from"], "code")
        codes = spec[field] if isinstance(spec[field], list) else [spec[field]]
        giver = spec.get("given_by")
        if spec["from"] == "consent" and codes == ["guardian_consent"]:
            giver = giver or "guardian"
        return self.told.records(spec["from"], codes, giver)

    def _age(self) -> Any:
        """The same for every day on which the subject may have been born; else unknown."""
        told = self.told.records("demographics", ["birth_date"], None)
        if not told:
            return UNKNOWN
        first, last = days_of(told[-1].value)
        on = day_of(self.zone, self.at)
        oldest, youngest = age(first, on), age(last, on)
        youngest = max(youngest, min(0, oldest))  # who is told of is born
        if youngest < 0:
            return UNKNOWN
        alike = self._alike("age_years_at_enrolment", youngest, oldest)
        return self.least("age_years", {youngest, oldest}) if alike else UNKNOWN

    def _alike(self, name: str, low: int, high: int) -> bool:
        """Whether no condition of the protocol tells these whole numbers apart."""
        texts = [one[key] for one in self.protocol["criteria"] for key in _CONDITIONS if key in one]
        texts += [one["when"] for one in self.protocol.get("rules", ())]
        texts += [one["endpoint"] for one in self.protocol.get("stopping", ())]
        for spec in self.specs.values():
            texts += [spec[key] for key in ("applicable_if", "derive") if key in spec]
            texts += [case["when"] for case in spec.get("cases", ())]
        return low == high or (
            not (self._computed(name) or self._shown(name))
            and all(
                len({Logic({name: number}.get).ask(text) for number in range(low, high + 1)}) == 1
                for text in comparisons(texts, name)
            )
        )

    def _computed(self, name: str) -> bool:
        """Whether another fact is made of the number."""
        several = [
            part["derive"]
            for spec in self.specs.values()
            for part in (spec, spec.get("otherwise"), *spec.get("cases", ()))
            if isinstance(part, Mapping) and "derive" in part
        ]
        return any(name in names(text) for text in several if not is_condition(text))

    def _shown(self, name: str) -> bool:
        """Whether a text tells the number itself; ages are told by the lower one."""
        texts = [one.get("detail", "") for one in self.protocol.get("rules", ())]
        return not name.startswith("age_years") and any(f"{{{name}}}" in text for text in texts)

    def _days_since(self, name: str, anchor: str) -> Any:
        found = self.anchor(anchor)
        if found is None:
            return UNKNOWN
        today = day_of(self.zone, self.at)
        return self.least(name, {(today - day_of(self.zone, at)).days for at in found})

    def least(self, name: str, numbers: set[int]) -> Any:
        """The least, where no condition tells any between it and the greatest apart."""
        low, high = min(numbers), max(numbers)
        return low if self._alike(name, low, high) else UNKNOWN

    # --- anchors ------------------------------------------------------------------------------
    def anchor(self, name: str) -> Span | None:
        """When it was; None: not known to have happened, at the latest by the moment asked about."""
        found = [span for span in self._anchors(name) if self.present or span[0] <= self.at]
        if not found:
            return None
        span = found[0]
        return span if self.present or span[1] <= self.at else None

    def _anchors(self, name: str) -> list[Span]:
        """Every candidate, the first of them first."""
        told = self.told
        given = [
            told.span(one)
            for one in told.of("consent")
            if one.data["status"] == "given" and one.data["document"] != "assent"
        ]
        begun = [span for span, status in told.enrolment() if status in {"screened", "enrolled"}]
        enrolled, died = told.enrolled(), told.died()
        infusions = [one.when for one in told.infusions()]
        by_now = [span for span in infusions if self.present or span[0] <= self.at]
        found = {
            "screening": begun[:1],
            "consent": given[:1],
            "enrolment": [] if enrolled is None else [enrolled],
            "death": [] if died is None else [died],
            "first_infusion": [_between(min, infusions)] if infusions else [],
            "last_infusion": [_between(max, by_now)] if by_now else [],
        }
        found |= {f"infusion_{one.name}": [one.when] for one in told.infusions()}
        return found.get(name, [])

    # --- windows ------------------------------------------------------------------------------
    def windows(self, window: Spec | None, *, vague: bool = False) -> list[Bounds] | None:
        """The window in every world of its anchor; None where the anchor is not known.

        `vague`: dates count, so that one window covers all worlds.
        """
        if window is None:
            return [Bounds(FIRST, LAST)]
        side, name = _anchored(window)
        if name is None:
            bounds = self._bounds(window, "up", self.at)
            early = self._bounds(window, "up", self.since)
            return [bounds._replace(low=early.low) if vague else bounds]
        found = self.anchor(name)
        if found is None:
            return None
        every = [self._bounds(window, side, at) for at in extremes(found, self.at)]
        if vague:  # wherever the anchor may lie
            return [Bounds(min(one.low for one in every), max(one.high for one in every))]
        return every

    def _bounds(self, window: Spec, side: str, anchor: int) -> Bounds:
        low, high = self._ends(window, side, anchor)
        ends = window.get("ends", "both")
        to_now = side == "up" and high == anchor_end(self.zone, window, anchor)
        if to_now and ends in {"both", "last"}:
            high = LAST  # what is told of has happened
        calendar = any(unit in window for unit in CALENDAR)
        if ends in {"last", "neither"} and low != FIRST:
            low = day_ends(self.zone, day_of(self.zone, low)) + 1 if calendar else low + 1
        if ends in {"first", "neither"} and high != LAST:
            high = day_begins(self.zone, day_of(self.zone, high)) - 1 if calendar else high - 1
        return Bounds(low, high)

    def _ends(self, window: Spec, side: str, anchor: int) -> tuple[int, int]:
        if side == "since":
            return anchor, LAST
        if side == "until":
            return FIRST, anchor
        unit = next(one for one in (*EXACT, "calendar_days", "months", "years") if one in window)
        told = window[unit]
        if isinstance(told, str):
            told = self.look(told)
        if isinstance(told, list):
            low, high = told
            low, high = (low, high) if side == "after" else (-high, -low)
        else:
            low, high = (0, told) if side == "after" else (-told, 0)
        if unit in EXACT:
            return anchor + low * EXACT[unit], anchor + high * EXACT[unit]
        day = day_of(self.zone, anchor)
        first = day_begins(self.zone, shift(day, unit, low))
        return first, day_ends(self.zone, shift(day, unit, high))

    # --- takes of records ---------------------------------------------------------------------
    def _taken(self, name: str, spec: Spec) -> Any:
        counts = spec.get("date_only") == "counts"
        windows = self.windows(spec.get("window"), vague=counts)
        if windows is None:
            return UNKNOWN
        records = self._by_now(spec)
        answers = {}
        for bounds in windows:
            for seen in self._worlds(spec, records, bounds):
                value = TAKES[spec.get("take", "latest")](self, spec, seen)
                answers[type(value), value] = value
        numbers = ["days_since"]
        if spec["from"] in ENTITIES:
            numbers += ["count", "consecutive"]
        if spec.get("take") in numbers and None not in answers.values():
            return self.least(name, set(answers.values()))
        return next(iter(answers.values())) if len(answers) == 1 else UNKNOWN

    def _change(self, spec: Spec) -> Any:
        """From the baseline to the latest, in every world of the anchor and the records."""
        records = self._by_now(spec)
        found = self.anchor(spec["baseline"])
        holds = self._valid_from(spec)
        answers = set()
        for anchor in extremes(found, self.at) if found else [None]:
            edges = [edge for edge in (anchor, self.at, holds) if edge is not None]
            each = [extremes(one.span, *edges) for one in records]
            if math.prod(len(one) for one in each) > MANY:
                raise TooVague
            for world in itertools.product(*each):
                seen = [
                    Seen(one, at, one.value, holds=True)
                    for one, at in zip(records, world, strict=True)
                    if self.present or at <= self.at
                ]
                answers.add(change(self, spec, seen, anchor, holds))
        return answers.pop() if len(answers) == 1 else UNKNOWN

    def _absence(self, spec: Spec) -> str:
        """Why the latest has no value, in one word."""
        records = self._by_now(spec)
        worlds = list(self._worlds(spec, records, Bounds(FIRST, LAST)))
        words = {(self._word(seen), seen[-1].value if seen else None) for seen in worlds}
        word = words.pop()[0] if len(words) == 1 else "uncertain"
        return "not_applicable" if word != "recorded" and self._excluded(spec) else word

    def _word(self, seen: Sequence[Seen]) -> str:
        if not seen:
            return "not_recorded"
        last = seen[-1]
        if last.value is not None:
            return "recorded" if last.holds else "expired"
        return str(last.record.data.get("absent", "uncertain"))

    def _worlds(self, spec: Spec, records: Sequence[Record], bounds: Bounds) -> Any:
        """Every way the records may lie: in the window or not, and on which day."""
        each: list[list[Seen | None]]
        each = [self._places(spec, record, bounds) for record in records]
        if spec.get("date_only") == "counts":
            each = [[next(filter(None, places), None)] for places in each]
        each = [
            [way for place in places for way in (outcomes(spec, place) if place else [None])]
            for places in each
        ]
        count = 1
        for places in each:
            count *= len(places)
        if count > MANY:
            raise TooVague
        for world in itertools.product(*each):
            yield [seen for seen in world if seen is not None]

    def _places(self, spec: Spec, record: Record, bounds: Bounds) -> list[Seen | None]:
        low, high = record.span
        # What is told of has happened; an anchor of this very moment does not make it earlier.
        if self.present and bounds.high != self.at:
            high = max(low, min(high, self.at))
        holds = self._valid_from(spec)
        found: dict[Any, Seen | None] = {}
        for at in extremes(
            (low, high), bounds.low, bounds.high, self.at, holds, *self._days(low, high)
        ):
            inside = bounds.low <= at <= bounds.high and (self.present or at <= self.at)
            seen = Seen(record, at, self.measured(spec, record), at >= holds) if inside else None
            key = None if seen is None else (seen.holds, self._day_matters(spec, at))
            found[key] = seen and seen._replace(holds=seen.holds and not self._over(record))
        return list(found.values())

    def _valid_from(self, spec: Spec) -> int:
        return self._bounds(spec["valid"], "up", self.at).low if "valid" in spec else FIRST

    def _over(self, record: Record) -> bool:
        """Whether what somebody judged has expired."""
        return bool(record.data.get("expires")) and expired(self.zone, record.data, self.at)

    def measured(self, spec: Spec, record: Record) -> Any:
        """Its value, or its ratio to the reference range that was told with it."""
        side = _SIDES.get(spec.get("measure", "value"))
        if spec.get("take") == "ratio_to_reference":
            side = side or "reference_high"
        if side is None or record.value is None:
            return record.value
        limit = record.data.get(side)
        return float(f"{record.data['value'] / limit:.12g}") if limit else None

    def _days(self, low: int, high: int) -> list[int]:
        """Where the local days of a span begin, the first and the last few."""
        if high - low > 40 * DAY:
            return []
        days = {day_of(self.zone, at) for at in range(low, high, DAY // 2)}
        return [day_begins(self.zone, day) for day in days]

    def _day_matters(self, spec: Spec, at: int) -> Any:
        matters = spec.get("take") == "days_since" or spec.get("within") == "day"
        return day_of(self.zone, at) if matters else None

    # --- derived facts ------------------------------------------------------------------------
    def _derived(self, spec: Spec) -> Any:
        if self._excluded(spec):
            return UNKNOWN
        possible = []
        for case in spec.get("cases", ()):
            holds = self.logic.ask(case["when"])
            if holds in (False, NOT_APPLICABLE):
                continue
            possible.append(self._worked_out(case if "derive" in case else case["value"]))
            if holds is True:
                break
        else:
            rest = spec if "derive" in spec else spec.get("otherwise")
            possible.append(self._worked_out(rest))
        return possible[0] if all(one == possible[0] for one in possible) else UNKNOWN

    def _worked_out(self, value: Any) -> Any:
        """A constant as it is; `{derive: ..}` as it comes out, at 12 significant digits."""
        if not isinstance(value, Mapping):
            return value
        text = value["derive"]
        if is_condition(text):
            answer = self.logic.ask(text)
            return None if answer is NOT_APPLICABLE else answer
        result = self.logic.number(text)
        return None if result is None else rounded(short(float(result), abs(float(result))))


def _between(which: Callable[..., int], spans: Sequence[Span]) -> Span:
    """When the first or the last of several was, each somewhere in its span."""
    return which(low for low, _ in spans), which(high for _, high in spans)


def anchor_end(zone: str, window: Spec, anchor: int) -> int:
    """Where a window ends that reaches up to the moment asked about."""
    if any(unit in window for unit in CALENDAR):
        return day_ends(zone, day_of(zone, anchor))
    return anchor


def _only(mapping: Mapping[str, Any], *keys: str) -> dict[str, Any]:
    return {key: mapping[key] for key in keys if key in mapping}


def _anchored(window: Spec) -> tuple[str, str | None]:
    for side in ("before", "after", "since", "until"):
        if side in window:
            return side, window[side]
    return "up", None
