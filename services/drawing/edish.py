"""eDISH: every subject's highest liver values in multiples of the upper limit, on log scales.

Who comes in: pages, with one item of the contract's edish view. Who goes out: sheet.
A value of nothing stands at the edge of the paper; who has not both multiples is not drawn.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from services.drawing import sheet
from services.drawing.sheet import INK, LINE, QUIET, STOP, STOP_FILL, Form, Shape

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Found = Mapping[str, Any]
# The paper reaches at least from the first to the last of these multiples.
_LEAST, _MOST_AT, _MOST_BILIRUBIN = 0.1, 10.0, 10.0
_ROOM = 1.5  # of the greatest value to the edge
# More than so many subjects beyond a limit get no name each: they are in the table.
MOST_NAMES = 12
TITLE = "Highest transaminase and bilirubin of each subject (eDISH)"


class Kind(NamedTuple):
    """How the subjects of one quadrant are told and drawn."""

    word: str
    marker: str
    colour: str
    filled: bool


KINDS: Mapping[str | None, Kind] = {
    "normal": Kind("Below both limits", "o", QUIET, filled=False),
    "temple": Kind("Temple's corollary", "^", LINE, filled=True),
    "cholestasis": Kind("Cholestasis", "s", "#7a5c00", filled=True),
    "hy": Kind("Hy's law range", "D", STOP, filled=True),
    None: Kind("Not known: a limit is missing", "X", INK, filled=False),
}


class _Place(NamedTuple):
    subject: str
    quadrant: str | None
    at: float
    bilirubin: float


def quadrants(found: Found, *, form: Form = Form.SVG, shape: Shape = Shape.WIDE) -> bytes:
    """The figure of one fact of quadrants."""
    places = _places(found)

    def draw(figure: Figure) -> None:
        _draw(figure.subplots(), found, places, narrow=shape is Shape.NARROW)

    return sheet.drawn(draw, sheet.SIZES[shape], form, TITLE, spread(found))


def spread(found: Found) -> str:
    """The figure for who does not see it."""
    counts = found["counts"]
    said = [
        f"{counts['hy']} in the range of Hy's law",
        f"{counts['temple']} with a raised transaminase alone (Temple's corollary)",
        f"{counts['cholestasis']} with raised bilirubin alone",
        f"{counts['normal']} below both limits",
        f"{counts['unknown']} not known",
    ]
    limits = f"{found['transaminase_limit']:g} and {found['bilirubin_limit']:g}"
    return (
        f"Highest transaminase against highest bilirubin of {len(found['subjects'])} subjects, in"
        f" multiples of the upper limit; the limits are {limits}. {', '.join(said)}."
        " The same is in the table."
    )


def undrawn(found: Found) -> int:
    """How many subjects have no place on the figure."""
    return len(found["subjects"]) - len(_places(found))


def _places(found: Found) -> list[_Place]:
    return [
        _Place(
            one["subject"],
            one["quadrant"],
            one["transaminase"]["times_upper_limit"],
            one["bilirubin"]["times_upper_limit"],
        )
        for one in found["subjects"]
        if one["transaminase"] is not None and one["bilirubin"] is not None
    ]


def _draw(axes: Axes, found: Found, places: list[_Place], *, narrow: bool) -> None:
    """Everything, from the back to the front."""
    edges = _frame(axes, found, places)
    _limits(axes, found, edges)
    for quadrant, kind in KINDS.items():
        _points(axes, kind, [one for one in places if one.quadrant == quadrant])
    if not narrow:
        _names(axes, places, edges[0])
    axes.figure.legend(
        *axes.get_legend_handles_labels(),
        loc="outside lower center",
        ncols=2 if narrow else 3,
        fontsize="small",
        columnspacing=1.2,
        handlelength=1.2,
    )


def _frame(axes: Axes, found: Found, places: list[_Place]) -> tuple[float, float]:
    """Log scales written as people write multiples; the greatest multiples on the paper."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter  # noqa: PLC0415

    right = max(_MOST_AT, _ROOM * found["transaminase_limit"], *(_ROOM * it.at for it in places))
    top = max(
        _MOST_BILIRUBIN,
        _ROOM * found["bilirubin_limit"],
        *(_ROOM * it.bilirubin for it in places),
    )
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlim(_LEAST, right)
    axes.set_ylim(_LEAST, top)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(LogLocator(base=10, subs=(1, 2, 5)))
        axis.set_major_formatter(FuncFormatter(lambda number, _: f"{number:g}"))
        axis.set_minor_formatter(NullFormatter())
    axes.set_xlabel("Highest ALT or AST, times its upper limit")
    axes.set_ylabel("Highest bilirubin, times its upper limit")
    axes.grid(color="#e3e6ea", linewidth=0.6, zorder=0)
    return right, top


def _limits(axes: Axes, found: Found, edges: tuple[float, float]) -> None:
    """The lines of both limits, the range of Hy's law, and the names of the quadrants."""
    at, bilirubin = found["transaminase_limit"], found["bilirubin_limit"]
    right, top = edges
    axes.fill_between([at, right], bilirubin, top, color=STOP_FILL, zorder=0.5, linewidth=0)
    line: dict[str, Any] = {"color": STOP, "linewidth": 1.3, "linestyle": (0, (5, 3)), "zorder": 2}
    axes.axvline(at, gid="transaminase-limit", **line)
    axes.axhline(bilirubin, gid="bilirubin-limit", **line)
    said: dict[str, Any] = {"fontsize": "small", "color": QUIET, "zorder": 3}
    corner: dict[str, Any] = {"textcoords": "offset points", **said}
    axes.annotate("Hy's law range", (right, top), (-4, -4), ha="right", va="top", **corner)
    axes.annotate("Cholestasis", (_LEAST, top), (4, -4), ha="left", va="top", **corner)
    axes.annotate("Temple's corollary", (right, _LEAST), (-4, 4), ha="right", **corner)


def _points(axes: Axes, kind: Kind, places: list[_Place]) -> None:
    if not places:
        return
    axes.plot(
        [max(one.at, _LEAST) for one in places], [max(one.bilirubin, _LEAST) for one in places],
        kind.marker, color=kind.colour, markersize=6, linestyle="none", zorder=4,
        markerfacecolor=kind.colour if kind.filled else "white", clip_on=False,
        label=f"{kind.word} ({len(places)})", gid=kind.word,
    )  # fmt: skip


def _names(axes: Axes, places: list[_Place], right: float) -> None:
    """Who lies beyond a limit, where they are few; on white, for points may lie behind."""
    behind = {"boxstyle": "square,pad=0.1", "facecolor": "white", "alpha": 0.75, "linewidth": 0}
    beyond = [one for one in places if one.quadrant != "normal"]
    for one in beyond if len(beyond) <= MOST_NAMES else ():
        leftwards = one.at > right / 3
        axes.annotate(
            one.subject, (max(one.at, _LEAST), max(one.bilirubin, _LEAST)),
            (-6 if leftwards else 6, 3), ha="right" if leftwards else "left",
            textcoords="offset points", fontsize="small", zorder=5, bbox=behind,
        )  # fmt: skip
