"""What a subject's older liver values say together, kept in place of the values themselves.

Who comes in: liver.py, which reads; liver_pruning.py, which writes. Who goes out: Past.
It lives in the state beside what other sources keep, and holds for one baseline only: where the
baseline is another, the subject is folded anew.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from rules.clinical.hys_law import NOTHING, Judged, Law, Sample, Standing
from rules.errors import LogNeeded
from rules.facts.sources import source_keys
from rules.facts.timeline import N, Record, Timeline
from rules.facts.windows import Moment
from rules.model import FactSpec

Span = list[int]
Bases = dict[str, int]  # test -> number of its baseline's event


class Past(NamedTuple):
    """`standing`: of the transaminases whose last day is before `to_day`.

    `since`, `bases`: the baseline's moment and values by which that was judged.
    """

    to_day: int | None = None
    since: Span | None = None
    bases: Bases = {}  # noqa: RUF012  # never changed
    standing: Standing = NOTHING


EMPTY = Past()


def span(since: Moment) -> Span | None:
    """The moment as it is kept; None: it has not happened."""
    return None if since.lo_us is None or since.hi_us is None else [since.lo_us, since.hi_us]


def low(spec: FactSpec, timeline: Timeline) -> int | None:
    """From when on every value of the fact's tests is held; None: nothing was dropped."""
    found = [timeline.low[key] for key in source_keys(spec) if key in timeline.low]
    return max(found, default=None)


def of(spec: FactSpec, timeline: Timeline, since: Moment, bases: dict[str, Record | None]) -> Past:
    """What was kept, where it holds still. Raises LogNeeded where another baseline counts."""
    low_us = low(spec, timeline)
    if low_us is None or (since.lo_us is not None and since.lo_us >= low_us):
        return EMPTY  # nothing was dropped, or nothing after the baseline
    held = unpacked(timeline.kept.get(_key(spec)))
    if held.since != span(since) or (held.since is not None and held.bases != numbers(bases)):
        raise LogNeeded
    return held


def keep(spec: FactSpec, timeline: Timeline, past: Past) -> None:
    """Put it into the state."""
    timeline.kept[_key(spec)] = [past.to_day, past.since, past.bases, *_packed(past.standing)]


def numbers(bases: dict[str, Record | None]) -> Bases:
    """The baselines by the numbers of their events."""
    return {test: one[N] for test, one in bases.items() if one is not None}


def unpacked(held: list[Any] | None) -> Past:
    """As it was kept."""
    if held is None:
        return EMPTY
    to_day, since, bases, hit, unsure, alone, measured = held
    standing = Standing(_judged(hit), _judged(unsure), _judged(alone), measured)
    return Past(to_day, since, bases, standing)


def _key(spec: FactSpec) -> str:
    return f"liver|{spec.name}"


def _packed(standing: Standing) -> list[Any]:
    told = [None if one is None else _list(one) for one in standing[:3]]
    return [*told, standing.measured]


def _list(found: Judged) -> list[Any]:
    law = None if found.law is None else found.law.value
    samples = [None if one is None else list(one) for one in found[1:4]]
    return [law, *samples, found.r]


def _judged(told: list[Any] | None) -> Judged | None:
    if told is None:
        return None
    law, at, bilirubin, alp, r = told
    return Judged(
        None if law is None else Law(law), _sample(at), _sample(bilirubin), _sample(alp), r
    )


def _sample(told: list[Any] | None) -> Sample | None:
    return None if told is None else Sample(*told)
