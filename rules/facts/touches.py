"""Whether a condition or procedure touched a window: points and spans with uncertain ends.

Who comes in: projections, with a source's records. Who goes out: a Kleene answer with its record.
A definite touch wins over all else; then anything uncertain is unknown; then what is recorded
is false; nothing recorded is unknown. Days are the site's, the day itself included.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from rules.facts.calendar import DAY_US, FOREVER, Calendar
from rules.facts.timeline import (
    END,
    FROM_HI,
    FROM_LO,
    START,
    STATUS,
    TO_HI,
    TO_LO,
    Record,
)
from rules.facts.windows import Frame, enters, leaves, low_edge
from rules.model import Window

# An `ongoing` medication was begun at some time before.
_PRESENT = frozenset({"active", "ongoing", "done"})
# What ends an active condition: its resolution, and the word that it is not there.
_CLOSING = frozenset({"resolved", "absent"})
_LASTING = frozenset({"active", "ongoing"})


class Touch(NamedTuple):
    """One thing that happened, each end somewhere in an interval; `sure` False: may not be so."""

    record: Record
    from_lo: int
    from_hi: int
    to_lo: int
    to_hi: int
    sure: bool = True


def touches(records: list[Record], *, point: bool) -> Iterator[Touch]:
    """What the records say happened, oldest first; pairing each start with its resolution."""
    closing: list[Record | None] = []
    closed: Record | None = None
    for record in reversed(records):
        closing.append(closed)
        if record[STATUS] in _CLOSING:
            closed = record
    open_before = False
    for record, closer in zip(records, reversed(closing), strict=True):
        status = record[STATUS]
        if status in _PRESENT:
            if not (point and status == "ongoing" and open_before):
                yield _began(record, closer, point=point)
            open_before = status in _LASTING
        elif status == "resolved":
            if record[FROM_LO] is not None or not open_before:
                yield _resolved(record, point=point)
            open_before = False
        elif status == "absent":
            open_before = False
        elif status == "suspected" and record is records[-1]:
            low = -FOREVER if record[FROM_LO] is None else record[FROM_LO]
            yield Touch(record, low, FOREVER, low, FOREVER, sure=False)


def _began(record: Record, closer: Record | None, *, point: bool) -> Touch:
    """An active condition, or a procedure done; undated it began when it was recorded."""
    dated = record[FROM_LO] is not None
    low, high = (record[FROM_LO], record[FROM_HI]) if dated else (record[START], record[END])
    if record[STATUS] == "done":
        if point or record[TO_LO] is None:
            return Touch(record, low, high, low, high)
        return Touch(record, low, high, max(low, record[TO_LO]), max(high, record[TO_HI]))
    if point and record[STATUS] == "ongoing":
        return Touch(record, -FOREVER, high, -FOREVER, high, sure=False)
    if point:
        return _active_point(record, closer, low, high, dated=dated)
    to_lo, to_hi = _ended(record, closer)
    return Touch(record, low, high, max(low, to_lo), max(high, to_hi))


def _ended(record: Record, closer: Record | None) -> tuple[int, int]:
    """When an active condition ended: as told, or somewhere between the two records' times."""
    if record[TO_LO] is not None:
        return record[TO_LO], record[TO_HI]
    if closer is None:
        return FOREVER, FOREVER
    if closer[TO_LO] is not None:
        return closer[TO_LO], closer[TO_HI]
    return record[START], closer[END]


def _active_point(
    record: Record, closer: Record | None, low: int, high: int, *, dated: bool
) -> Touch:
    """Its onset; undated it counts as now while active.

    Once it is over, an undated one began at the latest when it was told of, nobody knows when.
    """
    if dated:
        return Touch(record, low, high, low, high)
    if closer is None:
        return Touch(record, low, high, FOREVER, FOREVER)
    if closer[FROM_LO] is not None:
        return Touch(record, closer[FROM_LO], closer[FROM_HI], closer[FROM_LO], closer[FROM_HI])
    return Touch(record, -FOREVER, high, -FOREVER, high, sure=False)


def _resolved(record: Record, *, point: bool) -> Touch:
    """Resolved without a recorded start: only as sure as its own dates."""
    if record[FROM_LO] is not None:
        low, high = record[FROM_LO], record[FROM_HI]
        if point:
            return Touch(record, low, high, low, high)
        to_lo = low if record[TO_LO] is None else record[TO_LO]
        to_hi = max(high, record[END]) if record[TO_HI] is None else record[TO_HI]
        return Touch(record, low, high, max(low, to_lo), max(high, to_hi))
    if point or record[TO_LO] is None:  # it began and ended before it was told of
        return Touch(record, -FOREVER, record[END], -FOREVER, record[END], sure=False)
    return Touch(record, -FOREVER, record[TO_HI], record[TO_LO], record[TO_HI])


class Answer(NamedTuple):
    """`value` None with a record: recorded and unknown; `until`: time alone may change it then."""

    value: bool | None
    record: Record | None
    until: int
    exact: bool = True  # False: true only because dates alone count


class Question(NamedTuple):
    """What is asked about a window: the span up to the instant `as_of_us`.

    `since_us`: the anchor began at the earliest then. `dates_count`: what may have touched, did.
    """

    window: Window | None
    as_of_us: int
    since_us: int
    dates_count: bool = False


def ask(calendar: Calendar, question: Question, found: list[Touch], now_us: int) -> Answer:
    """Whether anything touches the window; `until` counts from `now_us`."""
    window, as_of_us = question.window, question.as_of_us
    edge, top = low_edge(calendar, window, question.since_us), as_of_us
    if window is not None and not window.unit.exact:
        top = calendar.end_of_day(calendar.day(as_of_us))
    definite: Touch | None = None
    uncertain: Touch | None = None
    possible: Touch | None = None
    until = FOREVER
    doubtful = FOREVER
    for touch in found:
        until = min(until, _enters(calendar, touch, now_us))
        if touch.from_lo > top or touch.to_hi < edge or _later(touch, as_of_us):
            continue
        sure = touch.sure or _once(touch, edge)
        if sure and touch.from_hi <= top and touch.to_lo >= edge:
            if definite is None or touch.to_lo >= definite.to_lo:
                definite = touch
        else:
            uncertain = touch
            possible = touch if touch.sure and question.dates_count else possible
            doubtful = min(doubtful, _settles(calendar, window, touch, now_us))
    if definite is not None:
        gone = leaves(calendar, window, definite.to_lo)
        return Answer(True, definite.record, min(until, gone), question.since_us == as_of_us)
    if possible is not None:
        return Answer(True, possible.record, min(until, doubtful), exact=False)
    if uncertain is not None:
        return Answer(None, uncertain.record, min(until, doubtful))
    return Answer(False, None, until)


def answer(
    calendar: Calendar, question: Question, records: list[Record], now_us: int, *, point: bool
) -> Answer:
    """The windowed fact over a source's records; no record where nothing was recorded by then."""
    as_of_us = question.as_of_us
    found = list(touches(records, point=point))
    result = ask(calendar, question, found, now_us)
    if result.record is not None:
        return result
    told = [record for record in records if record[START] <= as_of_us]
    if not told:
        later = [record[START] for record in records if record[START] > now_us]
        return Answer(None, None, min([result.until, *later]))
    return Answer(False, told[-1], result.until)


def around(
    calendar: Calendar,
    edges: Frame,
    window: Window,
    records: list[Record],
    as_of_us: int | None,
    now_us: int,
    *,
    point: bool,
) -> Answer:
    """The same for a window with edges of its own, which may be as unsure as its anchor is."""
    in_lo, in_hi, out_lo, out_hi = edges
    if as_of_us is not None:
        in_hi, out_hi = min(in_hi, as_of_us), min(out_hi, as_of_us)
    definite: Touch | None = None
    uncertain: Touch | None = None
    until = FOREVER
    for touch in touches(records, point=point):
        if window.anchor is None:
            until = min(until, _moves(calendar, window, touch, now_us))
        if touch.from_lo > out_hi or touch.to_hi < out_lo:
            continue
        if as_of_us is not None and _later(touch, as_of_us):
            continue
        sure = touch.sure or _once(touch, in_lo)
        if sure and touch.from_hi <= in_hi and touch.to_lo >= in_lo and in_lo <= in_hi:
            if definite is None or touch.to_lo >= definite.to_lo:
                definite = touch
        else:
            uncertain = touch
    if definite is not None:
        return Answer(True, definite.record, until)
    if uncertain is not None:
        return Answer(None, uncertain.record, until)
    told = [one for one in records if as_of_us is None or one[START] <= as_of_us]
    return Answer(False, told[-1], until) if told else Answer(None, None, until)


def _once(touch: Touch, edge_us: int) -> bool:
    """Whether it surely was at some time, where the window reaches back for ever.

    What is told to be over was there once, nobody knows when; a suspicion may never come true.
    """
    return edge_us <= -FOREVER and touch.record[STATUS] != "suspected"


def _moves(calendar: Calendar, window: Window, touch: Touch, now_us: int) -> int:
    """The next instant at which one of a touch's ends passes an edge of a moving window."""
    instants = [leaves(calendar, window, end) for end in (touch.to_lo, touch.to_hi)]
    instants += [enters(calendar, window, start) for start in (touch.from_lo, touch.from_hi)]
    return min((instant for instant in instants if instant > now_us), default=FOREVER)


def _later(touch: Touch, as_of_us: int) -> bool:
    """A definite instant after the one asked about is after it, also on the same day."""
    if touch.from_lo == -FOREVER:
        return bool(touch.record[START] > as_of_us)
    return touch.from_lo == touch.from_hi and touch.from_lo > as_of_us


def _settles(calendar: Calendar, window: Window | None, touch: Touch, now_us: int) -> int:
    """The next instant at which an uncertain touch is out of the window, or less uncertain."""
    exits = (leaves(calendar, window, end) for end in (touch.to_lo, touch.to_hi))
    return min((instant for instant in exits if instant > now_us), default=FOREVER)


def _enters(calendar: Calendar, touch: Touch, now_us: int) -> int:
    """The next instant at which the present reaches one of its beginnings."""
    instants: list[int] = []
    for start in (touch.from_lo, touch.from_hi):
        if now_us < start < FOREVER:
            instants += [start, calendar.midnight(calendar.day(start))]
    return min((instant for instant in instants if instant > now_us), default=FOREVER)


def drop_settled(
    records: list[Record], keep: int, reach_us: int | None = None, *, now_us: int = FOREVER
) -> int | None:
    """Drop a prefix that no later question needs; the instant from which that is harmless.

    Harmless: what was dropped lies before every window of `reach_us` that may still be asked about
    (None: they reach back for ever), or some kept record surely touches whatever the dropped ones
    could, whatever may still be told of its end; nothing dropped stays unknown for ever; and no
    kept resolution was paired with a dropped start. Nor does a kept one stand for others before it
    has surely begun: the present is asked about at `now_us`.
    """
    cut = len(records) - keep
    while cut < len(records) and records[cut][STATUS] in _CLOSING:
        cut += 1
    if cut >= len(records):
        return None
    low = _stood_for(records, cut, now_us)
    if low is None and reach_us is not None:
        low = int(records[cut][END])
        cut = _out_of_reach(records, cut, int(records[cut][START]) - reach_us - DAY_US)
    if low is None or cut == 0:
        return None
    del records[:cut]
    return low


def _stood_for(records: list[Record], cut: int, now_us: int) -> int | None:
    """From when on the kept records surely touch all that those before `cut` could; None: never."""
    low = int(records[cut][END])
    for point in (True, False):
        found = list(touches(records, point=point))
        places = {id(record): place for place, record in enumerate(records)}
        kept = [touch for touch in found if places[id(touch.record)] >= cut and touch.sure]
        for old in found:
            if places[id(old.record)] >= cut:
                continue
            covers = [new for new in kept if _covers(new, old, point=point)]
            begun = min((new.from_hi for new in covers), default=FOREVER)
            if not covers or begun > now_us:
                return None
            low = max(low, begun)
    return low


def _out_of_reach(records: list[Record], cut: int, gone_us: int) -> int:
    """How many of the oldest ended before `gone_us`, all of them and however they are read."""
    places = {id(record): place for place, record in enumerate(records)}
    for point in (True, False):
        late = [one for one in touches(records, point=point) if one.to_hi >= gone_us]
        cut = min([cut, *(places[id(one.record)] for one in late)])
    cut = _last_begun(records, cut)
    while cut > 0 and records[cut][STATUS] in _CLOSING:
        cut -= 1
    return cut


def _last_begun(records: list[Record], cut: int) -> int:
    """`cut`, or where the last beginning before it stands that no record closed.

    A resolution that is still to come, undated, is its; without it, it would be of nobody knows
    what and when. Also of one whose end was told with it.
    """
    for place in range(cut - 1, -1, -1):
        if records[place][STATUS] in _CLOSING:
            return cut
        if records[place][STATUS] in _LASTING:
            return place
    return cut


def _covers(new: Touch, old: Touch, *, point: bool) -> bool:
    """Whether the newer touches every window that the older may touch, for good."""
    if not old.sure:
        return False
    if old.to_hi >= FOREVER:  # both are open, and whatever ends one ends the other
        return new.to_hi >= FOREVER and old.from_hi <= new.from_lo
    record = new.record
    if record[STATUS] != "active" or record[FROM_LO if point else TO_LO] is not None:
        return old.to_hi <= new.to_lo  # by its own dates
    return not point and old.to_hi <= new.from_lo  # its end may yet be told, or told otherwise


def reach(records: list[Record], record: Record, *, dropped: bool = False) -> int:
    """The earliest instant about which `record` says anything, also through its neighbours.

    A resolution ends what began before it, `dropped` records too; whatever follows a suspicion
    settles it; and what was told to be over already may have its onset from there.
    """
    place = records.index(record)
    earliest = min(_begins(record), FOREVER)
    before = records[:place][::-1]
    if before and before[0][STATUS] == "suspected":
        earliest = min(earliest, _begins(before[0]))
    if record[STATUS] in _CLOSING:
        for other in before:
            if other[STATUS] in _CLOSING:
                break
            earliest = min(earliest, _begins(other))
        else:
            return -FOREVER if dropped else earliest
    closer = next((one for one in records[place + 1 :] if one[STATUS] in _CLOSING), record)
    return min(earliest, _begins(closer))


def _begins(record: Record) -> int:
    told: list[int] = [record[START]]
    told += [record[at] for at in (FROM_LO, TO_LO) if record[at] is not None]
    return min(told)
