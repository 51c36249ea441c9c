"""A trial's state between two steps: its latest contributions, its holds, what was said.

Who comes in: the fold and the views. Who goes out: orjson bytes for the stream's row.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import orjson

from rules.errors import EvaluationError
from rules.model import Scalar
from rules.state import ENGINE_VERSION


class Counted(NamedTuple):
    """The latest contribution of one unit."""

    evaluable: bool
    event: bool
    since_us: int
    revision: int
    withdrawn: bool
    start_us: int | None = None  # when the unit began
    until_us: int | None = None  # when its follow-up ended early; an entity's latest instant
    what: str | None = None  # of a pause: what waits


@dataclass(slots=True)
class TrialState:
    """The latest contribution of each unit, and what was said of them."""

    version: str
    engine: int = ENGINE_VERSION
    n: int = 0
    at_us: int = 0
    reached_us: int = 0
    # rule -> "subject|unit" -> Counted
    sums: dict[str, dict[str, Counted]] = field(default_factory=dict)
    findings: dict[str, dict[str, list[Any]]] = field(default_factory=dict)
    snapshot: dict[str, Scalar] = field(default_factory=dict)
    digest: str = ""
    holds: list[dict[str, Any]] = field(default_factory=list)  # TrialHold.as_data, oldest first
    accepted: dict[str, int] = field(default_factory=dict)  # rule, or repeat|term -> as resumed
    paused: list[str] = field(default_factory=list)  # pauses that a hold was begun for

    def standing(self, rule: str) -> Iterator[tuple[str, Counted]]:
        """The units that count for a rule, in no order."""
        held = self.sums.get(rule, {})
        return ((name, counted) for name, counted in held.items() if not counted.withdrawn)


_FIELDS = tuple(TrialState.__dataclass_fields__)


def dumps(state: TrialState) -> bytes:
    """Bytes of a state; equal states give equal bytes."""
    values = {name: getattr(state, name) for name in _FIELDS}
    values["sums"] = {
        rule: {name: list(counted) for name, counted in held.items()}
        for rule, held in state.sums.items()
    }
    return orjson.dumps(list(values.values()))


def loads(version: str, data: bytes | None) -> TrialState:
    """The state of these bytes; an older engine's keeps what was said, and folds anew.

    Raises EvaluationError for a newer engine's.
    """
    if data is None:
        return TrialState(version)
    state = TrialState(*orjson.loads(data)[: len(_FIELDS)])
    if state.engine > ENGINE_VERSION:
        raise EvaluationError("the state was written by a newer engine")
    if state.engine == ENGINE_VERSION:
        state.sums = {rule: _counted(held) for rule, held in state.sums.items()}
    else:
        state.engine, state.version, state.sums = ENGINE_VERSION, "", {}
    return state


def _counted(held: Mapping[str, Any]) -> dict[str, Counted]:
    return {name: Counted(*values) for name, values in held.items()}


def of_data(data: Mapping[str, Any]) -> Counted:
    """What a contribution's event says."""
    return Counted(
        evaluable=data["evaluable"],
        event=data["event"],
        since_us=data["since_us"],
        revision=data["revision"],
        withdrawn=bool(data.get("withdrawn")),
        start_us=data.get("start_us"),
        until_us=data.get("until_us"),
        what=data.get("what"),
    )


def place(name: str) -> tuple[str, str]:
    """Subject and unit of a contribution's name."""
    subject, unit = name.split("|", 1)
    return subject, unit


def engine_of(data: bytes) -> int:
    """The engine version that wrote a state."""
    return int(orjson.loads(data)[1])
