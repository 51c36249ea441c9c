"""Whether a condition or procedure touched a window: the manual's words, every completion tried.

"Any definite touch is true; else anything uncertain is unknown; else what is recorded is false;
nothing recorded is unknown." Read here for logs in which every active condition tells its onset.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from tests.support.reference.moments import (
    ANCHORED,
    CALENDAR,
    FIRST,
    LAST,
    Span,
    day_ends,
    day_of,
    extremes,
    span_of,
)
from tests.support.reference.told import Record

Spec = Mapping[str, Any]


class Episode(NamedTuple):
    """One thing that lasted; each end lies somewhere in a span. Not `sure`: perhaps it never was."""

    begins: Span
    ends: Span
    sure: bool = True
    told: int = FIRST
    happened: bool = False  # not `sure` of its time alone: some time it was


def touching(facts: Any, spec: Spec, *, point: bool) -> Any:
    field = spec["code"]
    records = facts.told.records(spec["from"], [field], None)
    counts = spec.get("date_only") == "counts"
    windows = facts.windows(spec.get("window"), vague=counts)
    if windows is None:
        return None
    answers = []
    # What is asked now about an anchor's window is not cut at now: everything received has happened.
    cut = not (facts.present and _anchored(spec))
    for episode in _episodes(facts, records, point=point):
        low, high = episode.begins
        if (cut and low == high > facts.at) or (low == FIRST and episode.told > facts.at):
            continue  # it began, or was first told of, after the moment asked about
        touch = {
            _touches(facts, spec, bounds, began, ended)
            for bounds in windows
            for began in extremes(episode.begins, bounds.low, bounds.high)
            for ended in extremes(episode.ends, bounds.low, bounds.high)
        }
        perhaps = True if counts and episode.sure else None
        answers.append(touch.pop() if len(touch) == 1 else perhaps)
        once = episode.happened and all(bounds.low == FIRST for bounds in windows)
        if not (episode.sure or once) and answers[-1]:
            answers[-1] = None
    if True in answers:
        return True
    if None in answers:
        return None
    told = [one for one in records if facts.present or one.span[0] <= facts.at]
    return False if told else None


def _anchored(spec: Spec) -> bool:
    return any(one in (spec.get("window") or {}) for one in ANCHORED)


def _touches(facts: Any, spec: Spec, bounds: Any, began: int, ended: int) -> bool | None:
    """Windows of whole days reach to the end of the day asked about."""
    window: Spec = spec.get("window") or {}
    anchored = _anchored(spec)
    top = LAST if facts.present and anchored else facts.at
    if not anchored and any(unit in window for unit in CALENDAR):
        top = day_ends(facts.zone, day_of(facts.zone, facts.at))
    high = min(bounds.high, top)
    if began <= high < bounds.low <= ended:
        return None  # what lasts may touch a window that has not begun
    return began <= high and max(began, ended) >= bounds.low


def _episodes(facts: Any, records: Sequence[Record], *, point: bool) -> list[Episode]:
    result = []
    for place, record in enumerate(records):
        later = records[place + 1 :]
        status = record.data["status"]
        if status == "done":
            result.append(_done(facts, record, point=point))
        elif status == "active":
            begins = _told(facts, record, "onset")
            assert begins is not None, "the reading is for dated onsets"
            closer = next((o for o in later if o.data["status"] in {"resolved", "absent"}), None)
            result.append(Episode(begins, begins if point else _ends(facts, record, closer)))
        elif status == "suspected" and not later:
            begins = _told(facts, record, "onset") or (FIRST, FIRST)
            open_end = (begins[0], LAST)
            result.append(Episode(open_end, open_end, sure=False, told=record.span[0]))
        elif status == "resolved" and not _was_open(records[:place]):
            result.append(_over(facts, record, point=point))
    return result


def _was_open(before: Sequence[Record]) -> bool:
    settled = [one.data["status"] for one in before if one.data["status"] != "suspected"]
    return bool(settled) and settled[-1] == "active"


def _over(facts: Any, record: Record, *, point: bool) -> Episode:
    """It is over, and nobody said when it began: some time before, or perhaps before all time."""
    ended = None if point else _told(facts, record, "abatement")
    if ended is not None:
        return Episode((FIRST, ended[1]), ended, told=record.span[0])
    before = (FIRST, record.span[1])
    return Episode(before, before, sure=False, told=record.span[0], happened=True)


def _done(facts: Any, record: Record, *, point: bool) -> Episode:
    begins = _told(facts, record, "start") or record.span
    ends = begins if point else _told(facts, record, "end") or begins
    return Episode(begins, ends)


def _ends(facts: Any, record: Record, closer: Record | None) -> Span:
    """As told; else somewhere between the two tellings; else it goes on."""
    own = _told(facts, record, "abatement")
    if own is not None:
        return own
    if closer is None:
        return LAST, LAST
    return _told(facts, closer, "abatement") or (record.span[0], closer.span[1])


def _told(facts: Any, record: Record, key: str) -> Span | None:
    """What began or ended cannot have done so after it was told."""
    text = record.data.get(key)
    if not text:
        return None
    low, high = span_of(facts.zone, text)
    return low, max(low, min(high, record.span[1]))
