"""Which names a condition may use, of which type, in which scope.

Who comes in: conditions, checks, knowledge and show ask by scope. Who goes out: FactType by name.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from rules.model import (
    Clock,
    Code,
    Definition,
    FactSpec,
    Reference,
    Relation,
    Repeat,
    ResponseRate,
    StoppingRule,
    Visit,
)
from rules.terms import ClockStage, Decision, EventType, Scope, ValueType, Verdict

CODED = (
    EventType.OBSERVATION,
    EventType.ASSESSMENT,
    EventType.CONDITION,
    EventType.PROCEDURE,
    EventType.MEDICATION,
)
VALUED = (EventType.OBSERVATION, EventType.ASSESSMENT)
DOCUMENTS = ("informed_consent", "assent", "guardian_consent")
MAX_FACTS = 200  # the engine refuses more than 252 fields in one snapshot
GIVERS = ("subject", "guardian")
NUMERIC = (ValueType.INTEGER, ValueType.NUMBER)
SEXES = ("female", "male", "other")  # 'unknown' is unknown, not a value
CAUSALITIES = ("related", "probable", "possible", "unlikely", "unrelated")
INFUSION_STATUSES = ("completed", "interrupted", "not_done")
ENROLMENT_STATUSES = (
    "screened",
    "enrolled",
    "treatment_stopped",
    "withdrawn",
    "completed",
    "lost",
)
AE_STATUSES = ("valid", "withdrawn")
# Of the newest value of a series, by the clinical dictionary: 0 to 4.
LAB_GRADES = (
    "lab_grade",
    "lab_grade_min",
    "lab_grade_high",
    "lab_grade_low",
    "lab_baseline_grade",
)
LAB_GRADE_TEXTS = ("lab_grade_range", "lab_grade_reason", "lab_term")
GRADED = frozenset((*LAB_GRADES, "lab_grade_rise", *LAB_GRADE_TEXTS))
VISIT_STATUSES = (
    *("not_due", "open", "overdue", "done", "early", "late", "not_done", "interrupted"),
)
GATE = ("open", "closed", "unknown")


@dataclass(frozen=True, slots=True)
class FactType:
    """The type of a name; `values` closes a code, `unit` is UCUM."""

    value: ValueType
    values: tuple[str, ...] = ()
    unit: str | None = None
    label: str = ""
    molar_mass: float | None = None  # g/mol: a parameter told as a mass converts into an amount


_NO_REFERENCE = Reference()
BOOLEAN = FactType(ValueType.BOOLEAN)
INTEGER = FactType(ValueType.INTEGER)
NUMBER = FactType(ValueType.NUMBER)
STRING = FactType(ValueType.STRING)
VERDICT = FactType(ValueType.CODE, tuple(Verdict))

_SUBJECT: Mapping[str, FactType] = {
    "screened": BOOLEAN,
    "enrolled": BOOLEAN,
    "on_study": BOOLEAN,
    "followed": BOOLEAN,
    "dead": BOOLEAN,
    "enrolment_status": FactType(ValueType.CODE, ENROLMENT_STATUSES),
    "decision": FactType(ValueType.CODE, tuple(Decision)),
    "infusions": INTEGER,
    "age_years_at_enrolment": INTEGER,
}
_INFUSION: Mapping[str, FactType] = {
    "infusion_number": INTEGER,
    "infusion_status": FactType(ValueType.CODE, INFUSION_STATUSES),
    "dose": NUMBER,
    "infusion_repeated": BOOLEAN,
}
# Of an infusion as of its start, where the protocol has a gate; and of the dose, with a product.
_GATE: Mapping[str, FactType] = {"gate": FactType(ValueType.CODE, GATE)}
_DOSE: Mapping[str, FactType] = {"dose_per_kg": NUMBER}
# What the items of the gate may name beside the subject's facts.
HELD = "infusion_held"
_AT_GATE: Mapping[str, FactType] = {"consent_owed": BOOLEAN, HELD: BOOLEAN}
_ADVERSE_EVENT: Mapping[str, FactType] = {
    "grade": INTEGER,
    "serious": BOOLEAN,
    "seriousness_criteria": INTEGER,
    "causality": FactType(ValueType.CODE, CAUSALITIES),
    "expected": BOOLEAN,
    "outcome": STRING,  # the contract closes no list
    "term": STRING,
    "ae_status": FactType(ValueType.CODE, AE_STATUSES),
    "onset_after_infusion": BOOLEAN,
    "is_fatal": BOOLEAN,
    "is_life_threatening": BOOLEAN,
    "is_serious": BOOLEAN,
    "seriousness_conflict": BOOLEAN,
    "is_suspected": BOOLEAN,
    "is_expected": BOOLEAN,
    "expectedness_conflict": BOOLEAN,
    "is_susar": BOOLEAN,
    "submitted_before_aware": BOOLEAN,
    "ae_ongoing": BOOLEAN,
}
_DEATH: Mapping[str, FactType] = {"causality": FactType(ValueType.CODE, CAUSALITIES)}
_TRIAL: Mapping[str, FactType] = {
    "enrolled_count": INTEGER,
    "infused_count": INTEGER,
    "target": INTEGER,
    "on_hold": BOOLEAN,
}
_STOPPING: Mapping[str, FactType] = {
    "events": INTEGER,
    "evaluable": INTEGER,
    "pending": INTEGER,
    "subjects": INTEGER,
    "crossed": BOOLEAN,
    "margin": INTEGER,
    "events_to_stop": INTEGER,
    "exposure_days": NUMBER,
}
_REPEAT: Mapping[str, FactType] = {
    "reached": BOOLEAN,
    "most": INTEGER,  # subjects with one term
    "terms": STRING,  # those that reach it; unknown where none does
}
_RESPONSE: Mapping[str, FactType] = {
    "responders": INTEGER,
    "evaluable": INTEGER,
    "pending": INTEGER,
    "rate": NUMBER,
    "lower": NUMBER,  # of the exact 95 % interval
    "upper": NUMBER,
}
_VISIT: Mapping[str, FactType] = {
    "visit_status": FactType(ValueType.CODE, VISIT_STATUSES),
    "visit_day": INTEGER,
    "visit_off_days": INTEGER,
    "visit_is_infusion": BOOLEAN,
}
_LABORATORY: Mapping[str, FactType] = {
    "lab_value": NUMBER,
    "lab_ratio_to_high": NUMBER,
    "lab_ratio_to_low": NUMBER,
    "lab_change_percent": NUMBER,
    "lab_high_in_a_row": INTEGER,
    "lab_low_in_a_row": INTEGER,
    **dict.fromkeys(LAB_GRADES, INTEGER),
    "lab_grade_rise": INTEGER,
}
_CLOCK: Mapping[str, FactType] = {
    "clock_stage": FactType(ValueType.CODE, tuple(ClockStage)),
    "clock_assumed": BOOLEAN,
    "clock_conflict": BOOLEAN,
}
# What a rule may say of the other entity that a relation means, after the relation's name.
_RELATED: Mapping[Scope, Mapping[str, FactType]] = {
    Scope.INFUSION: {
        "number": INTEGER,
        "status": FactType(ValueType.CODE, INFUSION_STATUSES),
        "dose": NUMBER,
        "hours_since": NUMBER,
        "hours_since_end": NUMBER,
        "during": BOOLEAN,
    },
    Scope.ADVERSE_EVENT: {
        "grade": INTEGER,
        "serious": BOOLEAN,
        "causality": FactType(ValueType.CODE, CAUSALITIES),
        "hours_since": NUMBER,
    },
}
# What a detail may say beyond facts: the criteria against the subject, the data still wanted.
_CHECKLIST = ("unsatisfied", "missing")
TOLD: Mapping[Scope, tuple[str, ...]] = {
    Scope.SUBJECT: _CHECKLIST,
    Scope.ENROLMENT: _CHECKLIST,
    Scope.INFUSION: ("gate_closed_by", "gate_missing", *_CHECKLIST),
    Scope.ADVERSE_EVENT: ("ae", *_CHECKLIST),
    Scope.DEATH: (),
    Scope.TRIAL: (),
    Scope.VISIT: ("visit_label", "visit_due", "visit_owner", *_CHECKLIST),
    Scope.LABORATORY: ("lab_label", *LAB_GRADE_TEXTS, *_CHECKLIST),
    Scope.CLOCK: (
        *("clock_label", "clock_due", "clock_region", "clock_started", "clock_to", "ae"),
        *_CHECKLIST,
    ),
}


CLOCK_NAMES = frozenset({*_CLOCK, "clock", *TOLD[Scope.CLOCK]} - {"ae", *_CHECKLIST})


AFTER_INFUSION = "onset_after_infusion"  # of an adverse event, and of another entity


def declared(facts: Mapping[str, FactSpec]) -> dict[str, FactType]:
    """What criteria may name: the facts of one subject."""
    return {
        spec.name: FactType(spec.value, spec.values, spec.unit, spec.label, spec.molar_mass)
        for spec in facts.values()
    }


def entity_facts(origin: EventType, reference: Reference) -> Mapping[str, FactType]:
    """What a fact over administrations or adverse events may say of each one."""
    if origin is EventType.ADMINISTRATION:
        return _INFUSION
    return {**_ADVERSE_EVENT, **{f"ae_in_{one.name}": BOOLEAN for one in reference.groups}}


def stopping_fact(rule_id: str, what: str) -> str:
    """The trial scope's name of a stopping rule's count: `ST-TOX` -> `st_tox_events`."""
    stem = rule_id.replace("-", "_").lower()
    return f"{stem}_{what}"


def related_fact(relation: str, what: str) -> str:
    """The name of one fact of the entity that a relation means."""
    return f"{relation}_{what}"


def scopes(
    facts: Mapping[str, FactSpec],
    criteria: Iterable[str],
    stopping: Iterable[StoppingRule | str],
    *,
    schedule: Iterable[Visit] = (),
    relations: Mapping[str, Relation] | None = None,
    codes: Mapping[tuple[EventType, str], Code] | None = None,
    clocks: Iterable[Clock] = (),
    reference: Reference = _NO_REFERENCE,
    repeats: Iterable[Repeat] = (),
    response: Iterable[ResponseRate] = (),
    gated: bool = False,
    dosed: bool = False,
) -> dict[Scope, dict[str, FactType]]:
    """Every scope's names; the subject's are those of all its entities but its death.

    `gated`: infusions have a gate; `dosed`: their doses are told per kg too.
    """
    subject = {**declared(facts), **_SUBJECT, **dict.fromkeys(criteria, VERDICT)}
    trial = dict(_TRIAL)
    for rule in stopping:
        rule_id = rule if isinstance(rule, str) else rule.id
        trial.update({stopping_fact(rule_id, what): kind for what, kind in _STOPPING.items()})
    for repeat in repeats:
        trial.update({stopping_fact(repeat.id, what): kind for what, kind in _REPEAT.items()})
    for rate in response:
        trial.update({stopping_fact(rate.id, what): kind for what, kind in _RESPONSE.items()})
    visits = FactType(ValueType.CODE, tuple(item.id for item in schedule))
    series = FactType(ValueType.CODE, tuple(numeric_observations(codes or {})))
    result = {
        Scope.SUBJECT: subject,
        Scope.ENROLMENT: subject,
        Scope.INFUSION: {
            **subject,
            **_INFUSION,
            **(_GATE if gated else {}),
            **(_DOSE if dosed else {}),
        },
        Scope.ADVERSE_EVENT: {**subject, **entity_facts(EventType.ADVERSE_EVENT, reference)},
        Scope.DEATH: dict(_DEATH),
        Scope.TRIAL: trial,
        Scope.VISIT: {**subject, "visit": visits, **_VISIT},
        Scope.LABORATORY: {**subject, "lab": series, **_LABORATORY},
    }
    for name, relation in (relations or {}).items():
        facts_of = _RELATED[relation.to]
        result[relation.on] |= {related_fact(name, what): k for what, k in facts_of.items()}
    names = FactType(ValueType.CODE, tuple(item.id for item in clocks))
    result[Scope.CLOCK] = {**result[Scope.ADVERSE_EVENT], "clock": names, **_CLOCK}
    return result


def of_one_event(
    names: Mapping[Scope, Mapping[str, FactType]], relations: Mapping[str, Relation]
) -> dict[str, FactType]:
    """What was told of one adverse event itself: neither of its subject nor of another entity.

    Beginnings of clocks are judged by it, as of the moment at which each part of it became known.
    """
    related = {
        related_fact(name, what) for name, one in relations.items() for what in _RELATED[one.to]
    }
    elsewhere = {*names[Scope.SUBJECT], *related, AFTER_INFUSION}
    own = names[Scope.ADVERSE_EVENT]
    return {name: kind for name, kind in own.items() if name not in elsewhere}


def scopes_of(definition: Definition) -> dict[Scope, dict[str, FactType]]:
    """The same of a whole protocol."""
    return scopes(
        definition.facts,
        [item.id for item in definition.criteria],
        definition.stopping,
        schedule=definition.schedule,
        relations=definition.relations,
        codes=definition.codes,
        clocks=definition.clocks,
        reference=definition.reference,
        repeats=definition.repeats,
        response=definition.response,
        gated=bool(definition.gate),
        dosed=definition.product is not None and definition.product.weight is not None,
    )


def gate_names(subject: Mapping[str, FactType]) -> dict[str, FactType]:
    """What the items of a gate may name."""
    return {**subject, **_AT_GATE}


# What the engine itself always knows of a subject, a visit, a series, the trial.
_KNOWN = frozenset(
    {
        *("screened", "enrolled", "on_study", "followed", "dead", "decision", "infusions"),
        *("is_suspected", "ae_ongoing"),
        *("ae_status", "infusion_status", "infusion_number", "infusion_repeated", "gate", "lab"),
        *("lab_value", "visit", "visit_status", "visit_day", "visit_is_infusion"),
        *("clock", "clock_stage", "clock_assumed", "clock_conflict"),
        *("enrolled_count", "infused_count", "target", "on_hold"),
    }
)
_REACHED = ("reached", "most")
_RATED = ("responders", "evaluable", "pending")
_COUNTED = ("events", "evaluable", "pending", "subjects", "crossed")


def always_known(definition: Definition, scope: Scope) -> frozenset[str]:
    """The names of a scope that are never missing, whatever was told."""
    counted = (stopping_fact(one.id, what) for one in definition.stopping for what in _COUNTED)
    repeated = (stopping_fact(one.id, what) for one in definition.repeats for what in _REACHED)
    rated = (stopping_fact(one.id, what) for one in definition.response for what in _RATED)
    named = scopes_of(definition)[scope].keys()
    return frozenset(
        named & {*_KNOWN, *(item.id for item in definition.criteria), *counted, *repeated, *rated}
    )


def numeric_observations(codes: Mapping[tuple[EventType, str], Code]) -> list[str]:
    """The codes that make a laboratory series: observations that are numbers."""
    return [
        code.code
        for code in codes.values()
        if code.type is EventType.OBSERVATION
        and code.value in (ValueType.NUMBER, ValueType.INTEGER)
    ]
