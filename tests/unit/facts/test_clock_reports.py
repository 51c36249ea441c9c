"""Which report stops which reporting clock: told again, told late, by its day alone, upgraded."""

from __future__ import annotations

from typing import Any

import pytest

from rules.facts.calendar import iso
from rules.facts.clocks import Standing
from rules.terms import Party
from tests.support.clock_rooms import DAYS_7, DAYS_15, clock, stand, zones

Told = list[tuple[str, dict[str, Any]]]
SITE_24H = clock()
SPONSOR_15 = clock(due=DAYS_15, starts=Party.SPONSOR)
FATAL_7 = clock("serious && fatal", DAYS_7, Party.SPONSOR)
COMPLETE = clock(due=DAYS_15, starts=Party.SPONSOR, nth=2)
NEWS = clock(due=DAYS_15, starts=Party.SPONSOR, restarts_on=("grade", "outcome"))
FIRST = ("2026-05-01T08:00:00Z", {"serious": True, "fatal": False, "reported_at": "2026-05-01"})
UPGRADED: Told = [FIRST, ("2026-05-07T09:00:00Z", {"fatal": True})]
LATER = "2026-05-12T00:00:00Z"


def found(*args: Any, **more: Any) -> Standing:
    standing = stand(*args, **more)
    assert standing is not None
    return standing


def stage(*args: Any, **more: Any) -> str:
    return found(*args, **more).stage.value


# --- the same report told again -----------------------------------------------------------------
@pytest.mark.parametrize(
    "again",
    [
        "2026-05-05T08:00:00+00:00",  # the same instant, in other words
        "2026-05-05T17:00:00+09:00",
        "2026-05-05T08:00:00.000Z",
        "2026-05-05T08:30:00Z",  # another instant of that day
        "2026-05-05",  # the day alone
    ],
)
def test_a_report_told_again_is_not_the_second_one(again: str) -> None:
    told: Told = [
        ("2026-05-01T08:00:00Z", {"serious": True}),
        ("2026-05-05T09:00:00Z", {"submitted_at": "2026-05-05T08:00:00Z"}),
        ("2026-05-06T09:00:00Z", {"submitted_at": again}),
    ]
    assert stage(COMPLETE, told, "2026-05-07T00:00:00Z") == "running"
    turned = [told[0], (told[1][0], told[2][1]), (told[2][0], told[1][1])]
    assert stage(COMPLETE, turned, "2026-05-07T00:00:00Z") == "running"
    told.append(("2026-05-09T09:00:00Z", {"submitted_at": "2026-05-09"}))
    assert stage(COMPLETE, told, "2026-05-10T00:00:00Z") == "met"


def test_the_time_of_a_report_tells_more_than_its_day() -> None:
    told: Told = [
        ("2026-05-01T08:00:00Z", {"serious": True, "aware_at": "2026-05-01T08:00:00Z"}),
        ("2026-05-02T09:00:00Z", {"reported_at": "2026-05-02"}),
    ]
    assert stage(SITE_24H, told, "2026-05-02T09:00:00Z") == "met"
    told.append(("2026-05-02T10:00:00Z", {"reported_at": "2026-05-02T08:30:00Z"}))
    assert stage(SITE_24H, told, "2026-05-02T10:00:00Z") == "met_late"


def test_twenty_reports_of_one_event_are_one_first_and_one_second() -> None:
    told: Told = [("2026-05-01T08:00:00Z", {"serious": True})]
    for day in range(2, 22):
        told.append((f"2026-05-{day:02}T09:00:00Z", {"submitted_at": f"2026-05-{day:02}"}))
    assert stage(SPONSOR_15, told, "2026-05-22T00:00:00Z") == "met"
    assert stage(COMPLETE, told, "2026-05-22T00:00:00Z") == "met"
    turned = [
        told[0],
        *(
            (received, words)
            for (received, _), (_, words) in zip(told[1:], told[:0:-1], strict=True)
        ),
    ]
    assert stage(COMPLETE, turned, "2026-05-22T00:00:00Z") == "met"


# --- after an upgrade ---------------------------------------------------------------------------
@pytest.mark.parametrize(
    "upgrade",
    [
        {"fatal": True},
        {"fatal": True, "reported_at": "2026-05-07T08:00:00Z"},
        {"fatal": True, "reported_at": "2026-05-07"},
    ],
)
def test_a_report_told_by_the_day_of_the_upgrade_may_be_of_what_was_before(
    upgrade: dict[str, Any],
) -> None:
    told: Told = [FIRST, ("2026-05-07T09:00:00Z", upgrade)]
    told.append(("2026-05-08T00:00:00Z", {"submitted_at": "2026-05-07"}))
    assert stage(FATAL_7, told, LATER) == "half"
    assert stage(SPONSOR_15, told, LATER) == "met"
    told.append(("2026-05-09T00:00:00Z", {"submitted_at": "2026-05-08"}))
    assert stage(FATAL_7, told, LATER) == "met"


def test_its_time_shows_that_a_report_of_that_day_was_made_after_the_upgrade() -> None:
    told: Told = [*UPGRADED, ("2026-05-08T00:00:00Z", {"submitted_at": "2026-05-07"})]
    told.append(("2026-05-08T01:00:00Z", {"submitted_at": "2026-05-07T10:00:00Z"}))
    assert stage(FATAL_7, told, LATER) == "met"


def test_where_nobody_said_otherwise_the_day_of_awareness_is_enough() -> None:
    words = {"serious": True, "fatal": True, "reported_at": "2026-05-01T07:00:00Z"}
    told: Told = [("2026-05-01T08:00:00Z", {**words, "submitted_at": "2026-05-01"})]
    assert stage(FATAL_7, told, LATER) == "met"


def test_an_older_report_told_after_an_upgrade_whose_awareness_is_assumed_stops_nothing() -> None:
    told: Told = [*UPGRADED, ("2026-05-08T00:00:00Z", {"submitted_at": "2026-05-03"})]
    assert stage(FATAL_7, told, LATER) == "half"
    assert stage(SPONSOR_15, told, LATER) == "met"


def test_a_report_told_before_an_upgrade_that_is_dated_only_later_stops_nothing() -> None:
    told: Told = [
        FIRST,
        ("2026-05-04T00:00:00Z", {"submitted_at": "2026-05-03T12:00:00Z"}),
        UPGRADED[1],
    ]
    told.append(("2026-05-08T00:00:00Z", {"reported_at": "2026-05-02T09:00:00Z"}))
    assert stage(FATAL_7, told, LATER) == "overdue"


def test_awareness_told_with_an_upgrade_makes_a_report_of_after_it_count() -> None:
    told: Told = [FIRST, ("2026-05-04T10:00:00Z", {"submitted_at": "2026-05-04T09:00:00Z"})]
    told.append(("2026-05-05T00:00:00Z", {"fatal": True, "reported_at": "2026-05-03T09:00:00Z"}))
    assert stage(FATAL_7, told, LATER) == "met"
    told[1] = ("2026-05-04T10:00:00Z", {"fatal": False, "submitted_at": "2026-05-04T09:00:00Z"})
    assert stage(FATAL_7, told, LATER) == "overdue"  # with it, it was told not to be fatal


def test_awareness_of_the_first_news_told_with_the_next_does_not_let_an_older_report_stop_it() -> (
    None
):
    told: Told = [
        ("2026-05-01T08:00:00Z", {"serious": True, "grade": 3}),
        ("2026-05-03T08:00:00Z", {"submitted_at": "2026-05-02", "grade": 3}),
        ("2026-05-10T08:00:00Z", {"grade": 4}),
        ("2026-05-11T08:00:00Z", {"reported_at": "2026-05-01"}),
    ]
    assert stage(NEWS, told, LATER) == "running"
    assert iso(found(NEWS, told, LATER).due_us) == "2026-05-25T14:59:59Z"
    told[2:] = [("2026-05-10T08:00:00Z", {"grade": 4, "reported_at": "2026-05-01"})]
    assert stage(NEWS, told, LATER) == "half"


def test_entered_late_one_after_another_an_upgrade_is_overdue_at_once() -> None:
    told: Told = [
        ("2026-05-20T09:00:00Z", {"serious": True, "fatal": False, "reported_at": "2026-05-01"}),
        ("2026-05-20T09:05:00Z", {"fatal": True}),
        ("2026-05-20T09:10:00Z", {"reported_at": "2026-05-07"}),
    ]
    assert iso(found(FATAL_7, told, told[-1][0]).due_us) == "2026-05-14T14:59:59Z"
    assert stage(FATAL_7, told, told[-1][0]) == "overdue"
    told.append(("2026-05-20T09:15:00Z", {"submitted_at": "2026-05-10"}))
    assert stage(FATAL_7, told, told[-1][0]) == "met"


def test_entered_page_by_page_on_one_day_what_was_known_before_is_overdue_at_once() -> None:
    told: Told = [
        ("2026-05-20T09:00:00Z", {"serious": True, "fatal": False}),
        ("2026-05-20T09:05:00Z", {"fatal": True}),
        ("2026-05-20T09:10:00Z", {"reported_at": "2026-05-01"}),
    ]
    assert stage(FATAL_7, told, told[-1][0]) == "overdue"
    told[0] = ("2026-05-18T09:00:00Z", told[0][1])  # then it may be about what was before
    assert stage(FATAL_7, told, told[-1][0]) == "running"


# --- awareness told again -----------------------------------------------------------------------
def test_awareness_repeated_in_other_words_is_not_of_the_upgrade() -> None:
    told: Told = [
        (
            "2026-05-01T08:00:00Z",
            {"serious": True, "fatal": False, "reported_at": "2026-05-01T07:00:00Z"},
        ),
        ("2026-05-07T09:00:00Z", {"fatal": True, "reported_at": "2026-05-01T16:00:00+09:00"}),
    ]
    assert iso(found(FATAL_7, told, "2026-05-08T00:00:00Z").due_us) == "2026-05-14T14:59:59Z"


def test_what_nobody_said_otherwise_runs_from_the_earliest_awareness_told() -> None:
    told: Told = [
        ("2026-05-03T08:00:00Z", {"aware_at": "2026-05-02T08:00:00Z"}),
        ("2026-05-03T09:00:00Z", {"aware_at": "2026-04-30T08:00:00Z"}),
        ("2026-05-03T10:00:00Z", {"serious": True}),
    ]
    assert iso(found(SITE_24H, told, "2026-05-03T10:00:00Z").start.us) == "2026-04-30T08:00:00Z"


def test_a_month_alone_counts_by_its_last_day() -> None:
    told: Told = [("2026-05-01T08:00:00Z", {"serious": True, "reported_at": "2026-05-01"})]
    told.append(("2026-06-01T08:00:00Z", {"submitted_at": "2026-05"}))
    assert stage(SPONSOR_15, told, "2026-06-02T00:00:00Z", zones()) == "met_late"


# --- there and back -----------------------------------------------------------------------------
def test_fatal_not_fatal_and_fatal_again_has_one_clock_unless_awareness_is_told_anew() -> None:
    told: Told = [
        *UPGRADED,
        ("2026-05-08T09:00:00Z", {"submitted_at": "2026-05-08T08:00:00Z"}),
        ("2026-05-10T09:00:00Z", {"fatal": False}),
        ("2026-05-11T09:00:00Z", {"fatal": True}),
    ]
    assert stage(FATAL_7, told[:2], "2026-05-08T00:00:00Z") == "running"
    assert stage(FATAL_7, told[:4], LATER) == "lapsed"
    assert stage(FATAL_7, told, LATER) == "met"  # as fatal it was reported
    told[4][1]["reported_at"] = "2026-05-11T08:00:00Z"
    assert iso(found(FATAL_7, told, LATER).due_us) == "2026-05-18T14:59:59Z"


def test_awareness_corrected_after_the_report_moves_what_was_in_time() -> None:
    aware, made = "2026-05-01T08:00:00Z", "2026-05-02T07:00:00Z"
    told: Told = [(aware, {"serious": True, "aware_at": aware}), (made, {"reported_at": made})]
    assert stage(SITE_24H, told, LATER) == "met"
    told[0][1]["aware_at"] = "2026-05-01T06:00:00Z"
    assert stage(SITE_24H, told, LATER) == "met_late"
    told[0][1]["aware_at"] = "2026-05-01T08:00:00Z"
    told[1][1]["reported_at"] = "2026-05-01T07:59:59Z"
    assert found(SITE_24H, told, LATER).conflict
