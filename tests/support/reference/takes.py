"""What each take makes of the records that lie in the window, all at known instants."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from tests.support.reference.logic import Logic
from tests.support.reference.moments import day_of
from tests.support.reference.told import Record

Spec = Mapping[str, Any]


class Seen(NamedTuple):
    """A record in one world: when it was, and what it is worth (None: not known)."""

    record: Record
    at: int
    value: Any


def settle(facts: Any, spec: Spec, seen: Sequence[Seen]) -> list[Seen]:
    """Records that tell of one time made one, by the fact's policy; the last where none is told."""
    policy = spec.get("conflict", "last")
    groups: dict[Any, list[Seen]] = {}
    for one in sorted(seen, key=lambda item: item.record.order):
        day = spec.get("within") == "day"
        groups.setdefault(day_of(facts.zone, one.at) if day else one.record.span, []).append(one)
    if policy == "last":
        return [one for group in groups.values() for one in group]
    return [_one(spec, policy, group) for group in groups.values()]


def _one(spec: Spec, policy: str, group: list[Seen]) -> Seen:
    values = [one.value for one in group if one.value is not None]
    if not values:
        return group[-1]
    if policy == "any":
        return group[-1]._replace(value=True if True in values else group[-1].value)
    if policy == "mean":
        return group[-1]._replace(value=float(f"{sum(values) / len(values):.12g}"))
    worse = spec["worse"]
    if worse == "high":
        return group[-1]._replace(value=max(values))
    if worse == "low":
        return group[-1]._replace(value=min(values))
    return group[-1]._replace(value=max(values, key=worse.index))


def known(seen: Sequence[Seen]) -> list[Any]:
    return [one.value for one in seen if one.value is not None]


def _latest(_facts: Any, _spec: Spec, seen: list[Seen]) -> Any:
    return seen[-1].value if seen else None


def _earliest(_facts: Any, _spec: Spec, seen: list[Seen]) -> Any:
    return seen[0].value if seen else None


def _least(_facts: Any, _spec: Spec, seen: list[Seen]) -> Any:
    return min(known(seen), default=None)


def _greatest(_facts: Any, _spec: Spec, seen: list[Seen]) -> Any:
    return max(known(seen), default=None)


def _any(_facts: Any, _spec: Spec, seen: list[Seen]) -> Any:
    values = [one.value for one in seen]
    return True if True in values else None if None in values or not values else False


def _all(_facts: Any, _spec: Spec, seen: list[Seen]) -> Any:
    values = [one.value for one in seen]
    return False if False in values else None if None in values or not values else True


def _matching(spec: Spec, seen: list[Seen]) -> list[Seen]:
    where = spec.get("where")
    if where is None:
        return [one for one in seen if one.value is not None]
    return [one for one in seen if Logic({"value": one.value}.get).holds(where)]


def _count(_facts: Any, spec: Spec, seen: list[Seen]) -> Any:
    return len(_matching(spec, seen)) if seen else None


def _sum(_facts: Any, spec: Spec, seen: list[Seen]) -> Any:
    values = known(_matching(spec, seen))
    return float(f"{sum(values):.12g}") if values else None


def _mean(_facts: Any, spec: Spec, seen: list[Seen]) -> Any:
    values = known(_matching(spec, seen))
    return float(f"{sum(values) / len(values):.12g}") if values else None


def _consecutive(_facts: Any, spec: Spec, seen: list[Seen]) -> Any:
    if not seen:
        return None
    matching = _matching(spec, seen)
    count = 0
    for one in reversed([one for one in seen if one.value is not None]):
        if one not in matching:
            break
        count += 1
    return count


def _days_since(facts: Any, spec: Spec, seen: list[Seen]) -> Any:
    matching = _matching(spec, seen)
    if not matching:
        return None
    return (day_of(facts.zone, facts.at) - day_of(facts.zone, matching[-1].at)).days


TAKES: Mapping[str, Callable[[Any, Spec, list[Seen]], Any]] = {
    "latest": _latest,
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
