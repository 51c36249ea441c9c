"""Facts by the step: windows, partial dates, expiries and anchors, at their boundaries."""

from __future__ import annotations

import pytest

from rules import state as states
from rules.anchors import Judged, Reader
from tests.support.step_logs import at, engine, event, run


def nobody() -> Judged:
    """No fact of these asks for a judgement."""
    raise AssertionError


def fact(name, log, now="2026-08-31T12:00:00", anchor=None):
    """One fact of a log, judged at `now`, as of `anchor` if there is one."""
    state = states.loads(run(log, until=now).state)
    state.at_us = at(now)
    read = Reader(
        engine().plan, state, state.timeline(), nobody, None if anchor is None else at(anchor)
    )
    return read(name).value


def infarct(n=1, time="2026-01-10T09:00:00", **data):
    return event(n, "condition", time, code="infarct", **data)


@pytest.mark.parametrize(
    ("onset", "now", "touches"),
    [
        ("2026-02-28", "2026-08-31T23:59:59", True),
        ("2026-02-28", "2026-09-01T00:00:00", False),
        ("2026-02-27", "2026-08-31T00:00:00", False),
        ("2026-02-28", "2026-08-28T00:00:00", True),
        ("2025-07-10", "2026-01-10T23:00:00", True),
        ("2025-07-09", "2026-01-10T23:00:00", False),
        ("2025-07", "2026-01-10T23:00:00", None),
        ("2025-08", "2026-01-10T23:00:00", True),
        ("2025-06", "2026-01-10T23:00:00", False),
        ("2025", "2026-01-10T23:00:00", None),
        ("2025", "2026-07-01T00:00:00", False),
    ],
)
def test_an_onset_touches_six_calendar_months_the_day_itself_included(onset, now, touches):
    time = min(now, "2026-03-01T09:00:00")
    log = [infarct(time=time, status="active", onset=onset)]
    assert fact("infarct", log, now) is touches


def test_an_onset_falls_out_of_the_window_at_local_midnight_by_itself():
    log = [infarct(status="active", onset="2025-08-31")]
    outcome = run(log)
    assert outcome.next_due_us == at("2026-03-01T00:00:00")


def test_a_definite_touch_wins_over_a_later_absent():
    log = [
        infarct(status="active", onset="2026-01-05"),
        infarct(2, "2026-01-11T09:00:00", status="absent"),
    ]
    assert fact("infarct", log, "2026-01-12T09:00:00") is True


@pytest.mark.parametrize(
    ("records", "value"),
    [
        ([], None),
        ([{"status": "absent"}], False),
        ([{"status": "suspected"}], None),
        ([{"status": "suspected"}, {"status": "absent"}], False),
        ([{"status": "resolved"}], None),
        ([{"status": "resolved", "onset": "2020"}], False),
        ([{"status": "active"}], True),
        ([{"status": "active"}, {"status": "resolved"}], None),
        ([{"status": "active", "onset": "2020-01-01"}, {"status": "resolved"}], False),
    ],
)
def test_what_is_recorded_decides_and_nothing_recorded_is_unknown(records, value):
    log = [infarct(n, f"2026-01-{9 + n}T09:00:00", **data) for n, data in enumerate(records, 1)]
    assert fact("infarct", log, "2026-01-20T09:00:00") is value


@pytest.mark.parametrize(
    ("abatement", "value"),
    [("2026-01-20", True), ("2026-01-19", False), ("2026-01", None), (None, None)],
)
def test_a_span_ends_at_the_resolution_that_follows_it(abatement, value):
    ended = {} if abatement is None else {"abatement": abatement}
    log = [
        event(1, "condition", "2026-01-11T09:00:00", code="infection", status="active"),
        event(2, "condition", "2026-01-30T09:00:00", code="infection", status="resolved", **ended),
    ]
    assert fact("infected_lately", log, "2026-02-20T09:00:00") is value


def test_an_active_condition_stays_open_until_it_is_resolved():
    log = [event(1, "condition", "2025-01-11T09:00:00", code="infection", status="active")]
    assert fact("infected_lately", log, "2026-02-20T09:00:00") is True


def temp(n, time, value, **more):
    return event(n, "observation", time, code="temp", value=value, unit="Cel", **more)


def test_a_window_of_hours_holds_both_its_ends():
    log = [temp(1, "2026-01-10T09:00:00", 39.0)]
    assert fact("hottest", log, "2026-01-11T09:00:00") == 39.0
    assert fact("hottest", log, "2026-01-11T09:00:01") is None


def test_a_date_only_value_that_may_lie_outside_makes_the_extreme_unknown_only_if_it_matters():
    day = temp(1, "2026-01-10T00:00:00", 39.0, precision="day")
    assert (
        fact("hottest", [day, temp(2, "2026-01-11T08:00:00", 37.0)], "2026-01-11T09:00:00") is None
    )
    higher = temp(2, "2026-01-11T08:00:00", 40.0)
    assert fact("hottest", [day, higher], "2026-01-11T09:00:00") == 40.0


def test_fahrenheit_is_compared_in_celsius():
    log = [event(1, "observation", "2026-01-10T09:00:00", code="temp", value=100.4, unit="[degF]")]
    assert fact("temp", log) == 38.0


def test_a_newer_absent_makes_an_observation_unknown():
    log = [
        temp(1, "2026-01-10T09:00:00", 37.0),
        event(2, "observation", "2026-01-11T09:00:00", code="temp", absent="refused"),
    ]
    assert fact("temp", log) is None


def test_the_latest_is_by_clinical_time_and_not_by_arrival():
    log = [
        temp(1, "2026-01-10T09:00:00", 37.0),
        event(
            2,
            "observation",
            "2026-01-09T09:00:00",
            "2026-01-11T09:00:00",
            code="temp",
            value=39.0,
            unit="Cel",
        ),
    ]
    assert fact("temp", log) == 37.0


@pytest.mark.parametrize(
    ("expires", "now", "value"),
    [
        ("2026-01-20", "2026-01-20T23:59:59", 1),
        ("2026-01-20", "2026-01-21T00:00:00", None),
        ("2026-01-20T10:00:00-05:00", "2026-01-20T09:59:59", 1),
        ("2026-01-20T10:00:00-05:00", "2026-01-20T10:00:00", None),
    ],
)
def test_an_assessment_is_good_until_it_expires(expires, now, value):
    log = [event(1, "assessment", "2026-01-10T09:00:00", code="ecog", value=1, expires=expires)]
    assert fact("ecog", log, now) == value


@pytest.mark.parametrize(
    ("birth_date", "now", "age"),
    [
        ("1980-06-15", "2026-06-14T23:59:59", 45),
        ("1980-06-15", "2026-06-15T00:00:00", 46),
        ("2008", "2026-06-15T00:00:00", None),
        ("2008-06", "2026-06-01T00:00:00", None),
        ("2008-06", "2026-05-31T23:59:59", 17),
        ("2008-06", "2026-06-30T00:00:00", 18),
        ("1980-06", "2026-06-30T00:00:00", 46),
        ("2008-02-29", "2026-02-28T23:00:00", 17),
        ("2008-02-29", "2026-03-01T00:00:00", 18),
    ],
)
def test_age_is_known_where_both_ends_of_the_birth_date_agree(birth_date, now, age):
    log = [event(1, "demographics", "2026-01-10T09:00:00", birth_date=birth_date, sex="female")]
    assert fact("age_years", log, now) == age


def test_a_birthday_is_due_at_local_midnight():
    log = [event(1, "demographics", "2026-01-10T09:00:00", birth_date="1980-06-15", sex="male")]
    assert run(log).next_due_us == at("2026-06-15T00:00:00")


def test_sex_unknown_is_unknown():
    log = [event(1, "demographics", "2026-01-10T09:00:00", birth_date="1980", sex="unknown")]
    assert fact("sex", log) is None


def test_birth_and_sex_count_for_an_anchor_whenever_they_were_told():
    log = [event(1, "demographics", "2026-01-10T09:00:00", birth_date="1980-06-15", sex="male")]
    assert fact("age_years", log, anchor="2025-12-01T09:00:00") == 45


@pytest.mark.parametrize(("day_value", "known"), [(37.0, 37.0), (39.0, None)])
def test_a_date_only_record_of_the_anchors_day_counts_only_if_it_agrees(day_value, known):
    log = [
        temp(1, "2026-01-09T09:00:00", 37.0),
        temp(2, "2026-01-10T00:00:00", day_value, precision="day"),
    ]
    assert fact("temp", log, anchor="2026-01-10T10:00:00") == known
    assert fact("temp", log, anchor="2026-01-10T23:59:59.999999") == day_value


@pytest.mark.parametrize(("status", "value"), [("given", True), ("withdrawn", False)])
def test_a_consent_is_the_latest_of_its_document_and_giver(status, value):
    consent = {"document": "informed_consent", "version": "1"}
    log = [
        event(1, "consent", "2026-01-10T09:00:00", given_by="subject", status="given", **consent),
        event(2, "consent", "2026-01-11T09:00:00", given_by="subject", status=status, **consent),
        event(
            3, "consent", "2026-01-12T09:00:00", given_by="guardian", status="withdrawn", **consent
        ),
    ]
    assert fact("consent_subject", log) is value
