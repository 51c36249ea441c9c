"""Many virtual trials at one true rate, summed.

Who comes in: whoever simulates. Who goes out: plain JSON.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt
from statistics import fmean
from typing import Any

from rules.facts.calendar import DAY_US
from rules.model import Definition
from rules.simulation.running import Happened


def summed(definition: Definition, true_p: float, trials: Sequence[Happened]) -> dict[str, Any]:
    """Shares and means over the trials; `standard_error` is of the share that stopped."""
    stopped = [trial for trial in trials if trial.stopped is not None]
    share = len(stopped) / len(trials)
    return {
        "p": true_p,
        "trials": len(trials),
        "stopped": share,
        "standard_error": sqrt(share * (1 - share) / len(trials)),
        "stopped_by": {
            rule.id: sum(trial.stopped == rule.id for trial in trials) / len(trials)
            for rule in definition.stopping
        },
        "mean_enrolled": fmean(trial.enrolled for trial in trials),
        "mean_infusions": fmean(trial.infused for trial in trials),
        "mean_turned_away": fmean(trial.turned_away for trial in trials),
        "mean_evaluable": fmean(trial.evaluable for trial in trials),
        "mean_events": fmean(trial.events for trial in trials),
        "mean_days_to_stop": fmean(map(_days, stopped)) if stopped else None,
        "alerts": _alerts(definition, trials),
    }


def _days(trial: Happened) -> float:
    """From the first event of the trial to its being stopped."""
    return ((trial.stopped_us or trial.began_us) - trial.began_us) / DAY_US


def _alerts(definition: Definition, trials: Sequence[Happened]) -> list[dict[str, Any]]:
    """Whom the protocol tells of what, and how often; a rule that was silent says 0."""
    return [
        {
            "rule": rule.id,
            "category": rule.category.value,
            "severity": rule.severity.value,
            "title": rule.title,
            "trials": sum(trial.opened[rule.id] > 0 for trial in trials) / len(trials),
            "mean_opened": fmean(trial.opened[rule.id] for trial in trials),
        }
        for rule in definition.rules
    ]
