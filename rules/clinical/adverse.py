"""What follows of what was told of one adverse event: serious, suspected, expected, a SUSAR.

Who comes in: the readings of an adverse event. Who goes out: facts, unknown (None) where nothing
was told that they rest on. Sources: ICH E2A II.B and III.B; EU CTR 536/2014 Art 2(33), 41, 42;
21 CFR 312.32(a). Grade is severity and never seriousness, but grade 5 is death.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from rules.model import EventGroup, Listed, Reference, Scalar

SUSPECTED = ("related", "probable", "possible")
_DEATH = frozenset({"death", "fatal", "results_in_death", "resulted_in_death", "died"})
_LIFE_THREATENING = frozenset({"life_threatening", "lifethreatening", "is_life_threatening"})
_NOT_KNOWN = frozenset({"unknown", "not_known", "not_reported"})  # of an outcome: nothing told
_OVER = frozenset(
    {
        "recovered",
        "resolved",
        "recovered_resolved",
        "recovered_with_sequelae",
        "resolved_with_sequelae",
        "recovered_resolved_with_sequelae",
        *_DEATH,
    }
)
# Of ICH E2A and 21 CFR 312.32(a), as they are usually spelled. Another word is a criterion too, and
# nobody knows which.
_CRITERIA = frozenset(
    {
        *_DEATH,
        *_LIFE_THREATENING,
        *("hospitalisation", "hospitalization", "inpatient_hospitalisation"),
        *("prolongation", "prolonged_hospitalisation", "prolongation_of_hospitalisation"),
        *("disability", "persistent_or_significant_disability", "incapacity"),
        *("congenital_anomaly", "birth_defect", "congenital_anomaly_birth_defect"),
        *("medically_important", "important_medical_event", "other"),
    }
)
FATAL_GRADE = 5

Values = Mapping[str, Any]
Day = str  # ISO 8601, so that days compare as they stand


def folded(text: str) -> str:
    """A term as terms are compared: without case, with one space between words.

    A letter sent in parts (accents, all of Hangul), or in full width, is that letter.
    """
    if not text.isascii():
        text = unicodedata.normalize("NFKC", text)
    return " ".join(text.casefold().split())


def _word(text: object) -> str:
    return "_".join(
        str(text).casefold().replace("/", " ").replace("-", " ").replace("_", " ").split()
    )


def derived(values: Values, onset: Day, reference: Reference) -> dict[str, Scalar | None]:
    """The facts that follow; `onset`: the first local day it may have begun on.

    What the reference safety information lists must have been in force then.
    """
    fatal = is_fatal(values)
    serious = is_serious(values)
    expected = is_expected(values, onset, reference)
    suspected = is_suspected(values)
    found: dict[str, Scalar | None] = {
        "is_fatal": fatal,
        "is_life_threatening": _listed_criterion(values, _LIFE_THREATENING),
        "is_serious": serious,
        "seriousness_conflict": _seriousness_conflict(values, fatal=fatal),
        "is_suspected": suspected,
        "is_expected": expected,
        "expectedness_conflict": _differ(values.get("expected"), expected),
        "is_susar": _susar(serious=serious, suspected=suspected, expected=expected),
        "ae_ongoing": is_ongoing(values),
    }
    return found | in_groups(values, reference)


def is_fatal(values: Values) -> bool | None:
    """Grade 5, a fatal outcome, or death among the criteria; unknown where none of these is told.

    A death told as an event of its own makes no adverse event fatal: nobody said of which it was.
    """
    grade, outcome = values.get("grade"), values.get("outcome")
    criterion = _listed_criterion(values, _DEATH)
    if grade == FATAL_GRADE or criterion is True:
        return True
    if outcome is not None and _word(outcome) not in _NOT_KNOWN:
        return _word(outcome) in _DEATH
    unclear = criterion is None and bool(values.get("seriousness"))
    return False if (grade is not None and not unclear) or criterion is False else None


def _listed_criterion(values: Values, words: frozenset[str]) -> bool | None:
    """Whether a criterion is listed; None where no list was told, or a word that nobody knows."""
    told = values.get("seriousness")
    if not isinstance(told, Sequence) or isinstance(told, str):
        return None
    listed = {_word(one) for one in told}
    if not words.isdisjoint(listed):
        return True
    return False if listed <= _CRITERIA else None


def is_serious(values: Values) -> bool | None:
    """Any criterion makes it serious, whatever the flag says; unknown where neither was told."""
    flag, listed = values.get("serious"), values.get("seriousness")
    if flag is True or listed or is_fatal(values):
        return True
    return None if flag is None and listed is None else False


def _seriousness_conflict(values: Values, *, fatal: bool | None) -> bool | None:
    """Flagged not serious, and a criterion of seriousness is met."""
    flag = values.get("serious")
    if flag is None:
        return None
    return flag is False and (bool(values.get("seriousness")) or fatal is True)


def is_suspected(values: Values) -> bool:
    """A reasonable possibility of a causal relation; not assessed counts as suspected."""
    causality = values.get("causality")
    return causality is None or causality in SUSPECTED


def is_expected(values: Values, onset: Day, reference: Reference) -> bool | None:
    """Whether the reference safety information lists it, no more severe, and no more fatal.

    A more specific term is not listed. Without a reference the reporter's word is all there is.
    Unknown without a term, without the grade where a listing is bounded by one, and without what
    tells whether it was fatal where the listing is of no death.
    """
    if reference.listed is None:
        told = values.get("expected")
        return None if told is None else bool(told)
    term = values.get("term")
    if term is None:
        return None if reference.listed else False
    entries = [one for one in reference.listed if _names(one, str(term)) and one.in_force(onset)]
    answers = [_covers(one, values) for one in entries]
    if True in answers:
        return True
    return None if None in answers else False


def _names(entry: Listed, term: str) -> bool:
    return folded(term) in entry.terms


def _covers(entry: Listed, values: Values) -> bool | None:
    """Whether a listing that names it is of its severity and outcome.

    One that lists no death covers only what is known to be none.
    """
    fatal, grade = is_fatal(values), values.get("grade")
    if fatal is True and entry.fatal:
        return True
    severe = (
        False if entry.max_grade is None else None if grade is None else grade > entry.max_grade
    )
    worse = (severe, False if entry.fatal else fatal)
    return False if True in worse else None if None in worse else True


def _differ(told: Any, found: bool | None) -> bool | None:
    return None if told is None or found is None else bool(told) != found


def _susar(*, serious: bool | None, suspected: bool, expected: bool | None) -> bool | None:
    """Serious, suspected, and not known to be expected."""
    if not suspected or expected is True:
        return False
    return serious


def is_ongoing(values: Values) -> bool:
    """No end and no outcome that is one: what was not told to be over goes on."""
    if values.get("resolved") is not None:
        return False
    outcome = values.get("outcome")
    return outcome is None or _word(outcome) not in _OVER


def in_groups(values: Values, reference: Reference) -> dict[str, Scalar | None]:
    """`ae_in_<group>` for each group of events; unknown where it was not named as the group is."""
    if not reference.groups:
        return {}
    term = values.get("term")
    name = None if term is None else folded(str(term))
    codings = {f"{one['system']}|{one['code']}" for one in values.get("coding") or ()}
    return {f"ae_in_{one.name}": _in_group(one, name, codings) for one in reference.groups}


def _in_group(group: EventGroup, name: str | None, codings: Collection[str]) -> bool | None:
    """A group of terms cannot be left out by a code alone, nor one of codes by another system's."""
    if name in group.terms or not group.codings.isdisjoint(codings):
        return True
    if group.terms:
        return None if name is None else False
    systems = {_system(one) for one in group.codings}
    return None if systems.isdisjoint(map(_system, codings)) else False


def _system(coding: str) -> str:
    return coding.rpartition("|")[0]
