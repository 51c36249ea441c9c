"""A trial's path through a rule over exposure: where it stands at each event, where it stops.

Who comes in: the live trial. Who goes out: standing(), path(), first_crossing(), events_to_stop().
Pure arithmetic on the set of units: no order of arrival, no clock.

A rule stops at its d-th event iff the exposure is then at most the cut of d. Between two events
exposure only grows while the number of events stands still, which leads away from stopping, so a
path can only cross at the instant of an event, and only those instants are looked at.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from enum import StrEnum
from itertools import accumulate
from typing import NamedTuple

Cuts = Sequence[tuple[int, float]]  # (events d, greatest exposure at which the d-th event stops)

_DAY_US = 86_400_000_000
_ROUNDING = 1e-9  # relative: a cut is reached by an exposure that equals it but for rounding


class Measure(StrEnum):
    """What a rule's cuts are measured in."""

    EXPOSURE_DAYS = "exposure_days"
    EFFECTIVE = "effective"  # units, each by its share of the window; 1 once it had the event


class Followed(NamedTuple):
    """One unit under observation, in microseconds since the epoch.

    event_us: its first event of the endpoint. until_us: where its follow-up ended early. An event
    after the window is none of the rule's (at its very end it still is one); one before the start
    counts at the start; one after until_us counts when it happened.
    """

    start_us: int
    event_us: int | None = None
    until_us: int | None = None


class Instant(NamedTuple):
    """How the units stand at one instant; what happens at that very instant counts."""

    at_us: int
    begun: int
    events: int
    exposure_days: float
    effective: float


def standing(units: Iterable[Followed], window_us: int, at_us: int) -> Instant:
    """How the units stand at this instant; what comes later is not known yet."""
    return _Sums(units, window_us).at(at_us)


def path(units: Iterable[Followed], window_us: int) -> tuple[Instant, ...]:
    """One Instant for each time at which events happened, in order.

    Events at the same time are one Instant with all of them counted: cuts rise with the number of
    events, so if one of them stops, so do all together.
    """
    sums = _Sums(units, window_us)
    return tuple(sums.at(at_us) for at_us in dict.fromkeys(sums.events_us))


def first_crossing(instants: Sequence[Instant], cuts: Cuts, measure: Measure) -> int | None:
    """The place (from 0) of the first Instant that stops; None: none does."""
    found = (i for i, one in enumerate(instants) if crosses(cuts, one.events, _of(one, measure)))
    return next(found, None)


def crosses(cuts: Cuts, events: int, amount: float) -> bool:
    """Whether so many events stop at this exposure."""
    most = greatest(cuts, events)
    return most is not None and amount <= most * (1 + _ROUNDING)


def greatest(cuts: Cuts, events: int) -> float | None:
    """The greatest exposure at which so many events stop; None: so few never do.

    The last cut holds for all numbers of events beyond.
    """
    return max((most for least, most in cuts if least <= events), default=None)


def events_to_stop(
    units: Iterable[Followed], window_us: int, at_us: int, cuts: Cuts, measure: Measure
) -> int | None:
    """The least number of further events that stop, if they all came at this instant.

    None: however many came, the exposure is beyond the last cut. A further event ends no exposure
    that was, but in effective units it makes its own unit a whole one: counted are those that have
    the most of their window behind them, then units that begin with their event.
    """
    known = tuple(units)
    now = standing(known, window_us, at_us)
    gains = _gains(known, window_us, at_us) if measure is Measure.EFFECTIVE else []
    amount, last = _of(now, measure), max((least for least, _ in cuts), default=0)
    for further in range(1, max(last - now.events, 1) + 1):
        if measure is Measure.EFFECTIVE:
            amount += gains[further - 1] if further <= len(gains) else 1.0
        if crosses(cuts, now.events + further, amount):
            return further
    return None


def _of(instant: Instant, measure: Measure) -> float:
    return instant.effective if measure is Measure.EFFECTIVE else instant.exposure_days


def _gains(units: Iterable[Followed], window_us: int, at_us: int) -> list[float]:
    """What an event now would add to the effective sample, of each unit that can still have one."""
    spans = (_Span.of(unit, window_us) for unit in units)
    under_way = (one for one in spans if one.start_us <= at_us < one.end_us)
    return sorted(1 - (at_us - one.start_us) / window_us for one in under_way)


class _Span(NamedTuple):
    """A unit's time at risk, and its event if that is the rule's."""

    start_us: int
    end_us: int
    event_us: int | None

    @classmethod
    def of(cls, unit: Followed, window_us: int) -> _Span:
        closes_us = unit.start_us + window_us
        event_us = unit.event_us
        if event_us is not None:
            event_us = None if event_us > closes_us else max(event_us, unit.start_us)
        ends = (closes_us, unit.until_us, event_us)
        end_us = min(one for one in ends if one is not None)
        return cls(unit.start_us, max(end_us, unit.start_us), event_us)


class _Sums:
    """Sums over the set that answer for any instant by looking up, not by adding up again."""

    def __init__(self, units: Iterable[Followed], window_us: int) -> None:
        spans = [_Span.of(unit, window_us) for unit in units]
        happened = sorted(
            (one.event_us, one.end_us - one.start_us) for one in spans if one.event_us is not None
        )
        self.window_us = window_us
        self.starts_us = sorted(one.start_us for one in spans)
        self.ends_us = sorted(one.end_us for one in spans)
        self.events_us = [at_us for at_us, _ in happened]
        self._started = [0, *accumulate(self.starts_us)]
        self._ended = [0, *accumulate(self.ends_us)]
        self._spent = [0, *accumulate(spent_us for _, spent_us in happened)]

    def at(self, at_us: int) -> Instant:
        begun = bisect_right(self.starts_us, at_us)
        ended = bisect_right(self.ends_us, at_us)
        events = bisect_right(self.events_us, at_us)
        exposure_us = (begun - ended) * at_us - self._started[begun] + self._ended[ended]
        weighed_us = exposure_us - self._spent[events] + events * self.window_us
        return Instant(at_us, begun, events, exposure_us / _DAY_US, weighed_us / self.window_us)
