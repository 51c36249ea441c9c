"""Where an anchor of the schedule lies, as now known.

Who comes in: the visits. Who goes out: a span, or None where it has not happened.
"""

from __future__ import annotations

from rules.facts import entities
from rules.facts.calendar import Span
from rules.subject import anchored
from rules.subject.context import Subject


def anchor_now(subject: Subject, name: str) -> Span | None:
    """The span of the anchor's moment."""
    state = subject.state
    if name == "enrolment":
        part = entities.enrolled_part(state.enrolment)
        return None if part is None else Span(part[entities.START], part[entities.END])
    if name == "death":
        return entities.merge(state.deaths).first if state.deaths else None
    spans = anchored.spans(subject)
    if name == "first_infusion":
        return min(spans.values(), default=None)
    if name == "last_infusion":
        return max(spans.values(), default=None)
    if name.startswith("infusion_"):
        return spans.get(name.removeprefix("infusion_"))
    return None
