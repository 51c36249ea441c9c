"""A trial with reporting clocks of every kind, and random logs of its adverse events."""

from __future__ import annotations

from functools import cache
from typing import Any

from hypothesis import strategies as st

import rules
from rules.facts.calendar import DAY_US, HOUR_US, iso
from tests.support.clock_rooms import at

HEAD = """
vigil: 1
protocol: {id: clocks, version: "1", title: Clocks, time_zone: Asia/Seoul, sponsor_time_zone: Europe/Berlin, target: 6, sex: all, outcomes: {primary: [x], secondary: [y]}, sources: {doc: A document}}
parameters:
  hours: {value: 24, unit: h, source: doc}
codes:
  - {code: unfit, type: assessment, label: Unfit, value: boolean}
criteria:
  - {id: E1, kind: exclusion, text: Unfit, when: unfit, source: {document: doc}}
clocks:
  - {id: SAE-24, label: Serious adverse event, to: the sponsor, when: serious, from: site, due: {hours: params.hours}, stopped_by: reported_at, exempt: 'term == "Relapse"', source: {document: doc}}
  - {id: FATAL-7, label: Fatal, region: EU, to: the authority, when: serious && grade >= 5, from: sponsor, due: {calendar_days: 7}, stopped_by: submitted_at, source: {document: doc}}
  - {id: FATAL-15, label: Fatal and complete, to: the authority, when: serious && grade >= 5, from: sponsor, due: {calendar_days: 15}, stopped_by: submitted_at, nth: 2, source: {document: doc}}
  - {id: OTHER-15, label: Other, to: the authority, when: serious, spared_while: grade >= 5, from: sponsor, due: {calendar_days: 15}, stopped_by: submitted_at, source: {document: doc}}
  - {id: NEWS-15, label: Follow-up, to: the authority, when: serious, restarts_on: [grade, outcome], from: sponsor, due: {calendar_days: 15}, stopped_by: submitted_at, source: {document: doc}}
"""
RULE = "  - {{id: {0}, on: clock, category: conduct, severity: {1}, when: '{2}', title: '{{clock_label}} of {{ae}}', detail: '{{clock_stage}} due {{clock_due}} {{clock_started}} {{grade}} {{unfit}}', action: Report., source: {{document: doc}}}}\n"
RULES = "rules:\n" + "".join(
    RULE.format(*one)
    for one in (
        ("C-RUNS", "info", 'clock_stage in ["running", "half"]'),
        ("C-80", "serious", 'clock_stage == "late_warning"'),
        ("C-OVERDUE", "critical", 'clock_stage == "overdue"'),
        ("C-LATE", "warning", 'clock_stage == "met_late"'),
        ("C-STOPPED", "info", 'clock_stage in ["withdrawn", "exempt", "lapsed"] && !unfit'),
        ("C-CONFLICT", "serious", "clock_conflict"),
        ("C-ASSUMED", "info", 'clock_assumed && clock == "SAE-24" && grade >= 3'),
    )
)


@cache
def engine() -> rules.Engine:
    return rules.Engine(rules.loads(HEAD + RULES, "clocks.yaml"))


def run(
    log: list[rules.Event],
    until: str | int | None = None,
    state: bytes | None = None,
    skip: int = 0,
) -> rules.Outcome:
    """Fold a log (its events after `skip`) with this trial's engine."""
    until_us = at(until) if isinstance(until, str) else until
    return engine().subject_steps("t", "S-1", state, log[skip:], lambda n: log[:n], until_us)


def ae(
    n: int, received: str | int, name: str = "1", time: str | None = None, /, **data: Any
) -> rules.Event:
    """What was told of an adverse event, at its receipt unless an earlier time is said."""
    received_us = at(received) if isinstance(received, str) else received
    time_us = at(time) if time else received_us
    told = {"ae": name, **data}
    return rules.Event(
        n, f"ev{n}", "site", f"e{n}", "adverse_event", time_us, "second", received_us, told
    )


def correction(n: int, received: str | int, of: int, **data: Any) -> rules.Event:
    """A correction of the n-th event."""
    received_us = at(received) if isinstance(received, str) else received
    told = {"corrects": {"source": "site", "id": f"e{of}"}, **data}
    return rules.Event(
        n, f"ev{n}", "site", f"e{n}", "correction", received_us, "second", received_us, told
    )


# --- random logs ------------------------------------------------------------------------------
START = at("2026-10-20T00:00:00Z")  # some days before the clocks go back in Berlin
TERMS = ("Relapse", "Rash")


@st.composite
def stamps(draw: Any, received_us: int) -> str:
    """An instant or a day, mostly before its receipt."""
    instant = iso(received_us - draw(st.integers(-6, 200)) * HOUR_US)
    return draw(st.sampled_from((instant, instant[:10])))


@st.composite
def told(draw: Any, received_us: int) -> dict[str, Any]:
    """Some fields of an adverse event."""
    fields: dict[str, Any] = {
        "grade": st.integers(1, 5),
        "serious": st.booleans(),
        "term": st.sampled_from(TERMS),
        "outcome": st.sampled_from(("recovered", "ongoing")),
        "status": st.sampled_from(("valid", "valid", "withdrawn")),
        "aware_at": stamps(received_us),
        "reported_at": stamps(received_us),
        "submitted_at": stamps(received_us),
    }
    names = draw(st.sets(st.sampled_from(sorted(fields)), min_size=1, max_size=5))
    return {
        name: None if draw(st.integers(0, 11)) == 0 else draw(fields[name])
        for name in sorted(names)
    }


@st.composite
def logs(draw: Any, most: int = 12, *, repairs: bool = True) -> list[rules.Event]:
    """A subject's adverse events, out of clinical order at times, corrected and discarded."""
    found: list[rules.Event] = []
    received_us = START
    for n in range(1, draw(st.integers(1, most)) + 1):
        received_us += draw(st.integers(0, 90)) * HOUR_US
        kind = draw(st.integers(0, 9)) if repairs and n > 1 else 9
        if kind == 0:
            found.append(correction(n, received_us, draw(st.integers(1, n)), entered_in_error=True))
        elif kind in (1, 2):
            whole = {"ae": "1", **draw(told(received_us))}
            found.append(correction(n, received_us, draw(st.integers(1, n)), data=whole))
        else:
            name = draw(st.sampled_from(("1", "1", "2:b")))
            time_us = received_us - draw(st.sampled_from((0, 0, DAY_US, 9 * DAY_US)))
            event = ae(n, received_us, name, None, **draw(told(received_us)))
            found.append(
                rules.Event(
                    *(n, event.event, "site", event.id, "adverse_event", time_us, "second"),
                    *(received_us, event.data),
                )
            )
    return found
