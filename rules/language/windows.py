"""Windows of time and what they are anchored to.

Who comes in: the rooms of facts and of the schedule, with a `window`. Who goes out: Window.
"""

from __future__ import annotations

import re
from collections.abc import Container, Iterable

from rules.language.loader import Seq
from rules.language.parameters import Constants, constant
from rules.language.reading import Section
from rules.language.syntax import did_you_mean
from rules.model import FactSpec, Window
from rules.terms import Ends, Take, WindowUnit

ANCHORS = ("screening", "consent", "enrolment", "first_infusion", "last_infusion", "death")
_INFUSION = re.compile(r"infusion_(?:[1-9]\d{0,2}|1000)")
_LONGEST = {
    WindowUnit.HOURS: 876_000,
    WindowUnit.DAYS: 36_500,
    WindowUnit.WEEKS: 5_200,
    WindowUnit.CALENDAR_DAYS: 36_500,
    WindowUnit.MONTHS: 1_200,
    WindowUnit.YEARS: 100,
}
_UCUM = {
    WindowUnit.HOURS: "h",
    WindowUnit.DAYS: "d",
    WindowUnit.WEEKS: "wk",
    WindowUnit.CALENDAR_DAYS: "d",
    WindowUnit.MONTHS: "mo",
    WindowUnit.YEARS: "a",
}
_PLACES = ("before", "after", "since", "until")
# What is made of many records, or of none, has no record whose time could be an anchor.
_TIMELESS = (
    *(Take.COUNT, Take.SUM, Take.MEAN, Take.CONSECUTIVE, Take.DAYS_SINCE, Take.ABSENCE),
    *(Take.COMPLETED_YEARS, Take.CHANGE_FROM_BASELINE),
)


def window(section: Section, params: Constants, key: str = "window") -> Window | None:
    """A window with one unit, or from or up to an anchor without one."""
    part = section.section(key)
    if part is None:
        return None
    units = [unit for unit in WindowUnit if unit.value in part.node]
    part.asked |= {unit.value for unit in WindowUnit} | set(_PLACES)
    places = [place for place in _PLACES if place in part.node]
    ends = part.enum("ends", Ends, required=False) or Ends.BOTH
    part.close()
    if len(places) > 1:
        part.complain(None, f"has {' and '.join(f'`{place}`' for place in places)}", "one of them")
        return None
    place = places[0] if places else ""
    anchor = part.text(place, required=True) if place else None
    open_ended = place in ("since", "until")
    if len(units) != (0 if open_ended else 1):
        _not_one(part, place, open_ended=open_ended)
        return None
    if open_ended:
        low, high = (0, None) if place == "since" else (None, 0)
        return Window(WindowUnit.HOURS, low, high, anchor, ends) if anchor else None
    offsets = _offsets(part, units[0], place, params)
    if offsets is None or anchor == "":
        return None
    made = Window(units[0], *offsets, anchor, ends)
    if _holds_nothing(*offsets, made):
        part.complain("ends", f"with `ends: {ends}` nothing lies in the window", "ends: both")
    return made


def _holds_nothing(low: float, high: float, made: Window) -> bool:
    """Whether what is shut out at the ends is all there is: an instant, or one day or two."""
    shut = {Ends.BOTH: 0, Ends.FIRST: 1, Ends.LAST: 1, Ends.NEITHER: 2}[made.ends]
    if made.unit.exact:
        return low == high and shut > 0
    # Calendar units reach over whole days: of as many as are counted, and of the anchor's.
    return made.unit is WindowUnit.CALENDAR_DAYS and high - low + 1 <= shut


def _not_one(part: Section, place: str, *, open_ended: bool) -> None:
    if open_ended:
        part.complain(place, f"`{place}` reaches from or to its anchor, without a length")
        return
    words = ", ".join(f"`{unit}`" for unit in WindowUnit)
    part.complain(None, f"needs exactly one of {words}", "or `since` or `until` an anchor")


def _offsets(
    part: Section, unit: WindowUnit, place: str, params: Constants
) -> tuple[float, float] | None:
    """How far the window's ends lie from its anchor, negative before it."""
    value = part.node.get(unit.value)
    if not isinstance(value, Seq):
        length = _number(part, unit, value, params, least=_least(unit))
        if length is None:
            return None
        return (0, length) if place == "after" else (-length, 0)
    if len(value) != 2:
        part.complain(unit.value, f"`{unit}` must be a number or [from, to]", f"{unit}: [25, 31]")
        return None
    ends = [_number(part, unit, one, params, least=None) for one in value]
    if ends[0] is None or ends[1] is None:
        return None
    if ends[0] > ends[1]:
        part.complain(unit.value, f"`{unit}` must be [from, to], the lesser first")
        return None
    return (ends[0], ends[1]) if place == "after" else (-ends[1], -ends[0])


def _least(unit: WindowUnit) -> float:
    """The shortest single length: `calendar_days: 0` is the day itself."""
    return 0 if unit in (WindowUnit.HOURS, WindowUnit.CALENDAR_DAYS) else 1


def _number(
    part: Section, unit: WindowUnit, value: object, params: Constants, least: float | None
) -> float | None:
    value = constant(part, unit.value, value, params, _UCUM[unit])
    if value is None:
        return None
    longest = _LONGEST[unit]
    if unit is WindowUnit.HOURS:
        fits = isinstance(value, int | float) and not isinstance(value, bool)
        if not fits or (least is not None and not 0 < value <= longest):  # type: ignore[operator]
            part.complain(unit.value, "`hours` must be a number above 0")
            return None
        if abs(value) > longest:  # type: ignore[arg-type]
            part.complain(unit.value, f"`hours` must lie from -{longest} to {longest}")
            return None
        return value  # type: ignore[return-value]
    low = int(least) if least is not None else -longest
    return part.whole(unit.value, value, low, longest)


def duration(section: Section, params: Constants, key: str) -> Window | None:
    """`valid: {days: 14}`: a length of time, up to the moment asked for."""
    made = window(section, params, key)
    if made is not None and (made.anchor is not None or made.low is None or made.high != 0):
        section.complain(key, f"`{key}` is a length of time alone", f"{key}: {{days: 14}}")
        return None
    return made


def check_anchor(section: Section, key: str, anchor: str, facts: dict[str, FactSpec]) -> None:
    """Complain of an anchor that is neither one of the trial nor a fact with a time of its own."""
    if anchor in ANCHORS or _INFUSION.fullmatch(anchor):
        return
    spec = facts.get(anchor)
    if spec is None:
        near = did_you_mean(anchor, (*ANCHORS, "infusion_1", *facts))
        section.complain(key, f"unknown anchor `{anchor}`", near or f"one of {_listed(ANCHORS)}")
    elif spec.origin is None or spec.take in _TIMELESS:
        message = f"the anchor `{anchor}` is a fact without a time of its own"
        section.complain(key, message, "name the fact whose record it is")


def _listed(words: Iterable[str]) -> str:
    return ", ".join((*words, "infusion_1, infusion_2.. or a fact"))


def anchors_of(spec: FactSpec, facts: Container[str]) -> tuple[str, ...]:
    """The facts whose time a fact's windows, baseline or days count from."""
    named = (spec.window.anchor if spec.window else None, spec.baseline, spec.anchor)
    return tuple(name for name in named if name is not None and name in facts)
