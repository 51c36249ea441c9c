"""Why a fact has no value: not recorded, asked but unknown, refused, not applicable are four.

Who comes in: a reading. Who goes out: Absence.
"""

from __future__ import annotations

from rules.facts.reading import EXPIRED, NO_ANCHOR, NO_REFERENCE, Reading
from rules.terms import Absence

_WORDS = {word.value: word for word in Absence} | {
    EXPIRED: Absence.EXPIRED,
    NO_ANCHOR: Absence.NOT_RECORDED,
    NO_REFERENCE: Absence.NOT_RECORDED,
}


def absence_of(reading: Reading, applies: bool | None = None) -> Absence:
    """Why there is no value; `recorded` where there is one.

    `applies`: what the fact's `applicable_if` says; what is recorded wins over it.
    """
    if reading.value is not None:
        return Absence.RECORDED
    if applies is False:
        return Absence.NOT_APPLICABLE
    if reading.note is None:
        return Absence.NOT_RECORDED if reading.event is None else Absence.UNCERTAIN
    return _WORDS.get(reading.note, Absence.UNCERTAIN)
