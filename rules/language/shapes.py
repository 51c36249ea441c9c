"""The shape of every type of event: its keys, what each may hold, which must be there.

Who comes in: events.py. Who goes out: tables and checks of single fields.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rules.language import values
from rules.language.values import Check, Dates, Fault
from rules.language.vocabulary import (
    AE_STATUSES,
    CAUSALITIES,
    DOCUMENTS,
    GIVERS,
    INFUSION_STATUSES,
)
from rules.terms import OWN_TYPES, EventType

Fields = Mapping[str, Check | None]

SEXES = ("female", "male", "other", "unknown")
ENROLMENT = ("screened", "enrolled", "treatment_stopped", "withdrawn", "completed", "lost")
CONDITION = ("active", "resolved", "absent", "suspected")
PROCEDURE = ("done", "not_done")
MEDICATION = ("started", "stopped", "tapering", "dose_changed", "not_taken")
PUBLISHED = tuple(kind for kind in EventType if kind not in OWN_TYPES)

# Which keys must be there; of several in one tuple, at least one.
REQUIRED: Mapping[EventType, tuple[tuple[str, ...], ...]] = {
    EventType.DEMOGRAPHICS: (("birth_date", "sex"),),
    EventType.CONSENT: (("document",), ("given_by",), ("status",)),
    EventType.OBSERVATION: (("code", "coding"), ("value", "absent")),
    EventType.CONDITION: (("code", "coding"), ("status",)),
    EventType.PROCEDURE: (("code", "coding"), ("status",)),
    EventType.MEDICATION: (("code", "coding"), ("status",)),
    EventType.ADMINISTRATION: (("number",), ("status",)),
    EventType.ADVERSE_EVENT: (("ae",),),
    EventType.ASSESSMENT: (("code",), ("value", "scores")),
    EventType.ENROLMENT: (("status",),),
    EventType.OVERRIDE: (("criterion",), ("by",), ("reason",)),
    EventType.DEATH: (),
    EventType.CORRECTION: (("corrects",), ("data", "time", "entered_in_error")),
}
# Two keys of one event that say the same, or contradict each other.
EXCLUSIVE: Mapping[EventType, tuple[tuple[str, str], ...]] = {
    EventType.OBSERVATION: (("value", "absent"),),
    EventType.ASSESSMENT: (("value", "scores"),),
    EventType.CORRECTION: (("entered_in_error", "data"), ("entered_in_error", "time")),
}
SPANS: Mapping[EventType, tuple[str, str]] = {
    EventType.CONDITION: ("onset", "abatement"),
    EventType.PROCEDURE: ("start", "end"),
    EventType.ADMINISTRATION: ("start", "end"),
    EventType.ADVERSE_EVENT: ("onset", "resolved"),
}


def fields_of(dates: Dates) -> Mapping[EventType, Fields]:
    """Every key of every type with its check; None where _Check sees to it."""
    text, words = values.text, values.words
    coded: Fields = {"code": None, "coding": None}
    return {
        EventType.DEMOGRAPHICS: {"birth_date": dates.date, "sex": words(SEXES)},
        EventType.CONSENT: {
            "document": words(DOCUMENTS),
            "given_by": words(GIVERS),
            "version": text(100),
            "status": words(("given", "withdrawn")),
        },
        EventType.OBSERVATION: {
            **coded,
            "value": None,
            "unit": text(100),
            "absent": words(values.ABSENT),
            "reference_low": values.number,
            "reference_high": values.number,
            "method": text(),
            "baseline": values.boolean,
        },
        EventType.CONDITION: {
            **coded,
            "status": words(CONDITION),
            "onset": dates.moment,
            "abatement": dates.moment,
            "severity": text(),
            "stage": text(),
        },
        EventType.PROCEDURE: {
            **coded,
            "status": words(PROCEDURE),
            "start": dates.moment,
            "end": dates.moment,
        },
        EventType.MEDICATION: {
            **coded,
            "status": words(MEDICATION),
            "dose": values.not_below_zero,
            "unit": text(100),
        },
        EventType.ADMINISTRATION: {
            "product": text(),
            "number": values.whole(1, 1000),
            "dose": values.not_below_zero,
            "unit": text(100),
            "status": words(INFUSION_STATUSES),
            "start": dates.moment,
            "end": dates.moment,
        },
        EventType.ADVERSE_EVENT: _adverse_event(dates),
        EventType.ASSESSMENT: {
            **coded,
            "value": None,
            "scores": values.scores,
            "by": text(),
            "expires": dates.moment,
        },
        EventType.ENROLMENT: {"status": words(ENROLMENT), "site": text(), "number": _label},
        EventType.OVERRIDE: {
            "criterion": None,
            "by": text(),
            "reason": text(4000),
            "expires": dates.moment,
        },
        EventType.DEATH: {"cause": text(), "causality": words(CAUSALITIES)},
        EventType.CORRECTION: {
            "corrects": _reference,
            "data": _object,
            "time": dates.instant,
            "entered_in_error": _only_true,
            "reason": text(4000),
        },
    }


def _adverse_event(dates: Dates) -> Fields:
    """Later events of the same `ae` merge by key, and null takes a key back."""
    fields: dict[str, Check] = {
        "term": values.text(),
        "coding": values.coding,
        "grade": values.whole(1, 5),
        "serious": values.boolean,
        "seriousness": values.texts,
        "causality": values.words(CAUSALITIES),
        "expected": values.boolean,
        "onset": dates.moment,
        "resolved": dates.moment,
        "outcome": values.text(200),
        "aware_at": dates.moment,
        "reported_at": dates.moment,
        "submitted_at": dates.moment,
        "status": values.words(AE_STATUSES),
    }

    def or_null(check: Check) -> Check:
        return lambda value: None if value is None else check(value)

    return {"ae": values.text(200)} | {key: or_null(check) for key, check in fields.items()}


def _label(value: Any) -> Fault:
    """A subject's number on the trial: a text or a whole number."""
    return values.whole(0)(value) if isinstance(value, int) else values.text(100)(value)


def _reference(value: Any) -> Fault:
    if not isinstance(value, dict) or value.keys() != {"source", "id"}:
        return "must be {source, id} of the event to correct", ""
    return values.text()(value["source"]) or values.text()(value["id"])


def _object(value: Any) -> Fault:
    return None if isinstance(value, dict) else ("must be the whole corrected data", "")


def _only_true(value: Any) -> Fault:
    return None if value is True else ("must be true where it stands", "leave it out otherwise")
