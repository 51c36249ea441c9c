"""The scenes of an evening, in their order: recruitment, treatment, then the stopping table.

Who comes in: the demo's process, with what earlier evenings left in the trial. Who goes out:
scenes. A table that has been reached is not reached again: from then on an evening begins with two
persons who let the trial go on, and recruitment reaches its target instead. After that nobody is
enrolled, and an evening ends with who would have been eligible.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

from services.demo.cast import (
    Person,
    consent,
    enrolled,
    fever,
    followed_up,
    hiv,
    infused_today,
    infusions,
    mild,
    record,
    screening,
    severe,
    well_today,
)
from services.demo.clinic import liver, organs, untreated, well
from services.demo.scenes import Ago, Answer, Fact, On, Resumption, Scene, Shift, Target

# Each is named for the part that it plays.
FIRST = Person(1, 58, "female", 77)
MIXED_UP = Person(2, 41, "male", 24)
CHILD = Person(3, 11, "male", 45)
WAIVED = Person(4, 63, "female", 34)
LIVER = Person(5, 35, "male", 30)
REACTING = Person(6, 47, "female", 22)
TOO_EARLY = Person(7, 29, "male", 3)
TREATED = (MIXED_UP, CHILD, WAIVED)
ELSEWHERE = (LIVER, REACTING)
# So many scenes after it was told, a fever is a whole day old and its alert ends by itself.
CLEARS_AFTER = 4
# How long ago the first subject was infused, by whether the window of toxicity is to be over.
_FINISHED = {True: (70, 63, 56, 49), False: (28, 21, 14, 7)}
_DAY, _MINUTE, _SECOND = timedelta(days=1), timedelta(minutes=1), timedelta(seconds=1)


@dataclass(frozen=True)
class Evening:
    """Which one it is, and how earlier ones left the trial."""

    number: int = 1
    suspended: bool = False
    crossed: bool = False  # whether the stopping table has been reached
    evaluable: int = 0  # subjects that count for it
    full: bool = False  # whether the target of enrolment has been reached

    def name(self, who: int) -> str:
        """The pseudonym under which a subject is published: no two evenings share one."""
        return f"D{self.number}-{who:02}"


def story(evening: Evening, pace: timedelta) -> Iterator[Scene]:
    """The whole evening; `pace` from one scene to the next."""
    if evening.suspended and not evening.full:
        yield _resumption(evening)
    yield from _recruitment(evening)
    if evening.full:
        yield Scene("The trial has its full number: who is eligible is not enrolled (Trial).")
        return
    if evening.crossed:
        yield _enrolment(evening, TREATED)
        yield _treatment(evening)
        yield from _fever(evening, pace, _pneumonia(evening, "unlikely"))
    else:
        yield _enrolment(evening, (FIRST, *TREATED))
        yield _finished(evening)
        yield from _response(evening)
        yield _treatment(evening)
        yield _elsewhere(evening)
        yield from _fever(evening, pace, _pneumonia(evening, "possible"))
        yield from _cause(evening)
        yield from _crossing(evening)
    yield _recovery(evening)


def _resumption(evening: Evening) -> Scene:
    """Two persons, each with a reason; the alert of the table is a person's to end."""
    deeds: list[Answer | Resumption] = [
        Resumption("clinician", "The safety board has seen every case: continue as planned."),
        Resumption("admin", "The sponsor agrees with the safety board."),
    ]
    if evening.crossed:
        note = "Reviewed by the safety board; the trial goes on."
        deeds.append(Answer("resolve", "ST-TOX-CROSSED", None, note))
    return Scene("The trial is suspended: two persons let it go on (Trial: open).", (), deeds)


def _recruitment(evening: Evening) -> Iterator[Scene]:
    """Gaps, an error, a child, and a criterion that the record lets the investigator waive."""
    one, two, three, four = (evening.name(each.who) for each in (FIRST, *TREATED))
    yield Scene(
        f"{one} is screened, with gaps (Inbox: which data are missing).",
        screening(FIRST, without={"hiv_status", "ecog"}),
    )
    yield Scene(
        f"{two} is screened; the laboratory reports HIV positive (Inbox: not eligible).",
        screening(MIXED_UP, hiv(2, "positive", On(MIXED_UP.screened, "11:10"))),
    )
    yield Scene(
        f"{one}'s missing results arrive: eligible (Subject: 16 criteria).",
        [
            Fact(1, "assessment", {"code": "ecog", "value": 1}, On(76, "09:10")),
            hiv(1, "negative", On(76, "14:20")),
        ],
    )
    yield Scene(
        f"{two}'s sample was somebody else's: the false alert is taken back (superseded).",
        [_corrected(MIXED_UP)],
    )
    yield Scene(
        f"{three}, aged 11: a guardian has signed, the child's own assent is missing.",
        screening(CHILD, without={"assent"}),
    )
    yield Scene(
        f"{three} assents: eligible.",
        [Fact(3, "consent", consent("assent"), On(43, "10:30"))],
    )
    yield Scene(
        f"{four} takes part in another trial: exclusion 7 (Inbox: not eligible).",
        screening(
            WAIVED,
            Fact(4, "assessment", {"code": "other_trial", "value": True}, On(34, "11:00")),
        ),
    )
    yield Scene(
        f"The investigator waives exclusion 7 for {four}, as the record allows (Subject: E7).",
        [_waived(WAIVED)],
    )


def _corrected(person: Person) -> Fact:
    data = {
        "corrects": Target(person.who, "hiv_status"),
        "data": {"code": "hiv_status", "value": "negative"},
        "reason": "Sample mixed up in the laboratory",
    }
    return Fact(person.who, "correction", data, On(20, "16:05"))


def _waived(person: Person) -> Fact:
    reason = "Observational registry only; no interaction with the study treatment."
    data = {"criterion": "E7", "by": "investigator", "reason": reason}
    return Fact(person.who, "override", data, On(29, "13:15"), role="clinician")


def _enrolment(evening: Evening, persons: tuple[Person, ...]) -> Scene:
    names = [evening.name(each.who) for each in persons]
    days = {FIRST: _FINISHED[evening.evaluable == 0][0] + 2, MIXED_UP: 17, CHILD: 40, WAIVED: 27}
    return Scene(
        f"{', '.join(names[:-1])} and {names[-1]} are enrolled; no infusion is on record (Inbox).",
        [enrolled(each.who, On(days[each], "12:00")) for each in persons],
    )


def _finished(evening: Evening) -> Scene:
    """Four infusions; the window of toxicity is over only on the first such evening."""
    over = evening.evaluable == 0
    days = _FINISHED[over]
    before = organs(1, On(days[0], "09:10"), 88, skin=2, mouth=1, mouth_omrs=4, eyes=1)
    told = [*([followed_up(1, 19)] if over else []), *before, *infusions(FIRST, *days)]
    return Scene(
        f"{evening.name(1)}: four infusions, all well: none was missed (Subject: the timeline).",
        [*told, mild(1, "AE-1", "Headache", "possible", days[1])],
    )


def _response(evening: Evening) -> Iterator[Scene]:
    """Four weeks after the last infusion, where these are over."""
    if evening.evaluable:
        return
    when = On(_FINISHED[True][-1] - 28, "10:20")
    yield Scene(
        f"{evening.name(1)}'s organs four weeks later: skin and mouth improved (Trial: Response).",
        [
            *liver(1, when, **well(FIRST.chance)),
            *untreated(1, when),
            *organs(1, when, 87, skin=1, mouth=1, mouth_omrs=1, eyes=1),
        ],
    )


def _treatment(evening: Evening) -> Scene:
    two, three, four = (evening.name(each.who) for each in TREATED)
    return Scene(
        f"Infusions and mild complaints of {two}, {three} and {four}: none was missed.",
        [
            *infusions(MIXED_UP, 15, 8),
            *infusions(CHILD, 38, 31, 24, 17),
            *infusions(WAIVED, 21, 14, 7),
            mild(2, "AE-1", "Nausea", "unlikely", 13),
            mild(3, "AE-1", "Chills", "probable", 31),
            mild(3, "AE-2", "Fatigue", "possible", 23),
            mild(4, "AE-1", "Headache", "possible", 14),
        ],
    )


def _elsewhere(evening: Evening) -> Scene:
    """Two whole records at once, from enrolled subjects: nothing in them needs a person.

    Told event by event, an infusion looks missed until the next line tells of it.
    """
    five, six = (evening.name(each.who) for each in ELSEWHERE)
    facts = [
        *record(LIVER),
        enrolled(5, On(27, "12:00")),
        *infusions(LIVER, 21, 14, 7),
        *record(REACTING),
        enrolled(6, On(18, "12:00")),
        *infusions(REACTING, 15, 8),
        mild(6, "AE-1", "Dizziness", "possible", 8),
    ]
    return Scene(f"The records of {five} and {six} arrive at once: nothing stays open.", facts)


def _fever(evening: Evening, pace: timedelta, meanwhile: Scene) -> Iterator[Scene]:
    """A fever holds the next infusion; it is given; a day after the fever time ends the alert."""
    two, told = evening.name(2), _DAY - CLEARS_AFTER * pace
    yield Scene(
        f"{two} had a fever yesterday (Inbox: hold the next infusion).",
        [fever(2, 38.6, Ago(told))],
    )
    yield Scene(
        f"{two} was infused all the same, within 24 hours of the fever, through a closed gate.",
        [infused_today(2, 3)],
    )
    note = "Seen at the bedside; blood cultures taken, infusion 4 is on hold."
    yield Scene(
        "The investigator acknowledges that alert, with a note (Inbox: who, when).",
        deeds=[Answer("acknowledge", "S-INFUSED-FEVER", 2, note)],
    )
    yield meanwhile
    yield Scene(f"{two}'s fever is 24 hours old: time alone ends its alert (cleared).")


def _pneumonia(evening: Evening, causality: str) -> Scene:
    who = evening.name(4)
    related, counts = "relation unlikely", "no step on the stopping table"
    if causality == "possible":
        related, counts = "possibly related", "one step on the stopping table"
    return Scene(
        f"{who} is in hospital with pneumonia, {related}: {counts}.",
        [
            severe(
                4,
                "AE-2",
                "Pneumonia",
                3,
                On(5, "19:30"),
                causality=causality,
                **_SERIOUS,
                aware_at=Ago(180 * _MINUTE),
            )
        ],
    )


_SERIOUS = {"serious": True, "seriousness": ["hospitalisation"]}


def _cause(evening: Evening) -> Iterator[Scene]:
    """Nobody has judged the cause, so it counts; then somebody does."""
    who = evening.name(5)
    term = "Alanine aminotransferase increased"
    yield Scene(
        f"{who}: {term}, grade 3, cause not judged (Trial: Liver).",
        [
            *liver(5, On(5, "08:20"), alt=6.4, alp=0.8, bilirubin=0.7),
            severe(5, "AE-1", term, 3, On(5, "08:40"), serious=False),
        ],
    )
    judged = {"ae": "AE-1", "causality": "unrelated"}
    now = Ago(5 * _MINUTE)
    yield Scene(
        f"{who}: judged unrelated, and the value has fallen: both alerts end by themselves.",
        [*liver(5, now, alt=1.4, alp=0.7, bilirubin=0.6), Fact(5, "adverse_event", judged, now)],
    )


def _crossing(evening: Evening) -> Iterator[Scene]:
    """Two more subjects with a severe related event, and what happens around the hold."""
    two, five, six, seven = (evening.name(who) for who in (2, 5, 6, 7))
    yield Scene(
        f"{two} has sepsis after that infusion (Trial: how near the stopping table is).",
        [severe(2, "AE-2", "Sepsis", 3, Ago(12 * _MINUTE), causality="possible", **_SERIOUS)],
    )
    lethal = {"serious": True, "seriousness": ["life_threatening"]}
    onset = Shift(50 * _MINUTE)
    yield Scene(
        f"{six}: life-threatening reaction. The table is reached: enrolment is SUSPENDED (Trial).",
        [
            well_today(6),
            infused_today(6, 3),
            severe(6, "AE-2", "Anaphylactic reaction", 4, onset, causality="related", **lethal),
        ],
    )
    yield Scene(
        f"{seven} was enrolled after that, and without an ECOG rating: critical.",
        [*record(TOO_EARLY, without={"ecog"}), enrolled(7, Ago(_SECOND))],
    )
    yield Scene(
        f"{five}'s infusion of today is not given, as the hold asks: a deviation, and a minor one.",
        [infused_today(5, 4, "not_done")],
    )
    note = "Safety board called; nobody is enrolled or infused until it has decided."
    yield Scene(
        "The investigator acknowledges the suspension (Inbox). Two persons can resume it.",
        deeds=[Answer("acknowledge", "ST-TOX-CROSSED", None, note)],
    )


def _recovery(evening: Evening) -> Scene:
    outcome = {"ae": "AE-2", "outcome": "recovered", "resolved": Ago(120 * _MINUTE)}
    note = "Recovered and discharged; reported to the sponsor."
    return Scene(
        f"{evening.name(4)} has recovered; the investigator closes the alert with a note.",
        [Fact(4, "adverse_event", outcome, Ago(_MINUTE))],
        [Answer("resolve", "S-SAE", 4, note)],
    )
