"""The design of a stopping rule: its method, its looks and its numbers.

Who comes in: stopping.py with one rule's section. Who goes out: Design, or complaints. No boundary
is computed here: whether a design can ever stop is for the check of the whole file.
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

from rules.language.loader import Seq
from rules.language.parameters import Constants, constant, resolve
from rules.language.reading import Section
from rules.stopping.design import Design, MaxInfo, Method, Outcome, continuous
from rules.stopping.problems import problems

MAX_UNITS = 1000  # that a computed boundary may look at: its arithmetic grows with their square
# What checking a boundary costs, in the characters of conditions that reading.py counts: n = 1,000
# takes a third of a second, and a TITE rule is simulated besides.
_WORK_OF_UNIT, _WORK_OF_TITE = 20, 20_000
_NUMBERS = ("p0", "alpha", "p1", "beta", "power", "delta", "nu", "threshold")
_PRIORS = ("prior", "standard_prior")
_OUTCOMES = (Outcome.BINARY, Outcome.TIME_TO_EVENT)  # the third is told by `pending: partial`
_EMPTY = Design(method=Method.TABLE, looks=())


def design(item: Section, params: Constants, window_days: int, *, partial: bool) -> Design:
    """What the rule plans; an empty design where it could not be read.

    `partial`: pending units count by their share of the window (TITE).
    """
    before = len(item.book.complaints)
    method = item.enum("method", Method)
    outcome = _outcome(item, partial=partial)
    given: dict[str, Any] = {key: _number(item, key, params) for key in _NUMBERS}
    given |= {key: _prior(item, key, params) for key in _PRIORS}
    given |= {"strict": _strict(item), **_whole(item, "min_evaluable", params)}
    if info := item.enum("max_info", MaxInfo, required=False):
        given["max_info"] = info
    table = _table(item, required=method is Method.TABLE)
    looks = _looks(item, method, params, table)
    if method is None or len(item.book.complaints) > before:
        return _EMPTY
    if outcome is not Outcome.BINARY:
        given["window_days"] = float(window_days)
    made = Design(method=method, outcome=outcome, looks=looks, table=table, **given)
    _sound(item, made)
    item.book.spend(item.line(), _work(made))
    return made


def _work(made: Design) -> int:
    if made.method is Method.TABLE:
        return 0
    return made.n * _WORK_OF_UNIT + (_WORK_OF_TITE if made.outcome is Outcome.TITE else 0)


def _outcome(item: Section, *, partial: bool) -> Outcome:
    told = item.choice("outcome", _OUTCOMES, required=False)
    if partial and told == Outcome.TIME_TO_EVENT:
        message = "`pending: partial` and `outcome: time_to_event` contradict each other"
        item.complain("outcome", message, "leave one out")
    return Outcome.TITE if partial else Outcome(told or Outcome.BINARY)


def _number(item: Section, key: str, params: Constants) -> float | None:
    return _float(item, key, resolve(item, key, params, "1"))


def _float(item: Section, key: str, value: object) -> float | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        item.complain(key, f"`{key}` must be a number", "as 0.2, or params.NAME")
        return None
    return float(value)


def _prior(item: Section, key: str, params: Constants) -> tuple[float, float] | None:
    if key not in item.node:
        item.asked.add(key)
        return None
    told = [_float(item, key, constant(item, key, one, params, "1")) for one in item.items(key)]
    found = [one for one in told if one is not None]
    if len(told) != 2 or len(found) != 2:
        item.complain(key, f"`{key}` must be a list of two numbers", "as [0.4, 1.6]")
        return None
    return found[0], found[1]


def _strict(item: Section) -> bool:
    """True where it does not say false."""
    return item.boolean("strict") or "strict" not in item.node


def _whole(item: Section, key: str, params: Constants) -> dict[str, int]:
    found = item.whole(key, resolve(item, key, params, "1"), 1, MAX_UNITS)
    return {} if found is None else {key: found}


def _looks(
    item: Section, method: Method | None, params: Constants, table: tuple[tuple[int, int], ...]
) -> tuple[int, ...]:
    """After every unit up to `n`, or the cumulative numbers under `looks`; a table has its own."""
    count, looks = _whole(item, "n", params).get("n"), item.items("looks")
    told = [key for key in ("n", "looks") if key in item.node]
    if method is Method.TABLE or method is None:
        if told and method is not None:
            item.complain(told[0], f"`{told[0]}`: a table says itself at which numbers it looks")
        return tuple(size for size, _ in table)
    if table:
        item.complain("table", f"method {method} makes its table itself", "leave `table` out")
    if len(told) != 1:
        message = f"method {method} needs `n` or `looks`" + (", not both" if told else "")
        item.complain(told[0] if told else "method", message, "n: 10, or looks: [5, 10]")
    if any(isinstance(one, bool) or not isinstance(one, int) or one > MAX_UNITS for one in looks):
        item.complain("looks", f"`looks` must be whole numbers up to {MAX_UNITS}", "[5, 10]")
        return ()
    return tuple(looks) if "looks" in told else continuous(count or 0)


def _sound(item: Section, made: Design) -> None:
    """Complain of everything that is wrong with a design, each at its own key."""
    for parameter, message, hint in problems(made):
        key = parameter
        if key not in item.node:
            key = "n" if parameter == "looks" and "n" in item.node else "method"
        item.complain(key, message, hint)


def _table(item: Section, *, required: bool) -> tuple[tuple[int, int], ...]:
    rows = []
    items = item.items("table", required=required)
    for row, line in zip(items, items.lines, strict=True):
        whole = isinstance(row, Seq) and [type(cell) for cell in row] == [int, int]
        if not whole or not 1 <= row[1] <= row[0]:
            message = f"{item.what}: a row of `table` is [evaluable, stop_at]"
            item.book.complain(line, message, "[3, 2], stop_at from 1 to evaluable")
            return ()
        rows.append((row[0], row[1]))
    if any(later[0] <= row[0] or later[1] < row[1] for row, later in pairwise(rows)):
        item.complain("table", "`evaluable` must rise and `stop_at` must not fall from row to row")
    return tuple(rows)
