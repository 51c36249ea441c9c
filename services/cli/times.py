"""Times as a person writes them on a command line.

Who comes in: commands with `--as-of`. Who goes out: microseconds, or one sentence.
"""

from __future__ import annotations

from datetime import datetime

from services import clock
from services.errors import ServiceError


def instant_us(option: str, text: str) -> int:
    """The instant that `text` names. Raises ServiceError without an offset, or for no time."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise ServiceError(f"{option}: expected a time like 2026-03-02T08:15:00+09:00")
    if not clock.FIRST_YEAR <= moment.year <= clock.LAST_YEAR:
        years = f"{clock.FIRST_YEAR} to {clock.LAST_YEAR}"
        raise ServiceError(f"{option}: lies outside of the years {years}")
    return clock.to_us(moment)
