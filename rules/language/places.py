"""Every condition of a file with the names it may use, and what those names can be.

Who comes in: sense.py, the generated cases, coverage. Who goes out: places, bounds.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from rules.clinical.functions import FUNCTIONS
from rules.language.reasoning import Bounds
from rules.language.takes import GRADES
from rules.language.vocabulary import (
    INTEGER,
    LAB_GRADES,
    FactType,
    declared,
    entity_facts,
    gate_names,
    scopes_of,
)
from rules.model import (
    Clinical,
    Clock,
    Condition,
    Const,
    Criterion,
    Definition,
    Derivation,
    FactSpec,
    Num,
)
from rules.terms import EventType, Measure, Scope, Take, ValueType, Verdict

Names = Mapping[str, FactType]
EITHER, NEVER, ALWAYS, SAID = (True, False), (False,), (True,), ()
SAME_UNIT = (Take.LATEST, Take.EARLIEST, Take.MIN, Take.MAX)
# What the engine itself knows about its own names (entities.py).
_OWN: Mapping[str, Bounds] = {
    "grade": Bounds(1, 5),
    "seriousness_criteria": Bounds(0),
    "infusion_number": Bounds(1, 1000),
    "infusions": Bounds(0),
    "dose": Bounds(0),
    "age_years_at_enrolment": Bounds(0),
    "enrolled_count": Bounds(0),
    "infused_count": Bounds(0),
    **dict.fromkeys(LAB_GRADES, Bounds(0, 4)),
    "lab_grade_rise": Bounds(-4, 4),
}
# One that was not given, or was withdrawn, is asked about no rule.
_ASKED: Mapping[str, Bounds] = {
    "infusion_status": Bounds(values=("completed", "interrupted")),
    "ae_status": Bounds(values=("valid",)),
}
_COUNTS = ("_events", "_evaluable", "_pending", "_subjects", "_exposure_days")


@dataclass(frozen=True)
class Place:
    """One condition of the file: `what` names it for people, `line` is where it stands."""

    what: str
    line: int
    condition: Condition
    scope: Scope | None  # None: the subject's declared facts, or names of a fact's own
    names: Names
    judges: bool = False  # a criterion: one that nobody can fail is no criterion
    where: FactSpec | None = None  # the fact whose records it chooses
    idle: tuple[bool, ...] = NEVER  # the constants that leave it without a meaning


# --- where conditions stand -------------------------------------------------------------------
def places(definition: Definition) -> Iterator[Place]:
    """Every condition of the file, as written."""
    definition = definition.as_written or definition
    names = declared(definition.facts)
    by_scope = scopes_of(definition)
    for item in definition.criteria:
        for key, condition in (("when", stated(item)), ("applicable_if", stated_if(item))):
            what = f"the criterion `{item.id}`, `{key}`"
            line, judges = item.lines.get(key, item.line), key == "when"
            idle = EITHER if judges else SAID  # checks.py says of what never applies
            yield Place(what, line, condition, None, names, judges=judges, idle=idle)
    for rule in definition.rules:
        what, line = f"the rule `{rule.id}`, `when`", rule.lines.get("when", rule.line)
        condition, own = rule.stated or rule.when, by_scope[rule.scope]
        yield Place(what, line, condition, rule.scope, own, idle=SAID)  # checks.py says it
    for one in definition.stopping:
        what, line = f"the stopping rule `{one.id}`", one.lines.get("endpoint", one.line)
        yield Place(what, line, one.endpoint, one.on, by_scope[one.on])
        if one.among is not None:
            line = one.lines.get("among", one.line)
            yield Place(f"{what}, `among`", line, one.among, None, by_scope[Scope.SUBJECT])
    yield from _of_repeats(definition, by_scope[Scope.ADVERSE_EVENT])
    yield from _of_responses(definition, by_scope[Scope.SUBJECT])
    for spec in definition.facts.values():
        yield from _of_fact(definition, spec, names)
    for visit in definition.schedule:
        if visit.applicable_if is not None:
            what = f"the visit `{visit.id}`, `applicable_if`"
            yield Place(what, visit.line, visit.applicable_if, None, names)
    yield from _of_gate(definition, by_scope[Scope.SUBJECT])
    for clock in definition.clocks:
        yield from _of_clock(clock, by_scope[Scope.ADVERSE_EVENT])


def _of_clock(clock: Clock, names: Names) -> Iterator[Place]:
    own = () if clock.template else (("when", clock.when), ("spared_while", clock.spared))
    for key, part in (*own, ("exempt", clock.exempt)):
        if part is not None:
            what = f"the clock `{clock.id}`, `{key}`"
            idle = NEVER if key == "when" else ALWAYS
            yield Place(what, clock.line, part, None, names, idle=idle)


def _of_repeats(definition: Definition, names: Names) -> Iterator[Place]:
    for repeat in definition.repeats:
        what = f"the repeat `{repeat.id}`, `when`"
        yield Place(what, repeat.lines.get("when", repeat.line), repeat.when, None, names)


def _of_responses(definition: Definition, names: Names) -> Iterator[Place]:
    for rate in definition.response:
        for key, part in (("evaluable", rate.evaluable_when), ("responder", rate.responder_when)):
            what = f"the response `{rate.id}`, `{key}`"
            yield Place(what, rate.lines.get(key, rate.line), part, None, names)


def _of_gate(definition: Definition, subject: Names) -> Iterator[Place]:
    names = gate_names(subject)
    for item in definition.gate:
        parts = (("closed_when", stated(item)), ("applicable_if", stated_if(item)))
        for key, condition in parts:
            what, line = f"the gate item `{item.id}`, `{key}`", item.lines.get(key, item.line)
            idle = EITHER if key == "closed_when" else NEVER
            yield Place(what, line, condition, None, names, idle=idle)


def _of_fact(definition: Definition, spec: FactSpec, names: Names) -> Iterator[Place]:
    if spec.applicable_if is not None:
        what = f"the fact `{spec.name}`, `applicable_if`"
        yield Place(what, spec.line, spec.applicable_if, None, names)
    if spec.where is not None:
        what = f"the fact `{spec.name}`, `where`"
        names_here = _where_names(definition, spec)
        yield Place(what, spec.line, spec.where, None, names_here, where=spec)
    if spec.derived is not None:
        for number, case in enumerate(spec.derived.cases, start=1):
            what = f"the fact `{spec.name}`, case {number}"
            yield Place(what, spec.line, case.when, None, names)


def _where_names(definition: Definition, spec: FactSpec) -> Names:
    """`value` of a coded record, else the names of the entity."""
    if spec.origin in (EventType.ADMINISTRATION, EventType.ADVERSE_EVENT):
        return entity_facts(spec.origin, definition.reference)
    code = definition.codes.get((spec.origin, spec.code)) if spec.origin else None
    if code is None:
        return {}
    if spec.measure in GRADES or spec.score is not None:
        return {"value": INTEGER}
    if spec.measure is not Measure.VALUE:
        return {"value": FactType(ValueType.NUMBER, (), "1")}
    return {"value": FactType(code.value or ValueType.BOOLEAN, code.values, code.unit)}


def stated(item: Criterion) -> Condition:
    """A criterion's condition as written."""
    return item.when if item.stated is None else item.stated


def stated_if(item: Criterion) -> Condition:
    """What a criterion's applicability is written as."""
    return item.applicable_if if item.stated_if is None else item.stated_if


# --- what facts can be ------------------------------------------------------------------------
def bounds(definition: Definition, *, asked: bool = True) -> dict[str, Bounds]:
    """What each name can be, beyond its type; `asked`: where a rule is asked at all."""
    found = {**_OWN, **(_ASKED if asked else {})}
    for name, spec in definition.facts.items():
        found[name] = _bounds(definition, spec)
    for rule in definition.stopping:
        stem = rule.id.replace("-", "_").lower()
        found |= {f"{stem}{what}": Bounds(0) for what in _COUNTS}
        found[f"{stem}_events_to_stop"] = Bounds(1)
    for item in definition.criteria:
        words = [Verdict.MET, Verdict.NOT_MET, Verdict.INDETERMINATE]
        if item.applicable_if != Const(value=True):
            words.append(Verdict.NOT_APPLICABLE)
        found[item.id] = Bounds(values=tuple(word.value for word in words))
    return found


def _bounds(definition: Definition, spec: FactSpec) -> Bounds:
    if spec.derived is not None:
        return _constants(spec.derived)
    return Bounds() if spec.origin is None else _of_records(definition, spec)


def _of_records(definition: Definition, spec: FactSpec) -> Bounds:
    if spec.take is Take.COMPLETED_YEARS or spec.take in (Take.COUNT, Take.CONSECUTIVE):
        return Bounds(0)
    if spec.measure in GRADES and spec.take in SAME_UNIT:
        return Bounds(0, 4)
    if spec.take not in SAME_UNIT or spec.measure is not Measure.VALUE:
        return Bounds()
    assert spec.origin is not None
    codes = [definition.codes.get((spec.origin, name)) for name in (spec.code, *spec.also)]
    if spec.score is not None:
        first = codes[0]
        return Bounds() if first is None else Bounds(*first.scores[spec.score])
    lows = [None if code is None else code.low for code in codes]
    highs = [None if code is None else code.high for code in codes]
    return Bounds(
        None if None in lows else min(low for low in lows if low is not None),
        None if None in highs else max(high for high in highs if high is not None),
    )


def _constants(derivation: Derivation) -> Bounds:
    """Of cases that are all numbers no other number comes out than from the least to the most."""
    if isinstance(derivation.otherwise, Clinical):
        function = FUNCTIONS[derivation.otherwise.function]
        return Bounds(function.low, function.high)
    values = [case.value for case in derivation.cases]
    values += [] if derivation.otherwise is None else [derivation.otherwise]
    numbers = [value.value for value in values if isinstance(value, Num)]
    if not numbers or len(numbers) != len(values):
        return Bounds()
    return Bounds(min(numbers), max(numbers))


def where_bounds(definition: Definition, spec: FactSpec) -> dict[str, Bounds]:
    """The same for the names of a fact's `where`: single records."""
    plain = replace(spec, take=Take.LATEST)
    return {**_OWN, "value": _bounds(definition, plain)}
