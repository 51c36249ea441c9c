"""Which liver values may be dropped: those whose neighbours can no longer change.

Who comes in: the pruner, with a subject's timeline. Who goes out: fewer records, the instant from
which all are held, and what the dropped ones said.

Nothing that is answered later may tell that a record is gone. A value told in order lies at or
after that instant; for what is earlier the subject is folded anew from the log. So a transaminase
is settled once no bilirubin of its window, no higher transaminase of it and no phosphatase near
the highest can still come: what it says stands, and is kept instead of it. Of the highest
multiples one value a test is kept, for it may be outdone but never unsaid.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from rules.clinical.hys_law import Sample, standing, together
from rules.facts import liver, liver_past
from rules.facts import timeline as lists
from rules.facts.calendar import FOREVER, Calendar
from rules.facts.liver_past import Past
from rules.facts.sources import source_keys
from rules.facts.timeline import BASELINE, END, START, VALUE, N, Timeline
from rules.facts.windows import NEVER, Moment
from rules.model import FactSpec, LiverRule
from rules.terms import Take

Wanted = dict[str, set[int]]  # by source, the numbers of the records that are still wanted


def prune(
    timeline: Timeline, calendar: Calendar, key: str, sinces: dict[str, tuple[FactSpec, Moment]]
) -> None:
    """Drop from every source of these facts; `sinces`: each fact, with its baseline's moment.

    `key`: the source that has grown; of its newest values as many are held as of any source.
    """
    keys = sorted({one for spec, _ in sinces.values() for one in source_keys(spec)})
    held = timeline.records[key]
    low_us = max([held[-lists.KEEP][START], *(timeline.low.get(one, -FOREVER) for one in keys)])
    wanted: Wanted = {one: set() for one in keys}
    pasts = []
    for spec, since in sinces.values():
        if spec.take is Take.EDISH:
            _highest(spec, timeline, calendar, low_us, wanted)
        else:
            past = liver_past.of(spec, timeline, since, liver.bases_of(spec, timeline, since))
            pasts.append((spec, _settle(spec, timeline, calendar, low_us, since, past, wanted)))
    for one in keys:
        _drop(timeline, one, low_us, wanted[one])
    for spec, past in pasts:
        liver_past.keep(spec, timeline, past)


def _drop(timeline: Timeline, key: str, low_us: int, wanted: set[int]) -> None:
    """Keep what is wanted, what is not before `low_us`, and which may yet be a baseline."""
    held = timeline.records.get(key, [])
    old = [one for one in held if one[START] < low_us and one[END] <= low_us]
    told = [one for one in old if one[VALUE] is not None]
    flagged = [one for one in told if one[BASELINE]]
    wanted = wanted | {one[N] for one in (*told[-1:], *flagged[-1:])}
    gone = {one[N] for one in old} - wanted
    timeline.low[key] = low_us
    if gone:
        held[:] = [one for one in held if one[N] not in gone]


def _highest(
    spec: FactSpec, timeline: Timeline, calendar: Calendar, low_us: int, wanted: Wanted
) -> None:
    """Of each test the first of its highest multiples, and the first that has none."""
    told = liver.values(spec, timeline)
    for test, key in zip(_tests(spec), source_keys(spec), strict=True):
        old = [one for one in told[test] if one[START] < low_us]
        samples = liver.samples(test, liver.highest(old), calendar, NEVER)
        known = [one for one in samples if one.times is not None]
        best = max(known, key=lambda one: one.times or 0.0, default=None)
        without = next((one for one in samples if one.times is None), None)
        wanted[key] |= {one.n for one in (best, without) if one is not None}


def _settle(
    spec: FactSpec,
    timeline: Timeline,
    calendar: Calendar,
    low_us: int,
    since: Moment,
    past: Past,
    wanted: Wanted,
) -> Past:
    """What is settled by `low_us`, and what the rest needs of the records."""
    assert spec.liver is not None
    rule, told = spec.liver, liver.values(spec, timeline)
    values = liver.liver(told, calendar, since)
    low_day = calendar.day(low_us).toordinal()
    to_day = max(_settled(values.at, rule, low_day), past.to_day or 0)
    news = standing(values, rule, past.to_day, to_day)
    bases = liver.bases_of(spec, timeline, since)
    tests = dict(zip(_tests(spec), source_keys(spec), strict=True))
    every = (*values.at, *values.bilirubin, *values.alp)
    for one in (*_near(every, rule, low_day, to_day), *_most(every)):
        wanted[tests[one.test]].add(one.n)
    for test, base in bases.items():
        if base is not None:
            wanted[tests[test]].add(base[N])
    found = together(past.standing, news)
    return Past(to_day, liver_past.span(since), liver_past.numbers(bases), found)


def _settled(at: Iterable[Sample], rule: LiverRule, low_day: int) -> int:
    """The day before which a transaminase has all its neighbours, whatever comes from now on."""
    near = rule.alp_within_days
    open_still = [one.first for one in at if one.last >= low_day - near]  # of days not known, too
    return min([low_day - near, *open_still]) - rule.window_days


def _near(
    samples: Iterable[Sample], rule: LiverRule, low_day: int, to_day: int
) -> Iterator[Sample]:
    """The neighbours of all transaminases that are not settled, or still to come."""
    listed = list(samples)
    at = [one for one in listed if one.test in ("alt", "ast")]
    first = min([low_day, *(one.first for one in at if one.last >= to_day)])
    peaks_from = first - rule.window_days
    around = min([peaks_from, *(one.first for one in at if one.last >= peaks_from)])
    reach = {"bilirubin": first - rule.before_days, "alp": around - rule.alp_within_days}
    for one in listed:
        if one.last >= reach.get(one.test, around):
            yield one


def _most(samples: Iterable[Sample]) -> Iterator[Sample]:
    """Of each test the highest multiple of an abnormal baseline."""
    best: dict[str, Sample] = {}
    for one in samples:
        if one.over_base is not None and (
            one.test not in best or one.over_base > (best[one.test].over_base or 0.0)
        ):
            best[one.test] = one
    yield from best.values()


def _tests(spec: FactSpec) -> tuple[str, ...]:
    assert spec.liver is not None
    return spec.liver.tests
