"""A stopping rule as a person reads it, and as plain data.

Who comes in: paragraphs.py, plain.py. Who goes out: labelled lines; a dict.
"""

from __future__ import annotations

from itertools import groupby
from typing import Any

from rules.model import Crossing, StoppingRule
from rules.stopping.design import Design, Method, Outcome
from rules.terms import Evaluable, Hold, Pending, Unit, WindowFrom

Json = dict[str, Any]

# The numbers of a design, in the words of the file; `looks` says what `n` cannot.
_NUMBERS = (
    *("p0", "p1", "alpha", "beta", "power", "delta", "prior", "standard_prior", "nu"),
    "threshold",
)
_EVALUABLE = {
    Evaluable.AT_EVENT: "at its first event, else when that time is over",
    Evaluable.AFTER_WINDOW: "when that time is over",
}
_PENDING = {
    Pending.WAIT: "not counted until then",
    Pending.EVENT_FREE: "counted as without an event from the start",
    Pending.PARTIAL: "counted by the share of that time that has passed",
}
_FROM = {
    WindowFrom.FIRST_INFUSION: "first infusion",
    WindowFrom.LAST_INFUSION: "last infusion",
    WindowFrom.ENROLMENT: "enrolment",
}
_HOLDS = {
    None: "nothing waits by itself",
    Hold.ENROLMENT: "enrol nobody",
    Hold.TRIAL: "enrol nobody and infuse nobody",
}


def lines(item: StoppingRule) -> list[tuple[str, str | None]]:
    """(label, value), the values None where there is nothing to say."""
    return [
        ("Counts", item.expression),
        ("Among", item.among_expression),
        ("Each", item.unit.value),
        ("Watched for", f"{item.window_days} days from {_start(item)}"),
        ("Evaluable", _EVALUABLE[item.evaluable]),
        ("Pending", _PENDING[item.pending]),
        ("Method", _method(item.design)),
        ("Stop at", _limits(item)),
        ("Type I error", _error(item)),
        ("When reached", _reached(item.crossing)),
    ]


def _start(item: StoppingRule) -> str:
    if item.unit is Unit.INFUSION:
        return "its start"
    many = item.planned_infusions
    return _FROM[item.window_from] + (f", of {many} planned" if many is not None else "")


def _method(design: Design) -> str:
    told = [str(design.method), *(f"{name} {_short(one)}" for name, one in parameters(design))]
    if design.outcome is Outcome.TIME_TO_EVENT:
        told.append("time to event")
    return ", ".join(told)


def parameters(design: Design) -> list[tuple[str, Any]]:
    """The numbers that a design was given, by their names in the file."""
    looks = tuple(range(1, design.n + 1))
    size = ("n", design.n) if design.looks == looks else ("looks", list(design.looks))
    given = [(name, getattr(design, name)) for name in _NUMBERS]
    told = [(name, list(one) if isinstance(one, tuple) else one) for name, one in given]
    return [
        *([] if design.table else [size]),
        *((name, one) for name, one in told if one is not None),
        *([] if design.strict else [("strict", False)]),
        *([("min_evaluable", design.min_evaluable)] if design.method is Method.BOIN else []),
        *([("max_info", design.max_info.value)] if design.outcome is Outcome.TIME_TO_EVENT else []),
    ]


def _short(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return " ".join(map(_short, value))
    return f"{value:g}" if isinstance(value, float) else str(value)


def _limits(item: StoppingRule) -> str:
    if item.exposure:
        unit = "days" if item.design.outcome is Outcome.TIME_TO_EVENT else "effective subjects"
        told = (f"{events} within {most:.4g} {unit}" for events, most in item.exposure)
        return ", ".join(told)
    found = []
    for events, rows in groupby(item.table, lambda row: row[1]):
        sizes = [size for size, _ in rows]
        found.append(f"{events} of {_span(sizes)}")
    return ", ".join(found) or "never"


def _span(sizes: list[int]) -> str:
    return f"{sizes[0]}" if len(sizes) == 1 else f"{sizes[0]} to {sizes[-1]}"


def _error(item: StoppingRule) -> str | None:
    """None where no p0 is declared."""
    if item.design.p0 is None or item.bound.type_1_error is None:
        return None
    return f"{item.bound.type_1_error:.4f} at a true rate of {item.design.p0:g}"


def _reached(crossing: Crossing | None) -> str | None:
    if crossing is None:
        return None
    told = [_HOLDS[crossing.hold]]
    if crossing.notify:
        told.append(f"told: {', '.join(crossing.notify).replace('_', ' ')}")
    if crossing.safety_board:
        told.append("the safety board has to meet")
    return "; ".join(told)


def as_data(item: StoppingRule) -> Json:
    """Everything of it but its source and its place in the file."""
    return {
        "id": item.id,
        "title": item.title,
        "on": item.on.value,
        "endpoint": item.expression,
        "among": item.among_expression or None,
        "unit": item.unit.value,
        "window_days": item.window_days,
        "window_from": item.window_from.value,
        "planned_infusions": item.planned_infusions,
        "evaluable": item.evaluable.value,
        "pending": item.pending.value,
        "method": item.method,
        "outcome": item.design.outcome.value,
        "parameters": dict(parameters(item.design)),
        "table": [{"evaluable": n, "stop_at": at} for n, at in item.table],
        "exposure": [{"events": d, "max_exposure": most} for d, most in item.exposure],
        "type_1_error": None if item.design.p0 is None else item.bound.type_1_error,
        "crossing": _crossing(item.crossing),
    }


def _crossing(crossing: Crossing | None) -> Json | None:
    if crossing is None:
        return None
    return {
        "hold": None if crossing.hold is None else crossing.hold.value,
        "notify": list(crossing.notify),
        "safety_board": crossing.safety_board,
    }
