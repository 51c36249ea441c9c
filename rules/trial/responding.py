"""Response rates of a trial: how many of the evaluable responded, with an exact interval.

Who comes in: the trial's facts and views. Who goes out: Rate, and plain dicts.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from rules.facts.projections import Reading
from rules.language.vocabulary import stopping_fact
from rules.model import ResponseRate, Scalar
from rules.plan import Plan
from rules.terms import Scope
from rules.trial.state import TrialState, loads, place

CONFIDENCE = 0.95
RESPONDER, NON_RESPONDER, PENDING = "responder", "non_responder", "pending"
_DIGITS = 6


@dataclass(frozen=True)
class Rate:
    """One rate as it stands; the interval is Clopper-Pearson's, None without anybody evaluable."""

    responders: int
    evaluable: int
    pending: int
    subjects: tuple[tuple[str, str], ...]  # (subject, as what it counts), by name

    @property
    def rate(self) -> float | None:
        """Responders of the evaluable."""
        return round(self.responders / self.evaluable, _DIGITS) if self.evaluable else None

    def interval(self) -> tuple[float, float] | None:
        """The exact two-sided 95 % interval."""
        return clopper_pearson(self.responders, self.evaluable) if self.evaluable else None


def clopper_pearson(events: int, among: int, confidence: float = CONFIDENCE) -> tuple[float, float]:
    """(lower, upper) of a proportion: the quantiles of two beta distributions.

    Source: Clopper and Pearson 1934.
    """
    from scipy.special import betaincinv  # noqa: PLC0415 - few processes ever ask

    tail = (1 - confidence) / 2
    lower = 0.0 if events == 0 else betaincinv(events, among - events + 1, tail)
    upper = 1.0 if events == among else betaincinv(events + 1, among - events, 1 - tail)
    return round(float(lower), _DIGITS), round(float(upper), _DIGITS)


def rate_of(response: ResponseRate, state: TrialState) -> Rate:
    """Who counts for a rate now."""
    told = sorted((place(name)[0], one) for name, one in state.standing(response.id))
    words = [
        (subject, PENDING if not one.evaluable else RESPONDER if one.event else NON_RESPONDER)
        for subject, one in told
    ]
    count = [word for _, word in words].count
    responders = count(RESPONDER)
    return Rate(responders, responders + count(NON_RESPONDER), count(PENDING), tuple(words))


def readings(plan: Plan, state: TrialState) -> dict[str, Reading]:
    """The facts of every rate; its interval only where a rule names it."""
    result: dict[str, Reading] = {}
    asked = frozenset(plan.names(Scope.TRIAL))
    for response in plan.definition.response:
        found = rate_of(response, state)
        bounds = [stopping_fact(response.id, what) for what in ("lower", "upper")]
        interval = None if asked.isdisjoint(bounds) else found.interval()
        told: dict[str, Scalar | None] = {
            "responders": found.responders,
            "evaluable": found.evaluable,
            "pending": found.pending,
            "rate": found.rate,
            "lower": interval[0] if interval else None,
            "upper": interval[1] if interval else None,
        }
        result |= {stopping_fact(response.id, what): Reading(one) for what, one in told.items()}
    return result


def response_view(plan: Plan, data: bytes | None) -> list[dict[str, Any]]:
    """Every response rate of a trial's state, with who counts as what."""
    state = loads(plan.version, data)
    return [_shown(response, rate_of(response, state)) for response in plan.definition.response]


def _shown(response: ResponseRate, found: Rate) -> dict[str, Any]:
    interval = found.interval()
    return {
        "id": response.id,
        "title": response.title,
        "evaluable_when": response.evaluable_expression,
        "responder_when": response.responder_expression,
        "responders": found.responders,
        "evaluable": found.evaluable,
        "pending": found.pending,
        "rate": found.rate,
        "lower": interval[0] if interval else None,
        "upper": interval[1] if interval else None,
        "confidence": CONFIDENCE,
        "subjects": [{"subject": subject, "status": word} for subject, word in found.subjects],
    }
