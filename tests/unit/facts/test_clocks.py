"""Reporting clocks: since when, until when, how far; each line a situation of some trial."""

from __future__ import annotations

from typing import Any

import pytest

from rules.facts.calendar import iso
from rules.facts.knowing import MARKS
from rules.model import Due
from rules.terms import ClockStage, Party
from tests.support.clock_rooms import DAYS_7, DAYS_15, at, clock, known, stand, zones

SITE_24H = clock()
SPONSOR_15 = clock(due=DAYS_15, starts=Party.SPONSOR)
FATAL_7 = clock("serious && fatal", DAYS_7, Party.SPONSOR)


def due(*args: Any, **more: Any) -> str:
    found = stand(*args, **more)
    assert found is not None
    return iso(found.due_us)


def stage(*args: Any, **more: Any) -> str:
    found = stand(*args, **more)
    assert found is not None
    return found.stage.value


@pytest.mark.parametrize(
    ("day_0", "days", "zone", "due_at"),
    [
        ("2026-01-25", 7, "UTC", "2026-02-01T23:59:59Z"),  # over the end of a month
        ("2026-12-28", 7, "UTC", "2027-01-04T23:59:59Z"),  # over the end of a year
        ("2028-02-22", 7, "UTC", "2028-02-29T23:59:59Z"),  # on a leap day
        ("2026-02-22", 7, "UTC", "2026-03-01T23:59:59Z"),  # a February without one
        ("2028-02-14", 15, "UTC", "2028-02-29T23:59:59Z"),
        ("2026-03-24", 7, "Europe/Berlin", "2026-03-31T21:59:59Z"),  # clocks go forward between
        ("2026-10-20", 7, "Europe/Berlin", "2026-10-27T22:59:59Z"),  # and back
        ("2026-10-18", 7, "Europe/Berlin", "2026-10-25T22:59:59Z"),  # the day of 25 hours itself
        ("2026-03-22", 7, "Europe/Berlin", "2026-03-29T21:59:59Z"),  # the day of 23 hours itself
        ("2026-01-10", 15, "Pacific/Tongatapu", "2026-01-25T10:59:59Z"),  # +13
        ("2026-01-10", 15, "Pacific/Pago_Pago", "2026-01-26T10:59:59Z"),  # -11
        ("2026-04-16", 7, "Africa/Cairo", "2026-04-23T21:59:59Z"),  # midnight of the 24th is none
    ],
)
def test_calendar_days_end_with_the_sponsors_day(
    day_0: str, days: int, zone: str, due_at: str
) -> None:
    watched = clock(due=Due(calendar_days=days), starts=Party.SPONSOR)
    told = [("2029-01-01T00:00:00Z", {"serious": True, "reported_at": day_0})]
    assert due(watched, told, "2029-01-01T00:00:00Z", zones("Asia/Seoul", zone)) == due_at


def test_an_instant_falls_on_the_day_that_it_is_at_the_sponsors() -> None:
    told = [("2026-05-01T23:30:00Z", {"serious": True, "reported_at": "2026-05-01T23:30:00Z"})]
    seoul, apia = zones("UTC", "Asia/Seoul"), zones("UTC", "Pacific/Pago_Pago")
    assert due(SPONSOR_15, told, "2026-05-02T00:00:00Z", seoul) == "2026-05-17T14:59:59Z"
    assert due(SPONSOR_15, told, "2026-05-02T00:00:00Z", apia) == "2026-05-17T10:59:59Z"


@pytest.mark.parametrize("aware", ["2026-03-28T18:00:00+01:00", "2026-10-24T18:00:00+02:00"])
def test_hours_are_exact_where_the_clocks_change(aware: str) -> None:
    told = [(aware, {"serious": True, "aware_at": aware})]
    found = stand(SITE_24H, told, aware, zones("Europe/Berlin"))
    assert found is not None
    assert found.due_us - at(aware) == 24 * 3_600_000_000


def test_reminders_come_at_half_at_four_fifths_and_when_it_is_over() -> None:
    told = [("2026-05-01T00:00:00Z", {"serious": True, "aware_at": "2026-05-01T00:00:00Z"})]
    times = {
        "2026-05-01T11:59:59Z": "running",
        "2026-05-01T12:00:00Z": "half",
        "2026-05-01T19:11:59Z": "half",
        "2026-05-01T19:12:00Z": "late_warning",
        "2026-05-01T23:59:59Z": "late_warning",
        "2026-05-02T00:00:00Z": "overdue",  # a report made just now is still in time
    }
    assert {now: stage(SITE_24H, told, now) for now in times} == times


def test_each_stage_begins_at_the_instant_that_was_waited_for() -> None:
    told = [("2026-05-01T00:00:00Z", {"serious": True})]
    now, seen = "2026-05-01T00:00:00Z", []
    watched, places = clock(due=DAYS_7), zones()
    found = stand(watched, told, now, places)
    while found is not None and found.next_us < 1 << 62:
        seen.append(found.stage.value)
        before = stand(watched, told, iso(found.next_us - 1), places)
        assert before is not None
        assert before.stage is found.stage
        found = stand(watched, told, iso(found.next_us), places)
    assert found is not None
    assert [*seen, found.stage.value] == ["running", "half", "late_warning", "overdue"]


def test_awareness_before_receipt_may_be_overdue_at_once() -> None:
    told = [("2026-05-09T08:00:00Z", {"serious": True, "aware_at": "2026-05-05T08:00:00Z"})]
    found = stand(SITE_24H, told, "2026-05-09T08:00:00Z")
    assert found is not None
    assert (found.stage, found.start.assumed) == (ClockStage.OVERDUE, False)


def test_without_awareness_it_starts_at_the_first_receipt_and_says_so() -> None:
    told: list[tuple[str, dict[str, Any]]] = [
        ("2026-05-01T08:00:00Z", {"grade": 3}),
        ("2026-05-01T20:00:00Z", {"serious": True}),  # nobody had said otherwise
    ]
    found = stand(SITE_24H, told, "2026-05-01T20:00:00Z")
    assert found is not None
    assert (iso(found.start.us), found.start.assumed) == ("2026-05-01T08:00:00Z", True)


def test_awareness_told_later_moves_it_earlier_and_never_later() -> None:
    first: tuple[str, dict[str, Any]] = ("2026-05-01T08:00:00Z", {"serious": True})
    earlier: tuple[str, dict[str, Any]] = (
        "2026-05-01T09:00:00Z",
        {"aware_at": "2026-04-30T22:00:00Z"},
    )
    later: tuple[str, dict[str, Any]] = (
        "2026-05-01T09:00:00Z",
        {"aware_at": "2026-05-01T08:30:00Z"},
    )
    assert due(SITE_24H, [first], "2026-05-01T10:00:00Z") == "2026-05-02T08:00:00Z"
    assert due(SITE_24H, [first, earlier], "2026-05-01T10:00:00Z") == "2026-05-01T22:00:00Z"
    found = stand(SITE_24H, [first, later], "2026-05-01T10:00:00Z")
    assert found is not None
    assert (iso(found.due_us), found.start.assumed) == ("2026-05-02T08:00:00Z", True)


def test_a_date_alone_is_that_day_wherever_the_sponsor_sits() -> None:
    told = [("2026-05-03T08:00:00Z", {"serious": True, "reported_at": "2026-05-02"})]
    places = zones("Asia/Seoul", "America/New_York")
    assert due(SPONSOR_15, told, "2026-05-03T08:00:00Z", places) == "2026-05-18T03:59:59Z"


def test_hours_after_a_date_alone_count_from_its_first_instant() -> None:
    told = [("2026-05-03T08:00:00Z", {"serious": True, "aware_at": "2026-05-03"})]
    assert due(SITE_24H, told, "2026-05-03T08:00:00Z") == "2026-05-03T15:00:00Z"


UPGRADED: list[tuple[str, dict[str, Any]]] = [
    ("2026-05-01T08:00:00Z", {"serious": True, "fatal": False, "reported_at": "2026-05-01"}),
    ("2026-05-07T09:00:00Z", {"fatal": True}),
]


def test_an_upgrade_on_day_6_is_a_new_day_0_and_the_first_clock_runs_on() -> None:
    now = "2026-05-07T09:00:00Z"
    assert due(FATAL_7, UPGRADED, now) == "2026-05-14T14:59:59Z"
    assert due(SPONSOR_15, UPGRADED, now) == "2026-05-16T14:59:59Z"


def test_a_report_made_before_an_upgrade_does_not_stop_its_clock() -> None:
    told = [UPGRADED[0], ("2026-05-03T00:00:00Z", {"submitted_at": "2026-05-03"}), UPGRADED[1]]
    assert stage(FATAL_7, told, "2026-05-08T00:00:00Z") == "running"
    assert stage(SPONSOR_15, told, "2026-05-08T00:00:00Z") == "met"
    told.append(("2026-05-09T00:00:00Z", {"submitted_at": "2026-05-08T12:00:00Z"}))
    assert stage(FATAL_7, told, "2026-05-09T00:00:00Z") == "met"


def test_awareness_of_an_upgrade_told_with_it_or_after_it_dates_it() -> None:
    with_it = [UPGRADED[0], ("2026-05-07T09:00:00Z", {"fatal": True, "reported_at": "2026-05-06"})]
    after = [*UPGRADED, ("2026-05-08T09:00:00Z", {"reported_at": "2026-05-06"})]
    for told in (with_it, after):
        assert due(FATAL_7, told, "2026-05-09T00:00:00Z") == "2026-05-13T14:59:59Z"
        assert due(SPONSOR_15, told, "2026-05-09T00:00:00Z") == "2026-05-16T14:59:59Z"


def test_awareness_of_what_came_before_an_upgrade_says_nothing_of_it() -> None:
    first = ("2026-05-01T08:00:00Z", {"serious": True, "fatal": False})
    told = [first, UPGRADED[1], ("2026-05-08T00:00:00Z", {"reported_at": "2026-04-30"})]
    assert due(FATAL_7, told, "2026-05-09T00:00:00Z") == "2026-05-14T14:59:59Z"
    assert due(SPONSOR_15, told, "2026-05-09T00:00:00Z") == "2026-05-15T14:59:59Z"


def test_a_stamp_repeated_with_an_upgrade_is_not_about_it() -> None:
    told = [UPGRADED[0], ("2026-05-07T09:00:00Z", {"fatal": True, "reported_at": "2026-05-01"})]
    assert due(FATAL_7, told, "2026-05-07T09:00:00Z") == "2026-05-14T14:59:59Z"


def test_the_sponsor_learns_when_the_site_reports() -> None:
    told: list[tuple[str, dict[str, Any]]] = [
        ("2026-05-01T08:00:00Z", {"serious": True}),
        ("2026-05-02T08:00:00Z", {"reported_at": "2026-05-02T07:00:00Z"}),
    ]
    assert due(SPONSOR_15, told[:1], "2026-05-01T08:00:00Z") == "2026-05-16T14:59:59Z"
    assert due(SPONSOR_15, told, "2026-05-02T08:00:00Z") == "2026-05-17T14:59:59Z"


def test_what_comes_true_again_runs_on_from_its_first_start() -> None:
    told: list[tuple[str, dict[str, Any]]] = [
        ("2026-05-01T08:00:00Z", {"serious": True}),
        ("2026-05-03T08:00:00Z", {"serious": False}),
        ("2026-05-06T08:00:00Z", {"serious": True}),
    ]
    assert stage(SPONSOR_15, told[:2], "2026-05-04T00:00:00Z") == "lapsed"
    assert due(SPONSOR_15, told, "2026-05-06T08:00:00Z") == "2026-05-16T14:59:59Z"
    told[2][1]["reported_at"] = "2026-05-05"  # who tells when it was known, starts it anew
    made = ("2026-05-06T09:00:00Z", {"submitted_at": "2026-05-02"})
    assert stage(SPONSOR_15, [*told, made], "2026-05-22T00:00:00Z") == "overdue"


def test_a_withdrawn_report_has_no_clock_and_reinstated_runs_on() -> None:
    told = [("2026-05-01T08:00:00Z", {"serious": True})]
    gone = ClockStage.WITHDRAWN
    assert stage(SPONSOR_15, told, "2026-05-06T00:00:00Z", stopped=gone) == "withdrawn"
    assert due(SPONSOR_15, told, "2026-05-08T00:00:00Z") == "2026-05-16T14:59:59Z"


@pytest.mark.parametrize(
    ("made", "told_at", "expected"),
    [
        ("2026-05-02T08:00:00Z", "2026-05-09T00:00:00Z", "met"),  # the last instant, told late
        ("2026-05-02T08:00:01Z", "2026-05-02T09:00:00Z", "met_late"),
        ("2026-05-02", "2026-05-09T00:00:00Z", "met"),
        ("2026-05-01T07:00:00Z", "2026-05-01T09:00:00Z", "running"),  # before anybody knew
        ("2026-05-01T12:00:00Z", "2026-05-01T09:00:00Z", "running"),  # still to come
    ],
)
def test_a_report_stops_the_clock_by_when_it_was_made(
    made: str, told_at: str, expected: str
) -> None:
    told: list[tuple[str, dict[str, Any]]] = [
        ("2026-05-01T08:00:00Z", {"serious": True, "aware_at": "2026-05-01T08:00:00Z"}),
        (told_at, {"reported_at": made}),
    ]
    assert stage(SITE_24H, told, told_at) == expected


def test_a_report_before_awareness_is_a_conflict_and_stops_nothing() -> None:
    told: list[tuple[str, dict[str, Any]]] = [
        ("2026-05-01T08:00:00Z", {"serious": True, "aware_at": "2026-05-01T08:00:00Z"}),
        ("2026-05-01T09:00:00Z", {"reported_at": "2026-05-01T07:00:00Z"}),
    ]
    found = stand(SITE_24H, told, "2026-05-01T09:00:00Z")
    assert found is not None
    assert found.conflict


def test_the_first_report_told_after_an_upgrade_is_no_conflict() -> None:
    told = [*UPGRADED, ("2026-05-08T09:00:00Z", {"reported_at": "2026-05-06"})]
    told.append(("2026-05-08T10:00:00Z", {"submitted_at": "2026-05-03"}))
    found = stand(FATAL_7, told, "2026-05-08T10:00:00Z")
    assert found is not None
    assert (found.stage, found.conflict) == (ClockStage.RUNNING, False)


def test_a_report_before_an_assumed_start_stops_it() -> None:
    told: list[tuple[str, dict[str, Any]]] = [
        ("2026-05-01T08:00:00Z", {"serious": True}),
        ("2026-05-01T09:00:00Z", {"reported_at": "2026-05-01T07:00:00Z"}),
    ]
    found = stand(SITE_24H, told, "2026-05-01T09:00:00Z")
    assert found is not None
    assert (found.stage, found.conflict) == (ClockStage.MET, False)


def test_a_report_that_is_taken_back_stops_nothing() -> None:
    told: list[tuple[str, dict[str, Any]]] = [
        ("2026-05-01T08:00:00Z", {"serious": True, "aware_at": "2026-05-01T08:00:00Z"}),
        ("2026-05-01T09:00:00Z", {"reported_at": "2026-05-01T08:30:00Z"}),
        ("2026-05-01T10:00:00Z", {"reported_at": None}),
    ]
    assert stage(SITE_24H, told, "2026-05-01T10:00:00Z") == "running"


def test_the_complete_report_is_the_second_one() -> None:
    watched = clock(due=DAYS_15, starts=Party.SPONSOR, nth=2)
    told: list[tuple[str, dict[str, Any]]] = [
        ("2026-05-01T08:00:00Z", {"serious": True}),
        ("2026-05-05T08:00:00Z", {"submitted_at": "2026-05-05"}),
    ]
    assert stage(watched, told, "2026-05-06T00:00:00Z") == "running"
    told.append(("2026-05-09T08:00:00Z", {"submitted_at": "2026-05-09"}))
    assert stage(watched, told, "2026-05-10T00:00:00Z") == "met"


FOLLOW_UP = clock(due=DAYS_15, starts=Party.SPONSOR, restarts_on=("grade", "outcome"))


def test_follow_up_starts_at_each_change_and_the_first_unreported_one_counts() -> None:
    told: list[tuple[str, dict[str, Any]]] = [("2026-05-01T08:00:00Z", {"serious": True})]
    assert stand(FOLLOW_UP, told, "2026-05-02T00:00:00Z") is None
    told += [
        ("2026-05-03T08:00:00Z", {"grade": 4}),
        ("2026-05-05T08:00:00Z", {"grade": 4}),  # nothing new
        ("2026-05-06T08:00:00Z", {"outcome": "recovered"}),
    ]
    assert due(FOLLOW_UP, told, "2026-05-07T00:00:00Z") == "2026-05-18T14:59:59Z"
    told.append(("2026-05-07T08:00:00Z", {"submitted_at": "2026-05-05"}))
    assert due(FOLLOW_UP, told, "2026-05-07T08:00:00Z") == "2026-05-21T14:59:59Z"
    told.append(("2026-05-08T08:00:00Z", {"submitted_at": "2026-05-08"}))
    assert stage(FOLLOW_UP, told, "2026-05-09T00:00:00Z") == "met"


def test_what_another_clock_asks_for_is_spared_until_it_does_no_longer() -> None:
    watched = clock("serious", DAYS_15, Party.SPONSOR, spared="fatal")
    told: list[tuple[str, dict[str, Any]]] = [
        ("2026-05-01T08:00:00Z", {"serious": True, "fatal": True})
    ]
    assert stage(watched, told, "2026-05-02T00:00:00Z") == "exempt"
    told.append(("2026-05-04T08:00:00Z", {"fatal": False}))
    assert due(watched, told, "2026-05-04T08:00:00Z") == "2026-05-16T14:59:59Z"
    told.append(("2026-05-05T08:00:00Z", {"fatal": True}))  # it runs already, and runs on
    assert stage(watched, told, "2026-05-05T08:00:00Z") == "running"


def test_what_is_kept_of_an_event_told_a_thousand_times_stays_small() -> None:
    told: list[tuple[str, dict[str, Any]]] = [("2026-05-01T08:00:00Z", {"serious": True})]
    for count in range(1000):
        stamp = f"2026-05-02T08:00:{count % 60:02d}.{count:03d}Z"
        more = {"grade": count % 4 + 1, "submitted_at": stamp, "reported_at": stamp}
        told.append((f"2026-05-03T{count // 60:02d}:{count % 60:02d}:00Z", more))
    record = known(FOLLOW_UP, told)
    assert len(record["runs"]["C"][MARKS]) <= 32
    assert all(len(stamps) <= 64 for stamps in record["told"].values())


def test_what_was_reported_and_comes_true_again_without_news_stays_reported() -> None:
    told: list[tuple[str, dict[str, Any]]] = [
        ("2026-05-01T08:00:00Z", {"serious": True}),
        ("2026-05-02T08:00:00Z", {"submitted_at": "2026-05-02"}),
        ("2026-05-03T08:00:00Z", {"serious": False}),
        ("2026-05-06T08:00:00Z", {"serious": True}),
    ]
    assert stage(SPONSOR_15, told, "2026-05-06T08:00:00Z") == "met"


def test_awareness_that_is_taken_back_leaves_the_receipt() -> None:
    told: list[tuple[str, dict[str, Any]]] = [
        ("2026-05-01T08:00:00Z", {"serious": True, "aware_at": "2026-05-01T02:00:00Z"}),
        ("2026-05-01T09:00:00Z", {"aware_at": None}),
    ]
    found = stand(SITE_24H, told, "2026-05-01T09:00:00Z")
    assert found is not None
    assert (iso(found.start.us), found.start.assumed) == ("2026-05-01T08:00:00Z", True)
