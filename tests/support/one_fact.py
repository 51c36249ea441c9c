"""One fact declared, a few events told: what it reads, now or as of an instant."""

from __future__ import annotations

import rules
from rules import state as states
from rules.facts.reading import Reading
from tests.support.engines import engine_of
from tests.support.step_logs import at

HEAD = """
vigil: 1
protocol: {id: p, version: "1", title: P, time_zone: America/New_York, target: 2, sex: all, outcomes: {primary: [x], secondary: [y]}, sources: {doc: A document}}
parameters: {}
codes:
  - {code: temp, type: observation, label: Temperature, value: number, unit: Cel}
  - {code: skin, type: observation, label: Skin temperature, value: number, unit: Cel}
  - {code: alt, type: observation, label: ALT, value: number, unit: U/L}
  - {code: unfit, type: assessment, label: Unfit, value: boolean}
  - {code: rash, type: assessment, label: Grade, value: code, values: [mild, severe, moderate]}
  - {code: infarct, type: condition, label: Infarct}
  - {code: drug, type: medication, label: A drug}
facts:
  sex: {from: demographics, field: sex}
"""
TAIL = """
criteria:
  - {id: E1, kind: exclusion, text: T, when: temp > 40, source: {document: doc}}
rules: []
"""


def engine(*facts: str) -> rules.Engine:
    """The engine of a protocol with these facts, each written `name: {..}`."""
    return engine_of(HEAD + "".join(f"  {fact}\n" for fact in facts) + TAIL, "p.yaml")


def reading(fact: str, log: list[rules.Event], now: str, as_of: str | None = None) -> Reading:
    """What the fact `x` (the last one declared) reads after these events."""
    made = engine(*fact.split("\n"))
    outcome = made.subject_steps("t", "S", None, log, lambda n: log[:n])
    held = states.loads(outcome.state)
    return made.plan.read["x"](held.timeline(), None if as_of is None else at(as_of), at(now))
