"""The three figures: the boundary, the characteristics, and both on one sheet.

Who comes in: pages and the command line. Who goes out: path, curves, sheet.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from services.drawing import curves, path, sheet, words
from services.drawing.course import Course, Rule
from services.drawing.sheet import Form, Shape

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def boundary(rule: Rule, *, form: Form = Form.SVG, shape: Shape = Shape.WIDE) -> bytes:
    """The boundary as steps and, where there is one, the trial's path."""
    course = Course.of(rule)

    def draw(figure: Figure) -> None:
        path.draw(figure.subplots(), course, narrow=shape is Shape.NARROW)

    return sheet.drawn(draw, sheet.SIZES[shape], form, title(rule), words.described(rule))


def characteristics(rule: Rule, *, form: Form = Form.SVG, shape: Shape = Shape.WIDE) -> bytes:
    """How often the trial stops and how many take part, over the true rate.

    The rule must have characteristics: `curves.rows`.
    """
    rows = curves.rows(rule)

    def draw(figure: Figure) -> None:
        curves.draw(figure, rows, rule, narrow=shape is Shape.NARROW)

    name = f"{title(rule)}: operating characteristics"
    return sheet.drawn(draw, sheet.SIZES[shape], form, name, curves.described(rows))


def whole(rule: Rule, *, form: Form = Form.SVG) -> bytes:
    """The boundary above its characteristics, for a file."""
    course, rows = Course.of(rule), curves.rows(rule)

    def draw(figure: Figure) -> None:
        above, below = figure.subfigures(2, 1, squeeze=False).flat
        above.suptitle(title(rule), fontsize=11, fontweight="bold", x=0.02, ha="left")
        path.draw(above.subplots(), course, narrow=False)
        curves.draw(below, rows, rule, narrow=False)

    wide, high = sheet.SIZES[Shape.WIDE]
    desc = f"{words.described(rule)} {curves.described(rows)}"
    if not rows:
        return boundary(rule, form=form)
    return sheet.drawn(draw, (wide, 2 * high), form, title(rule), desc)


def title(rule: Rule) -> str:
    """What the figure is called: the rule's title, else its method's name."""
    named = rule.get("title") or str(rule.get("method", "")).replace("_", " ")
    return f"Stopping boundary: {named}"
