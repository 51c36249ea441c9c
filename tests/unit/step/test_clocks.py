"""Reporting clocks in the engine: one alert at a time, with its due instant, through corrections."""

from __future__ import annotations

from dataclasses import replace
from itertools import permutations
from typing import Any

import pytest

import rules
from rules.facts.calendar import iso
from tests.support.clock_rooms import at
from tests.support.clock_trial import HEAD, RULES, ae, correction, run

STAGES = {"C-RUNS", "C-80", "C-OVERDUE", "C-LATE", "C-STOPPED"}
FIRST = ae(1, "2026-05-01T08:00:00Z", serious=True, grade=3, aware_at="2026-05-01T07:00:00Z")


def told(outcome: rules.Outcome, clock: str) -> list[tuple[str, str, str | None]]:
    """What was said of one clock: the change, the rule, until when."""
    return [
        (change.change.value, change.rule, None if change.due_us is None else iso(change.due_us))
        for result in outcome.results
        for change in result.changes
        if change.key.startswith(f"clock:{clock}:")
    ]


def opened(outcome: rules.Outcome) -> dict[str, str]:
    """The open findings of clocks' stages, each with its key."""
    found: dict[str, str] = {}
    for result in outcome.results:
        for change in result.changes:
            if change.rule in STAGES and change.change in (
                rules.Change.OPENED,
                rules.Change.UPDATED,
            ):
                found[change.key] = change.rule
            elif change.rule in STAGES and found.get(change.key) == change.rule:
                del found[change.key]
    return found


def test_a_stage_takes_the_place_of_the_stage_before_and_bears_the_due_instant() -> None:
    outcome = run([FIRST], until="2026-05-03T00:00:00Z")
    due_at = "2026-05-02T07:00:00Z"
    assert told(outcome, "SAE-24") == [
        ("opened", "C-RUNS", due_at),
        ("updated", "C-RUNS", due_at),
        ("cleared", "C-RUNS", None),
        ("opened", "C-80", due_at),
        ("cleared", "C-80", None),
        ("opened", "C-OVERDUE", due_at),
    ]


def test_a_corrected_awareness_moves_the_due_instant_both_ways() -> None:
    for aware_at, due_at in (
        ("2026-05-01T03:00:00Z", "2026-05-02T03:00:00Z"),
        ("2026-05-01T07:30:00Z", "2026-05-02T07:30:00Z"),
    ):
        data = {"ae": "1", "serious": True, "grade": 3, "aware_at": aware_at}
        log = [FIRST, correction(2, "2026-05-01T09:00:00Z", 1, data=data)]
        assert told(run(log), "SAE-24")[-1] == ("updated", "C-RUNS", due_at)


def test_an_event_entered_in_error_takes_its_clocks_back() -> None:
    log = [FIRST, correction(2, "2026-05-03T09:00:00Z", 1, entered_in_error=True)]
    outcome = run(log, until="2026-06-01T00:00:00Z")
    assert told(outcome, "SAE-24")[-1] == ("superseded", "C-OVERDUE", None)
    assert (outcome.clocks, outcome.next_due_us) == ((), None)


def test_a_report_told_ends_the_reminders_of_its_clock_alone() -> None:
    log = [FIRST, ae(2, "2026-05-01T12:00:00Z", reported_at="2026-05-01T11:00:00Z")]
    outcome = run(log)
    assert told(outcome, "SAE-24")[-1] == ("cleared", "C-RUNS", None)
    assert [one["clock"] for one in outcome.clocks] == ["OTHER-15"]


def test_withdrawn_on_day_5_and_valid_again_it_has_the_time_that_it_had() -> None:
    log = [
        FIRST,
        ae(2, "2026-05-06T08:00:00Z", status="withdrawn"),
        ae(3, "2026-05-09T08:00:00Z", status="valid"),
    ]
    gone = run(log[:2])
    assert gone.clocks == ()
    assert gone.next_due_us is None
    (first,) = (one for one in run(log[:1]).clocks if one["clock"] == "OTHER-15")
    (again,) = (one for one in run(log).clocks if one["clock"] == "OTHER-15")
    assert again["due_at"] == first["due_at"]


def test_who_is_exempt_owes_nothing_until_the_protocol_asks_again() -> None:
    exempt = replace(FIRST, data={**FIRST.data, "term": "Relapse"})
    assert "SAE-24" not in {one["clock"] for one in run([exempt]).clocks}
    log = [exempt, ae(2, "2026-05-01T09:00:00Z", term="Sepsis")]
    (item,) = (one for one in run(log).clocks if one["clock"] == "SAE-24")
    assert item["due_at"] == "2026-05-02T07:00:00Z"


def test_each_piece_of_news_is_an_alert_of_its_own() -> None:
    log = [
        ae(1, "2026-05-01T08:00:00Z", serious=True, grade=3),
        ae(2, "2026-05-03T08:00:00Z", grade=4),
        ae(3, "2026-05-04T08:00:00Z", submitted_at="2026-05-04T07:00:00Z"),
        ae(4, "2026-05-05T08:00:00Z", outcome="recovered"),
    ]
    keys = {
        change.key
        for result in run(log).results
        for change in result.changes
        if change.key.startswith("clock:NEWS-15:")
    }
    assert keys == {"clock:NEWS-15:1", "clock:NEWS-15:1:4"}


def test_the_sponsors_day_ends_in_its_own_zone() -> None:
    (item,) = (one for one in run([FIRST]).clocks if one["clock"] == "OTHER-15")
    assert item["due_at"] == "2026-05-16T21:59:59Z"  # midnight in Berlin, the trial is in Seoul


def test_an_adverse_event_may_have_any_name() -> None:
    log = [ae(1, "2026-05-01T08:00:00Z", "a:b:1", serious=True)]
    outcome = run(log, until="2026-05-04T00:00:00Z")
    assert opened(outcome)["clock:SAE-24:a:b:1"] == "C-OVERDUE"
    taken = [*log, correction(2, "2026-05-05T00:00:00Z", 1, entered_in_error=True)]
    assert opened(run(taken)) == {}


def test_another_version_brings_its_clocks_to_what_was_told_before() -> None:
    plain = rules.Engine(rules.loads(HEAD.split("clocks:\n")[0] + "rules: []\n", "plain.yaml"))
    before = plain.subject_steps("t", "S-1", None, [FIRST], lambda _n: [FIRST])
    assert before.clocks == ()
    text = (HEAD + RULES).replace('version: "1"', 'version: "2"')
    later = rules.Engine(rules.loads(text, "later.yaml"))
    until_us = at("2026-05-01T10:00:00Z")
    log = [FIRST, ae(2, until_us, term="Rash")]
    after = later.subject_steps("t", "S-1", before.state, log[1:], lambda n: log[:n], until_us)
    assert {one["clock"] for one in after.clocks} == {"SAE-24", "OTHER-15"}


def test_another_due_instant_is_news_though_no_word_of_the_alert_changes() -> None:
    text = (HEAD + RULES).replace("due {clock_due} {clock_started} ", "")
    engine = rules.Engine(rules.loads(text, "silent.yaml"))
    log = [FIRST, ae(2, "2026-05-01T09:00:00Z", aware_at="2026-05-01T03:00:00Z")]
    outcome = engine.subject_steps("t", "S-1", None, log, lambda n: log[:n])
    assert told(outcome, "SAE-24")[-1] == ("updated", "C-RUNS", "2026-05-02T03:00:00Z")


@pytest.mark.parametrize("order", list(permutations(range(3))), ids=str)
@pytest.mark.parametrize("dated", [True, False])
def test_a_death_told_before_the_event_it_follows_is_an_upgrade_all_the_same(
    order: tuple[int, ...], dated: bool
) -> None:
    """The report of 5 April is about what was not yet fatal, whatever came here first."""
    tellings: list[tuple[str, dict[str, Any]]] = [
        ("2026-04-01T12:00:00+09:00", {"serious": True, "grade": 3}),
        ("2026-04-05T12:00:00+09:00", {"submitted_at": "2026-04-05T09:00:00+09:00"}),
        ("2026-04-08T12:00:00+09:00", {"grade": 5}),
    ]
    if dated:
        tellings[0][1]["reported_at"] = "2026-04-01T10:00:00+09:00"
        tellings[2][1]["reported_at"] = "2026-04-08T10:00:00+09:00"
    log = [
        ae(n, f"2026-04-08T12:{n:02}:00+09:00", "1", time, **data)
        for n, (time, data) in enumerate((tellings[place] for place in order), start=1)
    ]
    owed = {one["clock"]: one for one in run(log, "2026-04-20T00:00:00+09:00").clocks}
    assert owed["FATAL-7"]["stage"] == "overdue"
    assert owed["FATAL-7"]["started_at"].startswith("2026-04-08T0")


@pytest.mark.parametrize("order", list(permutations(range(3))), ids=str)
def test_news_told_before_the_event_that_it_is_news_of_is_owed_a_report_all_the_same(
    order: tuple[int, ...],
) -> None:
    tellings: list[tuple[str, dict[str, Any]]] = [
        ("2026-04-01T12:00:00+09:00", {"serious": True, "grade": 3}),
        ("2026-04-05T12:00:00+09:00", {"submitted_at": "2026-04-05T09:00:00+09:00"}),
        ("2026-04-08T12:00:00+09:00", {"grade": 4, "reported_at": "2026-04-08T10:00:00+09:00"}),
    ]
    log = [
        ae(n, f"2026-04-08T12:{n:02}:00+09:00", "1", *tellings[place][:1], **tellings[place][1])
        for n, place in enumerate(order, start=1)
    ]
    owed = {one["clock"]: one for one in run(log, "2026-04-20T00:00:00+09:00").clocks}
    assert owed["NEWS-15"]["started_at"] == "2026-04-08T01:00:00Z"
