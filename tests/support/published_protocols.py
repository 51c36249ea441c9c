"""The two published trials as protocols: one endpoint each, watched by rules of many methods.

The limits are examples for a replay, not what those trials had registered.
"""

from __future__ import annotations

HEAD = """\
vigil: 1
protocol:
  id: {id}
  version: "1.0"
  title: {title}
  time_zone: UTC
  target: {n}
  outcomes: {{primary: [{title}], secondary: []}}
  sources: {{table: The published table, example: An example for a replay}}
parameters: {{}}
codes:
  - {{code: published, type: assessment, label: Stands in the table, value: boolean}}
criteria:
  - id: I1
    kind: inclusion
    text: Was in the published trial
    when: published
    source: {{document: table}}
rules:
"""
TOLD = """\
  - id: {id}-CROSSED
    on: trial
    category: stopping
    severity: critical
    when: {stem}_crossed
    title: {id} is reached
    action: Enrol nobody.
    source: {{document: example}}
"""
RULE = """\
  - id: {id}
    title: {id}
    on: {on}
    endpoint: {endpoint}
    window_days: {window}
    window_from: enrolment
    {design}
    crossing: {{hold: enrolment, notify: [safety_board], safety_board: required}}
    source: {{document: example, confidence: to be confirmed}}
"""
# What a rule is made of, by its id; {n} and {p0} of the trial.
DESIGNS = {
    "ST-POCOCK": "method: pocock\n    n: {n}\n    p0: {p0}\n    alpha: 0.05",
    "ST-BETA": "method: beta_binomial\n    n: {n}\n    p0: {p0}\n    alpha: 0.05\n    prior: [0.2, 3.8]",
    "ST-GROUPS": "method: obrien_fleming\n    looks: [20, 40, 60, 80, 100, {n}]\n    p0: {p0}\n    alpha: 0.05",
    "ST-MAX": "method: max_sprt\n    n: {n}\n    p0: {p0}\n    alpha: 0.1",
    "ST-POSTERIOR": "method: bayes_threshold\n    n: {n}\n    p0: {p0}\n    threshold: 0.95\n    prior: [0.2, 3.8]",
    "ST-TIME": "method: sprt\n    outcome: time_to_event\n    n: {n}\n    p0: {p0}\n    p1: 0.15\n    alpha: 0.05",
    "ST-GAMMA": "method: gamma_poisson\n    outcome: time_to_event\n    n: {n}\n    p0: {p0}\n    alpha: 0.05\n    prior: [0.5, 900]",
    "ST-PARTIAL": "method: wang_tsiatis\n    pending: partial\n    n: {n}\n    p0: {p0}\n    alpha: 0.05\n    delta: 0.25",
}


def protocol(
    trial: str, title: str, n: int, p0: float, on: str, endpoint: str, window_days: int
) -> str:
    """A protocol file of the trial with every design above."""
    text = HEAD.format(id=trial, title=title, n=n)
    for rule in DESIGNS:
        text += TOLD.format(id=rule, stem=rule.replace("-", "_").lower())
    text += "stopping:\n"
    for rule, design in DESIGNS.items():
        made = design.format(n=n, p0=p0)
        text += RULE.format(id=rule, on=on, endpoint=endpoint, window=window_days, design=made)
    return text
