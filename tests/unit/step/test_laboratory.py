"""Laboratory series: each code judged beside its own range, its baseline, its newest in a row."""

from __future__ import annotations

from typing import Any

import pytest

from rules.facts import laboratory as series
from rules.facts import timeline
from tests.support.entity_trial import opened, run, told
from tests.support.step_logs import event

ENROLLED = event(1, "enrolment", "2026-01-09T08:00:00", status="enrolled")


def lab(n, time, value, received=None, code="alt", high=40, low=10, unit="U/L", **more):
    ranges = {k: v for k, v in (("reference_low", low), ("reference_high", high)) if v is not None}
    return event(
        n, "observation", time, received, code=code, value=value, unit=unit, **ranges, **more
    )


def infusion(n, time, received=None, **data):
    return event(n, "administration", time, received, number=1, status="completed", **data)


def of(outcome, rule):
    return [(n, change, key) for n, change, found, key in told(outcome) if found == rule]


@pytest.fixture(params=["roomy", "tight"])
def room(request, monkeypatch):
    if request.param == "tight":
        monkeypatch.setattr(timeline, "KEEP", 1)
        monkeypatch.setattr(timeline, "PRUNE_EVERY", 2)


def test_one_rule_ranges_over_every_series_and_only_the_touched_one_is_judged():
    log = [
        ENROLLED,
        lab(2, "2026-01-10T08:00:00", 119),
        lab(3, "2026-01-11T08:00:00", 120),
        lab(4, "2026-01-12T08:00:00", 120, code="temp", unit="Cel"),
    ]
    assert of(run(log), "L-HIGH") == [(3, "opened", "lab:alt"), (4, "opened", "lab:temp")]


def test_its_alert_reads_well():
    outcome = run([ENROLLED, lab(2, "2026-01-10T08:00:00", 120)])
    (change,) = [c for c in outcome.results[-1].changes if c.rule == "L-HIGH"]
    assert (change.title, change.detail) == ("Alanine aminotransferase is high", "120 U/L")
    assert change.occurred_us == outcome.results[-1].at_us


def test_a_value_without_its_range_is_neither_high_nor_low():
    assert of(run([ENROLLED, lab(2, "2026-01-10T08:00:00", 500, high=None)]), "L-HIGH") == []


def test_rules_on_series_see_the_subject_as_it_is_now():
    log = [lab(1, "2026-01-10T08:00:00", 120)]
    assert of(run(log), "L-HIGH") == []
    log.append(event(2, "enrolment", "2026-01-11T08:00:00", status="enrolled"))
    assert of(run(log), "L-HIGH") == [(2, "opened", "lab:alt")]


def test_the_newest_in_a_row_are_counted_and_one_within_the_range_ends_the_row(room):
    values = [41, 42, 40, 41, 50, 60, 39]
    log = [lab(n, f"2026-01-{9 + n}T08:00:00", value) for n, value in enumerate(values, 1)]
    assert of(run(log), "L-TWICE") == [
        (2, "opened", "lab:alt"),
        (3, "cleared", "lab:alt"),
        (5, "opened", "lab:alt"),
        (6, "updated", "lab:alt"),
        (7, "cleared", "lab:alt"),
    ]


def test_a_range_not_told_leaves_the_count_open_only_where_a_condition_could_tell(room):
    log = [
        lab(1, "2026-01-10T08:00:00", 50, high=None),
        lab(2, "2026-01-11T08:00:00", 50),
    ]
    assert of(run(log), "L-TWICE") == []
    log.append(lab(3, "2026-01-12T08:00:00", 50))
    assert of(run(log), "L-TWICE") == [(3, "opened", "lab:alt")]


def test_a_late_value_breaks_the_row_where_it_belongs(room):
    log = [
        lab(1, "2026-01-10T08:00:00", 50),
        lab(2, "2026-01-12T08:00:00", 50),
        lab(3, "2026-01-11T08:00:00", 20, "2026-01-13T08:00:00"),
    ]
    assert of(run(log), "L-TWICE") == [(2, "opened", "lab:alt"), (3, "cleared", "lab:alt")]


def test_a_value_entered_in_error_is_no_part_of_the_series(room):
    log = [
        lab(1, "2026-01-10T08:00:00", 50),
        lab(2, "2026-01-12T08:00:00", 50),
        event(
            3, "correction", "2026-01-13T08:00:00",
            corrects={"source": "lab", "id": "e1"}, entered_in_error=True,
        ),
    ]  # fmt: skip
    assert of(run(log), "L-TWICE") == [(2, "opened", "lab:alt"), (3, "superseded", "lab:alt")]


def test_the_change_is_from_the_last_value_up_to_the_first_infusion(room):
    log = [
        lab(1, "2026-01-08T08:00:00", 10),
        lab(2, "2026-01-10T10:00:00", 20),
        infusion(3, "2026-01-10T10:00:00"),
        lab(4, "2026-01-12T08:00:00", 29),
        lab(5, "2026-01-13T08:00:00", 30),
        lab(6, "2026-01-14T08:00:00", 31),
    ]
    assert of(run(log), "L-RISE")[0] == (5, "opened", "lab:alt")


def test_before_any_infusion_there_is_no_change():
    log = [lab(1, "2026-01-08T08:00:00", 10), lab(2, "2026-01-10T10:00:00", 20)]
    assert of(run(log), "L-RISE") == []


def test_a_baseline_told_late_is_the_baseline(room):
    log = [
        lab(1, "2026-01-08T08:00:00", 30),
        infusion(2, "2026-01-10T10:00:00"),
        lab(3, "2026-01-12T08:00:00", 32),
        lab(4, "2026-01-13T08:00:00", 32),
        lab(5, "2026-01-09T08:00:00", 20, "2026-01-14T08:00:00"),
    ]
    assert of(run(log), "L-RISE") == [(5, "opened", "lab:alt")]


def test_an_infusion_told_late_gives_the_series_a_baseline(room):
    log = [
        lab(1, "2026-01-08T08:00:00", 20),
        lab(2, "2026-01-12T08:00:00", 32),
        lab(3, "2026-01-13T08:00:00", 32),
        infusion(4, "2026-01-10T10:00:00", "2026-01-14T08:00:00"),
    ]
    assert of(run(log), "L-RISE") == [(4, "opened", "lab:alt")]


def test_a_value_of_the_infusions_day_alone_leaves_the_baseline_open():
    log = [
        lab(1, "2026-01-08T08:00:00", 20),
        lab(2, "2026-01-10T00:00:00", 30, "2026-01-10T09:00:00", precision="day"),
        infusion(3, "2026-01-10T10:00:00"),
        lab(4, "2026-01-12T08:00:00", 90),
    ]
    assert of(run(log), "L-RISE") == []
    log[1] = lab(2, "2026-01-10T00:00:00", 20, "2026-01-10T09:00:00", precision="day")
    assert ("L-RISE", "lab:alt") in opened(run(log))


def test_units_are_told_in_the_codes_own():
    log = [ENROLLED, lab(2, "2026-01-10T08:00:00", 0.12, unit="kU/L", high=0.04, low=None)]
    assert of(run(log), "L-HIGH") == [(2, "opened", "lab:alt")]


def never(_low, _high):
    return False


def runs(values, alike=never):
    """The counts in a row of a series of (value, its upper limit)."""
    held: list[Any] | None = None
    for n, (value, high) in enumerate(values):
        held = series.put(held, [n, n, n, value, f"e{n}", None, high])
    assert held is not None
    both = {"lab_high_in_a_row": alike, "lab_low_in_a_row": alike}
    found = series.readings("alt", held, None, both, change=False)
    return found["lab_high_in_a_row"].value, found["lab_low_in_a_row"].value


def test_a_value_within_its_range_makes_the_count_certain():
    assert runs([(50, None), (30, 40), (50, 40)])[0] == 1
    assert runs([(50, 40), (30, 40)])[0] == 0


def test_a_value_whose_range_nobody_told_makes_the_count_unknown():
    assert runs([(50, 40), (50, None), (50, 40)]) == (None, None)
    assert runs([(50, 40), (50, None), (50, 40)], lambda low, high: True) == (1, 0)
