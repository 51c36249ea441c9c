"""Liver tests of one subject put together: Hy's law and eDISH as facts.

Who comes in: a timeline that keeps liver values with the upper limit told with each, and what
older ones said (liver_pruning.py). Who goes out: readings, whose note names the values that they
rest on. What was measured up to the baseline is what later values are held against, and no signal
of the treatment.
"""

from __future__ import annotations

from collections.abc import Sequence

from rules.clinical.hys_law import (
    NOTHING,
    Judged,
    Law,
    Liver,
    Peaks,
    Sample,
    judged,
    pattern,
    peaks,
)
from rules.facts import liver_past
from rules.facts.calendar import Calendar
from rules.facts.moments import Moments
from rules.facts.reading import NO_REFERENCE, UNKNOWN, Projection, Reading
from rules.facts.sources import source_keys
from rules.facts.timeline import BASELINE, END, EVENT, START, UPPER, VALUE, N, Record, Timeline
from rules.facts.windows import NEVER, Moment
from rules.model import FactSpec
from rules.terms import Take

Told = dict[str, list[Record]]  # by test
_NAMES = {"alt": "ALT", "ast": "AST", "bilirubin": "bilirubin", "alp": "ALP"}
_CLOSE = 1e-9  # wider than the rounding of a multiple
NO_BILIRUBIN = "no bilirubin in the window of a raised transaminase"


def projection(spec: FactSpec, calendar: Calendar, baseline: Moments | None) -> Projection:
    """Compile a fact of the liver; `baseline`: the anchor that values are held against."""
    assert spec.liver is not None
    rule = spec.liver

    def read(
        timeline: Timeline, as_of_us: int | None, now_us: int, _since_us: int | None = None, /
    ) -> Reading:
        if spec.take is Take.EDISH:
            return _quadrant(highest_of(spec, timeline, calendar, as_of_us), calendar)
        told = values(spec, timeline, as_of_us)
        since = NEVER if baseline is None else baseline(timeline, as_of_us, now_us)
        past = liver_past.of(spec, timeline, since, bases(told, since))
        if (
            since.lo_us is None
            and past.standing[:3] == NOTHING[:3]
            and below([*told["alt"], *told["ast"]], rule.at_times)
        ):
            found = Judged(Law.NONE if told["alt"] or told["ast"] else None)
        else:
            found = judged(liver(told, calendar, since), rule, past.standing, past.to_day)
        return _law(found, calendar)._replace(until_us=since.until_us)

    return read


def values(spec: FactSpec, timeline: Timeline, as_of_us: int | None = None) -> Told:
    """The values that a fact looks at, by test; of an absence nothing is told."""
    assert spec.liver is not None
    told: Told = {test: [] for test in _NAMES}
    for test, key in zip(spec.liver.tests, source_keys(spec), strict=True):
        told[test] = _known(timeline, key, as_of_us)
    return told


def highest_of(
    spec: FactSpec, timeline: Timeline, calendar: Calendar, as_of_us: int | None = None
) -> Peaks:
    """The highest multiples of the upper limits, and their quadrant."""
    assert spec.liver is not None
    told = {test: highest(some) for test, some in values(spec, timeline, as_of_us).items()}
    return peaks(liver(told, calendar, NEVER), spec.liver)


def over_baseline(
    spec: FactSpec, timeline: Timeline, calendar: Calendar, since: Moment
) -> tuple[float | None, float | None]:
    """The highest multiples of an abnormal baseline: of a transaminase, and of bilirubin.

    None where the baseline was normal or is not known, and where nothing was measured after it.
    """
    found = liver(values(spec, timeline), calendar, since)

    def most(samples: Sequence[Sample]) -> float | None:
        return max((one.over_base for one in samples if one.over_base is not None), default=None)

    return most(found.at), most(found.bilirubin)


def _known(timeline: Timeline, key: str, as_of_us: int | None) -> list[Record]:
    """Values by then; of a day that holds the instant too, so that no signal is missed."""
    held = timeline.records.get(key, [])
    if as_of_us is not None:
        held = [one for one in timeline.complete(key, as_of_us) if one[START] <= as_of_us]
    return [one for one in held if one[VALUE] is not None]


def highest(records: list[Record]) -> list[Record]:
    """Those that may be the highest multiple, and those whose multiple nobody can tell.

    A quick look, for it is done at each event: what is clearly lower is never rounded or dated.
    """
    ratios = [_ratio(one) for one in records]
    known = [ratio for ratio in ratios if ratio is not None]
    if not known:
        return records
    best = max(known)
    floor = best - abs(best) * _CLOSE
    pairs = zip(records, ratios, strict=True)
    return [one for one, ratio in pairs if ratio is None or ratio >= floor]


def below(records: list[Record], limit: float) -> bool:
    """Whether each value is clearly below so many times its limit; False where one has none."""
    floor = limit - abs(limit) * _CLOSE
    return all((ratio := _ratio(one)) is not None and ratio < floor for one in records)


def without_limit(records: list[Record]) -> bool:
    """Whether the multiple of any cannot be told."""
    return any(_ratio(one) is None for one in records)


def _ratio(record: Record) -> float | None:
    upper = record[UPPER]
    return None if upper is None or upper <= 0 else float(record[VALUE] / upper)


def liver(told: Told, calendar: Calendar, since: Moment) -> Liver:
    """The values put together, those up to the baseline left out."""
    made = {test: samples(test, records, calendar, since) for test, records in told.items()}
    return Liver([*made["alt"], *made["ast"]], made["bilirubin"], made["alp"])


def bases_of(spec: FactSpec, timeline: Timeline, since: Moment) -> dict[str, Record | None]:
    """By test the value that later ones are held against, of all that is known."""
    return bases(values(spec, timeline), since)


def bases(told: Told, since: Moment) -> dict[str, Record | None]:
    """The same of these values."""
    return {test: _base(records, since) for test, records in told.items()}


def _base(records: list[Record], since: Moment) -> Record | None:
    """The last published as the baseline, else the last up to it."""
    if since.lo_us is None or since.hi_us is None:
        return None
    before = [one for one in records if one[END] <= since.lo_us]
    published = [one for one in records if one[BASELINE]]
    return next(iter((published or before)[-1:]), None)


def samples(test: str, records: list[Record], calendar: Calendar, since: Moment) -> list[Sample]:
    """The values that may be after the baseline, each with it; all, where there is none."""
    base = _base(records, since)
    value, upper = (None, None) if base is None else (base[VALUE], base[UPPER])
    if since.lo_us is not None and since.hi_us is not None:
        records = [one for one in records if one[END] > since.lo_us and one is not base]
    return [
        Sample(
            test, *_days(one, calendar), one[VALUE], one[UPPER], value, upper, one[START],
            one[EVENT], one[N],
        )
        for one in records
    ]  # fmt: skip


def _days(record: Record, calendar: Calendar) -> tuple[int, int]:
    first, last = calendar.day(record[START]), calendar.day(record[END])
    return first.toordinal(), last.toordinal()


def _law(found: Judged, calendar: Calendar) -> Reading:
    if found.at is None:
        return UNKNOWN if found.law is None else Reading(found.law.value)
    value = None if found.law is None else found.law.value
    note = NO_BILIRUBIN if found.law is None else _told(found, calendar)
    return Reading(value, found.at.time_us, found.at.event, note)


def _told(found: Judged, calendar: Calendar) -> str:
    """Each value as a multiple of its limit with its day, and R."""
    parts = [one for one in (found.at, found.bilirubin, found.alp) if one is not None]
    told = [_one(one, calendar) for one in parts]
    if found.law is Law.CHOLESTASIS_UNKNOWN and found.alp is None:
        told.append("ALP not measured within its days")
    if found.r is not None:
        told.append(f"R {found.r:.3g} ({pattern(found.r)})")
    return ", ".join(told)


def _one(sample: Sample, calendar: Calendar) -> str:
    """`ALT 3.4 x ULN (2026-03-09)`; after an abnormal baseline also in multiples of that."""
    limit = "upper limit not told" if sample.times is None else f"{sample.times:.3g} x ULN"
    over = "" if sample.over_base is None else f", {sample.over_base:.3g} x baseline"
    return f"{_NAMES[sample.test]} {limit}{over} ({calendar.day(sample.time_us)})"


def _quadrant(found: Peaks, calendar: Calendar) -> Reading:
    highest = [one for one in (found.at, found.bilirubin) if one is not None]
    if not highest:
        return UNKNOWN
    newest = max(highest, key=lambda one: one.time_us)
    note = ", ".join(_one(one, calendar) for one in highest)
    if found.quadrant is None:
        return Reading(None, newest.time_us, newest.event, NO_REFERENCE)
    return Reading(found.quadrant.value, newest.time_us, newest.event, note)
