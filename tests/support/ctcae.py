"""The CTCAE vectors, and the groups in which the text is followed instead (docs/ctcae.md).

Who comes in: tests. Who goes out: cases(), departs().
"""

from __future__ import annotations

import functools
import json
from typing import Any

from tests.support.processes import ROOT

FILE = ROOT.parent / "shared" / "vectors" / "ctcae.json"
Json = dict[str, Any]
_TRIGLYCERIDES = {"MMOL/L": 1.71, "mg/dL": 150}


@functools.cache
def cases() -> tuple[Json, ...]:
    """Every case, in the file's order."""
    return tuple(json.loads(FILE.read_bytes())["cases"])


def departs(case: Json) -> str | None:
    """The group of docs/ctcae.md by which a case is graded otherwise; None: as it expects."""
    term, value, base = case["term"], case["value"], case["baseline"]
    if value is None:
        return None
    if term == "GGT increased" and case["baseline_flag"] == "HIGH" and value == 2 * base:
        return "GGT at its edge"
    if term == "Hypertriglyceridemia" and _TRIGLYCERIDES[case["unit"]] == value:
        return "triglycerides at their edge"
    if term == "INR increased" and base is None and value <= 1.2:
        return "INR needs no baseline"
    if term == "INR increased" and base is not None and value > base and value <= 1.2:
        return "INR multiples of baseline"
    return None
