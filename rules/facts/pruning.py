"""What a source's list may drop: all that no fact can need any more, from some instant on.

Who comes in: a source's records, after a step. Who goes out: the instant from which what is left
answers every question; and where more than that was kept, what.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from rules.facts import liver_pruning
from rules.facts import timeline as lists
from rules.facts.calendar import DAY_US, FOREVER, Calendar
from rules.facts.counting import counting
from rules.facts.sources import Source, Way, asks_for_spans, opens_first, reaches, way
from rules.facts.timeline import BASELINE, END, START, VALUE, Record, Timeline
from rules.facts.windows import NEVER, Frame, Moment, frame, reach_us
from rules.model import FactSpec
from rules.terms import EventType, Take

# (records, how many to keep, how far windows reach): drops in place; the instant, or None
Settle = Callable[[list[Record], int, int | None], int | None]
Counts = Callable[[Record], bool | None]


@dataclass(frozen=True)
class Needs:
    """What the facts of one source need; compiled once."""

    source: Source
    forever: bool
    spans: bool
    spans_us: int | None  # how far back those reach; None: for ever
    extremes: frozenset[str]
    thinned_us: int | None  # how far back the extremes reach; None: for ever
    whole_us: int  # how far back all is needed
    framed: tuple[FactSpec, ...]  # windows around anchors, in which all is needed
    based: tuple[FactSpec, ...]  # the newest up to their window's end, or their baseline
    first: tuple[Counts, ...]  # the oldest for which it is true
    newest: tuple[Counts, ...]  # the newest for which it is true
    runs: tuple[Counts, ...]  # the newest back to one for which it is false


def needs(source: Source) -> Needs:
    """Compile what the facts of a source need."""
    by_way: dict[Way, list[FactSpec]] = {}
    for spec in source.specs:
        by_way.setdefault(way(spec), []).append(spec)
    whole = by_way.get(Way.WHOLE, [])
    far = [0 if spec.window is None else reach_us(spec.window) for spec in whole]
    changes = [spec for spec in source.specs if spec.take is Take.CHANGE_FROM_BASELINE]
    others = [spec for spec in source.specs if not asks_for_spans(spec)]
    plain = all(way(spec) is Way.NEWEST for spec in others)
    return Needs(
        source=source,
        forever=Way.FOREVER in by_way or None in far or (source.touches and not plain),
        spans=source.touches,
        spans_us=reaches([spec for spec in source.specs if asks_for_spans(spec)], Way.NEWEST),
        extremes=frozenset(spec.take for spec in by_way.get(Way.THINNED, ())),
        thinned_us=reaches(source.specs, Way.THINNED),
        whole_us=max((one for one in far if one is not None), default=0),
        framed=tuple(spec for spec in whole if spec.window and spec.window.anchor),
        based=(*by_way.get(Way.BASE, ()), *changes),
        first=tuple(map(_looked_for, by_way.get(Way.FIRST, ()))),
        newest=tuple(counting(spec) for spec in (*by_way.get(Way.COUNTING, ()), *changes)),
        runs=tuple(counting(spec) for spec in by_way.get(Way.RUN, ())),
    )


def _looked_for(spec: FactSpec) -> Counts:
    """Whether the oldest may be this one; without a `where` any value will do, also a false one."""
    return (lambda record: record[VALUE] is not None) if spec.where is None else counting(spec)


def _may_outlast(record: Record, newer: Record) -> bool:
    """Whether it is a withdrawal of consent told by its date, so maybe later than a newer one."""
    return record[VALUE] is False and record[END] > newer[START]


class Pruner:
    """Drops what is not needed, now and then, so that it costs little."""

    def __init__(
        self,
        sources: dict[str, Source],
        calendar: Calendar,
        moment: Callable[[str, Timeline, int], Moment],
    ) -> None:
        """`moment`: where an anchor is now."""
        self.calendar, self.moment = calendar, moment
        self.needs = {key: needs(source) for key, source in sources.items()}

    def prune(
        self, timeline: Timeline, key: str, settle: Settle, now_us: int, *, force: bool = False
    ) -> None:
        """Drop what no instant from `low` on can need."""
        held, every = timeline.records.get(key, []), lists.PRUNE_EVERY
        if len(held) < every or not (force or len(held) % every == 0):
            return
        wanted = self.needs[key]
        if wanted.source.limits:
            liver_pruning.prune(timeline, self.calendar, key, self._livers(timeline, now_us))
            return
        if wanted.forever:
            return
        if wanted.spans:
            low = settle(held, lists.KEEP, wanted.spans_us)
        else:
            low = self._thin(timeline, wanted, held, now_us)
        if low is not None:
            timeline.low[key] = max(low, timeline.low.get(key, low))

    def _livers(self, timeline: Timeline, now_us: int) -> dict[str, tuple[FactSpec, Moment]]:
        """Every fact of liver tests, with its baseline's moment: they share their values."""
        return {
            spec.name: (
                spec,
                NEVER if spec.baseline is None else self.moment(spec.baseline, timeline, now_us),
            )
            for one in self.needs.values()
            for spec in one.source.specs
            if spec.liver is not None
        }

    def _thin(
        self, timeline: Timeline, wanted: Needs, held: list[Record], now_us: int
    ) -> int | None:
        cut = self._group(wanted, held, len(held) - lists.KEEP)
        pivot = held[cut]
        since = int(pivot[START]) - wanted.whole_us - DAY_US
        spans = list(self._spans(timeline, wanted, held, now_us))
        bases = list(self._bases(timeline, wanted, now_us))
        kept = {at for at in range(cut) if self._inside(wanted, held[at], since, spans)}
        if wanted.source.origin is EventType.CONSENT:
            kept |= {at for at in range(cut) if _may_outlast(held[at], pivot)}
        low = int(pivot[END])
        if wanted.extremes:
            best = _Best(wanted.extremes)
            kept |= set(_not_outdone(wanted, held, cut, best))
            low = max(low, best.until_us)
        for at in self._marked(wanted, held, cut, bases):
            kept.update(range(self._group(wanted, held, at), at + 1))
        if len(kept) == cut:
            return None
        last = max(int(held[at][END]) for at in range(cut) if at not in kept)
        if not wanted.extremes:
            low = max(low, last)
        held[:cut] = [held[at] for at in sorted(kept)]
        self._note(timeline, wanted.source.key, last + 1, spans, bases)
        return low

    def _group(self, wanted: Needs, held: list[Record], at: int) -> int:
        """Where the records of one time begin: they are kept or dropped together."""
        first = held[at]
        while at > 0 and (
            held[at - 1][START] == first[START]
            or (wanted.source.by_day and self._day(held[at - 1]) == self._day(first))
        ):
            at -= 1
        return at

    def _day(self, record: Record) -> Any:
        return self.calendar.day(record[START])

    def _inside(
        self, wanted: Needs, record: Record, since: int, spans: list[tuple[int, int]]
    ) -> bool:
        if wanted.whole_us and record[END] >= since:
            return True
        return any(record[END] >= lo and record[START] <= hi for lo, hi in spans)

    def _spans(
        self, timeline: Timeline, wanted: Needs, held: list[Record], now_us: int
    ) -> Iterator[tuple[int, int]]:
        """The spans in which all is needed; of what asks for the first alone, up to that."""
        for spec, edges in self._frames(timeline, wanted, now_us):
            high = edges.out_hi
            if opens_first(spec) and not spec.within_day:
                counts = counting(spec)
                found = (it for it in held if it[START] >= edges.in_lo and it[VALUE] is not None)
                first = next((it for it in found if spec.where is None or counts(it)), None)
                high = FOREVER if first is None else int(first[START])
            yield edges.out_lo, high

    def _frames(
        self, timeline: Timeline, wanted: Needs, now_us: int
    ) -> Iterator[tuple[FactSpec, Frame]]:
        for spec in wanted.framed:
            assert spec.window is not None
            assert spec.window.anchor is not None
            found = self.moment(spec.window.anchor, timeline, now_us)
            if found.lo_us is not None and found.hi_us is not None:
                yield spec, frame(self.calendar, spec.window, found.lo_us, found.hi_us)

    def _bases(self, timeline: Timeline, wanted: Needs, now_us: int) -> Iterator[tuple[int, int]]:
        for spec in wanted.based:
            if spec.window is not None and way(spec) is Way.BASE:
                assert spec.window.anchor is not None
                found = self.moment(spec.window.anchor, timeline, now_us)
                if found.lo_us is not None and found.hi_us is not None:
                    edges = frame(self.calendar, spec.window, found.lo_us, found.hi_us)
                    yield edges.in_hi, edges.out_hi
            if spec.baseline is not None:
                found = self.moment(spec.baseline, timeline, now_us)
                if found.lo_us is not None and found.hi_us is not None:
                    yield found.lo_us, found.hi_us

    def _marked(
        self, wanted: Needs, held: list[Record], cut: int, bases: list[tuple[int, int]]
    ) -> Iterator[int]:
        """The places of single records that are still wanted."""
        backwards = range(cut - 1, -1, -1)
        for counts in wanted.first:
            yield from next(([at] for at in range(cut) if counts(held[at])), [])
        for counts in wanted.newest:
            yield from next(([at] for at in backwards if counts(held[at])), [])
        for counts in wanted.runs:
            for at in backwards:
                yield at
                if counts(held[at]) is False:
                    break
        if wanted.source.flagged:
            yield from next(([at] for at in backwards if len(held[at]) > BASELINE), [])
        for lo, hi in bases:
            yield from (at for at in range(cut) if held[at][START] <= hi and held[at][END] >= lo)
            before = [at for at in backwards if held[at][END] < lo]
            yield from before[:1]
            for counts in (*wanted.newest, *(counting(spec) for spec in wanted.based)):
                yield from next(([at] for at in before if counts(held[at])), [])

    def _note(
        self,
        timeline: Timeline,
        key: str,
        since: int,
        spans: list[tuple[int, int]],
        bases: list[tuple[int, int]],
    ) -> None:
        """What is whole still: what was before, and is wanted still, or lies after `since`."""
        before = timeline.kept.get(key)
        if before is not None:
            since = max(since, before[0])
            spans = [it for it in spans if it[0] >= before[0] or _within(it, before[1])]
            low = timeline.low.get(key, -FOREVER)
            bases = [it for it in bases if it[0] >= low or _within(it, before[2])]
        timeline.kept[key] = [since, [list(it) for it in spans], [list(it) for it in bases]]


def _within(span: tuple[int, int], others: list[list[int]]) -> bool:
    return any(lo <= span[0] and span[1] <= hi for lo, hi in others)


def _not_outdone(wanted: Needs, held: list[Record], cut: int, best: _Best) -> Iterator[int]:
    """The places of records that some newer one does not stand for."""
    pivot = held[cut]
    reach = wanted.thinned_us
    horizon = None if reach is None else pivot[START] - reach - DAY_US
    best.see(pivot)
    for at in range(cut - 1, -1, -1):
        record = held[at]
        if (horizon is not None and record[END] < horizon) or best.covers(record):
            continue
        best.see(record)
        yield at


class _Best:
    """The greatest and least values seen, newest first: what is older and no better is dropped."""

    def __init__(self, extremes: frozenset[str]) -> None:
        self._truth = bool({"any", "all"} & extremes)
        self._up = bool({"max", "any"} & extremes)
        self._down = bool({"min", "all"} & extremes)
        self._high: Record | None = None
        self._low: Record | None = None
        self.until_us = 0

    def see(self, record: Record) -> None:
        """Let this record stand for older ones."""
        rank = self._rank(record)
        if rank is None:
            return
        if self._high is None or rank > self._sure(self._high):
            self._high = record
        if self._low is None or rank < self._sure(self._low):
            self._low = record

    def covers(self, record: Record) -> bool:
        """Whether no question can tell that this older record is gone."""
        rank = self._rank(record)
        over = not self._up or self._beats(self._high, record, rank, 1)
        under = not self._down or self._beats(self._low, record, rank, -1)
        if over and under:
            ends = [held[END] for held in (self._high, self._low) if held is not None]
            self.until_us = max([self.until_us, *ends])
        return over and under

    def _beats(self, best: Record | None, record: Record, rank: float | None, sign: int) -> bool:
        if best is None or record[END] > best[START]:
            return False
        return rank is None or sign * self._sure(best) >= sign * rank

    def _rank(self, record: Record) -> float | None:
        """None for what min and max pass over; unknown stands between false and true."""
        value = record[VALUE]
        if value is None:
            return 0.5 if self._truth else None
        return float(value)

    def _sure(self, record: Record) -> float:
        rank = self._rank(record)
        assert rank is not None
        return rank
