"""The controlled words of the house: every decision is an enum that names its reason."""

from __future__ import annotations

from enum import StrEnum


class Verdict(StrEnum):
    """Whether a criterion's statement holds. Missing is never 'no'."""

    MET = "met"
    NOT_MET = "not_met"
    INDETERMINATE = "indeterminate"
    NOT_APPLICABLE = "not_applicable"


class Decision(StrEnum):
    """Any unsatisfied criterion: ineligible; else any unknown: indeterminate; else eligible."""

    ELIGIBLE = "eligible"
    INELIGIBLE = "ineligible"
    INDETERMINATE = "indeterminate"


class CriterionKind(StrEnum):
    """Which way a criterion that holds lets a subject go."""

    INCLUSION = "inclusion"
    EXCLUSION = "exclusion"


class Scope(StrEnum):
    """What one snapshot of an alert rule is about."""

    SUBJECT = "subject"
    ENROLMENT = "enrolment"
    INFUSION = "infusion"
    ADVERSE_EVENT = "adverse_event"
    DEATH = "death"
    TRIAL = "trial"


class Category(StrEnum):
    """Where an alert belongs."""

    ELIGIBILITY = "eligibility"
    STOPPING = "stopping"
    SAFETY = "safety"
    RESPONSE = "response"
    CONDUCT = "conduct"
    OPERATIONS = "operations"


class Severity(StrEnum):
    """How loud an alert is; `rank` orders them."""

    INFO = "info"
    WARNING = "warning"
    SERIOUS = "serious"
    CRITICAL = "critical"

    @property
    def rank(self) -> int:
        """0 for info to 3 for critical."""
        return list(Severity).index(self)


class Change(StrEnum):
    """What a step did to a finding."""

    OPENED = "opened"
    UPDATED = "updated"
    CLEARED = "cleared"  # the world changed
    SUPERSEDED = "superseded"  # the data were wrong


class EventType(StrEnum):
    """The event types of the contract, and the service's own two."""

    DEMOGRAPHICS = "demographics"
    CONSENT = "consent"
    OBSERVATION = "observation"
    CONDITION = "condition"
    PROCEDURE = "procedure"
    MEDICATION = "medication"
    ADMINISTRATION = "administration"
    ADVERSE_EVENT = "adverse_event"
    ASSESSMENT = "assessment"
    ENROLMENT = "enrolment"
    OVERRIDE = "override"
    DEATH = "death"
    CORRECTION = "correction"
    # Never published: appended by the service itself.
    CONTRIBUTION = "contribution"
    DISCARD = "discard"
    ACTIVATION = "activation"


class ValueType(StrEnum):
    """The types of facts, which are also the only ones that reach the engine."""

    BOOLEAN = "boolean"
    INTEGER = "integer"
    NUMBER = "number"
    CODE = "code"  # a string out of a declared list
    STRING = "string"
