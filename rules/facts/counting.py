"""Whether one record counts for a fact, and which of several do.

Who comes in: a fact's `where`. Who goes out: a three-valued function of a record; Divided.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

from rules.facts.reading import DATE_ONLY, UNTOLD
from rules.facts.timeline import ORDER, VALUE, Record
from rules.language.functions import compile_condition
from rules.model import FactSpec, Scalar
from rules.terms import EventType

FACTS = 11  # of an entity's record: its own facts; such records are never in a state
_ENTITIES = (EventType.ADMINISTRATION, EventType.ADVERSE_EVENT)


def counting(spec: FactSpec) -> Callable[[Record], bool | None]:
    """By `where`; without one a truth by itself, and any other value by being there."""
    if spec.where is None:
        return _told
    judge = compile_condition(spec.where)
    if spec.origin in _ENTITIES:
        return lambda record: judge(record[FACTS])

    def counts(record: Record) -> bool | None:
        value = record[VALUE]
        return None if value is None else judge({"value": value})

    return counts


def _told(record: Record) -> bool | None:
    value = record[VALUE]
    if value is None or isinstance(value, bool):
        return value
    return True


class Divided(NamedTuple):
    """What counts for certain, and what may, in order; `note`: why the latter is not certain."""

    sure: list[Record]
    maybe: list[Record]
    note: str


Divide = Callable[[Iterable[Record], Iterable[Record]], Divided]


def dividing(spec: FactSpec) -> Divide:
    """Compile which records count: (surely in the window, perhaps in it) -> divided.

    A code recorded without a value is passed over. An infusion or an adverse event has happened:
    what `where` asks of it and nobody has told yet may come out either way.
    """
    counts, lasting = counting(spec), spec.origin in _ENTITIES

    def divide(inside: Iterable[Record], perhaps: Iterable[Record]) -> Divided:
        sure: list[Record] = []
        maybe: list[Record] = []
        untold: list[Record] = []
        for records, certain in ((inside, sure), (perhaps, maybe)):
            for record in records:
                truth = counts(record)
                if truth is None and lasting:
                    untold.append(record)
                elif truth is True:
                    certain.append(record)
        if not untold:
            return Divided(sure, maybe, DATE_ONLY)
        return Divided(sure, sorted([*maybe, *untold], key=ORDER), UNTOLD)

    return divide


def with_facts(record: Record, facts: Mapping[str, Scalar]) -> Record:
    """An entity's record with its own facts, which `where` speaks of."""
    return [*record, *[None] * (FACTS - len(record)), facts]
