"""The single fields of published data: each check says what is wrong, never what the value was.

Who comes in: events.py, field by field. Who goes out: None, or (detail, hint).
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from rules.facts.calendar import Calendar, Span
from rules.language.syntax import did_you_mean

Fault = tuple[str, str] | None
Check = Callable[[Any], Fault]
EXACT = 2**53  # beyond it not every whole number is told from its neighbour

_DATE = re.compile(r"(?:18[89]\d|19\d\d|2[01]\d\d)(?:-\d\d(?:-\d\d)?)?")
_INSTANT = re.compile(
    r"(?:18[89]\d|19\d\d|2[01]\d\d)-\d\d-\d\d[Tt](?:[01]\d|2[0-3]):[0-5]\d(?::[0-5]\d(?:\.\d{1,9})?)?"
    r"(?:[Zz]|[+-](?:[01]\d|2[0-3]):[0-5]\d)"
)
_NAIVE = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d.*")
MOST_SCORE = 1000
ABSENT = ("not_done", "unknown", "refused")
_ORGAN = re.compile(r"[a-z][a-z0-9_]{0,31}")


def text(limit: int = 1000) -> Check:
    """A text of 1 to `limit` characters, without control characters but line ends and tabs."""

    def check(value: Any) -> Fault:
        if not isinstance(value, str):
            return "must be a text", ""
        if not 1 <= len(value) <= limit:
            return f"must have 1 to {limit} characters", ""
        if not value.isprintable() and not re.sub(r"[\n\r\t]", " ", value).isprintable():
            return "holds a character that cannot be printed", ""
        return None

    return check


def words(known: Iterable[str]) -> Check:
    """One of a closed list."""
    closed = tuple(known)

    def check(value: Any) -> Fault:
        if isinstance(value, str) and value in closed:
            return None
        near = did_you_mean(value, closed) if isinstance(value, str) else ""
        return f"must be one of {', '.join(closed)}", near

    return check


def boolean(value: Any) -> Fault:
    """JSON's true or false."""
    return None if isinstance(value, bool) else ("must be true or false", "without quotes")


def number(value: Any) -> Fault:
    """A finite JSON number."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return "must be a number", "without quotes" if isinstance(value, str) else ""
    if isinstance(value, int):
        return None if abs(value) <= EXACT else ("is too large to be told exactly", "")
    return None if math.isfinite(value) else ("must be a finite number", "")


def whole(low: int, high: int = EXACT) -> Check:
    """A JSON integer within bounds, also written 2.0."""

    def check(value: Any) -> Fault:
        if fault := number(value):
            return fault
        if value != int(value) or not low <= value <= high:
            bounds = f" from {low} to {high}" if high < EXACT else f", at least {low}"
            return f"must be a whole number{bounds}", ""
        return None

    return check


def not_below_zero(value: Any) -> Fault:
    """A finite number of at least 0: a dose."""
    return number(value) or (("must not be below 0", "") if value < 0 else None)


def texts(value: Any) -> Fault:
    """A list of up to 50 short texts."""
    one = text(200)
    if not isinstance(value, list) or len(value) > 50 or any(one(item) for item in value):
        return "must be a list of texts", ""
    return None


def coding(value: Any) -> Fault:
    """`[{system, code}]`, with `display` and `version` allowed."""
    if not isinstance(value, list) or not 1 <= len(value) <= 50:
        return "must be a list of {system, code}", ""
    for item in value:
        if not isinstance(item, dict) or not item.keys() <= {
            "system",
            "code",
            "display",
            "version",
        }:
            return "must be a list of {system, code}", ""
        if any(text()(item.get(key)) for key in ("system", "code")):
            return "each coding needs a system and a code", "as texts"
        if any(text()(item[key]) for key in ("display", "version") if key in item):
            return "`display` and `version` of a coding must be texts", ""
    return None


def scores(value: Any) -> Fault:
    """`{organ: a whole number, or why there is none}`; the code says how great each may be."""
    if not isinstance(value, dict) or not 1 <= len(value) <= 50:
        return "must map organs to scores", "{skin: 2, mouth: 0}"
    one, untold = whole(0, MOST_SCORE), words(ABSENT)
    for organ, score in value.items():
        told = untold(score) if isinstance(score, str) else one(score)
        if not _ORGAN.fullmatch(organ) or told:
            return f"must map organs to whole numbers, or to {', '.join(ABSENT)}", "{skin: 2}"
    return None


class Dates:
    """Partial dates and instants, in the site's days."""

    def __init__(self, calendar: Calendar) -> None:
        """`calendar` is the protocol's."""
        self.calendar = calendar

    def span(self, value: Any) -> Span | None:
        """What a valid one stands for; None where it is not valid."""
        return None if self.moment(value) else self.calendar.parse(value)

    def moment(self, value: Any) -> Fault:
        """`2019`, `2019-05`, `2019-05-03`, or an instant with its offset."""
        if not isinstance(value, str):
            return "must be a date or an instant, as a text", ""
        if not _DATE.fullmatch(value) and not _INSTANT.fullmatch(value):
            if _NAIVE.fullmatch(value) and not _INSTANT.fullmatch(value):
                return "is an instant without a valid offset", "2026-03-02T08:15:00+09:00"
            return "is not a date", "2019, 2019-05, 2019-05-03 or an instant with its offset"
        try:
            self.calendar.parse(value)
        except (ValueError, OverflowError):
            return "is a date that does not exist", ""
        return None

    def date(self, value: Any) -> Fault:
        """A partial date, never an instant: a birth date."""
        if fault := self.moment(value):
            return fault
        return None if _DATE.fullmatch(value) else ("must be a date without a time", "")

    def instant(self, value: Any) -> Fault:
        """An instant with its offset."""
        if fault := self.moment(value):
            return fault
        if _INSTANT.fullmatch(value):
            return None
        return "must be an instant with its offset", "2026-03-02T08:15:00+09:00"

    def ordered(self, data: Mapping[str, Any], first: str, last: str) -> Fault:
        """A span must not definitely end before it begins."""
        if data.get(first) is None or data.get(last) is None:
            return None
        begin, end = self.span(data[first]), self.span(data[last])
        if begin and end and begin.start > end.end:
            return f"ends before `{first}`", ""
        return None
