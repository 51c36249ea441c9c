"""What a figure of a stopping rule shows, out of plain JSON.

Who comes in: the figures. Who goes out: nobody. What the JSON does not have is left out: a boundary
that no trial follows yet has no path.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, NamedTuple

Rule = Mapping[str, Any]


class Axis(StrEnum):
    """What events are held against."""

    EVALUABLE = "evaluable"
    EXPOSURE = "exposure"
    EFFECTIVE = "effective"


class Point(NamedTuple):
    """So many events at so many evaluable units, days of exposure or effective units."""

    at: float
    events: int


class Tread(NamedTuple):
    """One step of the boundary: above `begin` up to `end`, so many events stop the trial."""

    begin: float
    end: float
    stop_at: int


class Target(NamedTuple):
    """A place on the boundary that the trial may come to next, and the way there."""

    at: float
    events: int
    of_next: int
    more: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """A boundary and the way of a trial towards it.

    `reached` is the place in `path` at which the boundary was reached; `looks` are the numbers at
    which the rule looks, where these are not all of them.
    """

    axis: Axis
    unit: str
    treads: tuple[Tread, ...]
    looks: tuple[Point, ...]
    path: tuple[Point, ...]
    now: Point | None
    pending: int
    at_start: bool
    reached: int | None
    targets: tuple[Target, ...]

    @classmethod
    def of(cls, rule: Rule) -> Course:
        """Of a rule of the stopping view, or of what `vigil boundary --json` prints."""
        cuts = _cuts(rule)
        axis = _axis(rule, cuts)
        rows = [] if cuts else [row for row in rule["boundary"] if row["stop_at"] is not None]
        path = tuple(Point(_place(step, axis), step["events"]) for step in rule.get("path", ()))
        now = _now(rule, axis)
        return cls(
            axis=axis,
            unit=rule.get("unit") or "subject",
            treads=_risers(cuts) if cuts else _treads(rows),
            looks=_looks(rows),
            path=path,
            now=now,
            pending=rule.get("pending") or 0,
            at_start=rule.get("pending_counts") == "event_free",
            reached=_reached(rule, path) if rule.get("crossed") else None,
            targets=_targets(rule, now) if axis is Axis.EVALUABLE else (),
        )

    @property
    def end(self) -> float:
        """The last number or exposure that the figure must reach."""
        ends = [tread.end for tread in self.treads] + [point.at for point in self.path]
        return max([*ends, self.now.at if self.now else 0.0, 1.0])

    @property
    def most_events(self) -> int:
        """The greatest number of events that the figure must reach."""
        found = [tread.stop_at for tread in self.treads] + [step.events for step in self.path]
        return max(found, default=1)


def _cuts(rule: Rule) -> list[Point]:
    """The greatest exposure at which each number of events stops."""
    rows = rule.get("exposure_boundary") or [
        row for row in rule.get("boundary", ()) if "max_exposure" in row
    ]
    return [Point(row["max_exposure"], row["events"]) for row in rows]


def _axis(rule: Rule, cuts: Sequence[Point]) -> Axis:
    if not cuts:
        return Axis.EVALUABLE
    tite = "tite" in {rule.get("outcome"), rule.get("method")}
    return Axis.EFFECTIVE if tite else Axis.EXPOSURE


def _risers(cuts: Sequence[Point]) -> tuple[Tread, ...]:
    """The d-th event stops while the exposure is at most the d-th cut."""
    begins = [0.0, *(cut.at for cut in cuts)]
    return tuple(
        Tread(begin, cut.at, cut.events)
        for begin, cut in zip(begins, cuts, strict=False)
        if cut.at > begin
    )


def _treads(rows: Sequence[Mapping[str, int]]) -> tuple[Tread, ...]:
    """Between looks the next ones count: who has a later look's events is certain to stop there.

    What cannot happen, more events than units, is no part of the boundary.
    """
    found: list[Tread] = []
    before, least = 0, _least_from(rows)
    for row, stop_at in zip(rows, least, strict=True):
        begin = max(before, stop_at - 1)
        before = row["evaluable"]
        if begin < before:
            found.append(Tread(begin + 0.5, before + 0.5, stop_at))
    return tuple(found)


def _least_from(rows: Sequence[Mapping[str, int]]) -> list[int]:
    least: list[int] = []
    for row in reversed(rows):
        least.append(min([row["stop_at"], *least[-1:]]))
    return least[::-1]


def _looks(rows: Sequence[Mapping[str, int]]) -> tuple[Point, ...]:
    """The looks, where the rule does not look at every unit."""
    sizes = [row["evaluable"] for row in rows]
    if not sizes or sizes == list(range(sizes[0], sizes[0] + len(sizes))):
        return ()
    return tuple(Point(row["evaluable"], row["stop_at"]) for row in rows)


def _place(step: Mapping[str, Any], axis: Axis) -> float:
    return float(step["evaluable"] if axis is Axis.EVALUABLE else step.get("exposure") or 0.0)


def _now(rule: Rule, axis: Axis) -> Point | None:
    if "events" not in rule:
        return None
    key = {Axis.EXPOSURE: "exposure_days", Axis.EFFECTIVE: "effective"}.get(axis, "evaluable")
    return Point(float(rule.get(key) or 0.0), rule["events"])


def _reached(rule: Rule, path: Sequence[Point]) -> int | None:
    """The place in the path, from 0; where nobody names it the first that bears the crossing."""
    named = rule.get("crossed_step")
    if named is not None:
        return int(named) - 1 if named <= len(path) else None
    at = rule.get("crossed_at")
    return next((n for n, step in enumerate(rule["path"]) if step["at"] == at), None)


def _targets(rule: Rule, now: Point | None) -> tuple[Target, ...]:
    if now is None:
        return ()
    return tuple(
        Target(now.at + way["of_next"], now.events + way["events"], way["of_next"], way["events"])
        for way in rule.get("stop_if") or ()
    )
