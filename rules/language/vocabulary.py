"""Which names a condition may use, of which type, in which scope.

Who comes in: conditions, checks, knowledge and show ask by scope. Who goes out: FactType by name.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from rules.model import FactSpec, StoppingRule
from rules.terms import Decision, Scope, ValueType, Verdict

SEXES = ("female", "male", "other")  # 'unknown' is unknown, not a value
CAUSALITIES = ("related", "probable", "possible", "unlikely", "unrelated")
INFUSION_STATUSES = ("completed", "interrupted", "not_done")
AE_STATUSES = ("valid", "withdrawn")


@dataclass(frozen=True, slots=True)
class FactType:
    """The type of a name; `values` closes a code, `unit` is UCUM."""

    value: ValueType
    values: tuple[str, ...] = ()
    unit: str | None = None
    label: str = ""


BOOLEAN = FactType(ValueType.BOOLEAN)
INTEGER = FactType(ValueType.INTEGER)
NUMBER = FactType(ValueType.NUMBER)
STRING = FactType(ValueType.STRING)
VERDICT = FactType(ValueType.CODE, tuple(Verdict))

_SUBJECT: Mapping[str, FactType] = {
    "screened": BOOLEAN,
    "enrolled": BOOLEAN,
    "on_study": BOOLEAN,
    "dead": BOOLEAN,
    "decision": FactType(ValueType.CODE, tuple(Decision)),
    "infusions": INTEGER,
    "age_years_at_enrolment": INTEGER,
}
_INFUSION: Mapping[str, FactType] = {
    "infusion_number": INTEGER,
    "infusion_status": FactType(ValueType.CODE, INFUSION_STATUSES),
    "dose": NUMBER,
}
_ADVERSE_EVENT: Mapping[str, FactType] = {
    "grade": INTEGER,
    "serious": BOOLEAN,
    "seriousness_criteria": INTEGER,
    "causality": FactType(ValueType.CODE, CAUSALITIES),
    "expected": BOOLEAN,
    "outcome": STRING,  # the contract closes no list
    "ae_status": FactType(ValueType.CODE, AE_STATUSES),
    "onset_after_infusion": BOOLEAN,
}
_DEATH: Mapping[str, FactType] = {"causality": FactType(ValueType.CODE, CAUSALITIES)}
_TRIAL: Mapping[str, FactType] = {
    "enrolled_count": INTEGER,
    "infused_count": INTEGER,
    "target": INTEGER,
}
_STOPPING: Mapping[str, FactType] = {
    "events": INTEGER,
    "evaluable": INTEGER,
    "pending": INTEGER,
    "crossed": BOOLEAN,
    "margin": INTEGER,
}
# What a detail may say beyond facts: the criteria against the subject, the data still wanted.
_CHECKLIST = ("unsatisfied", "missing")
TOLD: Mapping[Scope, tuple[str, ...]] = {
    Scope.SUBJECT: _CHECKLIST,
    Scope.ENROLMENT: _CHECKLIST,
    Scope.INFUSION: _CHECKLIST,
    Scope.ADVERSE_EVENT: ("ae",),
    Scope.DEATH: (),
    Scope.TRIAL: (),
    Scope.VISIT: (),
    Scope.LABORATORY: (),
}


def declared(facts: Mapping[str, FactSpec]) -> dict[str, FactType]:
    """What criteria may name: the facts of one subject."""
    return {
        spec.name: FactType(spec.value, spec.values, spec.unit, spec.label)
        for spec in facts.values()
    }


def stopping_fact(rule_id: str, what: str) -> str:
    """The trial scope's name of a stopping rule's count: `ST-TOX` -> `st_tox_events`."""
    stem = rule_id.replace("-", "_").lower()
    return f"{stem}_{what}"


def scopes(
    facts: Mapping[str, FactSpec], criteria: Iterable[str], stopping: Iterable[StoppingRule | str]
) -> dict[Scope, dict[str, FactType]]:
    """Every scope's names; the subject's are also those of its enrolment and infusions."""
    subject = {**declared(facts), **_SUBJECT, **dict.fromkeys(criteria, VERDICT)}
    trial = dict(_TRIAL)
    for rule in stopping:
        rule_id = rule if isinstance(rule, str) else rule.id
        trial.update({stopping_fact(rule_id, what): kind for what, kind in _STOPPING.items()})
    return {
        Scope.SUBJECT: subject,
        Scope.ENROLMENT: subject,
        Scope.INFUSION: {**subject, **_INFUSION},
        Scope.ADVERSE_EVENT: dict(_ADVERSE_EVENT),
        Scope.DEATH: dict(_DEATH),
        Scope.TRIAL: trial,
        Scope.VISIT: {},
        Scope.LABORATORY: {},
    }
