"""The boundary as steps with the trial's path on it, on one pair of axes.

Who comes in: figures. Who goes out: matplotlib.
A point on the boundary's line, or above it, stops the trial: the distance is counted in rows.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

from services.drawing.course import Axis, Course, Point
from services.drawing.sheet import HATCH, INK, LINE, PENDING, PENDING_FILL, STOP, STOP_FILL

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# More units than these get no mark each, and no line of the grid each.
MOST_MARKS, MOST_LINES = 60, 40
# As many ticks as fit a sheet of paper, and a telephone.
_TICKS, _TICKS_NARROW, _TICKS_UP = 20, 8, 10
_LABELS = {
    Axis.EVALUABLE: "Evaluable {unit}s",
    Axis.EXPOSURE: "Exposure of all {unit}s (days)",
    Axis.EFFECTIVE: "Effective number of {unit}s",
}


def draw(axes: Axes, course: Course, *, narrow: bool) -> None:
    """Everything, from the back to the front."""
    top = _top(course)
    _frame(axes, course, top, narrow=narrow)
    _boundary(axes, course, top)
    if course.now is not None:
        _pending(axes, course, top)
        _path(axes, course)
        _target(axes, course)
        _reached(axes, course)
    axes.figure.legend(
        *axes.get_legend_handles_labels(),
        loc="outside lower center",
        ncols=2 if narrow else 4,
        fontsize="small",
        columnspacing=1.2,
        handlelength=1.8,
    )


def _top(course: Course) -> float:
    """The upper edge: room above the highest step for the region that stops."""
    return course.most_events + max(1.0, 0.12 * course.most_events)


def _frame(axes: Axes, course: Course, top: float, *, narrow: bool) -> None:
    from matplotlib.ticker import MaxNLocator  # noqa: PLC0415

    counted = course.axis is Axis.EVALUABLE
    axes.set_xlim(0, course.end if course.end % 1 else course.end + (0.5 if counted else 0))
    axes.set_ylim(0, top)
    ticks = _TICKS_NARROW if narrow else _TICKS
    steps = [1, 2, 5, 10]
    axes.xaxis.set_major_locator(MaxNLocator(ticks, integer=counted, steps=steps))
    axes.yaxis.set_major_locator(MaxNLocator(_TICKS_UP, integer=True, steps=steps))
    axes.set_xlabel(_LABELS[course.axis].format(unit=course.unit))
    axes.set_ylabel("Events")
    if course.end <= MOST_LINES or not counted:
        axes.grid(color="#e3e6ea", linewidth=0.7, zorder=0)


def _boundary(axes: Axes, course: Course, top: float) -> None:
    """The region that stops, its lower edge, and the looks where they are few."""
    if not course.treads:
        axes.text(0.5, 0.5, "This rule cannot stop", transform=axes.transAxes, ha="center")
        return
    edges = [course.treads[0].begin, *(tread.end for tread in course.treads)]
    stops = [tread.stop_at for tread in course.treads]
    tops = [top] * len(stops)
    axes.stairs(
        tops, edges, baseline=stops, fill=True, hatch="////", facecolor=STOP_FILL,
        edgecolor=HATCH, linewidth=0, zorder=1, gid="stop-here",
    )  # fmt: skip
    xs = [x for tread in course.treads for x in (tread.begin, tread.end)]
    ys = [tread.stop_at for tread in course.treads for _ in (0, 1)]
    (edge,) = axes.plot(xs, ys, color=STOP, linewidth=2, zorder=2, label="Boundary: stop here")
    edge.set_gid("boundary")
    if course.looks:
        axes.plot(
            *_split(course.looks), "D", color=STOP, markersize=5, zorder=2.5, label="Planned look"
        )


def _pending(axes: Axes, course: Course, top: float) -> None:
    """Where those who are not evaluable yet may lead: from none to all of them with an event."""
    if not course.pending or course.axis is not Axis.EVALUABLE or course.reached is not None:
        return
    assert course.now is not None
    at, events = course.now
    ahead = 0 if course.at_start else course.pending
    xs, ys = [at, at + ahead, at + ahead], [events, events, events + course.pending]
    axes.fill(
        xs, ys, facecolor=PENDING_FILL, edgecolor=PENDING, linewidth=1, linestyle=":", alpha=0.85,
        zorder=1.5, gid="pending", label=f"{course.pending} pending may lead here",
    )  # fmt: skip
    axes.set_ylim(0, max(top, min(events + course.pending, top + 2)))


def _path(axes: Axes, course: Course) -> None:
    """From nothing, step by step; by exposure the time between events counts too."""
    assert course.now is not None
    points = [Point(0.0, 0), *course.path]
    counted = course.axis is Axis.EVALUABLE
    line = points if counted else _risen(points, course.now)
    axes.plot(
        *_split(line), color=LINE, linewidth=2.4, zorder=4, label="The trial's path", gid="path",
        solid_joinstyle="round",
    )  # fmt: skip
    if len(points) <= MOST_MARKS:
        happened = [b for a, b in pairwise(points) if b.events > a.events]
        quiet = [step for step in course.path if step not in happened]
        marks: dict[str, Any] = {"color": LINE, "zorder": 5, "linestyle": "none", "clip_on": False}
        if quiet:
            axes.plot(*_split(quiet), marker="o", markersize=5, markerfacecolor="white", **marks)
        if happened:
            axes.plot(*_split(happened), marker="o", markersize=7, label="Event", **marks)


def _risen(points: list[Point], now: Point) -> list[Point]:
    """By exposure: along until the event, then up, and along to now."""
    line = [points[0]]
    for point in points[1:]:
        line += [Point(point.at, line[-1].events), point]
    return [*line, Point(max(now.at, line[-1].at), line[-1].events)]


def _target(axes: Axes, course: Course) -> None:
    """The nearest place of the boundary, and how many more events lead there."""
    if course.reached is not None or course.now is None or not course.targets:
        return
    target = course.targets[0]
    axes.plot(
        [course.now.at, target.at], [course.now.events, target.events],
        color=INK, linewidth=1, linestyle=(0, (2, 2)), zorder=3,
    )  # fmt: skip
    axes.plot(
        [target.at], [target.events], "o", markersize=10, markerfacecolor="white",
        markeredgecolor=STOP, markeredgewidth=1.8, zorder=6, gid="target", clip_on=False,
    )  # fmt: skip
    side = "right" if target.at > 0.85 * course.end else "center"
    axes.annotate(
        f"{target.more} more of\nthe next {target.of_next}",
        (target.at, target.events),
        xytext=(0, 9), textcoords="offset points", ha=side, va="bottom", zorder=7,
        fontsize="small", fontweight="bold",
        bbox={"boxstyle": "round,pad=0.2", "facecolor": "white", "edgecolor": STOP},
    )  # fmt: skip


def _reached(axes: Axes, course: Course) -> None:
    if course.reached is None:
        return
    point = course.path[course.reached]
    axes.plot(
        [point.at], [point.events], "X", markersize=13, color=STOP, markeredgecolor="white",
        zorder=8, label="Boundary reached", gid="reached",
    )  # fmt: skip


def _split(points: Any) -> tuple[list[float], list[int]]:
    return [point.at for point in points], [point.events for point in points]
