"""Whether one record counts for a fact.

Who comes in: a fact's `where`. Who goes out: a three-valued function of a record.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from rules.facts.timeline import VALUE, Record
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


def with_facts(record: Record, facts: Mapping[str, Scalar]) -> Record:
    """An entity's record with its own facts, which `where` speaks of."""
    return [*record, *[None] * (FACTS - len(record)), facts]
