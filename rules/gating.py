"""The gate before an infusion: what keeps it closed, what keeps it unknown, as of an instant.

Who comes in: the subject's fold, for each infusion as of its start; the view, for now. Who goes
out: Stood. An item of the gate is a criterion over the instant asked for; any that closes it
closes it, else any that is not known leaves it unknown, and an unknown gate is not open.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from rules import pinning
from rules.anchors import Judged, Reader, judged_then, known
from rules.assessment import Assessment
from rules.facts import entities, laboratory
from rules.facts.calendar import Span
from rules.facts.entities import merge
from rules.facts.entity_records import adverse_event
from rules.facts.projections import UNKNOWN, Reading
from rules.facts.timeline import Timeline
from rules.gates import Gates
from rules.language.vocabulary import HELD
from rules.model import Definition
from rules.plan import Plan
from rules.state import SubjectState
from rules.terms import Decision, Verdict

WORDS: Mapping[Decision, str] = {
    Decision.ELIGIBLE: "open",
    Decision.INELIGIBLE: "closed",
    Decision.INDETERMINATE: "unknown",
}
_STATES: Mapping[Verdict, str] = {
    Verdict.MET: "closed",
    Verdict.NOT_MET: "open",
    Verdict.INDETERMINATE: "unknown",
    Verdict.NOT_APPLICABLE: "not_applicable",
}
# Of findings about these the moment is known; series are judged again, visits hold only now.
_DATED = ("enrolment", "infusion:", "ae:")


@dataclass(frozen=True)
class Stood:
    """The gate at one instant."""

    word: str  # open, closed, unknown
    made: Assessment
    readings: Mapping[str, Reading]
    holding: tuple[str, ...]  # the rules that hold the infusion, where an item asks for them

    def states(self) -> dict[str, str]:
        """By item: open, closed, unknown, not_applicable."""
        return {name: _STATES[verdict] for name, verdict in self.made.verdict_codes.items()}

    def own(self, plan: Plan) -> dict[str, Reading]:
        """What a rule about the infusion may name."""
        closing = [name for name, state in self.states().items() if state == "closed"]
        events = [
            one
            for name in closing
            for fact in self.made.criterion_facts[name]
            if (one := self.readings[fact]).event is not None
        ]
        last = max(events, key=lambda one: one.time_us or 0, default=UNKNOWN)
        missing = ", ".join(dict.fromkeys(plan.label(name) for name in self.made.missing))
        return {
            "gate": Reading(self.word, last.time_us, last.event),
            "gate_closed_by": Reading(", ".join(map(self._named, closing)) or "none"),
            "gate_missing": Reading(missing or "none"),
        }

    def held_by(self, item: str) -> tuple[str, ...]:
        """The rules that hold the infusion; none where this item does not ask for them."""
        return self.holding if HELD in self.made.criterion_facts[item] else ()

    def _named(self, item: str) -> str:
        rules = self.held_by(item)
        return f"{item} ({', '.join(rules)})" if rules else item


@dataclass(frozen=True)
class Opening:
    """What the gate rests on at one instant, but for the findings of the step in hand."""

    asked: Asked
    at_us: int | None
    readings: Mapping[str, Reading]
    held: Mapping[str, Reading]  # by rule over the subject itself: what it was last true for

    def stand(self) -> Stood:
        """The gate, once every entity before it has been judged."""
        holding = tuple(sorted({*self.held, *self.asked.found(self.at_us)}))
        of_subject = next(iter(self.held.values()), None)
        held = Reading(bool(holding)) if of_subject is None else of_subject
        readings = {**self.readings}
        if HELD in readings:
            readings[HELD] = held
        made = self.asked.gates.program.assess(known(readings))
        return Stood(WORDS[made.decision], made, readings, holding)


@dataclass(frozen=True)
class Asked:
    """One subject, of whom the gate is asked. `find`: a version of the protocol by name."""

    plan: Plan
    gates: Gates
    state: SubjectState
    timeline: Timeline
    find: Callable[[str], Definition]

    def now(self, judged: Callable[[], Judged]) -> Opening:
        """As of the last instant evaluated."""
        return self._opening(None, judged)

    def before(self, instant_us: int) -> Opening:
        """Just before an instant, with all that is known now. Raises LogNeeded."""
        at_us = instant_us - 1
        return self._opening(
            at_us, lambda: judged_then(self.plan, self.state, self.timeline, at_us)
        )

    def _opening(self, at_us: int | None, judged: Callable[[], Judged]) -> Opening:
        read = Reader(self.plan, self.state, self.timeline, judged, at_us)
        read.own = {"consent_owed": self._owed(at_us), HELD: UNKNOWN}
        uses = self.gates.program.uses.values()
        wanted = self.plan.with_inputs(dict.fromkeys(name for names in uses for name in names))
        return Opening(self, at_us, read.all(wanted), self._held(read))

    def _owed(self, at_us: int | None) -> Reading:
        """Whether a major amendment waits for the subject's consent."""
        state = self.state
        if at_us is None or not state.course:
            owed = pinning.Owed(*state.owed) if state.owed else None
        else:
            marks = [mark for mark in state.course if mark[pinning.TIME] <= at_us]
            owed = pinning.standing(state.began, marks, self.find).owed
        return Reading(False) if owed is None else Reading(True, owed.since_us, owed.event)

    def _held(self, read: Reader) -> dict[str, Reading]:
        """The rules over the subject itself that hold the infusion, and since when each does."""
        found: dict[str, Reading] = {}
        if not self.gates.asks_holds:
            return found
        asked = [(read, name, *rule) for name, rule in self.gates.now.items()]
        if read.at_us is not None and self.gates.series:
            rules = self.gates.series.items()
            series = self._series(read, read.at_us)
            asked += [(one, name, *rule) for one in series for name, rule in rules]
        for reader, name, names, holds in asked:
            readings = reader.all(names)
            if holds(known(readings)) is True:
                told = [one for one in readings.values() if one.event is not None]
                last = max(told, key=lambda one: one.time_us or 0, default=UNKNOWN)
                found.setdefault(name, Reading(True, last.time_us, last.event))
        return found

    def _series(self, read: Reader, at_us: int) -> Iterator[Reader]:
        """Each laboratory series as it stood at an instant. Raises LogNeeded."""
        state = self.state
        first = None if state.first_infusion is None else Span(*state.first_infusion)
        if first is not None and first.start > at_us:
            first = None
        for name, held in state.laboratory.items():
            then = laboratory.as_of(held, at_us)
            if then is not None:
                own = self.plan.ranges.of_series(name, then, first)
                yield Reader(self.plan, state, self.timeline, read.judged, at_us, own)

    def found(self, at_us: int | None) -> Iterator[str]:
        """Such rules as were found true of an entity that began by then."""
        if not self.gates.asks_holds:
            return
        for entity, found in self.state.findings.items():
            held = self.gates.holding.intersection(found)
            if held and entity != "subject" and (at_us is None or self._began(entity, at_us)):
                yield from held

    def _began(self, entity: str, at_us: int) -> bool:
        """Whether an enrolment, infusion or adverse event had begun by an instant."""
        if not entity.startswith(_DATED):
            return False
        state, calendar = self.state, self.plan.calendar
        kind, _, name = entity.partition(":")
        if kind == "enrolment":
            part = entities.enrolled_part(state.enrolment)
            return part is not None and bool(part[entities.START] <= at_us)
        if kind == "infusion":
            parts = state.infusions.get(name)
            if not parts:
                return False
            return entities.infusion_span(merge(parts), calendar).start <= at_us
        held = state.adverse_events.get(name)
        return held is not None and adverse_event(held, calendar).span.start <= at_us
