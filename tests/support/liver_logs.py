"""A protocol with liver facts of every kind, and random logs for it: long enough to be pruned."""

from __future__ import annotations

from functools import cache

from hypothesis import strategies as st

import rules
from tests.support.step_logs import HOUR, START, event

DAY = 24 * HOUR
_ALL = "from: observation, alt: alt, ast: ast, bilirubin: bilirubin, alp: alp, take: hys_law"
_NEAR = "window: {days: 3}, alp_within: {days: 1}"
FACTS = {
    "plain": f"{{{_ALL}}}",
    "based": f"{{{_ALL}, baseline: first_infusion, {_NEAR}, before: {{days: 1}}}}",
    "moved": f"{{{_ALL}, baseline: last_infusion, {_NEAR}, bilirubin_over_baseline: 2}}",
    "late": f"{{{_ALL}, baseline: first_infusion, {_NEAR}}}",
    "alone": "{from: observation, ast: ast, bilirubin: bilirubin, take: hys_law, window: {days: 1}, alp_within: {days: 1}}",
    "quadrant": "{from: observation, alt: alt, ast: ast, bilirubin: bilirubin, take: edish}",
    "of_ast": "{from: observation, ast: ast, bilirubin: bilirubin, take: edish}",
}
_QUIET = {"quadrant": "normal", "of_ast": "normal"}
_HEAD = """
vigil: 1
protocol: {id: livers, version: "1", title: Livers, time_zone: America/New_York, target: 2, sex: all, outcomes: {primary: [x], secondary: [y]}, sources: {doc: A document}}
parameters: {}
codes:
  - {code: alt, type: observation, label: ALT, value: number, unit: U/L}
  - {code: ast, type: observation, label: AST, value: number, unit: U/L}
  - {code: bilirubin, type: observation, label: Bilirubin, value: number, unit: umol/L}
  - {code: alp, type: observation, label: ALP, value: number, unit: U/L}
facts:
  sex: {from: demographics, field: sex}
"""
_TAIL = """
criteria:
  - {id: E1, kind: exclusion, text: T, when: 'sex == "male"', source: {document: doc}}
rules:
"""


def _rules(names: tuple[str, ...]) -> str:
    return "".join(
        f"  - {{id: {scope[:3].upper()}-{name.upper().replace('_', '-')}, on: {scope}, category: safety,"
        f' severity: info, when: \'{name} != "{_QUIET.get(name, "none")}"\', title: {name}, detail: "{{{name}}}",'
        " action: Look., source: {document: doc}}\n"
        for name in names
        for scope in ("subject", "infusion")
        # One is not asked as of an infusion, which would fold anew for its own sake.
        if (name, scope) != ("late", "infusion")
    )


@cache
def engine(*names: str) -> rules.Engine:
    """The engine of that protocol with these facts alone."""
    facts = "".join(f"  {name}: {FACTS[name]}\n" for name in names)
    protocol = rules.loads(f"{_HEAD}{facts}{_TAIL}{_rules(names)}", "livers.yaml")
    return rules.Engine(protocol, rules.Functions)


@cache
def unasked() -> rules.Engine:
    """The same with facts that no rule asks for."""
    facts = "".join(f"  {name}: {FACTS[name]}\n" for name in ("based", "quadrant"))
    protocol = rules.loads(f"{_HEAD}{facts}{_TAIL}".replace("rules:\n", "rules: []\n"), "l.yaml")
    return rules.Engine(protocol, rules.Functions)


def made(pick, length: int) -> list[rules.Event]:
    """A log of that length; `pick` gives one of its arguments."""
    log: list[rules.Event] = []
    received, highs, limits = START, pick(0, 1, 4), pick(True, False)
    for n in range(1, length + 1):
        received += pick(0, HOUR, DAY // 2, DAY, DAY, 3 * DAY, 9 * DAY)
        if n > 2 and pick(*[0] * 40, 1):
            target = pick(*log)
            named = {"source": target.source, "id": target.id}
            log.append(event(n, "correction", received, corrects=named, entered_in_error=True))
            continue
        time, precision = received - pick(*[0] * 12, HOUR, 2 * DAY, 8 * DAY, 30 * DAY), "second"
        if pick(*[0] * 9, 1):
            precision = pick("day", "day", "month")
        kind, data = _told(pick, highs, limits=limits)
        log.append(event(n, kind, time, received, precision=precision, **data))
    return log


def _told(pick, highs, *, limits):
    if pick(*[0] * 14, 1):
        status = pick("completed", "completed", "completed", "not_done")
        return "administration", {"product": "P", "number": pick(1, 2, 3), "status": status}
    code = pick("alt", "ast", "bilirubin", "alp", "alt")
    if pick(*[0] * 30, 1):
        return "observation", {"code": code, "absent": "not_done"}
    high = pick(*[False] * 9, *[True] * highs)
    told = {"code": code, "value": pick(90, 130, 200, 320) if high else pick(10, 40, 60)}
    told["unit"] = "umol/L" if code == "bilirubin" else "U/L"
    told |= pick(*[{"reference_high": 40}] * 14, {"reference_high": 30}, {})
    if limits:
        told.setdefault("reference_high", 40)
    return "observation", told | pick(*[{}] * 25, {"baseline": True})


@st.composite
def logs(draw, most=45):
    """A stream's log in order of receipt."""

    def pick(*values):
        return draw(st.sampled_from(values))

    return made(pick, draw(st.integers(10, most)))
