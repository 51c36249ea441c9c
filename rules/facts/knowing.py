"""What became known of an adverse event and when, as its reporting clocks need it.

Who comes in: each event that tells of one, in order of receipt. Who goes out: a record: when each
clock's condition became true, and which stamps were told. Parts are merged by clinical
time and collapsed; what was known when is kept here, so that folding again gives the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise, takewhile
from typing import Any, NamedTuple

import orjson

from rules.facts.calendar import Calendar
from rules.language.functions import compile_condition
from rules.model import Clock, Scalar
from rules.terms import Party

Record = dict[str, Any]
Stamp = list[Any]  # what was told, the number of the event that told it, its receipt
TEXT, TOLD_N, TOLD_US = range(3)
# One start: the event, its number, its receipt, the stamp or null, the floor; where nobody had ever
# said otherwise then, also what made the condition true: the event, its number, its receipt.
Mark = list[Any]
EVENT, N, RECEIPT, STAMP, FLOOR, TURN = range(6)
# One clock: whether its condition holds, whether spared, the receipts at which it last did not and
# first did, its starts.
Run = list[Any]
ACTIVE, SPARED, CONTRARY, SINCE, MARKS = range(5)
AWARE = {Party.SITE: "aware_at", Party.SPONSOR: "reported_at"}
STAMPS = ("aware_at", "reported_at", "submitted_at")
MOST_MARKS, MOST_STAMPS = 32, 64
NEVER = -1


class Then(NamedTuple):
    """What an adverse event was at an earlier time, by all that was told of up to then."""

    event: str  # that tells of that time, and its number
    n: int
    time_us: int
    speaks: bool
    fields: Mapping[str, Any]
    facts: Mapping[str, Scalar]


class Telling(NamedTuple):
    """One event that tells of an adverse event, and what is known of it after and before.

    `then`: of an event that came late, how it was at each time told of from its own on. `opens`:
    no earlier time was told of.
    """

    n: int
    event: str
    received_us: int
    fields: Mapping[str, Any]
    before: Mapping[str, Any]
    after: Mapping[str, Any]
    facts: Mapping[str, Scalar]  # the known ones, after it
    then: Sequence[Then] = ()
    opens: bool = False


class Watched:
    """A clock with its conditions compiled."""

    def __init__(self, clock: Clock) -> None:
        """Compile once for each version of a protocol."""
        self.clock = clock
        self.when = compile_condition(clock.when)
        self.spared = None if clock.spared is None else compile_condition(clock.spared)
        self.exempt = None if clock.exempt is None else compile_condition(clock.exempt)
        self.aware = AWARE[clock.starts]


def unpack(held: str | Record) -> Record:
    """The record of that text; one that is none yet as it is."""
    if isinstance(held, str):
        record: Record = orjson.loads(held)
        return record
    return held


def pack(held: str | Record) -> str:
    """The text under which a record rests in the state."""
    return held if isinstance(held, str) else orjson.dumps(held).decode()


def begin(telling: Telling) -> Record:
    """The record of an adverse event of which nothing was told before."""
    first = [telling.event, telling.n, telling.received_us]
    return {"first": first, "last": NEVER, "told": {}, "runs": {}}


def know(record: Record, clocks: Iterable[Watched], telling: Telling, calendar: Calendar) -> None:
    """Put one event's say in; events come in order of receipt."""
    new = _stamps(record, telling, calendar)
    for watched in clocks:
        run = record["runs"].setdefault(watched.clock.id, [None, False, NEVER, NEVER, []])
        stamp = new.get(watched.aware)
        _taken_back(run, watched.aware, telling)
        mark = _turned(record, watched, run, telling, stamp, calendar)
        _spare(watched, run, telling)
        if mark is not None:
            run[MARKS].append(mark)
            del run[MARKS][1 : max(1, len(run[MARKS]) - MOST_MARKS + 1)]
        run[MARKS] += _news_before(record, watched, run[MARKS], telling)
        denied = _denied(record, watched, run[MARKS], telling)
        if mark is None and stamp is not None and not denied:
            _date(record, watched, run[MARKS], stamp, calendar)
    if speaks(telling.fields):
        record["last"] = telling.received_us


def speaks(fields: Mapping[str, Any]) -> bool:
    """Whether it tells of the adverse event itself; stamps alone say nothing of how it is."""
    return not fields.keys() <= set(STAMPS)


def _stamps(record: Record, telling: Telling, calendar: Calendar) -> dict[str, Stamp]:
    """Note the stamps that were not told before, however written; null takes back all that were."""
    new: dict[str, Stamp] = {}
    for name in STAMPS:
        if name not in telling.fields:
            continue
        told: list[Stamp] = record["told"].setdefault(name, [])
        text = telling.fields[name]
        if text is None:
            told.clear()
        elif all(calendar.parse(stamp[TEXT]) != calendar.parse(text) for stamp in told):
            new[name] = [text, telling.n, telling.received_us]
            told.append(new[name])
            del told[1 : max(1, len(told) - MOST_STAMPS + 1)]
    return new


def _taken_back(run: Run, aware: str, telling: Telling) -> None:
    if aware in telling.fields and telling.fields[aware] is None:
        for mark in run[MARKS]:
            mark[STAMP] = None


def _turned(
    record: Record,
    watched: Watched,
    run: Run,
    telling: Telling,
    stamp: Stamp | None,
    calendar: Calendar,
) -> Mark | None:
    """The start that the event makes; None where it makes none."""
    was, now = run[ACTIVE], watched.when(telling.facts)
    run[ACTIVE] = now
    if now is False and speaks(telling.fields):
        run[CONTRARY] = telling.received_us
    elif now and run[SINCE] == NEVER:
        run[SINCE] = telling.received_us
    here = [telling.event, telling.n, telling.received_us, stamp, run[CONTRARY]]
    follows = watched.clock.restarts_on
    if not now or (was is True) is not bool(follows):
        return None
    if follows:
        here[FLOOR] = record["last"]
        moved = any(telling.before.get(name) != telling.after.get(name) for name in follows)
        return here if moved and telling.received_us > run[SINCE] else None
    if run[MARKS]:  # it held before, and does again: as if it had all the time, unless told
        return None if stamp is None else here
    if run[CONTRARY] == NEVER and stamp is None:
        return [*_from_first(record, watched, calendar), here[:STAMP]]
    return here


def _denied(record: Record, watched: Watched, marks: list[Mark], telling: Telling) -> bool:
    """Whether a late event says that it was otherwise before: then the first start was an upgrade.

    A report of what was before, and awareness of it, must not count for the upgrade because the
    two came in the wrong order.
    """
    if not marks or marks[0][FLOOR] != NEVER or watched.clock.restarts_on:
        return False
    first = marks[0]
    turn = first[TURN] if len(first) > TURN else first[:STAMP]
    since = _up_to(telling, turn[N])
    otherwise = list(takewhile(lambda then: watched.when(then.facts) is not True, since))
    denials = [one for one in otherwise if one.speaks and watched.when(one.facts) is False]
    if len(otherwise) == len(since) or not denials:
        return False
    upgrade = since[len(otherwise)]
    told = record["told"].get(watched.aware, ())
    own = next((stamp for stamp in told if stamp[TOLD_N] == upgrade.n), None)
    here = [upgrade.event, upgrade.n, turn[RECEIPT]]
    marks[0] = [*here, own, denials[-1].time_us, here]
    return True


def _news_before(
    record: Record, watched: Watched, marks: list[Mark], telling: Telling
) -> list[Mark]:
    """What came here before the event that it is news of, as that event shows when it comes."""
    follows = watched.clock.restarts_on
    if not follows or not telling.opens or telling.received_us == record["first"][RECEIPT]:
        return []
    told, known = record["told"].get(watched.aware, ()), {mark[N] for mark in marks}
    made = []
    for last, then in pairwise(telling.then):
        moved = any(last.fields.get(name) != then.fields.get(name) for name in follows)
        held = watched.when(last.facts) is True and watched.when(then.facts) is True
        if moved and held and then.n not in known:
            own = next((stamp for stamp in told if stamp[TOLD_N] == then.n), None)
            made.append([then.event, then.n, telling.received_us, own, last.time_us])
    return made


def _up_to(telling: Telling, n: int) -> list[Then]:
    """The times told of from a late event's own up to that of event `n`; all if it is itself."""
    places = [place for place, then in enumerate(telling.then) if then.n == n]
    if not places:
        return []
    return list(telling.then if n == telling.n else telling.then[: places[0] + 1])


def _from_first(record: Record, watched: Watched, calendar: Calendar) -> Mark:
    """What nobody ever said otherwise may have been so, and known, from the beginning."""
    event, n, received_us = record["first"]
    told = record["told"].get(watched.aware, ())
    first = min(told, key=lambda stamp: calendar.parse(stamp[TEXT]).start, default=None)
    return [event, n, received_us, first, NEVER]


def _spare(watched: Watched, run: Run, telling: Telling) -> None:
    """Spared from the start on, until it is no more: never again after that."""
    here = run[SPARED] or telling.received_us == run[SINCE]
    if run[ACTIVE] and watched.spared is not None and here:
        run[SPARED] = watched.spared(telling.facts) is True


def _date(
    record: Record, watched: Watched, marks: list[Mark], stamp: Stamp, calendar: Calendar
) -> None:
    """A stamp told later dates the newest start that it can be about; only ever earlier.

    It can be no older than what last said otherwise; unless older awareness was told before the
    start, for then it is none of what came before, or nothing at all was told here before that day.
    """
    span = calendar.parse(stamp[TEXT])
    first_day = calendar.day(record["first"][RECEIPT])
    for mark in reversed(marks):
        at_once = calendar.day(mark[RECEIPT]) == first_day
        entered_at_once = at_once and (len(mark) <= TURN or mark[FLOOR] == NEVER)
        older = any(
            one[TOLD_N] < mark[N] and calendar.parse(one[TEXT]).start < span.start
            for one in record["told"][watched.aware]
        )
        if span.end >= mark[FLOOR] or entered_at_once or older:
            known = mark[STAMP]
            if known is None or span.start < calendar.parse(known[TEXT]).start:
                mark[STAMP] = stamp
            return
