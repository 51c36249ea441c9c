"""A subject judged: now, or as of an anchor's instant, with its readings, verdicts and missing.

Who comes in: the subject's fold and the views. Who goes out: Judged.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from rules.facts import entities
from rules.facts.calendar import Span
from rules.facts.entities import Override, merge
from rules.facts.projections import UNKNOWN, Reading
from rules.facts.timeline import Timeline
from rules.model import Scalar
from rules.plan import CHECKLIST, OVERRIDDEN, STATUS_FACTS, Plan
from rules.state import SubjectState
from rules.terms import CriterionKind, Decision, Verdict


@dataclass(frozen=True, slots=True)
class Judged:
    """The criteria over one set of readings. `at_us` None: now."""

    at_us: int | None
    facts: Mapping[str, Scalar]  # the known ones, as the criteria got them
    readings: Mapping[str, Reading]  # of the criteria's facts; empty for the live judgement
    verdicts: Mapping[str, Verdict]
    # Worked out when somebody asks: most judgements change nothing that is told.
    ask_missing: Callable[[], Mapping[str, tuple[str, ...]]]
    overridden: Mapping[str, Override]
    decision: Decision

    @property
    def missing(self) -> Mapping[str, tuple[str, ...]]:
        """For each indeterminate criterion the facts that keep it so."""
        return self.ask_missing()

    def satisfied(self, plan: Plan) -> dict[str, bool | None]:
        """Whether each criterion lets the subject in."""
        return {
            item.id: _lets_in(item.kind, self.verdicts[item.id], item.id in self.overridden)
            for item in plan.definition.criteria
        }


def _lets_in(kind: CriterionKind, verdict: Verdict, overridden: bool) -> bool | None:
    if overridden or verdict is Verdict.NOT_APPLICABLE:
        return True
    if verdict is Verdict.INDETERMINATE:
        return None
    return (verdict is Verdict.MET) is (kind is CriterionKind.INCLUSION)


def judge(
    plan: Plan,
    facts: dict[str, Scalar],
    readings: Mapping[str, Reading],
    overridden: Mapping[str, Override],
    at_us: int | None,
) -> Judged:
    """Judge the criteria over these facts."""
    made = plan.protocol.assess(facts)
    decision = made.decide(frozenset(overridden))
    return Judged(
        at_us,
        facts,
        readings,
        made.verdict_codes,
        lambda: made.criterion_missing,
        overridden,
        decision,
    )


def judge_at(plan: Plan, state: SubjectState, timeline: Timeline, at_us: int) -> Judged:
    """The subject as of an instant, with all now known. Raises LogNeeded."""
    readings = {name: plan.read[name](timeline, at_us, state.at_us) for name in plan.criteria_facts}
    overridden = entities.overrides_at(state.overrides, plan.calendar, at_us, state.at_us)
    return judge(plan, known(readings), readings, overridden, at_us)


def judged_then(plan: Plan, state: SubjectState, timeline: Timeline, at_us: int) -> Judged:
    """The enrolment's judgement once enrolled, else that of the moment. Raises LogNeeded."""
    if state.fixed_at_us is not None and state.fixed_at_us <= at_us and state.fixed:
        return unpack(state.fixed)
    return judge_at(plan, state, timeline, at_us)


def known(readings: Mapping[str, Reading]) -> dict[str, Scalar]:
    """The values of what is known."""
    return {name: reading.value for name, reading in readings.items() if reading.value is not None}


def pack(judged: Judged) -> str:
    """The text under which an enrolment's judgement rests in the state."""
    return orjson.dumps(
        [
            judged.at_us,
            {name: list(reading) for name, reading in judged.readings.items()},
            judged.verdicts,
            judged.missing,
            {name: list(override) for name, override in judged.overridden.items()},
            judged.decision,
        ]
    ).decode()


def unpack(text: str) -> Judged:
    """The judgement of that text."""
    at_us, readings, verdicts, missing, overridden, decision = orjson.loads(text)
    read = {name: Reading(*values) for name, values in readings.items()}
    told = {name: tuple(names) for name, names in missing.items()}
    return Judged(
        at_us=at_us,
        facts=known(read),
        readings=read,
        verdicts={name: Verdict(verdict) for name, verdict in verdicts.items()},
        ask_missing=lambda: told,
        overridden={name: Override(*values) for name, values in overridden.items()},
        decision=Decision(decision),
    )


_OF_ENROLMENT: Mapping[str, Callable[[list[entities.Part], int | None], Reading]] = {
    "screened": entities.screened_at,
    "enrolled": entities.enrolled_at,
    "enrolment_status": entities.enrolment_status_at,
}


class Reader:
    """Any name of a subject's scopes, read now (`at_us` None) or as of an anchor.

    `own` are the facts of the entity itself; they go first.
    """

    def __init__(
        self,
        plan: Plan,
        state: SubjectState,
        timeline: Timeline,
        judged: Callable[[], Judged],
        at_us: int | None = None,
        own: Mapping[str, Reading] | None = None,
        since_us: int | None = None,
    ) -> None:
        """Nothing is read before it is asked for; `since_us`: the anchor's earliest instant."""
        self.plan, self.state, self.timeline = plan, state, timeline
        self.judged, self.at_us, self.since_us = judged, at_us, since_us
        self.own = own or {}

    def __call__(self, name: str) -> Reading:
        """The reading of one name. Raises LogNeeded."""
        if name in self.own:
            return self.own[name]
        if name in self.plan.read:
            read = self.plan.read[name]
            return read(self.timeline, self.at_us, self.state.at_us, self.since_us)
        if name in STATUS_FACTS:
            return self.status(name)
        if name == "decision":
            return Reading(self.judged().decision.value)
        if name in CHECKLIST or name == OVERRIDDEN:
            return Reading(self._checklist(name))
        return self._judgement(name)

    def _judgement(self, name: str) -> Reading:
        """A criterion's verdict, or what stands behind it."""
        if "/" in name:
            return self._behind(*name.split("/"))
        verdict = self.judged().verdicts.get(name)
        return UNKNOWN if verdict is None else Reading(verdict.value)

    def _behind(self, criterion: str, fact: str) -> Reading:
        """A fact as its criterion was judged by it; without a fact, who overrode the criterion."""
        judged = self.judged()
        if fact:
            known = judged.readings.get(fact)
            if known is not None or judged.at_us is not None or fact not in self.plan.read:
                return known or UNKNOWN
            return self.plan.read[fact](self.timeline, None, self.state.at_us)
        found = judged.overridden.get(criterion)
        if found is None:
            return UNKNOWN
        return Reading(judged.verdicts[criterion].value, found.at_us, found.event, found.note())

    def all(self, names: Iterable[str]) -> dict[str, Reading]:
        """The readings of many names at once."""
        return {name: self(name) for name in names}

    def status(self, name: str) -> Reading:
        """What the engine itself knows of the subject's way through the trial."""
        state, at_us = self.state, self.at_us
        if name in _OF_ENROLMENT:
            return _OF_ENROLMENT[name](state.enrolment, at_us)
        if name == "on_study":
            return entities.on_study_at(state.enrolment, state.deaths, at_us)
        if name == "followed":
            return entities.followed_at(state.enrolment, state.deaths, at_us)
        if name == "dead":
            return entities.dead_at(state.deaths, at_us)
        if name == "infusions":
            return self._infusions()
        return self._age_at_enrolment()

    def _infusions(self) -> Reading:
        last: tuple[int, str] | None = None
        count, sure = 0, True
        for parts in self.state.infusions.values():
            merged = merge(parts)
            start, end = entities.infusion_span(merged, self.plan.calendar)
            if entities.given(merged) and (self.at_us is None or start <= self.at_us):
                count += 1
                sure = sure and (self.at_us is None or end <= self.at_us)
                last = max(last or (start, parts[-1][entities.EVENT]), (start, parts[-1][3]))
        return Reading(count if sure else None, *(last or ()))

    def _age_at_enrolment(self) -> Reading:
        found = entities.enrolled_part(self.state.enrolment)
        if found is None or self.plan.age is None:
            return UNKNOWN
        at_us: Any = found[entities.END]
        return self.plan.read[self.plan.age](self.timeline, at_us, self.state.at_us)

    def _checklist(self, name: str) -> str:
        """Names as a person reads them, or `none`."""
        judged = self.judged()
        if name == "missing":
            label = self.plan.label
            names = dict.fromkeys(label(n) for s in judged.missing.values() for n in s)
        elif name == OVERRIDDEN:
            names = dict.fromkeys(judged.overridden)
        else:
            answers = judged.satisfied(self.plan).items()
            names = dict.fromkeys(criterion for criterion, lets_in in answers if lets_in is False)
        return ", ".join(names) or "none"


class SpanReader:
    """The same over a span of time: what is not so at its end as at its beginning is unknown.

    An onset known by its day alone may have been before or after what else happened that day.
    """

    def __init__(self, first: Reader, last: Reader) -> None:
        """`first` reads as of the first instant of the span, `last` as of its last."""
        self.first, self.last = first, last

    def __call__(self, name: str) -> Reading:
        """The reading of one name. Raises LogNeeded."""
        reading = self.last(name)
        spec = self.last.plan.specs.get(name)
        whole = name in self.last.own or (spec is not None and spec.dates_count)
        if whole or self.first.at_us == self.last.at_us:
            return reading
        if self.first(name).value == reading.value:
            return reading
        return Reading(None, reading.time_us, reading.event, "date only")

    def all(self, names: Iterable[str]) -> dict[str, Reading]:
        """The readings of many names at once."""
        return {name: self(name) for name in names}


def read_span(
    plan: Plan,
    state: SubjectState,
    timeline: Timeline,
    span: Span,
    judged: Callable[[], Judged],
    own: Mapping[str, Reading] | None = None,
) -> SpanReader:
    """Reads as of an entity's own time, known as a span."""
    first = Reader(plan, state, timeline, judged, span.start, own)
    last = Reader(plan, state, timeline, judged, span.end, own, span.start)
    return SpanReader(first, last)
