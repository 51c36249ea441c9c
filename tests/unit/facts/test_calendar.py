"""The site's days: partial dates, birthdays, months, and clocks that jump."""

from datetime import UTC, date, datetime

import pytest

from rules.facts.calendar import (
    DAY_US,
    HOUR_US,
    Calendar,
    add_months,
    completed_years,
    last_day_within,
    next_birthday,
    to_us,
)

SEOUL = Calendar("Asia/Seoul")


def us(text):
    return to_us(datetime.fromisoformat(text))


@pytest.mark.parametrize(
    ("born", "on", "years"),
    [
        ("1980-06-15", "2026-06-14", 45),
        ("1980-06-15", "2026-06-15", 46),
        ("2020-02-29", "2021-02-28", 0),
        ("2020-02-29", "2021-03-01", 1),
        ("2020-02-29", "2024-02-29", 4),
    ],
)
def test_a_year_is_completed_on_the_birthday(born, on, years):
    assert completed_years(date.fromisoformat(born), date.fromisoformat(on)) == years


@pytest.mark.parametrize(
    ("born", "on", "next_one"),
    [
        ("2020-02-29", "2020-06-01", "2021-03-01"),
        ("2020-02-29", "2023-06-01", "2024-02-29"),
        ("1980-06-15", "2026-06-15", "2027-06-15"),
        ("1980-06-15", "2026-06-14", "2026-06-15"),
    ],
)
def test_the_next_birthday_is_later_and_completes_one_more_year(born, on, next_one):
    born, on, next_one = (date.fromisoformat(text) for text in (born, on, next_one))
    assert next_birthday(born, on) == next_one
    assert completed_years(born, next_one) == completed_years(born, on) + 1


def test_six_months_before_the_31st_of_august_is_the_last_of_february():
    assert add_months(date(2026, 8, 31), -6) == date(2026, 2, 28)
    assert add_months(date(2024, 8, 31), -6) == date(2024, 2, 29)


@pytest.mark.parametrize("month", range(1, 13))
def test_a_day_stays_within_six_months_until_the_last_day_that_reaches_back_to_it(month):
    for day in (1, 27, 28, 30 if month != 2 else 28):
        start = date(2025, month, day)
        last = last_day_within(start, 6)
        assert add_months(last, -6) <= start
        assert add_months(date.fromordinal(last.toordinal() + 1), -6) > start


@pytest.mark.parametrize(
    ("text", "start", "end"),
    [
        ("2019", "2019-01-01T00:00:00+09:00", "2020-01-01T00:00:00+09:00"),
        ("2019-02", "2019-02-01T00:00:00+09:00", "2019-03-01T00:00:00+09:00"),
        ("2019-02-03", "2019-02-03T00:00:00+09:00", "2019-02-04T00:00:00+09:00"),
    ],
)
def test_a_partial_date_is_the_whole_span_of_local_days(text, start, end):
    assert SEOUL.parse(text) == (us(start), us(end) - 1)


def test_an_instant_is_a_span_of_no_length_whatever_its_offset():
    assert SEOUL.parse("2026-03-02T08:15:00+09:00") == SEOUL.parse("2026-03-01T23:15:00Z")


@pytest.mark.parametrize("text", ["19", "2019-13", "2019-02-30", "2019-2-3", "yesterday"])
def test_what_is_no_date_is_refused_without_being_quoted(text):
    with pytest.raises(ValueError) as caught:
        SEOUL.parse(text)
    assert isinstance(caught.value, ValueError)


def test_a_day_has_23_or_25_hours_where_the_clocks_change():
    new_york = Calendar("America/New_York")
    for day, hours in ((date(2026, 3, 8), 23), (date(2026, 11, 1), 25), (date(2026, 6, 1), 24)):
        assert new_york.end_of_day(day) + 1 - new_york.midnight(day) == hours * HOUR_US


def test_where_midnight_is_skipped_the_day_begins_when_the_clocks_have_jumped():
    beirut = Calendar("Asia/Beirut")  # 00:00 -> 01:00 on 29 March 2026
    start = beirut.midnight(date(2026, 3, 29))
    assert beirut.day(start) == date(2026, 3, 29)
    assert beirut.day(start - 1) == date(2026, 3, 28)
    assert beirut.end_of_day(date(2026, 3, 29)) + 1 - start == 23 * HOUR_US


@pytest.mark.parametrize("zone", ["Asia/Seoul", "America/New_York", "Asia/Kathmandu", "UTC"])
def test_midnight_and_day_agree_on_every_day_of_a_year(zone):
    calendar = Calendar(zone)
    for ordinal in range(date(2026, 1, 1).toordinal(), date(2027, 1, 1).toordinal()):
        day = date.fromordinal(ordinal)
        assert calendar.day(calendar.midnight(day)) == day
        assert calendar.day(calendar.end_of_day(day)) == day


def test_a_precision_makes_the_span_that_the_time_begins():
    first = SEOUL.midnight(date(2026, 2, 1))
    assert SEOUL.span(first, "day").end == first + DAY_US - 1
    assert SEOUL.span(first, "month").end == SEOUL.end_of_day(date(2026, 2, 28))
    january = SEOUL.midnight(date(2026, 1, 1))
    assert SEOUL.span(january, "year").end == SEOUL.end_of_day(date(2026, 12, 31))
    assert SEOUL.span(first, "second") == (first, first)


def test_microseconds_are_exact():
    assert to_us(datetime(2026, 3, 2, 1, 2, 3, 456789, tzinfo=UTC)) % 1_000_000 == 456789
