"""How things are written on a page: times with their zone, values with their unit, words for codes.

Who comes in: templates. Who goes out: text; the templates escape it.
"""

from __future__ import annotations

import hashlib
import re
from datetime import UTC, datetime
from functools import lru_cache
from itertools import groupby
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import orjson
from flask import Flask

from services import drawing
from services.clock import now_us, to_us

STATIC = Path(__file__).parent / "static"
SEVERITIES = ("critical", "serious", "warning", "info")
CATEGORIES = ("eligibility", "stopping", "safety", "response", "conduct", "operations")
UNITS = {
    "Cel": "°C",
    "mm[Hg]": "mmHg",
    "a": "years",
    "mo": "months",
    "wk": "weeks",
    "d": "days",
    "h": "h",
    "{score}": "",
    "10*9/L": "×10⁹/L",
    "10*12/L": "×10¹²/L",
    "/min": "per min",
}
_GRAVEST = ("hy", "temple", "cholestasis", None)
_SIGNS = {"<": "below", "<=": "at most", ">": "above", ">=": "at least", "==": ""}
Json = dict[str, Any]
_CODE = re.compile("[a-z][a-z0-9]*(_[a-z0-9]+)+")
STATUSES = ("open", "acknowledged", "resolved")
_MINUTE, _HOUR, _DAY = 60, 3600, 86_400


def install(app: Flask) -> None:
    """Give the templates their words."""
    app.jinja_env.filters.update(
        when=when,
        by_precision=by_precision,
        clock=clock,
        ago=ago,
        plain=plain,
        value=value,
        coded=coded,
        unit=unit,
        digest=digest,
        needed=needed,
        outlook=drawing.outlook,
        standing=drawing.standing,
        described=drawing.described,
        by_size=by_size,
        by_quadrant=by_quadrant,
        spread=drawing.spread,
        undrawn=drawing.undrawn,
    )
    app.jinja_env.globals.update(
        asset=asset, severities=SEVERITIES, categories=CATEGORIES, statuses=STATUSES
    )


def when(moment: str | None, zone: str = "UTC") -> str:
    """An instant of the contract as people at the site write it, with the zone."""
    if moment is None:
        return ""
    return datetime.fromisoformat(moment).astimezone(ZoneInfo(zone)).strftime("%-d %b %Y, %H:%M %Z")


def by_precision(moment: str, precision: str, zone: str = "UTC") -> str:
    """An instant as exactly as it is known: a day alone has no hour."""
    local = datetime.fromisoformat(moment).astimezone(ZoneInfo(zone))
    form = {"day": "%-d %b %Y", "month": "%b %Y", "year": "%Y"}.get(precision)
    return when(moment, zone) if form is None else local.strftime(form)


def clock(moment: str | None, zone: str = "UTC") -> str:
    """The same to the second."""
    if moment is None:
        return ""
    local = datetime.fromisoformat(moment).astimezone(ZoneInfo(zone))
    return local.strftime("%-d %b %Y, %H:%M:%S %Z")


def ago(moment: str | None) -> str:
    """How long ago it was, or how long until it is; static/vigil.js says it as time goes on."""
    if moment is None:
        return ""
    seconds = (now_us() - to_us(datetime.fromisoformat(moment).astimezone(UTC))) // 1_000_000
    if 0 <= seconds < _MINUTE:
        return "just now"
    return f"in {_length(-seconds)}" if seconds < 0 else f"{_length(seconds)} ago"


def _length(seconds: int) -> str:
    """The largest units that say something, rounded down."""
    if seconds < _HOUR:
        return f"{seconds // _MINUTE} min"
    if seconds < 2 * _DAY:
        return f"{seconds // _HOUR} h"
    return f"{seconds // _DAY} days"


def plain(code: object) -> str:
    """A code as words."""
    return str(code).replace("_", " ")


def value(item: object) -> str:
    """A datum as a person writes it."""
    if item is None:
        return "—"
    if isinstance(item, bool):
        return "yes" if item else "no"
    if isinstance(item, float):
        return f"{item:g}"
    if isinstance(item, dict):
        return ", ".join(f"{plain(name)}: {value(part)}" for name, part in item.items())
    if isinstance(item, list):
        return ", ".join(map(value, item))
    return str(item)


def coded(item: object) -> str:
    """A fact's value, which may be one of the protocol's codes, as words."""
    text = value(item)
    return plain(text) if _CODE.fullmatch(text) else text


def unit(code: str | None) -> str:
    """A UCUM unit as people write it; what is not known is shown as it is."""
    return "" if code is None else UNITS.get(code, code)


def needed(change: Json) -> str:
    """What a fact would have to be, as a person writes it."""
    wanted = change["needed"]
    if "in" in wanted:
        return " or ".join(coded(one) for one in wanted["in"])
    if "not_in" in wanted:
        return f"anything but {', '.join(coded(one) for one in wanted['not_in'])}"
    if wanted["op"] == "known":
        return "recorded, whatever its value"
    sides = [wanted, *([wanted["and"]] if "and" in wanted else [])]
    return " and ".join(_side(one, unit(change["unit"])) for one in sides)


def _side(wanted: Json, of: str) -> str:
    return f"{_SIGNS[wanted['op']]} {value(wanted['value'])} {of}".rstrip()


def by_size(rule: Json) -> list[tuple[str, int]]:
    """The boundary as rows: from how many evaluable to how many, and the events that stop there."""
    treads = drawing.Course.of(rule).treads
    if drawing.Course.of(rule).axis is not drawing.Axis.EVALUABLE:
        return [(f"up to {step.end:.1f}", step.stop_at) for step in treads]
    rows = []
    for stop_at, level in groupby(treads, key=lambda step: step.stop_at):
        steps = list(level)
        first, last = int(steps[0].begin + 0.5), int(steps[-1].end - 0.5)
        rows.append((str(first) if first == last else f"{first} to {last}", stop_at))
    return rows


def by_quadrant(subjects: list[Json]) -> list[Json]:
    """Who lies beyond a limit or has no place, the gravest first; the others are left out."""
    beyond = [one for one in subjects if one["quadrant"] != "normal"]
    return sorted(beyond, key=lambda one: (_GRAVEST.index(one["quadrant"]), one["subject"]))


def digest(body: Any) -> str:
    """Names a state of something, so that the page redraws only what has changed."""
    return hashlib.sha256(orjson.dumps(body)).hexdigest()[:16]


@lru_cache(maxsize=16)
def asset(name: str) -> str:
    """The address of one of our files; it changes with the content, so that it may be kept."""
    return f"/static/{name}?v={hashlib.sha256((STATIC / name).read_bytes()).hexdigest()[:12]}"
