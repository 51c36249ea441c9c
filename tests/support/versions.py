"""Three versions of the steps' protocol, and random logs in which they come into force."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from itertools import pairwise

from hypothesis import strategies as st

import rules
from rules.model import Amendment
from rules.protocol import Protocol
from rules.terms import AmendmentKind
from tests.support.step_logs import HEAD, RULES, event, logs

VISIT_RULE = """
  - {id: V-OVERDUE, on: visit, category: conduct, severity: warning, when: 'visit_status == "overdue"', title: "{visit} is overdue", detail: "", action: Call., source: {document: doc, section: v}}
stopping:"""
FIRST = HEAD + RULES.replace("\nstopping:", VISIT_RULE, 1)
# Another limit for eligibility, another reading of one fact, another safety limit, another visit.
SECOND = (
    FIRST.replace('version: "1"', 'version: "2"')
    .replace('when: "ecog in [0, 1, 2]"', 'when: "ecog in [0, 1]"')
    .replace("infarct, take: touches_point, window: {months: 6}", "infarct, take: touches_point, window: {months: 1}")
    .replace("take: max, window: {hours: 24}}\n  coldest", "take: max, window: {hours: 12}}\n  coldest")
    .replace("after: first_infusion, day: 7,", "after: first_infusion, day: 20,")
    .replace("when: on_study && hottest >= 38", "when: on_study && hottest >= 37.5")
)  # fmt: skip
THIRD = SECOND.replace('version: "2"', 'version: "3"').replace(
    "when: temp >= 38 || infection", "when: temp >= 39 || infection"
)
TEXTS = {"1": FIRST, "2": SECOND, "3": THIRD}
AMENDS = {
    "2": Amendment("1", AmendmentKind.MAJOR, "Stricter limits", 14),
    "3": Amendment("2", AmendmentKind.MINOR, "A wider limit"),
}


@cache
def version(name: str) -> Protocol:
    """One version, compiled."""
    read = rules.loads(TEXTS[name], f"steps-{name}.yaml")
    return Protocol(replace(read.definition, amends=AMENDS.get(name)))


def other(name: str) -> Protocol | None:
    """A version by its name."""
    return version(name) if name in TEXTS else None


@cache
def engine(name: str) -> rules.Engine:
    """The engine of a version, with all others at hand."""
    return rules.Engine(version(name), others=other)


def fold(log, cuts=(), until=None):
    """All results, and the last outcome: spans of one version each, cut further at `cuts`.

    As evaluation does it: what falls due before an activation is the earlier version's.
    """
    starts = {n for n, one in enumerate(log) if one.type == "activation"} | {0} | set(cuts)
    places = [*sorted(starts), len(log)]
    results: list[rules.StepResult] = []
    state, name, outcome = None, "1", None
    for start, end in pairwise(places):
        if log[start].type == "activation":
            name = log[start].data["version"]
        upto = log[end].received_us if end < len(log) else until
        if end < len(log) and log[end].type != "activation":
            upto = None
        outcome = engine(name).subject_steps(
            "t", "S-1", state, log[start:end], lambda n: log[:n], upto
        )
        results += outcome.results
        state = outcome.state
    assert outcome is not None
    return results, outcome, name


@st.composite
def amended_logs(draw, most=20):
    """A stream's log in which the second version comes into force, and perhaps the third."""
    log = draw(logs(most=most))
    when = sorted(draw(st.lists(st.integers(1, len(log)), min_size=1, max_size=2)))
    found: list[rules.Event] = []
    for place, one in enumerate(log):
        for name, at in zip(("2", "3"), when, strict=False):
            if at == place:
                found.append(_activation(name, log[place - 1].received_us))
        if one.type == "consent" and "version" not in one.data:
            form = draw(st.sampled_from(["1", "2", "3", None]))
            said = {} if form is None else {"version": form}
            found.append(replace(one, data={**one.data, **said}))
        else:
            found.append(one)
    found += [
        _activation(name, log[-1].received_us)
        for name, at in zip(("2", "3"), when, strict=False)
        if at == len(log)
    ]
    return [replace(one, n=n) for n, one in enumerate(found, 1)]


def _activation(name: str, at_us: int) -> rules.Event:
    """The event that tells a stream of a version."""
    made = event(0, "activation", at_us, version=name, effective_from_us=at_us)
    return replace(made, event=f"act{name}", id=f"act{name}")
