"""Time, asked for in one place, so that everything else takes it as an argument."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
SECOND_US = 1_000_000
# Outside of these no event happened and no question is asked: windows, birthdays and other zones
# reach beyond an instant, and the calendar must still have those days.
FIRST_YEAR, LAST_YEAR = 1900, 2199
# Hosts' clocks differ by less, and no claim or lease lasts so long: one that ends later than this
# was written by a clock that has been set back since, and holds nobody.
ASTRAY_US = 60 * SECOND_US


def now_us() -> int:
    """The wall clock in microseconds since 1970 UTC."""
    return time.time_ns() // 1000


def to_us(moment: datetime) -> int:
    """Exact microseconds since 1970 of an aware `moment`."""
    return (moment - EPOCH) // timedelta(microseconds=1)


def iso(instant_us: int) -> str:
    """RFC 3339 in UTC; microseconds only where there are some."""
    return (EPOCH + timedelta(microseconds=instant_us)).isoformat().replace("+00:00", "Z")
