"""The figure of eDISH, read as a file: where subjects stand against the limits, and who is told."""

from __future__ import annotations

import re
from xml.etree import ElementTree as ET

import pytest

from services import drawing

SVG = "{http://www.w3.org/2000/svg}"


def value(times):
    return None if times is None else {"times_upper_limit": times}


def subject(name, quadrant, at, bilirubin):
    return {
        "subject": name,
        "quadrant": quadrant,
        "transaminase": value(at),
        "bilirubin": value(bilirubin),
    }


def found(*subjects):
    names = ("hy", "temple", "cholestasis", "normal", None)
    counts = {name or "unknown": sum(it["quadrant"] == name for it in subjects) for name in names}
    return {
        "fact": "edish",
        "transaminase_limit": 3,
        "bilirubin_limit": 2,
        "counts": counts,
        "subjects": list(subjects),
    }


def group(svg, gid):
    return [it for it in ET.fromstring(svg).iter(f"{SVG}g") if it.get("id") == gid]


def marks(svg, word):
    """Where a kind of subject stands, in the figure's own units."""
    uses = [use for it in group(svg, word) for use in it.iter(f"{SVG}use")]
    return [(float(use.get("x")), float(use.get("y"))) for use in uses]


def line(svg, gid):
    (drawn,) = group(svg, gid)
    pairs = re.findall(r"[ML] (-?[\d.]+) (-?[\d.]+)", drawn.find(f"{SVG}path").get("d"))
    return [(float(x), float(y)) for x, y in pairs]


def test_subjects_stand_on_the_limits_that_they_reach_and_beyond_those_they_exceed():
    svg = drawing.quadrants(found(subject("S-1", "hy", 3, 2), subject("S-2", "temple", 9, 0.5)))
    (x, _), _ = line(svg, "transaminase-limit")
    (_, y), _ = line(svg, "bilirubin-limit")
    ((on_x, on_y),) = marks(svg, "Hy's law range")
    ((over_x, under_y),) = marks(svg, "Temple's corollary")
    assert (on_x, on_y) == pytest.approx((x, y), abs=0.01)
    assert over_x > x
    assert under_y > y  # down is more


def test_the_scales_are_logarithmic():
    rows = [subject(f"S-{n}", "normal", 0.3 * 2**n, 1) for n in range(3)]
    (a, _), (b, _), (c, _) = marks(drawing.quadrants(found(*rows)), "Below both limits")
    assert b - a == pytest.approx(c - b, abs=0.01)


def test_a_value_of_nothing_and_a_huge_one_are_both_on_the_paper():
    rows = [subject("S-1", "normal", 0, 0), subject("S-2", "hy", 400, 60)]
    svg = drawing.quadrants(found(*rows))
    width, height = map(float, ET.fromstring(svg).attrib["viewBox"].split()[2:])
    for x, y in (*marks(svg, "Below both limits"), *marks(svg, "Hy's law range")):
        assert 0 < x < width
        assert 0 < y < height


def test_who_has_not_both_multiples_is_counted_and_told():
    view = found(subject("S-1", None, 5, None), subject("S-2", None, 1, 1))
    assert drawing.undrawn(view) == 1
    assert "2 not known" in drawing.spread(view)
    svg = drawing.quadrants(view).decode()
    assert "Not known: a limit is missing (1)" in svg
    assert "<desc" in svg


def test_a_trial_without_anybody_has_a_figure_still():
    assert drawing.quadrants(found()).startswith(b"<?xml")


def test_names_stand_beside_the_few_beyond_a_limit_and_not_beside_the_many():
    few = [subject(f"S-{n}", "temple", 4 + n, 1) for n in range(12)]
    assert b"S-11<" in drawing.quadrants(found(*few))
    assert b"S-11<" not in drawing.quadrants(found(*few, subject("S-12", "hy", 4, 4)))


def test_the_same_content_gives_the_same_bytes():
    view = found(subject("S-1", "hy", 4, 4))
    assert drawing.quadrants(view) == drawing.quadrants(view)
