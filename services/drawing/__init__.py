"""Figures: a stopping rule's boundary with the trial's path, its characteristics, and eDISH.

Who comes in: the pages and `vigil boundary --plot`, with the plain JSON of contract §3's stopping
view or of `vigil boundary --json`. Who goes out: matplotlib, imported when something is drawn.
The same JSON gives the same bytes, on every machine with the locked dependencies.
"""

from services.drawing.course import Axis, Course
from services.drawing.edish import quadrants, spread, undrawn
from services.drawing.figures import boundary, characteristics, whole
from services.drawing.sheet import Form, Shape
from services.drawing.words import described, outlook, standing

__all__ = (
    "Axis",
    "Course",
    "Form",
    "Shape",
    "boundary",
    "characteristics",
    "described",
    "outlook",
    "quadrants",
    "spread",
    "standing",
    "undrawn",
    "whole",
)
