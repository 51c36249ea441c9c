"""A rule's characteristics over the true rate of events: exact points, joined for the eye.

Who comes in: figures. Who goes out: matplotlib.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from services.drawing.course import Rule
from services.drawing.sheet import LINE, QUIET, STOP

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure


class Row(NamedTuple):
    """At the true rate `p`: how often the trial stops, how many are evaluable when it ends."""

    p: float
    reject: float
    expected_evaluable: float | None


def rows(rule: Rule) -> tuple[Row, ...]:
    """Of either JSON, by the rate; empty where the rule states none."""
    found = rule.get("characteristics") or rule.get("operating_characteristics") or ()
    return tuple(
        sorted(Row(row["p"], row["reject"], row.get("expected_evaluable")) for row in found)
    )


def described(found: Sequence[Row]) -> str:
    """The curves for who does not see them."""
    parts = [f"{row.reject:.1%} at {row.p:g}" for row in found]
    return f"Probability of stopping by the true rate of events: {', '.join(parts)}."


def draw(figure: Figure | SubFigure, found: Sequence[Row], rule: Rule, *, narrow: bool) -> None:
    """One above the other on a telephone, else side by side."""
    sized = [row for row in found if row.expected_evaluable is not None]
    panels = 2 if sized else 1
    grid: Any = figure.subplots(panels, 1) if narrow else figure.subplots(1, panels)
    each = list(grid.flat) if panels > 1 else [grid]
    _probability(each[0], found, rule)
    if sized:
        _size(each[1], sized, rule)
    for axes in each if not narrow else each[-1:]:
        axes.set_xlabel("True rate of events")


def _probability(axes: Axes, found: Sequence[Row], rule: Rule) -> None:
    _curve(axes, [row.p for row in found], [row.reject for row in found], STOP, "s", "stop")
    axes.set_ylim(0, 1.03)
    axes.set_title("Probability of stopping", fontsize="medium", loc="left")
    _null(axes, rule)


def _size(axes: Axes, found: Sequence[Row], rule: Rule) -> None:
    sizes = [row.expected_evaluable or 0.0 for row in found]
    _curve(axes, [row.p for row in found], sizes, LINE, "o", "size")
    axes.set_ylim(0, 1.08 * max(sizes))
    unit = rule.get("unit") or "subject"
    axes.set_title(f"Expected evaluable {unit}s", fontsize="medium", loc="left")
    _null(axes, rule)


def _curve(
    axes: Axes, xs: Sequence[float], ys: Sequence[float], colour: str, mark: str, gid: str
) -> None:
    axes.plot(xs, ys, color=colour, marker=mark, markersize=5, linewidth=1.4, gid=gid, zorder=3)
    axes.grid(color="#e3e6ea", linewidth=0.7, zorder=0)


def _null(axes: Axes, rule: Rule) -> None:
    """Where the rate is what the rule takes for acceptable."""
    given = rule.get("parameters") or {}
    p0 = rule.get("p0") or given.get("p0")
    if p0 is None:
        return
    axes.axvline(p0, color=QUIET, linewidth=1, linestyle=(0, (4, 3)), zorder=1)
    axes.annotate(
        f"p0 = {p0:g}", (p0, 0), xycoords=("data", "axes fraction"), xytext=(4, 5),
        textcoords="offset points", color=QUIET, fontsize="small",
    )  # fmt: skip
