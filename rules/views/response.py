"""A subject's response: what each clinical function says of it, and what it was made of.

Who comes in: the engine. Who goes out: plain dicts with the contract's keys.
"""

from __future__ import annotations

from typing import Any

from rules.clinical.functions import FUNCTIONS
from rules.model import Clinical, FactSpec
from rules.plan import Plan
from rules.state import SubjectState
from rules.sums import RESPONSE
from rules.views.checklist import facts

Json = dict[str, Any]


def response(plan: Plan, state: SubjectState) -> Json:
    """`items`: every clinical function of the protocol; `rates`: as what the subject counts.

    A value that is null is unknown.
    """
    made = [
        (spec, spec.derived.otherwise)
        for spec in plan.specs.values()
        if spec.derived is not None and isinstance(spec.derived.otherwise, Clinical)
    ]
    names = [spec.name for spec, _ in made]
    names += [fact.fact for _, computed in made for _, fact in computed.arguments]
    values = facts(plan, state, tuple(dict.fromkeys(names)))
    return {
        "items": [_item(plan, spec, computed, values) for spec, computed in made],
        "rates": [
            {"id": one.id, "title": one.title, "status": _status(state, one.id)}
            for one in plan.definition.response
        ],
    }


def _item(plan: Plan, spec: FactSpec, computed: Clinical, values: Json) -> Json:
    return {
        "fact": spec.name,
        "label": spec.label,
        "function": computed.function,
        "source": FUNCTIONS[computed.function].source,
        "value": values[spec.name],
        "of": [
            {
                "argument": argument,
                "fact": fact.fact,
                "label": plan.label(fact.fact),
                "value": values[fact.fact],
                "unit": plan.unit(fact.fact),
            }
            for argument, fact in computed.arguments
        ],
    }


def _status(state: SubjectState, rate: str) -> str:
    """As what the subject counts in a rate: not yet, pending, responder or not."""
    told = state.endpoints.get(rate, {}).get(RESPONSE)
    if told is None:
        return "not_evaluable"
    return "pending" if not told[1] else "responder" if told[2] else "non_responder"
