"""A trial's path through a rule over exposure, at the instants of its events."""

from __future__ import annotations

import pytest

from rules.stopping.following import (
    Followed,
    Measure,
    crosses,
    events_to_stop,
    first_crossing,
    greatest,
    path,
    standing,
)

DAY = 86_400_000_000
WINDOW = 30 * DAY
CUTS = ((2, 20.0), (3, 50.0), (4, 300.0))


def unit(start: float, event: float | None = None, until: float | None = None) -> Followed:
    """A unit with its days as microseconds."""
    return Followed(
        int(start * DAY),
        None if event is None else int(event * DAY),
        None if until is None else int(until * DAY),
    )


@pytest.mark.parametrize(
    ("one", "at", "events", "days", "effective"),
    [
        (unit(0), 10, 0, 10.0, 1 / 3),  # under way
        (unit(0), 45, 0, 30.0, 1.0),  # the window is over
        (unit(20), 10, 0, 0.0, 0.0),  # has not begun
        (unit(0, event=12), 11, 0, 11.0, 11 / 30),  # what comes later is not known yet
        (unit(0, event=12), 12, 1, 12.0, 1.0),  # what happens at the instant counts
        (unit(0, event=12), 25, 1, 12.0, 1.0),  # an event ends the exposure
        (unit(0, event=30), 40, 1, 30.0, 1.0),  # at the window's very end
        (unit(0, event=31), 40, 0, 30.0, 1.0),  # after it
        (unit(5, event=3), 20, 1, 0.0, 1.0),  # before the start: at the start, nothing spent
        (unit(0, until=6), 20, 0, 6.0, 0.2),  # follow-up ended early
        (unit(0, event=9, until=6), 20, 1, 6.0, 1.0),  # and the event was heard of later
        (unit(0, event=9, until=6), 8, 0, 6.0, 0.2),
        (unit(5, until=2), 20, 0, 0.0, 0.0),  # ended before it began
    ],
)
def test_what_one_unit_counts_for(
    one: Followed, at: float, events: int, days: float, effective: float
) -> None:
    now = standing([one], WINDOW, int(at * DAY))
    assert (now.events, now.exposure_days) == (events, days)
    assert now.effective == pytest.approx(effective, abs=1e-12)


def test_the_path_has_one_instant_for_each_time_of_events() -> None:
    units = [unit(0, event=10), unit(5, event=10), unit(8), unit(9, event=20)]
    first, second = path(units, WINDOW)
    assert (first.at_us, first.begun, first.events, first.exposure_days) == (10 * DAY, 4, 2, 18.0)
    assert (second.events, second.exposure_days) == (3, 10 + 5 + 12 + 11)


def test_it_stops_at_the_first_event_within_its_cut() -> None:
    units = [unit(0, event=25), unit(0, event=26), unit(10, event=27), unit(30)]
    instants = path(units, WINDOW)
    assert [one.exposure_days for one in instants] == [25 + 25 + 15, 25 + 26 + 16, 25 + 26 + 17]
    assert first_crossing(instants, CUTS, Measure.EXPOSURE_DAYS) is None
    assert first_crossing(instants, ((2, 20.0), (3, 68.0)), Measure.EXPOSURE_DAYS) == 2


def test_events_at_the_same_instant_stop_together() -> None:
    tied = path([unit(0, event=10), unit(0, event=10)], WINDOW)
    assert first_crossing(tied, ((2, 20.0),), Measure.EXPOSURE_DAYS) == 0


def test_effective_units_are_compared_where_the_cuts_are_of_units() -> None:
    instants = path([unit(0, event=3), unit(0, event=6), unit(3)], WINDOW)
    assert [one.effective for one in instants] == pytest.approx([1.1, 2.1])
    assert first_crossing(instants, ((2, 2.1), (3, 10.0)), Measure.EFFECTIVE) == 1
    assert first_crossing(instants, ((2, 2.0), (3, 10.0)), Measure.EFFECTIVE) is None


def test_a_cut_is_reached_by_what_equals_it() -> None:
    assert crosses(CUTS, 2, 20.0)
    assert crosses(CUTS, 2, 20.0 + 1e-12)
    assert not crosses(CUTS, 2, 20.001)
    assert not crosses(CUTS, 1, 0.0)


def test_the_last_cut_holds_beyond_and_none_stands_before_the_first() -> None:
    assert [greatest(CUTS, events) for events in (1, 2, 4, 9)] == [None, 20.0, 300.0, 300.0]


@pytest.mark.parametrize(("at", "further"), [(5, 1), (14, 1), (18, 2), (30, 2), (31, 3), (60, 3)])
def test_how_many_further_events_would_stop_now(at: int, further: int) -> None:
    units = [unit(0, event=2), unit(2), unit(10)]
    assert events_to_stop(units, WINDOW, at * DAY, CUTS, Measure.EXPOSURE_DAYS) == further


def test_beyond_the_last_cut_no_number_of_events_stops() -> None:
    units = [unit(0) for _ in range(11)]
    assert events_to_stop(units, WINDOW, 40 * DAY, CUTS, Measure.EXPOSURE_DAYS) is None


def test_in_effective_units_a_further_event_makes_its_own_unit_whole() -> None:
    units = [unit(0, event=1), unit(1), unit(16)]  # on day 16: 1 + 0.5 + 0
    cuts = ((2, 1.9), (3, 3.0))
    assert events_to_stop(units, WINDOW, 16 * DAY, cuts, Measure.EFFECTIVE) == 2
    assert events_to_stop(units, WINDOW, 16 * DAY, ((2, 2.0),), Measure.EFFECTIVE) == 1
    # nobody is under way: the further events are of units that begin with them
    assert events_to_stop([], WINDOW, 0, ((2, 2.0),), Measure.EFFECTIVE) == 2
