"""A stream's state between two steps: what it holds, as bytes and back.

Who comes in: step. Who goes out: orjson bytes for the stream's row. Everything in it follows from
the log; it is kept so that the next event need not read the log again.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import orjson

from rules.facts import knowing
from rules.facts.entities import Part, pack
from rules.facts.timeline import Record, Timeline
from rules.model import Scalar

# Raise it whenever the same log would give other findings: stored states then fold again.
ENGINE_VERSION: int = 5


@dataclass(slots=True)
class SubjectState:
    """One subject as last judged."""

    version: str  # of the protocol, with its digest
    engine: int = ENGINE_VERSION
    n: int = 0  # last event folded
    at_us: int = 0  # instant of the last step
    reached_us: int = 0  # every due instant up to here is done
    # What was published.
    records: dict[str, list[Record]] = field(default_factory=dict)
    low: dict[str, int] = field(default_factory=dict)
    enrolment: list[Part] = field(default_factory=list)
    deaths: list[Part] = field(default_factory=list)
    overrides: dict[str, list[Part]] = field(default_factory=dict)
    infusions: dict[str, list[Part]] = field(default_factory=dict)
    adverse_events: dict[str, Any] = field(default_factory=dict)  # parts, packed until asked for
    waiting: dict[str, int] = field(default_factory=dict)  # targets of corrections not yet here
    # What follows from it now.
    live: dict[str, Scalar] = field(default_factory=dict)
    until: dict[str, int] = field(default_factory=dict)
    fixed: str | None = None  # the enrolment's assessment, packed
    fixed_at_us: int | None = None  # the instant it is anchored to
    last_anchor_us: int = -1  # no later data than this can touch an anchored entity
    first_infusion: list[int] | None = None  # its span
    snapshot: dict[str, Scalar] = field(default_factory=dict)  # of the subject's scope
    decision: str | None = None
    codes: str = ""  # one letter a criterion
    # Rule -> adverse event -> span, and of a repeat its folded term.
    endpoints: dict[str, dict[str, list[Any]]] = field(default_factory=dict)
    # What was said.
    findings: dict[str, dict[str, list[Any]]] = field(default_factory=dict)
    asked: dict[str, str] = field(default_factory=dict)  # entity -> hash of its last snapshot
    contributions: dict[str, list[Any]] = field(default_factory=dict)
    digest: str = ""
    inexact: dict[str, int] = field(default_factory=dict)  # live values without an exact time
    last_onset_us: int = -1  # no later data than this can touch an adverse event
    among: dict[str, bool] = field(default_factory=dict)  # stopping rule -> whether one counts
    laboratory: dict[str, list[Any]] = field(default_factory=dict)  # code -> its series
    # Which versions the subject stands under; empty while there was only one (rules/pinning.py).
    began: str = ""  # the version in force at the first event
    course: list[list[Any]] = field(default_factory=list)
    pins: list[str] = field(default_factory=list)
    owed: list[Any] = field(default_factory=list)  # a major amendment without consent to it
    visits: dict[str, list[Any]] = field(default_factory=dict)  # visit -> what was last told of it
    kept: dict[str, list[Any]] = field(default_factory=dict)  # what pruned sources still hold
    # Adverse event -> what became known when (facts/knowing.py), packed until asked for; and the
    # reports owed for it: clock, stage, start, assumed, due.
    knowing: dict[str, Any] = field(default_factory=dict)
    clocks: dict[str, list[list[Any]]] = field(default_factory=dict)

    def timeline(self) -> Timeline:
        """The records as the projections read them."""
        return Timeline(self.records, self.low, self.kept, self)


_FIELDS = tuple(SubjectState.__dataclass_fields__)


def dumps(state: SubjectState) -> bytes:
    """Bytes of a state; equal states give equal bytes."""
    state.adverse_events = {name: pack(held) for name, held in state.adverse_events.items()}
    state.knowing = {name: knowing.pack(held) for name, held in state.knowing.items()}
    return orjson.dumps([getattr(state, name) for name in _FIELDS])


def loads(data: bytes) -> SubjectState:
    """The state of these bytes. An older engine's keeps what was said, and folds anew.

    New fields go to the end, so that older states can be read.
    """
    values = orjson.loads(data)
    state = SubjectState(*values[: len(_FIELDS)])
    if state.engine < ENGINE_VERSION:
        state.engine, state.version = ENGINE_VERSION, ""
        state.contributions = {name: _told(one) for name, one in state.contributions.items()}
    return state


def _told(one: list[Any]) -> list[Any]:
    """A contribution as it is kept now; up to version 3 its fields lay side by side."""
    flat = len(one) > 3 or not isinstance(one[1], list)
    return [one[0], one[1:-1], one[-1]] if flat else one
