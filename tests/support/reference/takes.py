"""What each take makes of the records that lie in the window, all at known instants."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from tests.support.reference.logic import Logic
from tests.support.reference.moments import day_of
from tests.support.reference.told import Record

Spec = Mapping[str, Any]
ENTITIES = ("administration", "adverse_event")


class Seen(NamedTuple):
    """A record in one world: when it was, what it is worth (None: not known), if it still holds.

    `said`: whether it counts in this world, where what was told leaves that open.
    """

    record: Record
    at: int
    value: Any
    holds: bool
    said: bool | None = None


# --- which records count ----------------------------------------------------------------------
def counts(spec: Spec, seen: Seen) -> bool | None:
    """By `where`; without one a boolean counts where true, anything else where there is any."""
    if seen.said is not None:
        return seen.said
    where = spec.get("where")
    if where is None:
        return seen.value if isinstance(seen.value, bool) else None if seen.value is None else True
    if spec["from"] in ENTITIES:
        answer: Any = Logic(seen.record.data.get).ask(where)
    else:
        answer = Logic({"value": seen.value}.get).ask(where)
    return answer


def outcomes(spec: Spec, seen: Seen) -> list[Seen]:
    """What may yet turn out of it: an entity happened, and may be what is asked for or not."""
    if spec["from"] in ENTITIES and counts(spec, seen) is None:
        return [seen._replace(said=True), seen._replace(said=False)]
    return [seen]


def chosen(spec: Spec, seen: Sequence[Seen]) -> list[Seen]:
    """Those for which `where` is definitely true; without one, all."""
    return list(seen) if "where" not in spec else [one for one in seen if counts(spec, one) is True]


# --- several records of one time --------------------------------------------------------------
def grouped(facts: Any, spec: Spec, seen: Sequence[Seen]) -> list[list[Seen]]:
    """Records of one clinical time, or of one local day, oldest first."""
    groups: dict[Any, list[Seen]] = {}
    for one in seen:
        low, high = (day_of(facts.zone, at) for at in one.record.span)
        day = spec.get("within") == "day" and low == high
        groups.setdefault(low if day else one.record.span, []).append(one)
    return sorted(groups.values(), key=lambda group: max(one.record.order for one in group))


def settled(spec: Spec, group: Sequence[Seen]) -> Any:
    """One value of a group, by the fact's policy."""
    last = max(group, key=lambda one: one.record.order).value
    values = known(group)
    policy = spec.get("conflict", "last")
    if policy == "last" or not values:
        return last
    if policy == "any":
        return True if True in values else None if len(values) < len(group) else False
    if any(one.value is None and one.record.value is not None for one in group):
        return None  # measured, without the range that makes a multiple of it
    if policy == "mean":
        return rounded(math.fsum(values) / len(values))
    worse = spec["worse"]
    if worse in ("high", "low"):
        return max(values) if worse == "high" else min(values)
    return max(values, key=worse.index)


def known(seen: Sequence[Seen]) -> list[Any]:
    return [one.value for one in seen if one.value is not None]


def rounded(value: float) -> float:
    return float(f"{value:.12g}") + 0.0  # nobody writes minus nought


def short(value: float, size: float) -> float:
    """The number of 7 digits of `size` that it is but for the rounding of conversions."""
    if not size:
        return value
    told = round(value, -int(f"{size:.16e}".partition("e")[2]) + 6)
    return told if abs(told - value) <= size * 2e-11 else value


# --- the takes --------------------------------------------------------------------------------
def _latest(facts: Any, spec: Spec, seen: list[Seen]) -> Any:
    groups = grouped(facts, spec, chosen(spec, seen))
    if spec["from"] == "consent" and groups and groups[-1][-1].value is True:
        span = groups[-1][-1].record.span
        told = [one.record.span for one in seen if one.value is False]
        if any(high > span[0] and (low, high) != span for low, high in told):
            return False
    return settled(spec, groups[-1]) if groups and groups[-1][-1].holds else None


def _earliest(facts: Any, spec: Spec, seen: list[Seen]) -> Any:
    groups = grouped(facts, spec, [one for one in chosen(spec, seen) if one.value is not None])
    return settled(spec, groups[0]) if groups and groups[0][-1].holds else None


def _numbers(spec: Spec, seen: list[Seen]) -> list[Any] | None:
    """Values of those that count; None where an entity does not tell its own."""
    some = chosen(spec, seen)
    if spec["from"] in ENTITIES and any(one.value is None for one in some):
        return None
    return known(some)


def _least(_facts: Any, spec: Spec, seen: list[Seen]) -> Any:
    return min(_numbers(spec, seen) or (), default=None)


def _greatest(_facts: Any, spec: Spec, seen: list[Seen]) -> Any:
    return max(_numbers(spec, seen) or (), default=None)


def _truths(spec: Spec, seen: list[Seen]) -> list[bool | None]:
    return [counts(spec, one) if "where" in spec else one.value for one in seen]


def _any(_facts: Any, spec: Spec, seen: list[Seen]) -> Any:
    values = _truths(spec, seen)
    empty = spec["from"] not in ENTITIES and not values
    return True if True in values else None if None in values or empty else False


def _all(_facts: Any, spec: Spec, seen: list[Seen]) -> Any:
    values = _truths(spec, seen)
    return False if False in values else None if None in values or not values else True


def _count(_facts: Any, spec: Spec, seen: list[Seen]) -> Any:
    number = len([one for one in seen if counts(spec, one) is True])
    return number if number or known(seen) or spec["from"] in ENTITIES else None


def _sum(_facts: Any, spec: Spec, seen: list[Seen]) -> Any:
    values = _numbers(spec, seen)
    if values is None or (not values and spec["from"] not in ENTITIES):
        return None
    return rounded(math.fsum(values)) if values else 0


def _mean(_facts: Any, spec: Spec, seen: list[Seen]) -> Any:
    values = _numbers(spec, seen)
    return rounded(math.fsum(values) / len(values)) if values else None


def _consecutive(_facts: Any, spec: Spec, seen: list[Seen]) -> Any:
    answers = [answer for one in seen if (answer := counts(spec, one)) is not None]
    number = 0
    for answer in reversed(answers):
        if not answer:
            break
        number += 1
    return number if number or known(seen) or spec["from"] in ENTITIES else None


def _days_since(facts: Any, spec: Spec, seen: list[Seen]) -> Any:
    some = [one for one in seen if counts(spec, one) is True]
    if not some:
        return None
    newest = max(one.at for one in some)
    return (day_of(facts.zone, facts.at) - day_of(facts.zone, newest)).days


def change(facts: Any, spec: Spec, seen: list[Seen], anchor: int | None, holds: int) -> Any:
    """The latest against the baseline; a record that says it is the baseline is it."""
    said = [one for one in seen if one.record.data.get("baseline") and one.value is not None]
    before = [one for one in seen if anchor is not None and one.at <= anchor]
    known_before = [one for one in before if one.value is not None]
    at_base = grouped(facts, spec, said or known_before)
    lately = grouped(facts, spec, seen)
    if not at_base or not lately or lately[-1][-1].at < holds:
        return None
    base, last = settled(spec, at_base[-1]), settled(spec, lately[-1])
    if base is None or last is None:
        return None
    kind = spec.get("change", "absolute")
    if kind == "absolute":
        return rounded(short(last - base, max(abs(last), abs(base))))
    if base == 0:
        return None
    ratio = short(last / base, abs(last / base))
    return rounded(ratio if kind == "ratio" else (ratio - 1) * (100 if base > 0 else -100))


TAKES: Mapping[str, Callable[[Any, Spec, list[Seen]], Any]] = {
    "latest": _latest,
    "ratio_to_reference": _latest,
    "earliest": _earliest,
    "min": _least,
    "max": _greatest,
    "any": _any,
    "all": _all,
    "count": _count,
    "sum": _sum,
    "mean": _mean,
    "consecutive": _consecutive,
    "days_since": _days_since,
}
