"""Which events are endpoints of stopping rules: adverse events, or what the subject's facts say.

Who comes in: the fold and the room of adverse events. Who goes out: nothing; the state notes when
each happened, and sums places it into the units under watch. Reading may raise LogNeeded.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from rules.anchors import Reader, known
from rules.clinical.adverse import folded
from rules.facts.calendar import FOREVER, Span
from rules.facts.entities import merge
from rules.facts.projections import Reading
from rules.folding import Dirty
from rules.model import StoppingRule
from rules.subject import anchored
from rules.subject.context import Subject
from rules.subject.deciding import present
from rules.terms import Scope
from rules.units import watched

_OWN = "@subject"


def of_event(
    subject: Subject, name: str, began: Span, readings: Mapping[str, Reading], *, gone: bool
) -> None:
    """Note for which stopping rules and repeats this adverse event counts, and when it began."""
    facts = known(readings)
    for rule_id, endpoint in subject.plan.endpoints.items():
        if subject.plan.stopping[rule_id].on is not Scope.ADVERSE_EVENT:
            continue
        held = subject.state.endpoints.setdefault(rule_id, {})
        if not gone and endpoint(facts) is True:
            held[name] = list(began)
        else:
            held.pop(name, None)
    for repeat_id, when in subject.plan.repeats.items():
        told = subject.state.endpoints.setdefault(repeat_id, {})
        term = readings["term"].value
        if not gone and term is not None and when(facts) is True:
            told[name] = [*began, folded(str(term))]
        else:
            told.pop(name, None)


def of_subject(subject: Subject, dirty: Dirty) -> None:
    """Judge the endpoints over the subject's own facts where the step may have touched them.

    While the subject is watched they are its facts now, after that those of the last instant.
    """
    for rule_id in subject.plan.own_endpoints:
        rule, state = subject.plan.stopping[rule_id], subject.state
        ends = [one.over_us for one in watched(rule, state, anchored.spans(subject))]
        over_us = FOREVER if None in ends else max((one for one in ends if one), default=-1)
        moved = dirty.everything or dirty.status or dirty.earliest_us <= over_us
        if not moved and state.at_us > over_us:
            continue
        held = state.endpoints.get(rule_id, {})
        new = _happened(subject, rule, None if state.at_us < over_us else over_us) if ends else {}
        if new != held:
            state.endpoints[rule_id], dirty.sums = new, True


def _happened(subject: Subject, rule: StoppingRule, at_us: int | None) -> dict[str, list[int]]:
    """When the endpoint happened: the latest time of what it rests on; without one, any time."""
    plan, state = subject.plan, subject.state
    if at_us is None:
        judged = partial(present, subject)
    else:
        judged = partial(anchored.judged_at, subject, at_us)
    read = Reader(plan, state, subject.timeline, judged, at_us)
    readings = read.all(plan.own_endpoints[rule.id])
    if plan.endpoints[rule.id](known(readings)) is not True:
        return {}
    times = [one.time_us for one in readings.values() if one.value is not None]
    told = [time_us for time_us in times if time_us is not None]
    return {_OWN: list(_began(subject, max(told))) if told else [0, FOREVER]}


def _began(subject: Subject, time_us: int) -> Span:
    """The instant, or the whole day where it may be told by its date alone: its very start.

    Else what is dated by the day of the infusion would lie before it. A death's span is known.
    """
    deaths, calendar = subject.state.deaths, subject.plan.calendar
    if deaths and (died := merge(deaths).first).start == time_us:
        return died
    return calendar.span(time_us, "day" if calendar.begins(time_us, "day") else "second")
