"""A protocol compiled for stepping: which event feeds which facts, and who uses them.

Who comes in: step, once per process and version. Who goes out: Plan, shared and never changed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

from rules.assessment import compile_condition, names_in
from rules.facts.calendar import Calendar
from rules.facts.clocks import Zones
from rules.facts.dependencies import hidden_facts, inputs_of, keys_of
from rules.facts.deriving import derive
from rules.facts.knowing import Watched
from rules.facts.moments import Moments, moment
from rules.facts.projections import Alike, Projection, project
from rules.facts.pruning import Pruner
from rules.facts.records import Reader
from rules.facts.sources import ENTITIES, identified
from rules.facts.thresholds import Thresholds
from rules.facts.timeline import Timeline
from rules.facts.windows import Moment
from rules.gates import NAMES, Gates
from rules.likeness import day_thresholds
from rules.model import AlertRule, Definition, FactSpec
from rules.protocol import Protocol
from rules.ranges import Ranges
from rules.terms import Scope, Take, Verdict, said
from rules.versions.merging import is_pinned

_BRACES = re.compile(r"\{([A-Za-z][A-Za-z0-9_]*)\}")
STATUS_FACTS = (
    "screened",
    "enrolled",
    "on_study",
    "followed",
    "dead",
    "enrolment_status",
    "infusions",
    "age_years_at_enrolment",
)
# Texts that a title or detail may ask for beside facts.
CHECKLIST = ("unsatisfied", "missing")
OVERRIDDEN = "@overridden"  # the ids of the overridden criteria
LIVE_SCOPES = (Scope.SUBJECT, Scope.VISIT, Scope.LABORATORY)
LETTERS = {
    Verdict.MET: "m",
    Verdict.NOT_MET: "n",
    Verdict.INDETERMINATE: "i",
    Verdict.NOT_APPLICABLE: "a",
}


class Plan:
    """What one version of a protocol asks of a subject's events."""

    def __init__(self, protocol: Protocol) -> None:
        """Compile projections, routes and dependencies."""
        self.protocol = protocol
        self.definition = definition = protocol.definition
        self.version = f"{definition.version} {definition.digest}"
        self.calendar = Calendar(definition.time_zone)
        sponsor = definition.sponsor_time_zone or definition.time_zone
        self.zones = Zones(self.calendar, Calendar(sponsor))
        self.clocks = tuple(Watched(clock) for clock in definition.clocks)
        self.specs = definition.facts
        anchors = [visit.anchor for visit in definition.schedule]
        self.hidden = hidden_facts(self.specs, anchors)
        self._facts = {**identified(definition), **self.hidden}
        self.reader = Reader(definition, self.calendar, self._facts.values())
        self.pruner = Pruner(self.reader.sources, self.calendar, self._now)
        self.age = next((n for n, s in self.specs.items() if s.take == "completed_years"), None)
        self.criteria = tuple(item.id for item in definition.criteria)
        used = names_in(*(part for c in definition.criteria for part in (c.applicable_if, c.when)))
        self.inputs = {name: inputs_of(name, self.specs) for name in self.specs}
        self.criteria_facts = self.with_inputs(name for name in used if name in self.specs)
        self.rules = {rule.id: rule for rule in definition.rules}
        # Rules of the version that a subject is pinned to, beside those of the active one.
        self.criteria_version = definition.criteria_version or definition.version
        self.pinned = {
            rule.id: definition.criteria_version
            for rule in definition.rules
            if definition.criteria_version is not None and is_pinned(rule)
        }
        self.by_scope = {
            scope: tuple(rule for rule in definition.rules if rule.scope is scope)
            for scope in Scope
        }
        self.when = {scope: names_in(*(r.when for r in self.by_scope[scope])) for scope in Scope}
        self.evidence = {
            rule.id: self.with_inputs(names_in(rule.when)) for rule in definition.rules
        }
        self.mentioned = {rule.id: _mentioned(rule) for rule in definition.rules}
        self.explained = {rule.id: _explained(definition, rule) for rule in definition.rules}
        self.behind = {rule.id: _behind(definition, rule) for rule in definition.rules}
        self.endpoints = {r.id: compile_condition(r.endpoint) for r in definition.stopping}
        self.repeats = {one.id: compile_condition(one.when) for one in definition.repeats}
        self.stopping = {rule.id: rule for rule in definition.stopping}
        # Endpoints over the subject's own facts, with everything that they rest on.
        self.own_endpoints = {
            rule.id: self.with_inputs(names_in(rule.endpoint))
            for rule in definition.stopping
            if rule.on is Scope.SUBJECT
        }
        self.responses = {
            one.id: (compile_condition(one.evaluable_when), compile_condition(one.responder_when))
            for one in definition.response
        }
        self.response_names = {
            one.id: self.with_inputs(names_in(one.evaluable_when, one.responder_when))
            for one in definition.response
        }
        self.judgements = frozenset(("decision", *(one.id for one in definition.criteria)))
        self.days = self._thresholds(lambda spec: spec.take is Take.DAYS_SINCE)
        self._counts = self._thresholds(_counts_entities)
        self.gates = Gates(definition) if definition.gate else None
        self._compile()
        self._wire()

    def _thresholds(self, asked: Callable[[FactSpec], bool]) -> dict[str, Thresholds]:
        """Which whole numbers a condition can tell apart, of every fact that is asked for."""
        shown = {
            name
            for scope in LIVE_SCOPES
            for rule in self.by_scope[scope]
            for name in self.mentioned[rule.id]
        }
        return {
            name: day_thresholds(self.definition, name, shown=name in shown)
            for name, spec in self.specs.items()
            if asked(spec)
        }

    def _compile(self) -> None:
        """The functions that read facts and anchors."""
        self.read: dict[str, Projection] = {}
        self._moments: dict[str, Moments] = {}
        for name, spec in self._facts.items():
            if spec.derived is not None:
                self.read[name] = derive(name, self.specs, self.read)
                continue
            self.read[name] = project(
                spec,
                self.calendar,
                _alike(self.definition, name) if spec.take is Take.COMPLETED_YEARS else None,
                thresholds=self.days.get(name) or self._counts.get(name),
                facts=self.read,
            )

    def moment(self, anchor: str) -> Moments:
        """When an anchor is, of (timeline, as_of_us, now_us). Raises LogNeeded when called."""
        found = self._moments.get(anchor)
        if found is None:
            found = self._moments[anchor] = moment(anchor, self.calendar, self.read)
        return found

    def _now(self, anchor: str, timeline: Timeline, now_us: int) -> Moment:
        return self.moment(anchor)(timeline, None, now_us)

    def with_inputs(self, names: Iterable[str]) -> tuple[str, ...]:
        """The names, and the facts from events behind those that are derived."""
        named = tuple(names)
        behind = [one for name in named for one in self.inputs.get(name, ())]
        return tuple(dict.fromkeys((*named, *behind)))

    def told_alike(self, name: str, value: object) -> object:
        """The value; of days that no condition tells apart, one for all of them."""
        days = self.days.get(name)
        return days.least(value) if days is not None and isinstance(value, int) else value

    def _wire(self) -> None:
        """The index from a source to the live facts that read it."""
        self.ranges = Ranges(self.definition, {scope: self.names(scope) for scope in Scope})
        self.gated = self.gates is not None and not set(NAMES).isdisjoint(
            self.names(Scope.INFUSION)
        )
        asked = [name for scope in LIVE_SCOPES for name in self.names(scope)]
        asked += [*self.ranges.applicable_names, *self.ranges.anchors]
        asked += [name for names in self.own_endpoints.values() for name in names]
        asked += [name for names in self.response_names.values() for name in names]
        # A baseline that moves must be noticed by the step: what was judged by it is kept.
        asked += [name for name, spec in self.specs.items() if spec.liver and spec.baseline]
        self.subject_facts = tuple(name for name in dict.fromkeys(asked) if name in self.specs)
        live = dict.fromkeys((*self.criteria_facts, *self.subject_facts))
        self.live = tuple(live)
        self.readers_of: dict[str, tuple[str, ...]] = {}
        for name in live:
            for key in keys_of(name, self._facts):
                self.readers_of[key] = (*self.readers_of.get(key, ()), name)
        self.only_criteria = frozenset(self.criteria_facts) - frozenset(self.subject_facts)

    def names(self, scope: Scope) -> tuple[str, ...]:
        """Every name that the scope's rules use, in their conditions and their texts."""
        rules = self.by_scope[scope]
        return tuple(
            dict.fromkeys(
                name
                for rule in rules
                for name in (
                    *self.evidence[rule.id],
                    *self.mentioned[rule.id],
                    *self.explained[rule.id],
                    *self.behind[rule.id],
                )
            )
        )

    def spec(self, name: str) -> FactSpec | None:
        """The declaration of a fact; None for what the engine itself knows."""
        return self.specs.get(name)

    def unit(self, name: str) -> str | None:
        """The unit that a fact's values are told in."""
        spec = self.specs.get(name)
        return spec.unit if spec is not None else None

    def told_unit(self, name: str) -> str:
        """The unit after a number in a text; ages, scores and ratios are read without one."""
        spec = self.specs.get(name)
        if spec is None or spec.unit is None or spec.unit == "1" or spec.unit.startswith("{"):
            return ""
        return "" if spec.take is Take.COMPLETED_YEARS else spec.unit

    def label(self, name: str) -> str:
        """What a fact is called."""
        spec = self.specs.get(name)
        return (spec.label if spec is not None else "") or said(name)

    def codes(self, verdicts: Iterable[Verdict]) -> str:
        """One letter a criterion: small, and easily compared."""
        return "".join(LETTERS[verdict] for verdict in verdicts)


def _alike(definition: Definition, name: str) -> Alike:
    """Whether no condition of the protocol tells these ages apart, nor a fact derived of them.

    Born in 1980, somebody is 45 or 46; where every limit lies elsewhere, that is known enough.
    """
    asked = [
        day_thresholds(definition, fact, shown=False) for fact in (name, "age_years_at_enrolment")
    ]

    def alike(low: int, high: int) -> bool:
        return all(one.alike(low, high) for one in asked)

    return alike


def _counts_entities(spec: FactSpec) -> bool:
    """Whether it counts what may not have told yet whether it is to be counted."""
    return spec.origin in ENTITIES and spec.take in (Take.COUNT, Take.CONSECUTIVE)


def _mentioned(rule: AlertRule) -> tuple[str, ...]:
    return tuple(dict.fromkeys(_BRACES.findall(f"{rule.title} {rule.detail}")))


def _explained(definition: Definition, rule: AlertRule) -> tuple[str, ...]:
    """What the rule's clause tree reads: its condition as written, and to whom its facts apply."""
    used = names_in(rule.when if rule.stated is None else rule.stated)
    specs = [definition.facts[name] for name in used if name in definition.facts]
    return (*used, *names_in(*(one.applicable_if for one in specs if one.applicable_if)))


def _behind(definition: Definition, rule: AlertRule) -> tuple[str, ...]:
    """What a rule leans on that names the decision or verdicts: `criterion/fact` of all of those.

    Beside them which criteria are unsatisfied or overridden, and `criterion/` for who overrode it.
    """
    named = names_in(rule.when)
    criteria = [c for c in definition.criteria if "decision" in named or c.id in named]
    if not criteria:
        return ()
    facts = [
        f"{item.id}/{name}"
        for item in criteria
        for name in ("", *names_in(item.when, item.applicable_if))
    ]
    return ("unsatisfied", OVERRIDDEN, *facts)


def fill(text: str, values: dict[str, str]) -> str:
    """The text with its braces filled; what is unknown reads 'not recorded'."""
    return _BRACES.sub(lambda found: values.get(found[1], "not recorded"), text)
