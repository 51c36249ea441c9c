"""Derived facts at an instant: the readings of their inputs, and what is computed of them.

Who comes in: the projections of other facts. Who goes out: a projection like any other.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from rules.facts.absence import absence_of
from rules.facts.calendar import FOREVER
from rules.facts.derived import compile_derivation
from rules.facts.reading import UNDEFINED, Projection, Reading
from rules.facts.timeline import Timeline
from rules.language.dependencies import inputs
from rules.language.functions import names_in
from rules.model import FactSpec, Scalar
from rules.terms import ValueType

_Step = tuple[str, tuple[str, ...], Callable[[Any], Scalar | None], FactSpec]


def derive(name: str, specs: Mapping[str, FactSpec], read: Mapping[str, Projection]) -> Projection:
    """Compile a derived fact; what stands between it and events is computed once each.

    `read`: the projections of facts from events; it may be filled later.
    """
    steps = [_step(one, specs) for one in _in_order(name, specs)]
    base = tuple(
        dict.fromkeys(one for _, used, _, _ in steps for one in used if specs[one].derived is None)
    )

    def derived(
        timeline: Timeline, as_of_us: int | None, now_us: int, since_us: int | None = None, /
    ) -> Reading:
        readings = {one: read[one](timeline, as_of_us, now_us, since_us) for one in base}
        for one, used, compute, spec in steps:
            readings[one] = _computed([readings[name] for name in used], used, compute, spec)
        return readings[name]

    return derived


def _step(name: str, specs: Mapping[str, FactSpec]) -> _Step:
    spec = specs[name]
    used = names_used(spec)
    return name, tuple(one for one in used if one in specs), compile_derivation(spec), spec


def names_used(spec: FactSpec) -> tuple[str, ...]:
    """Every fact that a derivation names, and those that say whether it applies."""
    assert spec.derived is not None
    applies = () if spec.applicable_if is None else names_in(spec.applicable_if)
    return tuple(dict.fromkeys((*inputs(spec.derived), *applies)))


def _in_order(name: str, specs: Mapping[str, FactSpec]) -> tuple[str, ...]:
    """The derived facts beneath one, inputs first, itself last; chains may be long."""
    done: dict[str, None] = {}
    stack = [(name, iter(names_used(specs[name])))]
    while stack:
        owner, waiting = stack[-1]
        one = next(waiting, None)
        if one is None:
            done[owner] = None
            stack.pop()
        elif one not in done and one in specs and specs[one].derived is not None:
            stack.append((one, iter(names_used(specs[one]))))
    return tuple(done)


def _computed(
    found: list[Reading],
    names: tuple[str, ...],
    compute: Callable[[Any], Scalar | None],
    spec: FactSpec,
) -> Reading:
    """The value with the newest of its inputs as its evidence; time moves it as it moves them."""
    values = {name: reading.value for name, reading in zip(names, found, strict=True)}
    value = _typed(compute(values.get), spec.value)
    until = min((reading.until_us for reading in found), default=FOREVER)
    told = [reading for reading in found if reading.time_us is not None]
    last = max(told, key=lambda one: one.time_us or 0) if told else Reading(None)
    note = None if value is not None else _why(found)
    return Reading(value, last.time_us, last.event, note, until, last.end_us)


def _why(found: list[Reading]) -> str:
    """The reason of the first input that is missing; none is: it has no answer."""
    missing = next((reading for reading in found if reading.value is None), None)
    return UNDEFINED if missing is None else absence_of(missing).value


def _typed(value: Scalar | None, kind: ValueType) -> Scalar | None:
    if kind is not ValueType.INTEGER or isinstance(value, bool | str) or value is None:
        return value
    return int(value) if float(value).is_integer() else None
