"""Synthetic subjects of the flagship: seeded, believable, nobody's data.

Who comes in: the benchmark and the fault tests. Who goes out: CloudEvents as dictionaries, in the
order in which a site would send them.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

Data = dict[str, Any]

SOURCE = "https://synthetic.example/edc"
CONDITIONS_ABSENT = (
    "acute_infection",
    "bacterial_infection",
    "fungal_infection",
    "unknown_active_infection",
    "associated_tumour",
    "uncontrolled_hypertension",
    "unstable_angina",
    "heart_failure",
    "severe_diabetes",
    "myocardial_infarction",
    "arrhythmia",
    "other_non_malignant_disease",
    "mental_disorder",
    "drug_addiction",
)
JUDGEMENTS = {
    "survival_over_3_months": True,
    "other_trial": False,
    "unfit": False,
    "other_serious_condition": False,
    "disorder_affects_study": False,
}
TERMS = ("Pyrexia", "Headache", "Nausea", "Rash", "Neutropenia", "Pneumonia")


def subject_events(
    trial: str, subject: str, count: int, seed: int, start: datetime
) -> list[dict[str, Any]]:
    """`count` events of one subject from `start` on: screening, infusions, then follow-up."""
    chance = Random(f"{seed}/{subject}")  # noqa: S311 - reproducible, not secret
    moment = start
    events = []
    for number, (kind, data) in zip(range(1, count + 1), _story(chance), strict=False):
        moment += timedelta(minutes=chance.randint(20, 400))
        own_id = f"{subject}-{number}"
        events.append(envelope(trial, subject, own_id, moment.isoformat(), (kind, data)))
    return events


def envelope(
    trial: str, subject: str, own_id: str, moment: str, content: tuple[str, Data]
) -> dict[str, Any]:
    """A CloudEvent of `content` = (type, data) that happened at `moment` (RFC 3339)."""
    kind, data = content
    if data.get("start") == "now":
        data = {**data, "start": moment}
    return {
        "specversion": "1.0",
        "id": own_id,
        "source": SOURCE,
        "type": kind,
        "trial": trial,
        "subject": subject,
        "time": moment,
        "data": data,
    }


def _story(chance: Random) -> Iterator[tuple[str, Data]]:
    yield from _screening(chance)
    yield "enrolment", {"status": "enrolled"}
    infusion = 0
    while True:
        if infusion < 4:
            infusion += 1
            yield "administration", _infusion(infusion)
        for _ in range(chance.randint(4, 8)):
            yield _follow_up(chance)


def _screening(chance: Random) -> Iterator[tuple[str, Data]]:
    yield "enrolment", {"status": "screened"}
    born = datetime(chance.randint(1940, 2004), chance.randint(1, 12), 15, tzinfo=UTC)
    sex = chance.choice(("female", "male"))
    yield "demographics", {"birth_date": born.date().isoformat(), "sex": sex}
    yield "consent", _given("informed_consent")
    yield "condition", {"code": "cgvhd", "status": "active"}
    yield "procedure", {"code": "allogeneic_hsct", "status": "done"}
    yield "assessment", {"code": "cgvhd_course", "value": "worsening_2_weeks"}
    yield "assessment", {"code": "ecog", "value": chance.choice((0, 1, 1, 2, 3))}
    for code in CONDITIONS_ABSENT:
        yield "condition", {"code": code, "status": "absent"}
    yield "procedure", {"code": "coronary_angioplasty", "status": "not_done"}
    for code, value in JUDGEMENTS.items():
        yield "assessment", {"code": code, "value": value}
    yield "observation", {"code": "hiv_status", "value": "negative"}
    yield _pressure(chance)
    yield _temperature(chance)
    if sex == "female":
        yield "observation", {"code": "pregnancy_test", "value": "negative"}
        yield "condition", {"code": "breastfeeding", "status": "absent"}
        yield "assessment", {"code": "childbearing_potential", "value": False}


def _given(document: str) -> Data:
    return {"document": document, "given_by": "subject", "version": "1", "status": "given"}


def _infusion(number: int) -> Data:
    return {"product": "MSC", "number": number, "status": "completed", "start": "now"}


def _pressure(chance: Random) -> tuple[str, Data]:
    value = chance.choice((68, 74, 80, 88, 92, 117))
    return "observation", {"code": "diastolic_bp", "value": value, "unit": "mm[Hg]"}


def _temperature(chance: Random) -> tuple[str, Data]:
    if chance.random() < 0.3:  # a site that measures in Fahrenheit
        value = chance.choice((97.7, 98.6, 99.5, 101.3))
        return "observation", {"code": "body_temperature", "value": value, "unit": "[degF]"}
    value = chance.choice((36.4, 36.6, 36.8, 37.2, 37.4, 38.4))
    return "observation", {"code": "body_temperature", "value": value, "unit": "Cel"}


def _adverse_event(chance: Random) -> tuple[str, Data]:
    data: Data = {
        "ae": f"AE-{chance.randint(1, 6)}",
        "term": chance.choice(TERMS),
        "grade": chance.choice((1, 1, 2, 2, 3, 4)),
        "causality": chance.choice(("related", "possible", "unlikely", "unrelated")),
    }
    if chance.random() < 0.2:
        data |= {"serious": True, "seriousness": ["hospitalisation"]}
    return "adverse_event", data


def _follow_up(chance: Random) -> tuple[str, Data]:
    draw = chance.random()
    if draw < 0.45:
        return _temperature(chance)
    if draw < 0.75:
        return _pressure(chance)
    if draw < 0.92:
        return _adverse_event(chance)
    status = chance.choice(("active", "resolved", "absent"))
    return "condition", {"code": "acute_infection", "status": status}
