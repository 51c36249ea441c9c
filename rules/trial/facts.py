"""What rules over the trial may name: its counts, and where every stopping rule stands.

Who comes in: the fold. Who goes out: readings by name.
"""

from __future__ import annotations

from collections.abc import Mapping

from rules.facts.projections import Reading
from rules.language.vocabulary import stopping_fact
from rules.model import Scalar
from rules.plan import Plan
from rules.stopping import table
from rules.sums import ENROLLED, INFUSED
from rules.terms import Scope
from rules.trial import repeating, responding
from rules.trial.paths import Path
from rules.trial.state import TrialState, place

ON_HOLD = "on_hold"


def readings(
    plan: Plan, state: TrialState, paths: Mapping[str, Path], *, held: bool
) -> dict[str, Reading]:
    """The facts of the trial's scope."""
    infused = {place(name)[0] for name, _ in state.standing(INFUSED)}
    result = {
        "enrolled_count": Reading(sum(1 for _ in state.standing(ENROLLED))),
        "infused_count": Reading(len(infused)),
        "target": Reading(plan.definition.target),
        ON_HOLD: Reading(held),
    }
    for repeat in plan.definition.repeats:
        result |= repeating.readings(repeat, state)
    result |= responding.readings(plan, state)
    for rule_id, found in paths.items():
        limits = plan.stopping[rule_id].table
        counts: dict[str, Scalar | None] = {
            "events": found.events,
            "evaluable": found.evaluable,
            "pending": found.pending,
            "subjects": found.evaluable + found.pending,
            "crossed": found.crossed_at is not None,
            "margin": table.margin(limits, found.evaluable, found.events),
            "events_to_stop": found.events_to_stop(state.at_us),
            "exposure_days": _exposure_days(plan, found, state.at_us),
        }
        for what, value in counts.items():
            time_us = found.crossed_us if what == "crossed" else None
            result[stopping_fact(rule_id, what)] = Reading(value, time_us)
    return result


def _exposure_days(plan: Plan, found: Path, at_us: int) -> float | None:
    """The exposure of all units so far; worked out only where a rule names it."""
    if stopping_fact(found.rule.id, "exposure_days") not in plan.names(Scope.TRIAL):
        return None
    return round(found.standing(at_us).exposure_days, 6)
