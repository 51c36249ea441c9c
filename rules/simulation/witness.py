"""An event for which a stopping rule's endpoint holds, found by trying and shown by the engine.

Who comes in: whoever simulates. Who goes out: type and data of one event.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from random import Random
from typing import Any

from rules.language.functions import compile_condition
from rules.language.reasoning import leaves
from rules.language.vocabulary import CAUSALITIES
from rules.model import Compare, Condition, In, StoppingRule
from rules.simulation.courses import UNNAMED, Courses, Setting
from rules.simulation.pattern import Pattern, Row
from rules.simulation.running import VirtualTrial
from rules.step import Engine
from rules.terms import EventType

# The least severe first, so that a virtual event sets off no more alerts than it must.
_USUAL: dict[str, tuple[Any, ...]] = {
    "grade": (1, 2, 3, 4, 5),
    "causality": (None, *reversed(CAUSALITIES)),
    "serious": (None, False, True),
}
_TOLD = ("grade", "causality", "serious", "outcome", "term", "expected")
_MOST_TRIES = 60


def witness(engine: Engine, rule: StoppingRule, pattern: Pattern, setting: Setting) -> Row | None:
    """Type and data of an adverse event or a death that counts for the rule; None: none found."""
    for event, _ in zip(_candidates(rule), range(_MOST_TRIES), strict=False):
        one = VirtualTrial(engine, rule)
        courses = Courses(rule, pattern, setting, event)
        if one.run(courses.of(0, 1.0, Random(0))).events:  # noqa: S311 - nothing secret
            return event
    return None


def _candidates(rule: StoppingRule) -> Iterator[Row]:
    holds = compile_condition(rule.endpoint)
    named = _constants(rule.endpoint)
    choices = [
        (*_USUAL.get(name, ()), *sorted(named.get(name, ()), key=str)) or (None,) for name in _TOLD
    ]
    for values in product(*choices):
        told = {name: value for name, value in zip(_TOLD, values, strict=True) if value is not None}
        if holds({"onset_after_infusion": True, **told}) is not False:
            term = told.pop("term", UNNAMED)
            yield {"type": EventType.ADVERSE_EVENT.value, "data": {"term": term, **told}}
    for causality in _USUAL["causality"]:
        data = {} if causality is None else {"causality": causality}
        yield {"type": EventType.DEATH.value, "data": data}


def _constants(endpoint: Condition) -> dict[str, set[Any]]:
    """What the endpoint compares each of its facts with."""
    found: dict[str, set[Any]] = {}
    for leaf in leaves(endpoint):
        if isinstance(leaf, Compare):
            found.setdefault(leaf.fact, set()).add(leaf.value)
        elif isinstance(leaf, In):
            found.setdefault(leaf.fact, set()).update(leaf.values)
    return found
