"""The subjects of the demo, and what a site records of them: screening, infusions, toxicities.

Who comes in: story and everyday. Who goes out: facts. Values are drawn from a seed for each
subject, so that a subject is the same at every telling.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import timedelta
from random import Random

from services.demo import clinic
from services.demo.scenes import Born, Data, Day, Fact, Moment, On, Shift

SEED = 20
_ABSENT = (
    *("acute_infection", "associated_tumour", "unknown_active_infection", "bacterial_infection"),
    *("fungal_infection", "uncontrolled_hypertension", "unstable_angina", "heart_failure"),
    *("severe_diabetes", "myocardial_infarction", "arrhythmia", "other_non_malignant_disease"),
    *("mental_disorder", "drug_addiction"),
)
_NO = ("other_trial", "unfit", "other_serious_condition", "disorder_affects_study")
_COURSES = ("no_improvement_4_weeks", "worsening_2_weeks", "worsening_on_taper")
# Ages as the protocol parts them: a guardian's consent, the child's assent, one's own consent.
_ASSENT_FROM, _OWN_FROM = 5, 13
# In cells a kilogram.
_DOSE: Data = {"product": "MSC", "dose": 2_000_000, "unit": "/kg"}


@dataclass(frozen=True)
class Person:
    """Who it is, as far as the criteria ask."""

    who: int
    age: int
    sex: str  # female | male
    screened: int  # days ago

    @property
    def chance(self) -> Random:
        """What is drawn for this subject: the same at every telling."""
        return Random(f"{SEED}/{self.who}")  # noqa: S311 - a story, not a secret


def screening(person: Person, *more: Fact, without: Collection[str] = ()) -> list[Fact]:
    """The record, then the word that the subject is screened: from there on it is watched."""
    visit = Fact(person.who, "enrolment", {"status": "screened"}, On(person.screened, "11:30"))
    return [*record(person, *more, without=without), visit]


def record(person: Person, *more: Fact, without: Collection[str] = ()) -> list[Fact]:
    """What the criteria ask for, all in the subject's favour, less what is `without`.

    `more` replaces what has its code.
    """
    left = {*without, *(fact.data.get("code") for fact in more)} - {None}
    when = On(person.screened, "09:40")
    recorded = [
        Fact(person.who, kind, each, when)
        for kind, each in _favourable(person, person.chance)
        if not left & {each.get("code"), each.get("document")}
    ]
    return [*recorded, *more]


def _favourable(person: Person, chance: Random) -> list[tuple[str, Data]]:
    """Type and data of everything that the criteria ask for."""
    age = person.age
    born = Born(age, person.screened + chance.randint(30, 300))
    return [
        ("demographics", {"birth_date": born, "sex": person.sex}),
        *_consents(age),
        *_disease(person, chance),
        (
            "assessment",
            {"code": "ecog", "value": chance.choice((0, 1, 1, 2)), "by": "investigator"},
        ),
        ("observation", {"code": "hiv_status", "value": "negative"}),
        ("observation", _pressure(chance)),
        ("observation", _temperature(chance)),
        *(_of_a_woman(age) if person.sex == "female" else ()),
        *(("condition", {"code": code, "status": "absent"}) for code in _ABSENT),
        ("procedure", {"code": "coronary_angioplasty", "status": "not_done"}),
        ("assessment", {"code": "survival_over_3_months", "value": True}),
        *(("assessment", {"code": code, "value": False}) for code in _NO),
    ]


def _consents(age: int) -> list[tuple[str, Data]]:
    """Who signs depends on the age."""
    guardian = ("consent", consent("guardian_consent", "guardian"))
    if age < _ASSENT_FROM:
        return [guardian]
    if age < _OWN_FROM:
        return [guardian, ("consent", consent("assent"))]
    return [("consent", consent("informed_consent"))]


def consent(document: str, given_by: str = "subject") -> Data:
    """A signed document."""
    return {"document": document, "given_by": given_by, "version": "2", "status": "given"}


def _disease(person: Person, chance: Random) -> list[tuple[str, Data]]:
    """The transplantation, then the disease that the trial treats."""
    grafted = person.screened + chance.randint(300, 900)
    began = Day(grafted - chance.randint(150, 240))
    return [
        ("procedure", {"code": "allogeneic_hsct", "status": "done", "start": Day(grafted)}),
        ("condition", {"code": "cgvhd", "status": "active", "onset": began}),
        ("assessment", {"code": "cgvhd_course", "value": chance.choice(_COURSES)}),
    ]


def _of_a_woman(age: int) -> list[tuple[str, Data]]:
    fertile = 12 <= age <= 50
    return [
        ("observation", {"code": "pregnancy_test", "value": "negative"}),
        ("condition", {"code": "breastfeeding", "status": "absent"}),
        ("assessment", {"code": "childbearing_potential", "value": fertile}),
        ("assessment", {"code": "contraception_adequate", "value": True}),
    ]


def _temperature(chance: Random, low: float = 36.3, high: float = 37.3) -> Data:
    value = round(chance.uniform(low, high), 1)
    return {"code": "body_temperature", "value": value, "unit": "Cel"}


def _pressure(chance: Random) -> Data:
    return {"code": "diastolic_bp", "value": chance.randint(62, 88), "unit": "mm[Hg]"}


def vital(chance: Random) -> Data:
    """One of the everyday measurements, as it should be."""
    return chance.choice((_temperature, _pressure))(chance)


def fever(who: int, celsius: float, when: Moment) -> Fact:
    """A temperature of 38 degrees or more."""
    data = {"code": "body_temperature", "value": celsius, "unit": "Cel"}
    return Fact(who, "observation", data, when)


def hiv(who: int, value: str, when: Moment) -> Fact:
    """The serology."""
    return Fact(who, "observation", {"code": "hiv_status", "value": value}, when)


def enrolled(who: int, when: Moment) -> Fact:
    """Into the trial, at its one site."""
    return Fact(who, "enrolment", {"status": "enrolled", "site": "site 1"}, when)


def infusions(person: Person, *days: int, first: int = 1) -> list[Fact]:
    """Infusions on these days: liver tests, temperature, pressure; the last two also after it.

    Nothing of it lies after the last midnight. What was looked at is told before the infusions, as
    the gate asks; those the last first, as from a whole record: what falls due after the last one
    is then never overdue meanwhile after the first.
    """
    looked_at: list[Fact] = []
    given: list[Fact] = []
    chance = Random(f"{SEED}/{person.who}/{first}")  # noqa: S311 - a story, not a secret
    for number, day in enumerate(days, first):
        begin, end = On(day, "10:00"), On(day, "10:45")
        after = [each for each in (On(day, "11:45"), On(day - 1, "08:15")) if each.days >= 1]
        data = {**_DOSE, "number": number, "status": "completed", "start": begin, "end": end}
        looked_at += clinic.liver(person.who, On(day, "09:20"), **clinic.well(chance))
        looked_at += _vitals(person.who, [On(day, "09:30"), *after], chance)
        complete = {"code": "infusion_observation", "value": True, "by": "investigator"}
        looked_at += [Fact(person.who, "assessment", complete, each) for each in after[-1:]]
        given.append(Fact(person.who, "administration", data, end))
    return [*looked_at, *given[::-1]]


def well_today(who: int) -> Fact:
    """The temperature that is taken before an infusion of the last working hours."""
    data = {"code": "body_temperature", "value": 36.6, "unit": "Cel"}
    return Fact(who, "observation", data, Shift(timedelta(minutes=-20)))


def followed_up(who: int, day: int) -> Fact:
    """The visit 30 days after the last infusion."""
    data = {"code": "safety_follow_up", "status": "done", "start": On(day, "09:00")}
    return Fact(who, "procedure", data, On(day, "09:40"))


def infused_today(who: int, number: int, status: str = "completed") -> Fact:
    """An infusion of the last working hours."""
    begin, end = Shift(), Shift(timedelta(minutes=45))
    given = {"number": number, "status": status}
    if status != "not_done":
        given |= {**_DOSE, "start": begin, "end": end}
    return Fact(who, "administration", given, end)


def _vitals(who: int, times: Sequence[Moment], chance: Random) -> list[Fact]:
    return [
        Fact(who, "observation", data, when)
        for when in times
        for data in (_temperature(chance), _pressure(chance))
    ]


def mild(who: int, ae: str, term: str, causality: str, day: int) -> Fact:
    """An adverse event of grade 1 that went away by itself."""
    data = {"ae": ae, "term": term, "grade": 1, "serious": False, "causality": causality}
    over = {"onset": On(day, "15:20"), "resolved": On(day, "21:00"), "outcome": "recovered"}
    return Fact(who, "adverse_event", {**data, **over}, On(day, "21:10"))


def severe(who: int, ae: str, term: str, grade: int, onset: Moment, **more: object) -> Fact:
    """An adverse event of grade 3 or more, told when the investigator has learned of it."""
    data = {"ae": ae, "term": term, "grade": grade, "onset": onset, "outcome": "not recovered"}
    if more.get("serious"):  # and has told the sponsor at once
        aware_at = more.get("aware_at", onset)
        data |= {"aware_at": aware_at, "reported_at": aware_at}
    return Fact(who, "adverse_event", {**data, **more}, onset)
