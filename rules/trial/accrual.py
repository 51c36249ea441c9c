"""How enrolment comes on: who was enrolled when, how many a month, and when the target is reached.

Who comes in: Engine, for those who ask. Who goes out: plain dicts, times as text.
"""

from __future__ import annotations

from typing import Any

from rules.facts.calendar import DAY_US, iso
from rules.plan import Plan
from rules.sums import ENROLLED
from rules.trial.state import loads, place

MONTH_US = DAY_US * 365.25 / 12
# A pace out of fewer, or of a shorter time, says nothing.
_FEWEST, _SHORTEST_US = 2, 7 * DAY_US


def accrual_view(plan: Plan, data: bytes | None, now_us: int) -> dict[str, Any]:
    """`path`: the enrolled in order of time; `per_month` and `full_at` null where unknown.

    The pace is that from the first enrolment to `now_us`.
    """
    state, target = loads(plan.version, data), plan.definition.target
    found = sorted((one.since_us, place(name)[0]) for name, one in state.standing(ENROLLED))
    pace = _per_month([at_us for at_us, _ in found], now_us)
    return {
        "target": target,
        "enrolled": len(found),
        "as_of": iso(now_us),
        "per_month": None if pace is None else round(pace, 2),
        "full_at": _full_at(len(found), target, pace, now_us),
        "path": [
            {"at": iso(at_us), "subject": subject, "enrolled": number}
            for number, (at_us, subject) in enumerate(found, start=1)
        ],
    }


def _per_month(instants: list[int], now_us: int) -> float | None:
    """Enrolments a month since the first one, which itself began the count."""
    if len(instants) < _FEWEST or now_us - instants[0] < _SHORTEST_US:
        return None
    return (len(instants) - 1) / ((now_us - instants[0]) / MONTH_US)


def _full_at(enrolled: int, target: int, pace: float | None, now_us: int) -> str | None:
    """When the target is reached if nothing changes; null where it is, or there is no pace."""
    if pace is None or enrolled >= target:
        return None
    return iso(now_us + int((target - enrolled) / pace * MONTH_US))
