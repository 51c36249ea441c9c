"""What a protocol's rules range over beyond the subject itself, compiled once.

Who comes in: the plan. Who goes out: Ranges: which relations, visits and series are asked about,
which names of the subject adverse events and cohorts ask for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from rules.assessment import compile_condition, names_in
from rules.facts import graded, grading, laboratory
from rules.facts.calendar import Span
from rules.facts.reading import Reading
from rules.facts.relations import BETWEEN, FIELDS, HOURS
from rules.language.vocabulary import (
    CLOCK_NAMES,
    GRADED,
    HELD,
    entity_facts,
    numeric_observations,
    related_fact,
)
from rules.likeness import Alike, alike_numbers
from rules.model import Definition, Relation, Scalar, Visit
from rules.terms import EventType, Scope

RUNS = ("lab_high_in_a_row", "lab_low_in_a_row")
Condition = Callable[[Mapping[str, Scalar]], bool | None]


class Ranges:
    """Everything here is empty where no rule asks for it, and then costs nothing."""

    def __init__(self, definition: Definition, names: Mapping[Scope, Iterable[str]]) -> None:
        """`names`: by scope, whatever its rules name in their conditions and texts."""
        self.endpoint_names = names_in(
            *(rule.endpoint for rule in definition.stopping if rule.on is Scope.ADVERSE_EVENT),
            *(repeat.when for repeat in definition.repeats),
        )
        asked = {scope: frozenset(some) for scope, some in names.items()}
        asked[Scope.ADVERSE_EVENT] |= frozenset(self.endpoint_names)
        # A clock's rules ask the adverse event for whatever is not the clock's own.
        asked[Scope.ADVERSE_EVENT] |= asked[Scope.CLOCK] - CLOCK_NAMES
        self.asked = asked
        self.relations = {
            scope: tuple(
                one
                for one in definition.relations.values()
                if one.on is scope and not asked[scope].isdisjoint(facts_of(one))
            )
            for scope in Scope
        }
        of_events = {name for one in self.relations[Scope.ADVERSE_EVENT] for name in facts_of(one)}
        of_events |= {"ae", *entity_facts(EventType.ADVERSE_EVENT, definition.reference)}
        self.outside = tuple(sorted(asked[Scope.ADVERSE_EVENT] - of_events))
        related = [one for several in self.relations.values() for one in several]
        self.follows = frozenset(one.to for one in related)
        self.events_are_facts = any(
            spec.origin is EventType.ADVERSE_EVENT for spec in definition.facts.values()
        ) or any(HELD in names_in(item.when, item.applicable_if) for item in definition.gate)
        since = [related_fact(one.name, hours) for one in related for hours in HOURS]
        self.alike: dict[str, Alike] = {
            name: alike_numbers(definition, name) for name in (*since, *RUNS)
        }
        among = {r.id: r.among for r in definition.stopping if r.among is not None}
        self.among_names = names_in(*among.values())
        self.among = {rule_id: compile_condition(when) for rule_id, when in among.items()}
        rules = {rule.scope for rule in definition.rules}
        self.visits: tuple[Visit, ...] = definition.schedule if Scope.VISIT in rules else ()
        self.applicable: dict[str, Condition] = {
            one.id: compile_condition(one.applicable_if)
            for one in self.visits
            if one.applicable_if is not None
        }
        self.applicable_names = names_in(
            *(one.applicable_if for one in self.visits if one.applicable_if is not None)
        )
        self.visit_codes = frozenset(one.id for one in self.visits)
        self.anchors = frozenset(one.anchor for one in self.visits)
        self.daily = "visit_off_days" in asked[Scope.VISIT]
        self.series = frozenset(
            numeric_observations(definition.codes) if Scope.LABORATORY in rules else ()
        )
        self.scales: dict[str, tuple[grading.Scale, ...]] = {}
        if not GRADED.isdisjoint(asked[Scope.LABORATORY]):
            self.scales = {
                name: grading.of_code(definition, code)
                for name in self.series
                if (code := definition.codes[EventType.OBSERVATION, name]).ctcae
            }

    def of_series(
        self, name: str, series: laboratory.Series, first: Span | None
    ) -> dict[str, Reading]:
        """What the rules may ask of one series; `first`: the infusion that its baseline is of.

        Raises LogNeeded.
        """
        change = "lab_change_percent" in self.asked[Scope.LABORATORY]
        found = laboratory.readings(name, series, first, self.alike, change=change)
        if name in self.scales:
            found |= graded.readings(self.scales[name], series, first)
        return found


def facts_of(relation: Relation) -> list[str]:
    """The names of a relation's facts."""
    return [
        related_fact(relation.name, field)
        for field in (*FIELDS[relation.to], *BETWEEN[relation.to])
    ]
