"""`vigil bench`: every figure beside its limit, measured in one run on one machine.

Who comes in: the command line. Who goes out: one dictionary with the keys of contract section 9.
Figures are printed, never asserted: the machines are shared, so the ratios are what to compare.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from services.bench import history, limits, service, single

Say = Callable[[str], None]


def run(say: Say) -> dict[str, Any]:
    """Measure everything; `say` hears each step's name. Takes one to two minutes."""
    with tempfile.TemporaryDirectory(prefix="vigil-bench-") as folder:
        place = Path(folder)
        figures: dict[str, Any] = {}
        say("the rules alone, in one process")
        figures |= single.measure()
        say("the raw limits: bare Flask, bulk insert, no-op task")
        figures["limits"] = limits.measure(place)
        say("the service: intake, evaluation, webhooks")
        figures |= service.measure(place)
        say("the cost of one more event, and of folding again")
        figures |= history.measure(place)
    figures["overhead_ratio"] = round(figures["raw_engine_per_s"] / figures["evaluated_per_s"], 2)
    return figures
