"""Every take over windows, anchors and dates that say less than an instant."""

from __future__ import annotations

import pytest

from rules.facts.absence import absence_of
from rules.facts.calendar import iso
from rules.terms import Absence
from tests.support.one_fact import reading
from tests.support.step_logs import at, event

NOW = "2026-03-20T12:00:00"


def told(*days, code="temp", kind="observation", **more):
    """(day or time, value) each as an event; a bare day is a date alone; None: not done."""
    log = []
    for n, (time, value) in enumerate(days, 1):
        bare = len(time) == 10
        data = {"absent": "not_done"} if value is None else {"value": value}
        if value is not None and code in ("temp", "skin"):
            data["unit"] = "Cel"
        if code == "alt":
            data["unit"] = "U/L"
        precision = "day" if bare else "second"
        when = f"{time}T00:00:00" if bare else time
        received = at("2026-03-01T00:00:00") + n
        log.append(
            event(
                n,
                kind,
                when,
                max(received, at(when)),
                precision=precision,
                code=code,
                **data,
                **more,
            )
        )
    return log


def then(log, kind, time, *, precision="second", **data):
    n = len(log) + 1
    received = max(one.received_us for one in log) if log else 0
    return [*log, event(n, kind, time, max(received, at(time)), precision=precision, **data)]


WEEK = told(
    ("2026-03-10T12:00:00", 39.0),
    ("2026-03-14T12:00:00", 37.0),
    ("2026-03-16T12:00:00", 38.5),
    ("2026-03-18T12:00:00", None),
    ("2026-03-19T12:00:00", 38.0),
)


def test_the_oldest_that_counts_is_kept_however_many_come_after_it():
    later = [(f"2026-03-02T{hour:02d}:00:00", 39.0 if hour % 2 else 36.5) for hour in range(24)]
    log = told(("2026-03-01T08:00:00", 37.0), ("2026-03-01T12:00:00", 38.5), *later)
    fact = "x: {from: observation, code: temp, take: earliest, where: value >= 38}"
    assert reading(fact, log, NOW).value == 38.5


def test_the_first_consent_is_kept_behind_an_older_withdrawal():
    about = {"document": "informed_consent", "given_by": "subject"}
    log = then([], "consent", "2026-02-27T08:00:00", status="withdrawn", **about)
    log = then(log, "consent", "2026-03-10T08:00:00", status="given", **about)
    for day in range(11, 20):
        for hour in ("08", "20"):
            log = then(log, "consent", f"2026-03-{day}T{hour}:00:00", status="given", **about)
    assert reading("x: {take: days_since, anchor: consent}", log, NOW).value == 10


@pytest.mark.parametrize(
    ("take", "value"),
    [
        ("take: latest", 38.0),
        ("take: earliest", 39.0),
        ("take: earliest, window: {days: 7}", 37.0),
        ("take: min", 37.0),
        ("take: max, window: {days: 7}", 38.5),
        ("take: count", 4),
        ("take: count, where: value >= 38", 3),
        ("take: count, where: value >= 38, window: {days: 7}", 2),
        ("take: count, where: value >= 41", 0),
        ("take: sum, window: {days: 7}", 113.5),
        ("take: mean, window: {days: 7}", 37.8333333333),
        ("take: consecutive, where: value >= 38", 2),
        ("take: consecutive, where: value >= 38, window: {days: 2}", 1),
        ("take: consecutive, where: value < 38", 0),
        ("take: latest, where: value > 38", 38.5),
        ("take: days_since", 1),
        ("take: days_since, where: value > 38.5", 10),
        ("take: days_since, where: value > 41", None),
        ("take: absence", "recorded"),
        ("take: latest, valid: {hours: 24}", 38.0),
        ("take: latest, valid: {hours: 23}", None),
        ("take: latest, window: {days: 6, ends: neither}", 38.0),
        ("take: earliest, window: {days: 6}", 37.0),
        ("take: earliest, window: {days: 6, ends: last}", 38.5),
        ("take: earliest, window: {calendar_days: 6, ends: last}", 38.5),
        ("take: earliest, window: {calendar_days: 6}", 37.0),
    ],
)
def test_a_take_over_a_week_of_temperatures(take, value):
    found = reading(f"x: {{from: observation, code: temp, {take}}}", WEEK, NOW).value
    assert found == (pytest.approx(value) if isinstance(value, float) else value)


@pytest.mark.parametrize(
    "take",
    [
        "count, where: value > 38",
        "sum",
        "mean",
        "min",
        "consecutive, where: value > 38",
        "days_since",
        "earliest",
    ],
)
def test_of_nothing_recorded_nothing_is_known(take):
    log = then([], "enrolment", "2026-03-02T12:00:00", status="screened")
    assert reading(f"x: {{from: observation, code: temp, take: {take}}}", log, NOW).value is None


def test_a_count_of_what_was_never_measured_is_unknown_and_not_none():
    log = told(("2026-03-19T12:00:00", None))
    fact = "x: {from: observation, code: temp, take: count, where: value > 38}"
    assert reading(fact, log, NOW).value is None


@pytest.mark.parametrize(
    ("take", "value"),
    [
        ("count", None),
        ("sum", None),
        ("max", 39.0),  # the one at the edge is no greater
        ("min", None),
        ("latest", 39.0),
        ("earliest", None),
        ("mean", None),
        ("consecutive, where: value >= 38", 1),  # it ends the row, if it does not end it before
    ],
)
def test_a_date_alone_at_the_edge_is_unknown_unless_every_answer_agrees(take, value):
    log = told(("2026-03-17", 37.0), ("2026-03-19T12:00:00", 39.0))
    fact = f"x: {{from: observation, code: temp, take: {take}, window: {{hours: 72}}}}"
    found = reading(fact, log, NOW)
    assert found.value == value
    if value is None:
        assert found.note == "date only"
        assert absence_of(found) is Absence.UNCERTAIN


INFUSED = then(
    WEEK,
    "administration",
    "2026-03-19T18:00:00",
    product="P",
    number=1,
    status="completed",
    start="2026-03-16T06:00:00-04:00",
)


@pytest.mark.parametrize(
    ("window", "value"),
    [
        ("{since: first_infusion}", 2),
        ("{until: first_infusion}", 2),
        ("{days: 2, before: first_infusion}", 1),
        ("{hours: 1, after: infusion_1}", 0),  # the same day, and too late
        ("{calendar_days: 0, after: first_infusion}", 1),
        ("{calendar_days: [-2, 0], after: last_infusion}", 2),
        ("{days: [2, 4], after: last_infusion}", 1),
        ("{since: infusion_2}", None),
        ("{since: death}", None),
    ],
)
def test_a_window_around_an_infusion_lies_where_that_began(window, value):
    fact = f"x: {{from: observation, code: temp, take: count, window: {window}}}"
    found = reading(fact, INFUSED, NOW)
    if window.startswith("{hours"):
        assert found.value is None  # nothing was measured in that hour
    else:
        assert found.value == value


def test_an_anchor_that_is_a_date_alone_leaves_its_day_open():
    log = then(
        told(("2026-03-16T08:00:00", 39.0), ("2026-03-17T08:00:00", 38.0)),
        "administration",
        "2026-03-18T06:00:00",
        product="P",
        number=1,
        status="completed",
        start="2026-03-16",
    )
    since = "x: {from: observation, code: temp, take: count, window: {since: first_infusion}}"
    assert reading(since, log, NOW).value is None
    latest = since.replace("count", "latest")
    assert reading(latest, log, NOW).value == 38.0
    whole_day = since.replace(
        "{since: first_infusion}", "{calendar_days: 5, after: first_infusion}"
    )
    assert reading(whole_day, log, NOW).value == 2


def test_as_of_an_instant_what_came_later_is_not_there():
    fact = "x: {from: observation, code: temp, take: count, window: {days: 7}}"
    assert reading(fact, WEEK, NOW, as_of="2026-03-17T00:00:00").value == 3
    anchored = "x: {from: observation, code: temp, take: count, window: {until: first_infusion}}"
    assert reading(anchored, INFUSED, NOW, as_of="2026-03-16T05:00:00").value is None


def test_a_window_of_local_days_is_never_an_hour_short():
    # Clocks go forward on 8 March 2026 in New York; that day has 23 hours.
    log = told(("2026-03-07T12:00:00", 39.0))
    exact = "x: {from: observation, code: temp, take: max, window: {days: 1}}"
    local = "x: {from: observation, code: temp, take: max, window: {calendar_days: 1}}"
    assert reading(exact, log, "2026-03-08T13:00:00").value == 39.0
    assert reading(exact, log, "2026-03-08T13:00:01").value is None
    assert reading(local, log, "2026-03-08T23:59:59").value == 39.0
    until = reading(local, log, "2026-03-08T13:00:00").until_us
    assert iso(until) == "2026-03-09T04:00:00Z"


def test_a_flagged_baseline_wins_over_the_last_value_before_the_anchor():
    fact = (
        "x: {from: observation, code: temp, take: change_from_baseline, baseline: first_infusion}"
    )
    assert reading(fact, INFUSED, NOW).value == 1.0  # 38.0 after 37.0
    flagged = [
        *INFUSED,
        event(
            7,
            "observation",
            "2026-03-12T12:00:00",
            INFUSED[-1].received_us,
            code="temp",
            value=36.0,
            unit="Cel",
            baseline=True,
        ),
    ]
    assert reading(fact, flagged, NOW).value == 2.0
    percent = fact.replace("baseline: first", "change: percent, baseline: first")
    assert reading(percent, flagged, NOW).value == 5.55555555556
    assert reading(fact, WEEK, NOW).note == "the anchor has not happened"


def test_a_change_of_nothing_has_no_ratio():
    log = told(("2026-03-10T12:00:00", 0.0), ("2026-03-19T12:00:00", 3.0))
    log = then(
        log,
        "administration",
        "2026-03-19T18:00:00",
        product="P",
        number=1,
        status="completed",
        start="2026-03-12T06:00:00-04:00",
    )
    fact = "x: {from: observation, code: temp, take: change_from_baseline, baseline: first_infusion, change: ratio}"
    assert reading(fact, log, NOW).value is None
    assert reading(fact.replace("ratio", "absolute"), log, NOW).value == 3.0


def test_a_ratio_is_to_the_records_own_limit_and_unknown_without_one():
    fact = "x: {from: observation, code: alt, take: ratio_to_reference}"
    log = told(("2026-03-19T12:00:00", 120), code="alt", reference_high=40)
    assert reading(fact, log, NOW).value == 3.0
    bare = reading(fact, told(("2026-03-19T12:00:00", 120), code="alt"), NOW)
    assert (bare.value, bare.note, absence_of(bare)) == (
        None,
        "no reference range",
        Absence.NOT_RECORDED,
    )


def test_validity_conflict_measure_and_condition_work_on_one_fact():
    fact = "x: {from: observation, code: alt, measure: ratio_to_high, take: latest, where: value > 1, valid: {days: 28}, conflict: worst, worse: high, within: day}"
    log = told(
        ("2026-03-18T08:00:00", 160),
        ("2026-03-18T18:00:00", 80),
        ("2026-03-19T08:00:00", 20),
        code="alt",
        reference_high=40,
    )
    found = reading(fact, log, NOW)
    assert (found.value, found.note) == (4.0, "conflict: 2 values")
    assert reading(fact, log, "2026-04-15T08:00:01").note == "expired"


@pytest.mark.parametrize(
    ("policy", "value"),
    [("last", 38.0), ("worst, worse: high", 40.0), ("worst, worse: low", 36.0), ("mean", 38.0)],
)
def test_records_of_one_day_that_differ_are_settled_by_the_policy(policy, value):
    log = told(
        ("2026-03-19T08:00:00", 36.0), ("2026-03-19T09:00:00", 40.0), ("2026-03-19T18:00:00", 38.0)
    )
    found = reading(
        f"x: {{from: observation, code: temp, take: latest, within: day, conflict: {policy}}}",
        log,
        NOW,
    )
    assert (found.value, found.note) == (value, "conflict: 3 values")


def liver(*known):
    """Values of one day with the limit told with each; None: none was told."""
    return [
        event(
            n,
            "observation",
            f"2026-03-19T0{n}:00:00",
            at("2026-03-19T10:00:00") + n,
            code="alt",
            **(
                {"absent": "not_done"}
                if value is None
                else {"value": value, "unit": "U/L"} | ({"reference_high": limit} if limit else {})
            ),
        )
        for n, (value, limit) in enumerate(known, 1)
    ]


@pytest.mark.parametrize("policy", ["worst, worse: high", "worst, worse: low", "mean"])
@pytest.mark.parametrize("order", [1, -1])
def test_a_value_without_its_range_may_be_the_worst_of_its_day(policy, order):
    fact = f"x: {{from: observation, code: alt, measure: ratio_to_high, within: day, conflict: {policy}}}"
    found = reading(fact, liver(*[(100, 40), (400, None)][::order]), NOW)
    assert (found.value, found.note) == (None, "no reference range")
    assert found.event == ("ev2" if order == 1 else "ev1")


def test_what_was_not_done_is_not_the_worst_of_its_day():
    fact = "x: {from: observation, code: alt, measure: ratio_to_high, within: day, conflict: worst, worse: high}"
    assert reading(fact, liver((100, 40), (None, None)), NOW).value == 2.5


def test_the_worst_of_codes_is_the_last_in_their_order():
    log = told(
        ("2026-03-19T08:00:00", "severe"),
        ("2026-03-19T09:00:00", "mild"),
        code="rash",
        kind="assessment",
    )
    fact = "x: {from: assessment, code: rash, take: latest, within: day, conflict: worst, worse: [mild, moderate, severe]}"
    assert reading(fact, log, NOW).value == "severe"


def test_pooled_codes_are_one_series():
    log = [
        *told(("2026-03-18T08:00:00", 37.0)),
        event(2, "observation", "2026-03-19T08:00:00", code="skin", value=36.0, unit="Cel"),
    ]
    assert (
        reading("x: {from: observation, code: [temp, skin], take: latest}", log, NOW).value == 36.0
    )
    assert reading("x: {from: observation, code: [temp, skin], take: mean}", log, NOW).value == 36.5


def test_the_order_in_which_numbers_came_changes_no_sum():
    values = [0.1, 1e16, 0.3, -1e16, 0.2]
    days = [(f"2026-03-{10 + n}T08:00:00", value) for n, value in enumerate(values)]
    fact = "x: {from: observation, code: temp, take: sum}"
    assert {reading(fact, told(*some), NOW).value for some in (days, days[::-1])} == {0.6}


def test_days_since_a_month_that_is_not_over_end_where_it_was_told():
    """Told on the first day of March, `2026-03` was that day."""
    log = then([], "observation", "2026-03-01T00:00:00", precision="month", code="temp", value=37)
    since = "since: {from: observation, code: temp, take: days_since}"
    cases = "{when: since < 0, value: ahead}, {when: since >= 1, value: earlier}"
    fact = f"{since}\nx: {{cases: [{cases}], otherwise: today}}"
    assert reading(fact, log, "2026-03-01T12:00:00").value == "today"
    assert reading(fact, log, "2026-03-02T12:00:00").value is None


def test_days_since_what_is_dated_ahead_are_fewer_than_none():
    log = then([], "administration", "2026-03-01T09:00:00", start="2026-03-03", status="completed")
    fact = "x: {from: administration, take: days_since}"
    assert reading(fact, log, "2026-03-01T12:00:00").value == -2


def test_what_happened_is_dated_by_its_onset():
    log = [
        event(
            1,
            "condition",
            "2026-03-18T08:00:00",
            code="infarct",
            status="active",
            onset="2026-03-10",
        ),
        event(2, "condition", "2026-03-19T08:00:00", code="infarct", status="resolved"),
    ]
    assert reading("x: {from: condition, code: infarct, take: days_since}", log, NOW).value == 10
    assert reading("x: {from: condition, code: infarct, take: count}", log, NOW).value == 1
    lately = "x: {from: condition, code: infarct, take: count, window: {days: 5}}"
    assert reading(lately, log, NOW).value == 0


def test_infusions_are_counted_and_a_dose_that_nobody_told_makes_the_sum_unknown():
    log = then(
        [],
        "administration",
        "2026-03-10T12:00:00",
        product="P",
        number=1,
        status="completed",
        dose=2,
        unit="mg",
    )
    assert reading("x: {from: administration, take: sum, field: dose}", log, NOW).value == 2.0
    more = then(
        log, "administration", "2026-03-11T12:00:00", product="P", number=2, status="completed"
    )
    assert reading("x: {from: administration, take: sum, field: dose}", more, NOW).value is None
    assert reading("x: {from: administration, take: count}", more, NOW).value == 2
    assert reading("x: {from: adverse_event, take: count}", more, NOW).value == 0


def test_a_medication_lasts_from_its_start_to_its_stop():
    log = [event(1, "medication", "2026-01-05T08:00:00", code="drug", status="started")]
    lately = "x: {from: medication, code: drug, take: touches_span, window: {days: 14}}"
    began = lately.replace("span", "point")
    assert (reading(lately, log, NOW).value, reading(began, log, NOW).value) == (True, False)
    stopped = then(log, "medication", "2026-02-20T08:00:00", code="drug", status="stopped")
    assert reading(lately, stopped, NOW).value is False
    assert reading(lately, stopped, "2026-03-06T08:00:00").value is True


@pytest.mark.parametrize(
    ("data", "word"),
    [
        ({"absent": "not_done"}, "not_done"),
        ({"absent": "refused"}, "refused"),
        ({"absent": "unknown"}, "unknown"),
        ({"value": 37.0, "unit": "Cel"}, "recorded"),
    ],
)
def test_four_ways_of_absence_are_never_mixed(data, word):
    fact = "x: {from: observation, code: temp, take: absence}"
    log = [event(1, "observation", "2026-03-19T08:00:00", code="temp", **data)]
    assert reading(fact, log, NOW).value == word
    assert (
        reading(fact, then([], "enrolment", "2026-03-02T12:00:00", status="screened"), NOW).value
        == "not_recorded"
    )


def test_what_does_not_apply_is_absent_for_that_reason_unless_it_was_recorded():
    fact = 'x: {from: observation, code: temp, take: absence, applicable_if: sex != "male"}'
    man = [event(1, "demographics", "2026-03-02T08:00:00", sex="male")]
    assert reading(fact, man, NOW).value == "not_applicable"
    assert (
        reading(
            fact,
            then(man, "observation", "2026-03-03T08:00:00", code="temp", value=37.0, unit="Cel"),
            NOW,
        ).value
        == "recorded"
    )


def test_a_derived_fact_takes_the_time_of_its_newest_input_and_expires_with_the_first():
    fact = "old: {from: observation, code: alt, take: latest, valid: {days: 3}}\nx: {derive: old / temp}"
    log = [
        *told(("2026-03-18T08:00:00", 74), code="alt"),
        event(2, "observation", "2026-03-19T08:00:00", code="temp", value=37.0, unit="Cel"),
    ]
    found = reading(fact, log, NOW)
    assert (found.value, found.event) == (2.0, "ev2")
    assert iso(found.until_us) == "2026-03-21T12:00:00.000001Z"
    gone = reading(fact, log, "2026-03-22T08:00:00")
    assert (gone.value, gone.note) == (None, "expired")


def test_days_wake_only_where_a_condition_can_tell_them_apart():
    fact = "on: {take: days_since, anchor: enrolment}\nx: {cases: [{when: on >= 30, value: late}], otherwise: early}"
    log = then([], "enrolment", "2026-03-02T12:00:00", status="enrolled")
    found = reading(fact, log, NOW)
    assert (found.value, iso(found.until_us)) == ("early", "2026-04-01T04:00:00Z")
    assert reading(fact, log, "2026-04-01T00:00:00")[0] == "late"
    assert reading(fact, log, "2026-04-01T00:00:00").until_us == 1 << 62


@pytest.mark.parametrize(
    ("fact", "status", "value"),
    [
        ("take: any", "resolved", True),
        ("take: touches_point, window: {until: enrolment}", "resolved", True),
        ("take: touches_span, window: {until: enrolment}", "resolved", True),
        ("take: any, window: {months: 6}", "resolved", None),
        ("take: any", "suspected", None),
        ("take: any", "absent", False),
    ],
)
def test_what_is_over_was_there_once_and_nobody_knows_when(fact, status, value):
    log = [
        event(1, "condition", "2026-03-01T08:00:00", code="infarct", status=status),
        event(2, "enrolment", "2026-03-02T08:00:00", status="enrolled"),
    ]
    assert reading(f"x: {{from: condition, code: infarct, {fact}}}", log, NOW).value is value
