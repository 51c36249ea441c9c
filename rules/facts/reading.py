"""What a fact is at one instant: its value with its provenance, or why there is none.

Who comes in: projections, entities, derived facts. Who goes out: Reading.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, Protocol

from rules.facts.calendar import FOREVER
from rules.facts.timeline import END, EVENT, NOTE, START, VALUE, Record, Timeline
from rules.model import Scalar


class Reading(NamedTuple):
    """One fact at one instant; `value` None is unknown.

    `until_us`: when time alone may change it.
    """

    value: Scalar | None
    time_us: int | None = None
    event: str | None = None
    note: str | None = None  # what was recorded in place of a value, or is to be said of it
    until_us: int = FOREVER
    end_us: int | None = None  # of the span that the record behind it stands for; None: no span


UNKNOWN = Reading(None)
# Noted beside a value that counts though it may lie outside of its window.
INEXACT = "exact time not recorded"
DATE_ONLY = "date only"
UNTOLD = "not all is told"
EXPIRED = "expired"
PARTIAL = "birth date is partial"
NO_ANCHOR = "the anchor has not happened"
NO_REFERENCE = "no reference range"
UNDEFINED = "undefined"
# Noted beside a value that a person judged: whose it is, and how long it holds.
OPINION = "opinion of "


class Projection(Protocol):
    """One fact compiled. `since_us`: when an anchor that is a date alone may have begun."""

    def __call__(
        self, timeline: Timeline, as_of_us: int | None, now_us: int, since_us: int | None = None, /
    ) -> Reading: ...


Alike = Callable[[int, int], bool]  # whether no condition tells the whole numbers from..to apart


def read(record: Record, until_us: int = FOREVER) -> Reading:
    """The record as the fact."""
    note = note_of(record) if len(record) > NOTE else None
    return Reading(record[VALUE], began(record), record[EVENT], note, until_us, end_of(record))


def note_of(record: Record) -> str | None:
    """What stands in place of the record's value, or that the value is somebody's opinion."""
    note: str | None = record[NOTE] if len(record) > NOTE else None
    if note is None or record[VALUE] is None or note.startswith(OPINION):
        return note
    return None


def joined(*notes: str | None) -> str | None:
    """Several notes as one."""
    return "; ".join(note for note in notes if note is not None) or None


def unsure(record: Record, note: str, until_us: int = FOREVER) -> Reading:
    """The record, and why it says nothing."""
    return Reading(None, began(record), record[EVENT], note, until_us, end_of(record))


def began(record: Record) -> int | None:
    """When a record's span begins; None where nobody can say, as of an onset never told."""
    start: int = record[START]
    return None if abs(start) >= FOREVER else start


def end_of(record: Record) -> int | None:
    """The end of a record's span; None for an instant, and where its beginning is not known."""
    instant = record[END] == record[START] or began(record) is None
    return None if instant or abs(record[END]) >= FOREVER else record[END]
