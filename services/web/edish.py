"""The figure of a trial's eDISH quadrants.

Who comes in: clinicians and admins, from the trial's page. Who goes out: services/drawing,
services/reading.
"""

from __future__ import annotations

from functools import lru_cache

import orjson
from flask import Response

from services import drawing
from services.clock import now_us
from services.drawing import Shape
from services.errors import NotFound
from services.http.context import parts
from services.reading import edish as reading
from services.web import figures
from services.web.blueprint import pages

_KEPT = 32  # figures in this process, of some 20 to 100 KB each


@pages.get("/trials/<name:trial>/edish/<name:fact>.svg")
def edish(trial: str, fact: str) -> Response:
    """One figure, drawn once for what it shows."""
    with parts().database.reading() as conn:
        found = reading.of_trial(conn, trial, now_us()) or {"items": []}
    one = next((item for item in found["items"] if item["fact"] == fact), None)
    if one is None:
        raise NotFound("There is no such figure.")
    return figures.answer(_drawn(orjson.dumps(one), figures.shape()))


@lru_cache(maxsize=_KEPT)
def _drawn(found: bytes, shape: Shape) -> bytes:
    """The figure by the content that it shows."""
    return drawing.quadrants(orjson.loads(found), shape=shape)
