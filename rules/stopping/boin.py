"""The BOIN design's table for one dose (Liu and Yuan 2015): eliminate, de-escalate, escalate.

Who comes in: bounds. Who goes out: bound() (elimination, which is the stopping rule), details().
"""

from __future__ import annotations

import math
from typing import Any

from rules.stopping.bounds import Boundary
from rules.stopping.design import Design, given
from rules.stopping.fixed import EQUAL, finished, least_beyond

_SAFE, _TOXIC = 0.6, 1.4  # of the target rate: the defaults of the published design
_PRIOR = (1.0, 1.0)


def bound(design: Design) -> Boundary:
    """Eliminate iff P(p > p0 | data) exceeds the threshold under Beta(1, 1), with enough units."""
    stop_at = least_beyond(design, _PRIOR, first=1)
    looks = zip(design.looks, stop_at, strict=True)
    kept = tuple(events if size >= design.min_evaluable else None for size, events in looks)
    return finished(Boundary(design=design, stop_at=kept))


def details(bounded: Boundary) -> dict[str, Any]:
    """At each look: escalate with at most, de-escalate with at least so many events."""
    design = bounded.design
    lower, upper = rates(design)
    capped = zip(design.looks, bounded.stop_at, strict=True)
    return {
        "lambda_e": lower,
        "lambda_d": upper,
        "n": list(design.looks),
        "escalate_if_le": [math.floor(lower * size + EQUAL) for size in design.looks],
        "deescalate_if_ge": [
            min(math.floor(upper * size + EQUAL) + 1, size + 1 if out is None else out)
            for size, out in capped
        ],
        "eliminate_if_ge": list(bounded.stop_at),
    }


def rates(design: Design) -> tuple[float, float]:
    """lambda_e and lambda_d: the shares of events at which to escalate, beyond which to go back."""
    p0 = given(design.p0)
    safe = _SAFE * p0 if design.p_safe is None else design.p_safe
    toxic = _TOXIC * p0 if design.p1 is None else design.p1
    return _between(safe, p0), _between(p0, toxic)


def _between(low: float, high: float) -> float:
    """Where data are as likely under either rate."""
    odds = high * (1 - low) / (low * (1 - high))
    return math.log((1 - low) / (1 - high)) / math.log(odds)
