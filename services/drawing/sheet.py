"""The paper that figures are drawn on: its size, its type, and how it becomes bytes.

Who comes in: services/drawing/figures. Who goes out: matplotlib, at the first figure: half a second
and some 30 MB that a process without figures never pays. No pyplot: nothing is left behind.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from enum import StrEnum
from functools import cache
from io import BytesIO
from typing import TYPE_CHECKING, Any
from xml.sax.saxutils import escape

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class Form(StrEnum):
    """What a figure is stored as; the values are the endings of its file."""

    SVG = "svg"
    PNG = "png"


class Shape(StrEnum):
    """For whom the figure is laid out: a page of paper or a screen, or a telephone."""

    WIDE = "wide"
    NARROW = "narrow"


# Of one figure, in inches.
SIZES = {Shape.WIDE: (7.4, 4.1), Shape.NARROW: (3.7, 4.3)}
# Dark enough for paper and far enough apart in lightness for a copy in grey; blue and orange are
# told apart by every kind of colour vision.
INK, QUIET, LINE, STOP, STOP_FILL = "#1b1f24", "#57606a", "#0b4f8a", "#b5400b", "#f9dfcf"
HATCH = "#e9b795"
PENDING, PENDING_FILL = "#3f78ad", "#e4eefa"
PNG_DPI = 160

_STYLE: dict[str, Any] = {
    "svg.fonttype": "none",  # text stays text: read aloud, searched, copied
    "svg.hashsalt": "vigil",  # else the names inside differ from run to run
    "font.family": ["DejaVu Sans"],  # comes with matplotlib: the same layout everywhere
    "font.size": 9.5,
    "text.color": INK,
    "text.parse_math": False,
    "axes.edgecolor": QUIET,
    "axes.labelcolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.color": INK,
    "ytick.color": INK,
    "hatch.linewidth": 0.6,
    "legend.frameon": False,
}
# Readers without DejaVu have one that is as wide.
_FAMILY, _FAMILIES = "'DejaVu Sans'", "'DejaVu Sans', Verdana, Geneva, sans-serif"
_NAMED = 'role="img" aria-labelledby="figure-title figure-desc" '
# matplotlib's settings are the process's; one figure at a time also bounds the memory.
_ONE_AT_A_TIME = threading.Lock()


def drawn(
    draw: Callable[[Figure], None], size: tuple[float, float], form: Form, title: str, desc: str
) -> bytes:
    """What `draw` puts on a sheet of `size` inches, as a file."""
    with _ONE_AT_A_TIME:
        figure = _sheet(size)
        draw(figure)
        return _svg(figure, title, desc) if form is Form.SVG else _png(figure, title, desc)


@cache
def _ready() -> None:
    """The defaults of matplotlib and ours: a file of settings in somebody's home counts nothing."""
    import matplotlib as mpl  # noqa: PLC0415

    mpl.rcdefaults()
    mpl.rcParams.update(_STYLE)  # type: ignore[arg-type] # its keys are names of settings


def _sheet(size: tuple[float, float]) -> Figure:
    _ready()
    from matplotlib.figure import Figure  # noqa: PLC0415

    return Figure(figsize=size, layout="constrained", facecolor="white")


def _svg(figure: Figure, title: str, desc: str) -> bytes:
    """With a name and a description as its first children, where screen readers look for them."""
    kept = BytesIO()
    nothing = dict.fromkeys(("Creator", "Date", "Format", "Type"))
    figure.savefig(kept, format="svg", metadata=nothing)
    text = kept.getvalue().decode().replace(_FAMILY, _FAMILIES)
    head, root, rest = text.partition("<svg ")
    attributes, end, inside = rest.partition(">")
    named = (
        f'\n <title id="figure-title">{escape(title)}</title>'
        f'\n <desc id="figure-desc">{escape(desc)}</desc>'
    )
    return (head + root + _NAMED + attributes + end + named + inside).encode()


def _png(figure: Figure, title: str, desc: str) -> bytes:
    kept = BytesIO()
    said = {"Title": title, "Description": desc, "Software": None}
    figure.savefig(kept, format="png", dpi=PNG_DPI, metadata=said)
    return kept.getvalue()
