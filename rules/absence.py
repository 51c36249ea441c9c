"""Why a fact has no value, in the words of Absence.

Who comes in: views and worklists, with readings. Who goes out: one word each.
"""

from __future__ import annotations

from rules.facts.projections import UNKNOWN, Reading
from rules.terms import Absence

# What a record may hold in place of a value. Any other note says why a recorded value says too
# little: a date alone, a suspicion, a birth date of a year alone.
_RECORDED_AS = {word.value: word for word in Absence if word is not Absence.RECORDED}


def reason(reading: Reading | None, *, applies: bool = True) -> Absence:
    """The word for a reading without a value; `applies` False: the fact does not apply."""
    if not applies:
        return Absence.NOT_APPLICABLE
    if reading is None or (reading.event is None and reading.note is None):
        return Absence.NOT_RECORDED
    if reading == UNKNOWN or reading.note is None:
        return Absence.UNCERTAIN if reading.event else Absence.NOT_RECORDED
    return _RECORDED_AS.get(reading.note, Absence.UNCERTAIN)
