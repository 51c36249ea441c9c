"""Any set of units: the order of arrival changes nothing, a further event never leads away."""

from __future__ import annotations

from bisect import bisect_right

from hypothesis import given
from hypothesis import strategies as st

from rules.stopping import Design, Method, Outcome, boundary, continuous
from rules.stopping.following import Followed, Measure, events_to_stop, first_crossing, path

HOUR = 3_600_000_000
WINDOW = 30 * 24 * HOUR
HOURS = st.integers(0, 24 * 90).map(lambda hours: hours * HOUR)
MAYBE = st.none() | HOURS
UNITS = st.lists(st.builds(Followed, HOURS, MAYBE, MAYBE), max_size=12)
RULES = {
    Measure.EXPOSURE_DAYS: (Outcome.TIME_TO_EVENT, Method.POCOCK),
    Measure.EFFECTIVE: (Outcome.TITE, Method.MAX_SPRT),
}


def planned(outcome: Outcome, method: Method) -> tuple[tuple[int, float], ...]:
    design = Design(
        method=method,
        outcome=outcome,
        looks=continuous(12),
        p0=0.2,
        alpha=0.1,
        window_days=30.0,
    )
    return boundary(design).exposure


CUTS = {measure: planned(*rule) for measure, rule in RULES.items()}


def crossed_us(units: list[Followed], measure: Measure) -> int | None:
    instants = path(units, WINDOW)
    place = first_crossing(instants, CUTS[measure], measure)
    return None if place is None else instants[place].at_us


@given(UNITS, st.randoms(use_true_random=False))
def test_the_order_of_arrival_changes_nothing(units: list[Followed], chance: object) -> None:
    shuffled = list(units)
    chance.shuffle(shuffled)  # type: ignore[attr-defined]
    assert path(shuffled, WINDOW) == path(units, WINDOW)


@given(UNITS, st.data(), st.sampled_from(list(Measure)))
def test_a_further_event_never_leads_away_from_stopping(
    units: list[Followed], data: st.DataObject, measure: Measure
) -> None:
    free = [i for i, one in enumerate(units) if one.event_us is None]
    before = crossed_us(units, measure)
    if not free or before is None:
        return
    chosen = data.draw(st.sampled_from(free))
    start = units[chosen].start_us
    event_us = data.draw(st.integers(start, start + WINDOW))
    more = [*units[:chosen], units[chosen]._replace(event_us=event_us), *units[chosen + 1 :]]
    after = crossed_us(more, measure)
    assert after is not None
    assert after <= before


@given(UNITS)
def test_every_instant_is_what_adding_up_unit_by_unit_gives(units: list[Followed]) -> None:
    for instant in path(units, WINDOW):
        events = [one for one in units if had_event(one, instant.at_us)]
        assert instant.events == len(events)
        assert instant.begun == bisect_right(sorted(one.start_us for one in units), instant.at_us)
        spent = sum(spent_us(one, instant.at_us) for one in units)
        assert instant.exposure_days == spent / (24 * HOUR)
        weights = (WINDOW if one in events else spent_us(one, instant.at_us) for one in units)
        assert instant.effective == sum(weights) / WINDOW


def had_event(one: Followed, at_us: int) -> bool:
    event = one.event_us
    if event is None or event > one.start_us + WINDOW:
        return False
    return max(event, one.start_us) <= at_us


def spent_us(one: Followed, at_us: int) -> int:
    ends = [at_us, one.start_us + WINDOW]
    ends += [] if one.until_us is None else [one.until_us]
    ends += [one.event_us] if had_event(one, at_us) and one.event_us is not None else []
    return max(0, min(ends) - one.start_us)


@given(UNITS, HOURS)
def test_the_events_told_to_stop_do_stop_and_fewer_do_not(
    units: list[Followed], at_us: int
) -> None:
    cuts = CUTS[Measure.EXPOSURE_DAYS]
    told = events_to_stop(units, WINDOW, at_us, cuts, Measure.EXPOSURE_DAYS)
    for further in range(1, 14 if told is None else told + 1):
        more = [*units, *(Followed(at_us, at_us) for _ in range(further))]
        now = [one for one in path(more, WINDOW) if one.at_us == at_us]
        stops = first_crossing(now, cuts, Measure.EXPOSURE_DAYS) is not None
        assert stops == (further == told)
