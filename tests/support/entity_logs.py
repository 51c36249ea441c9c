"""Random logs for the trial whose rules range over entities."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from hypothesis import strategies as st

import rules
from tests.support.step_logs import HOUR, START, ZONE, at, event

_OFTEN = {
    "observation": 6,
    "adverse_event": 6,
    "administration": 4,
    "procedure": 2,
    "assessment": 2,
    "enrolment": 2,
    "medication": 1,
    "consent": 1,
    "death": 1,
}
_KINDS = [kind for kind, times in _OFTEN.items() for _ in range(times)]
_DAYS = ["2026-01", "2026-01-11", "2026-01-13", "2026-01-13T10:00:00-05:00", "2026-02-01"]


class _Pick:
    """Draws one of some values."""

    def __init__(self, draw) -> None:
        self.draw = draw

    def __call__(self, *values):
        return self.draw(st.sampled_from(values))

    def observation(self):
        if self(0, 0, 0, 0, 1):
            return {"code": "alt", "absent": "not_done"}
        if self(0, 0, 1):
            return {"code": "temp", "value": self(36.5, 38.4), "unit": "Cel"}
        told = self({}, {"reference_high": 40}, {"reference_low": 10, "reference_high": 40})
        told |= self({}, {}, {}, {"baseline": True})
        return {"code": "alt", "value": self(5, 20, 40, 41, 130), "unit": "U/L", **told}

    def adverse_event(self):
        return (
            {"ae": self("A", "B", "C")}
            | self({}, {"grade": 4}, {"grade": 3}, {"grade": 2}, {"grade": None})
            | self({}, {}, {"term": "Anaphylaxis"}, {"status": "withdrawn"}, {"status": "valid"})
            | self({}, {}, *({"onset": day} for day in _DAYS))
        )

    def administration(self):
        return (
            {"number": self(1, 2, 3), "status": self("completed", "completed", "not_done")}
            | self({}, {"dose": 1.0}, {"dose": 2.5})
            | self({}, {}, *({"start": day} for day in _DAYS))
        )

    def procedure(self):
        code = self("day_7", "next_call", "baseline_call", "after_alt", "consented")
        data = {"code": code, "status": self("done", "done", "not_done")}
        return data | self({}, {}, {"start": self(*_DAYS)})

    def assessment(self):
        return {"code": "cohort", "value": self("low", "high", "none")}

    def medication(self):
        return {"code": "steroid", "status": self("started", "stopped")}

    def consent(self):
        given = self("given", "given", "withdrawn")
        return {"document": "informed_consent", "given_by": "subject", "status": given}

    def enrolment(self):
        return {
            "status": self("screened", "enrolled", "enrolled", "withdrawn", "treatment_stopped")
        }

    def death(self):
        return {"causality": self("related", "unrelated")}


@st.composite
def logs(draw, most=24, repairs=True):
    """A stream's log in order of receipt: late, date-only and corrected events."""
    pick = _Pick(draw)
    log: list[rules.Event] = []
    received = START
    for n in range(1, draw(st.integers(2, most)) + 1):
        received += pick(0, HOUR // 2, 5 * HOUR, 30 * HOUR, 90 * HOUR)
        if repairs and n > 2 and pick(*[0] * 6, 1):
            log.append(_repair(pick, n, received, log))
            continue
        kind = pick(*_KINDS)
        if kind == "death" and pick(0, 1):
            kind = "observation"
        time_us, precision = received - pick(0, 0, 0, 0, HOUR, 26 * HOUR, 200 * HOUR), "second"
        if pick(0, 0, 0, 1):
            precision = "day"
            time_us = at(datetime.fromtimestamp(time_us / 1e6, ZONE).date().isoformat())
        log.append(event(n, kind, time_us, received, precision=precision, **getattr(pick, kind)()))
    return log


def _repair(pick, n, received, log):
    target = pick(*log)
    named = {"source": target.source, "id": target.id}
    way = pick("error", "data", "time", "discard")
    if way == "discard":
        return event(n, "discard", received, discards=target.event)
    if way == "error" or target.type not in _OFTEN:
        return event(n, "correction", received, corrects=named, entered_in_error=True)
    said: dict[str, Any] = {"corrects": named}
    if way == "data":
        said["data"] = getattr(pick, target.type)()
    else:
        said["time"] = "2026-01-12T07:00:00-05:00"
    return event(n, "correction", received, **said)
