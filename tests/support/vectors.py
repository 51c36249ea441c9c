"""The stopping vectors and how near an answer must come to them (vectors/README.md).

Who comes in: tests. Who goes out: cases(), differences().
"""

from __future__ import annotations

import functools
import json
from typing import Any

from tests.support.processes import ROOT

FILE = ROOT.parent / "shared" / "vectors" / "stopping.json"
Json = dict[str, Any]

# Published tables are printed to so many places.
_PRINTED = {"cross_low": 6e-4, "cross_high": 6e-4, "asn": 0.06, "cval": 1e-6}
_PROBABILITY, _CRITICAL, _PRINTED_OTHERWISE = 1e-8, 1e-6, 1e-6
_EXPOSURE, _EFFECTIVE = 1e-5, 1e-3
_SIMULATED = "oc_monte_carlo"  # compared where our own simulation is tested


@functools.cache
def cases() -> dict[str, Json]:
    """Every case, by its id."""
    return {case["id"]: case for case in json.loads(FILE.read_bytes())["cases"]}


def differences(case: Json, result: Json) -> list[str]:
    """Where a result is further from what its case expects than it may be; empty: it matches."""
    return _differences(case["family"], "", result, case["expect"])


def _differences(family: str, path: str, found: Any, wanted: Any) -> list[str]:
    if isinstance(wanted, dict):
        wanted = {key: one for key, one in wanted.items() if key != _SIMULATED}
        absent = [f"{path}.{key} is missing" for key in wanted if key not in found]
        inside = [key for key in wanted if key in found]
        return absent + [
            said
            for key in inside
            for said in _differences(family, f"{path}.{key}", found[key], wanted[key])
        ]
    if isinstance(wanted, list):
        if len(found) != len(wanted):
            return [f"{path} has {len(found)} entries, not {len(wanted)}"]
        pairs = enumerate(zip(found, wanted, strict=True))
        return [
            said
            for place, (one, other) in pairs
            for said in _differences(family, f"{path}[{place}]", one, other)
        ]
    same = _near(family, path, found, wanted) if isinstance(wanted, float) else found == wanted
    return [] if same else [f"{path} is {found}, not {wanted}"]


def _near(family: str, path: str, found: float | None, wanted: float) -> bool:
    if found is None:
        return False
    if family == "published":
        key = path.rpartition(".")[2]
        return abs(found - wanted) <= _PRINTED.get(key, _PRINTED_OTHERWISE)
    if family == "tite_from_cval":
        return abs(found - wanted) <= _EFFECTIVE
    if family == "survival_calibrated":
        relative = "exposure" in path or "cval" in path
        return abs(found - wanted) <= (_EXPOSURE * abs(wanted) if relative else _PRINTED_OTHERWISE)
    if "critical" in path:
        return abs(found - wanted) <= _CRITICAL * abs(wanted)
    return abs(found - wanted) <= _PROBABILITY * max(1.0, abs(wanted))
