"""The figure of a stopping rule, read as a file: where its steps are, what it tells, that it stays."""

from __future__ import annotations

import re
import subprocess
import sys
from xml.etree import ElementTree as ET

import pytest

from services import drawing

TABLE = [(2, 2), (3, 3), (4, 3), (5, 4), (6, 4), (7, 4), (8, 4), (9, 5), (10, 5)]
SVG = "{http://www.w3.org/2000/svg}"


def path(*happened):
    steps, events = [], 0
    for number, event in enumerate(happened, start=1):
        events += event
        at = f"2026-03-{number:02d}T00:00:00Z"
        steps.append(
            {"evaluable": number, "events": events, "at": at, "subject": f"S-{number:03d}"}
        )
    return steps


def rule(*happened, **others):
    steps = path(*happened)
    rates = (0.05, 0.2, 0.4)
    return {
        "id": "ST-TOX",
        "title": "Toxicity <severe> & early",
        "method": "bayes_threshold",
        "evaluable": len(steps),
        "events": sum(happened),
        "pending": 0,
        "boundary": [{"evaluable": size, "stop_at": events} for size, events in TABLE],
        "path": steps,
        "crossed": False,
        "crossed_at": None,
        "stop_if": [],
        "p0": 0.2,
        "characteristics": [
            {"p": p, "reject": p, "expected_events": 1.0, "expected_evaluable": 10 - p}
            for p in rates
        ],
        **others,
    }


def part(svg, gid):
    """The groups of that name."""
    return [it for it in ET.fromstring(svg).iter(f"{SVG}g") if it.get("id") == gid]


def places(svg, gid):
    """Corners of the named line, in the figure's own units."""
    (found,) = part(svg, gid)
    line = found.find(f"{SVG}path")
    pairs = re.findall(r"[ML] (-?[\d.]+) (-?[\d.]+)", line.get("d"))
    return [(float(x), float(y)) for x, y in pairs]


def grid(svg):
    """From the figure's units back to numbers, by the path from (0, 0) with known corners."""
    (x0, y0), *_, (x1, y1) = places(svg, "path")
    return lambda at, now: ((at[0] - x0) / (x1 - x0) * now[0], (at[1] - y0) / (y1 - y0) * now[1])


def test_the_boundarys_steps_stand_at_the_numbers_that_stop():
    svg = drawing.boundary(rule(0, 1, 0, 1))
    number = grid(svg)
    corners = [number(at, (4, 2)) for at in places(svg, "boundary")]
    expected = [(1.5, 2), (2.5, 2), (2.5, 3), (4.5, 3), (4.5, 4), (8.5, 4), (8.5, 5), (10.5, 5)]
    kept = [corner for corner in corners if any(corner == pytest.approx(e) for e in expected)]
    assert [tuple(round(v, 3) for v in corner) for corner in kept] == expected


def test_a_boundary_by_exposure_steps_at_its_cuts():
    cuts = [{"events": 1, "max_exposure": 25.0}, {"events": 2, "max_exposure": 100.0}]
    found = drawing.Course.of(
        rule(
            outcome="time_to_event",
            boundary=[],
            exposure_boundary=cuts,
            path=[{"evaluable": 3, "events": 1, "exposure": 50.0, "at": "x", "subject": "S-001"}],
            events=1,
            exposure_days=60.0,
        )
    )
    assert found.treads == ((0.0, 25.0, 1), (25.0, 100.0, 2))
    assert found.path == ((50.0, 1),)
    assert found.now == (60.0, 1)


def test_between_two_looks_the_later_ones_number_counts_and_what_cannot_happen_is_left_out():
    looks = [{"evaluable": size, "stop_at": events} for size, events in ((5, 3), (10, 5))]
    found = drawing.Course.of({"method": "pocock", "boundary": looks})
    assert found.treads == ((2.5, 5.5, 3), (5.5, 10.5, 5))
    assert found.looks == ((5, 3), (10, 5))


def test_what_the_command_prints_is_drawn_without_a_path():
    printed = {
        "method": "pocock",
        "parameters": {"p0": 0.2},
        "boundary": [{"evaluable": 1, "stop_at": None}, {"evaluable": 2, "stop_at": 2}],
        "operating_characteristics": [{"p": 0.2, "reject": 0.04, "expected_evaluable": 2.0}],
    }
    svg = drawing.whole(printed)
    assert part(svg, "boundary")
    assert not part(svg, "path")
    assert b"Probability of stopping" in svg


def test_a_rule_that_cannot_stop_says_so():
    never = {"method": "pocock", "boundary": [{"evaluable": 1, "stop_at": None}]}
    assert b"cannot stop" in drawing.boundary(never)


def test_the_crossing_is_marked_and_only_then():
    crossed = {"crossed": True, "crossed_at": "2026-03-04T00:00:00Z", "crossed_step": 4}
    assert part(drawing.boundary(rule(0, 1, 1, 1, **crossed)), "reached")
    by_time = {**crossed, "crossed_step": None}
    assert drawing.Course.of(rule(0, 1, 1, 1, **by_time)).reached == 3
    assert not part(drawing.boundary(rule(0, 1, 1, 0)), "reached")


def test_the_pending_and_the_nearest_place_of_the_boundary_are_shown():
    svg = drawing.boundary(rule(0, 1, 1, pending=2, stop_if=[{"of_next": 1, "events": 1}]))
    assert part(svg, "pending")
    assert part(svg, "target")
    assert not part(drawing.boundary(rule(0, 1, 1)), "pending")


def test_a_screen_reader_finds_name_and_description_and_the_text_is_text():
    svg = drawing.boundary(rule(0, 1, 1, pending=2, stop_if=[{"of_next": 2, "events": 1}]))
    root = ET.fromstring(svg)
    assert root.get("role") == "img"
    assert root.get("aria-labelledby") == "figure-title figure-desc"
    assert root[0].text == "Stopping boundary: Toxicity <severe> & early"
    assert root[1].tag == f"{SVG}desc"
    assert "2 events in 3 evaluable subjects, 2 not yet evaluable." in (root[1].text or "")
    assert "1 more of the next 2 evaluable subjects has an event" in (root[1].text or "")
    assert "Evaluable subjects" in {text.text for text in root.iter(f"{SVG}text")}


@pytest.mark.parametrize("form", drawing.Form)
def test_the_same_rule_gives_the_same_bytes_in_every_process(form):
    told = rule(0, 1, 1, pending=1)
    here = drawing.whole(told, form=form)
    code = (
        "import sys; from services import drawing; sys.stdout.buffer.write("
        f"drawing.whole({told!r}, form=drawing.Form({form.value!r})))"
    )
    there = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    assert here == there.stdout
    assert b"2026-" not in here or form is drawing.Form.PNG


@pytest.mark.parametrize(
    ("stop_if", "said"),
    [
        ([(1, 1)], "Stop if the next evaluable subject has an event."),
        ([(2, 1)], "Stop if 1 more of the next 2 evaluable subjects has an event."),
        ([(2, 2)], "Stop if 2 more of the next 2 evaluable subjects (both) have an event."),
        ([(3, 2), (7, 3)], "2 more of the next 3 evaluable subjects have an event, or if 3 more"),
        ([], "The boundary can no longer be reached."),
    ],
)
def test_what_would_stop_is_one_plain_sentence(stop_if, said):
    ways = [{"of_next": of_next, "events": events} for of_next, events in stop_if]
    assert said in drawing.outlook(rule(0, 1, stop_if=ways))


def test_nothing_is_drawn_before_somebody_asks():
    code = "from services import drawing; import sys; assert 'matplotlib' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
