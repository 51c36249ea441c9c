"""SDTM's partial dates: as the time of an event with its precision, and as Vigil writes dates.

Who comes in: the mapping. Who goes out: texts with the offset of the trial's zone.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

_DAY = timedelta(days=1)
_DATE = re.compile(r"(\d{4})(?:-(\d\d)(?:-(\d\d)(?:T(\d\d):(\d\d)(?::(\d\d))?)?)?)?")
_PRECISIONS = {4: "year", 7: "month", 10: "day"}


@dataclass(frozen=True)
class When:
    """One date of a row: where its span begins, how exact it is, when it is surely over."""

    start: datetime
    precision: str
    over: datetime

    @property
    def text(self) -> str:
        """As data say it: a partial date, or an instant with its offset."""
        length = next((size for size, name in _PRECISIONS.items() if name == self.precision), None)
        return self.start.isoformat()[:length]


def when(text: str, zone: ZoneInfo) -> When | None:
    """What `2013`, `2013-12`, `2013-12-26` or `2013-12-26T14:45[:00]` means; None where empty.

    A month or year is over after its first day, as far as the order of records goes: the day on
    which a row was written is told by other dates of it. Raises ValueError for what is no date.
    """
    if not text:
        return None
    found = _DATE.fullmatch(text)
    if found is None:
        raise ValueError(f"{text} is no date as 2013, 2013-12, 2013-12-26 or 2013-12-26T14:45")
    year, month, day, hour, minute, second = (
        int(part) if part else None for part in found.groups()
    )
    first = date(year or 0, month or 1, day or 1)
    if hour is not None:
        start = datetime(*first.timetuple()[:3], hour, minute or 0, second or 0, tzinfo=zone)
        return When(start, "second", start)
    start, over = (datetime(*day.timetuple()[:3], tzinfo=zone) for day in (first, first + _DAY))
    return When(start, _PRECISIONS[len(text)], over)
