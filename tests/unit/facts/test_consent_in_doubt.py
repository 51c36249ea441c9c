"""A withdrawal whose hour nobody told is not overridden by a consent of the same day."""

import pytest

from tests.support.one_fact import reading
from tests.support.step_logs import event

FACT = "x: {from: consent, document: informed_consent, given_by: subject}"
NOW = "2026-03-04T12:00"
DAY, MORNING, NEXT = "2026-03-02T00:00", "2026-03-02T09:00", "2026-03-03T00:00"


def consent(n, status, time, received, precision="second"):
    told = {"document": "informed_consent", "given_by": "subject", "version": "1"}
    return event(n, "consent", time, received, precision=precision, status=status, **told)


@pytest.mark.parametrize("precision", ["day", "month"])
@pytest.mark.parametrize("turned", [False, True])
def test_a_withdrawal_told_by_its_date_alone_holds_against_a_consent_of_that_date(
    precision, turned
):
    start = DAY if precision == "day" else "2026-03-01T00:00"
    log = [
        consent(1, "given", MORNING, "2026-03-02T09:30"),
        consent(2, "withdrawn", start, "2026-03-02T18:00", precision),
    ]
    if turned:
        log = [
            consent(1, "withdrawn", start, "2026-03-02T09:30", precision),
            consent(2, "given", MORNING, "2026-03-02T18:00"),
        ]
    assert reading(FACT, log, NOW).value is False


def test_consent_given_again_after_the_day_of_the_withdrawal_counts():
    log = [
        consent(1, "given", MORNING, "2026-03-02T09:30"),
        consent(2, "withdrawn", DAY, "2026-03-02T18:00", "day"),
        consent(3, "given", NEXT, "2026-03-03T09:00"),
    ]
    assert reading(FACT, log, NOW).value is True


def test_of_two_of_one_date_the_one_received_last_counts():
    log = [
        consent(1, "withdrawn", DAY, "2026-03-02T09:30", "day"),
        consent(2, "given", DAY, "2026-03-02T18:00", "day"),
    ]
    assert reading(FACT, log, NOW).value is True


@pytest.mark.parametrize("moment", [MORNING, "2026-03-02T15:00"])
def test_at_an_hour_of_the_day_of_a_withdrawal_nobody_knows_whether_the_consent_still_held(moment):
    log = [
        consent(1, "given", MORNING, "2026-03-02T09:30"),
        consent(2, "withdrawn", DAY, "2026-03-02T18:00", "day"),
    ]
    found = reading(FACT, log, NOW, moment)
    assert (found.value, found.note) == (None, "date only")


def test_on_the_day_before_a_withdrawal_the_consent_held():
    log = [
        consent(1, "given", "2026-03-01T09:00", "2026-03-01T09:30"),
        consent(2, "withdrawn", DAY, "2026-03-02T18:00", "day"),
    ]
    assert reading(FACT, log, NOW, "2026-03-01T12:00").value is True


def test_a_withdrawal_in_doubt_is_kept_when_older_records_are_dropped(monkeypatch):
    monkeypatch.setattr("rules.facts.timeline.KEEP", 1)
    monkeypatch.setattr("rules.facts.timeline.PRUNE_EVERY", 2)
    log = [
        consent(1, "withdrawn", DAY, "2026-03-02T09:30", "day"),
        consent(2, "given", MORNING, "2026-03-02T18:00"),
        consent(3, "given", "2026-03-02T10:00", "2026-03-02T19:00"),
    ]
    assert reading(FACT, log, NOW).value is False
