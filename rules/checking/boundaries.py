"""The boundaries of a file: computed, tried at several true rates, refused where they fail.

Who comes in: the check of a whole file. Who goes out: Planned, complaints, notes.
Refused: a boundary that can never be reached, or that is before anything happened; a type I error
above the alpha that is declared, of tables too; a boundary of whose crossing nobody is told.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from rules.errors import Complaint
from rules.language.functions import names_in
from rules.language.vocabulary import stopping_fact
from rules.model import Definition, StoppingRule
from rules.stopping.bounds import Boundary, Characteristics, characteristics, joint
from rules.stopping.design import Design, DesignError, Outcome
from rules.terms import Pending, Scope

# How far a type I error may lie above alpha by rounding alone.
_ROUNDING = {Outcome.BINARY: 1e-11, Outcome.TIME_TO_EVENT: 1e-6, Outcome.TITE: 1e-6}
_TIMES = (0.5, 1.0, 1.5, 2.0, 3.0)  # p0 times so much: the true rates that are tried
_BARE = (0.1, 0.2, 0.3, 0.4, 0.5)  # without a p0
MOST_UNITS = 1000  # of a table whose behaviour is worked out


@dataclass(frozen=True)
class Planned:
    """The boundary of one stopping rule and how it behaves, exactly, at several true rates."""

    rule: str
    line: int
    bound: Boundary
    behaviour: tuple[Characteristics, ...]


@dataclass(frozen=True)
class Judged:
    """All stopping rules of a file."""

    planned: tuple[Planned, ...]
    complaints: tuple[Complaint, ...]
    notes: tuple[Complaint, ...]


def judge(definition: Definition) -> Judged:
    """Every boundary of the file, and what is to be said of it."""
    said = _Said(definition, [], [])
    told = {
        name
        for rule in definition.rules
        if rule.scope is Scope.TRIAL
        for name in names_in(rule.stated or rule.when)
    }
    planned, made = [], []
    for rule in definition.stopping:
        said.nobody_told(rule, told)
        try:
            planned.append(_planned(rule))
        except DesignError as failed:
            said.failed(rule, failed)
            continue
        made.append(rule)
        said.of(rule, planned[-1].bound)
    for rules in _alike(made):
        said.together(rules)
    return Judged(tuple(planned), tuple(said.complaints), tuple(said.notes))


def _alike(rules: Iterable[StoppingRule]) -> Iterator[list[StoppingRule]]:
    """Binary one-sided rules that count the same units and events: two or more."""
    groups: dict[tuple[object, ...], list[StoppingRule]] = {}
    for rule in rules:
        if rule.design.outcome is Outcome.BINARY and not rule.bound.go_at:
            what = (rule.on, rule.expression, rule.among_expression, rule.unit)
            when = (rule.window_days, rule.window_from, rule.planned_infusions)
            groups.setdefault((*what, *when, rule.evaluable, rule.pending), []).append(rule)
    yield from (group for group in groups.values() if len(group) > 1)


def _planned(rule: StoppingRule) -> Planned:
    behaviour = characteristics(rule.bound, rates(rule.design))
    return Planned(rule.id, rule.line, rule.bound, behaviour)


def rates(design: Design) -> tuple[float, ...]:
    """The true rates at which a design is tried: around p0, and p1; none where it is too large."""
    if design.n > MOST_UNITS:
        return ()
    if design.p0 is None:
        return _BARE
    some = {round(design.p0 * times, 12) for times in _TIMES}
    return tuple(sorted(rate for rate in some | {design.p1 or design.p0} if rate < 1))


@dataclass(frozen=True)
class _Said:
    """Complaints and notes, each at the key that it is about."""

    definition: Definition
    complaints: list[Complaint]
    notes: list[Complaint]

    def of(self, rule: StoppingRule, bound: Boundary) -> None:
        """What its boundary gives cause to say."""
        design, error = rule.design, bound.type_1_error
        if bound.never_stops:
            message = f"can never stop: up to {design.n} evaluable nothing reaches its boundary"
            self._refuse(rule, ("n", "looks", "method"), message, "watch more, or demand less")
        elif any(events == 0 for _, events in bound.rows):
            message = "stops before anything happened: 0 events reach its boundary"
            self._refuse(rule, ("threshold", "method"), message, "raise the threshold")
        elif design.alpha is not None and error is not None:
            self._error(rule, design, design.alpha, error)
        if bound.go_at:
            message = "nobody acts on its lower limit; `reject` counts who reached that as over"
            self._note(rule, ("method",), message)
        if rule.pending is Pending.EVENT_FREE:
            message = "who is pending counts as without an event, so it stops later than planned"
            self._note(rule, ("pending",), message)

    def failed(self, rule: StoppingRule, failed: DesignError) -> None:
        """Its numbers are in order one by one, and yet no boundary can be made of them."""
        for parameter, message, hint in failed.problems:
            self._refuse(rule, (parameter, "method"), message, hint)

    def together(self, rules: Sequence[StoppingRule]) -> None:
        """What rules over the same units and events come to, at the rate that one calls good."""
        rate = next((rule.design.p0 for rule in rules if rule.design.p0 is not None), None)
        if rate is None or max(rule.design.n for rule in rules) > MOST_UNITS:
            return
        (row,) = joint([rule.bound for rule in rules], (rate,))
        alone = ", ".join(f"{one:.4f}" for one in row.alone)
        others = ", ".join(f"`{rule.id}`" for rule in rules[:-1])
        message = f"counts the same as {others}; alone they stop with probability {alone} at p"
        self._note(rules[-1], (), f"{message} {rate:g}, together with {row.reject:.4f}")

    def _error(self, rule: StoppingRule, design: Design, alpha: float, error: float) -> None:
        if error > alpha + _ROUNDING[design.outcome]:
            where = f"p0 {design.p0:g}"
            message = f"its type I error at {where} is {error:.6g}, above its alpha {alpha:g}"
            hint = "stop at more events, or declare the alpha that it has"
            self._refuse(rule, ("alpha",), message, hint)

    def nobody_told(self, rule: StoppingRule, told: Iterable[str]) -> None:
        """Complain of a boundary that may be crossed in silence."""
        name = stopping_fact(rule.id, "crossed")
        if name not in told:
            hint = f"add a rule with `on: trial` and `when: {name}`"
            self._refuse(rule, (), "nobody is told when its boundary is reached", hint)

    def _refuse(self, rule: StoppingRule, keys: Iterable[str], message: str, hint: str) -> None:
        self.complaints.append(self._complaint(rule, keys, message, hint))

    def _note(self, rule: StoppingRule, keys: Iterable[str], message: str) -> None:
        self.notes.append(self._complaint(rule, keys, message, ""))

    def _complaint(
        self, rule: StoppingRule, keys: Iterable[str], message: str, hint: str
    ) -> Complaint:
        line = next((rule.lines[key] for key in keys if key in rule.lines), rule.line)
        what = f"the stopping rule `{rule.id}`: {message}"
        return Complaint(self.definition.file, line, what, hint)
