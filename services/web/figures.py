"""A figure as an answer: it bears its own styles, may be opened by itself, and loads nothing.

Who comes in: the pages with figures. Who goes out: an SVG with its own policy.
"""

from __future__ import annotations

from flask import Response, request

from services.drawing import Shape

_POLICY = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"


def shape() -> Shape:
    """For a page or a telephone, as the address says."""
    return Shape.NARROW if request.args.get("shape") == Shape.NARROW else Shape.WIDE


def answer(svg: bytes) -> Response:
    """The figure."""
    made = Response(svg, content_type="image/svg+xml")
    made.headers["Content-Security-Policy"] = _POLICY
    return made
