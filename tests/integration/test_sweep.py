"""The sweep finds what nobody rang for: lost doorbells, passed instants, dead writers' positions."""

import threading

import pytest
from sqlalchemy import update

from services import evaluation, models, protocols, replay, sequencer, trials
from services.broker import Broker
from services.repositories import heartbeats
from services.sweep import Steps, Sweep
from tests.support import flagship as f
from tests.support.flagship import ELIGIBLE, INFUSED, SAE, told
from tests.support.trials import backtested

AWAY = "redis://127.0.0.1:1/0"  # nobody listens there


@pytest.fixture
def db(database):
    f.make(database)
    return database


def sweep(db, url=None):
    broker = Broker(url)
    steps = Steps(
        evaluate=lambda ids, now_us: evaluation.evaluate(db, broker, ids, now_us).events,
        release=lambda trial, now_us: evaluation.release(db, trial, now_us),
        remind=lambda now_us: evaluation.remind(db, now_us),
    )
    return Sweep(db, broker, steps, "evaluate", "evaluate:test:1")


def test_a_lost_doorbell_is_found_and_counted(db):
    f.publish(db, f.events("S-1", told(*ELIGIBLE)))
    found = sweep(db, AWAY).once(f.NOW_US + 2_000_000)
    assert (found.streams, found.events) == (1, len(told(*ELIGIBLE)))
    assert f.stream(db, "S-1").decision == "eligible"


def test_what_was_rung_for_a_moment_ago_is_left_to_whom_it_was_rung(db):
    f.publish(db, f.events("S-1", told(*ELIGIBLE)))
    assert sweep(db, AWAY).once(f.NOW_US + 100_000).streams == 0
    assert sweep(db).once(f.NOW_US + 100_000).streams == 1  # without a broker nobody rings


def test_a_passed_instant_is_evaluated(db):
    f.evaluate(db, f.publish(db, f.events("S-1", told(*INFUSED))))
    due_us = f.stream(db, "S-1").next_due_us
    assert sweep(db).once(due_us - 1).streams == 0
    assert sweep(db).once(due_us).streams == 1
    assert f.rows(db, models.decisions, models.decisions.c.due_us == due_us)


def test_a_replay_trials_streams_follow_its_clock_and_its_contributions_go_on(db):
    f.make(db, mode="replay", trial="past")
    some = f.events("S-1", told(*INFUSED), trial="past", recordedtime="2026-03-10T00:00:00Z")
    f.publish(db, some)
    swept = sweep(db)
    swept.once(f.NOW_US)
    assert f.stream(db, "*", "past").next_n == 0
    due_us = f.stream(db, "S-1", "past").next_due_us
    trials.advance(db, "past", due_us, "the second person", f.NOW_US)
    assert swept.once(f.NOW_US).released == 1
    assert f.stream(db, "*", "past").done_n == f.stream(db, "*", "past").next_n > 0
    assert f.rows(db, models.decisions, models.decisions.c.due_us == due_us)


def test_a_protocol_version_reaches_every_stream_when_its_time_has_come(db):
    f.evaluate(db, f.publish(db, f.events("S-1", told(*INFUSED))))
    newer = f.PLAIN.replace('version: "1.0"', 'version: "1.1"', 1)
    at_us = f.stream(db, "S-1").next_due_us + 60_000_000  # an instant passes before it
    protocols.add_version(db, f.TRIAL, newer, "the second person", f.NOW_US)
    protocols.activate(
        db,
        f.TRIAL,
        "1.1",
        approved_by="the first person",
        backtest=backtested(db, f.TRIAL, "1.1"),
        by="the second person",
        now_us=f.NOW_US,
        effective_from_us=at_us,
    )
    swept = sweep(db)
    swept.once(at_us - 1)
    assert f.stream(db, "S-1").protocol_version == "1.0"
    swept.once(at_us + 1)
    assert {f.stream(db, name).protocol_version for name in ("S-1", "*")} == {"1.1"}
    f.evaluate(db, f.publish(db, f.events("S-1", [SAE]), at_us + 2), at_us + 2)
    assert replay.verify(db, f.TRIAL).differences == []


def test_an_instant_that_passed_before_an_activation_is_judged_by_the_version_before(db):
    f.evaluate(db, f.publish(db, f.events("S-1", told(*INFUSED))))
    due_us = f.stream(db, "S-1").next_due_us
    newer = f.PLAIN.replace('version: "1.0"', 'version: "1.1"', 1)
    protocols.add_version(db, f.TRIAL, newer, "the second person", f.NOW_US)
    at_us = due_us + 60_000_000  # nobody looked in between
    protocols.activate(
        db,
        f.TRIAL,
        "1.1",
        approved_by="the first person",
        backtest=backtested(db, f.TRIAL, "1.1"),
        by="the second person",
        now_us=at_us,
    )
    sweep(db).once(at_us + 1)
    found = {row.due_us: row.protocol_version for row in f.rows(db, models.decisions) if row.due_us}
    assert found[due_us] == "1.0"
    assert f.stream(db, "S-1").protocol_version == "1.1"
    assert replay.verify(db, f.TRIAL).differences == []


def test_positions_that_a_dead_writer_owed_are_given(db, monkeypatch):
    monkeypatch.setattr(sequencer, "number_soon", lambda _: sequencer.Numbered(0, ()))
    f.evaluate(db, f.publish(db, f.events("S-1", told(*ELIGIBLE))))
    monkeypatch.undo()
    assert [row.position for row in f.rows(db, models.alert_log)] == [None]
    assert sweep(db).once(f.NOW_US).unnumbered == 1
    assert [row.position for row in f.rows(db, models.alert_log)] == [1]


def test_a_stream_that_somebody_claimed_is_left_alone_until_the_claim_runs_out(db):
    f.publish(db, f.events("S-1", told(*ELIGIBLE)))
    with db.writing() as conn:
        conn.execute(update(models.streams).values(claimed_until_us=f.NOW_US + 10_000_000))
    assert sweep(db).once(f.NOW_US + 5_000_000).streams == 0
    assert sweep(db).once(f.NOW_US + 10_000_000).streams == 1


def test_every_sweep_shows_that_the_worker_lives(db):
    sweep(db).once(f.NOW_US)
    with db.reading() as conn:
        (row,) = heartbeats.seen(conn, f.NOW_US)
    assert (row.process, row.kind) == ("evaluate:test:1", "evaluate")


@pytest.mark.parametrize("error", [OSError, ValueError, ZeroDivisionError])
def test_a_look_that_fails_ends_neither_the_sweep_nor_the_other_looks(db, error):
    stop = threading.Event()
    looks = []

    def fails(_ids, _now_us):
        looks.append(1)
        if len(looks) == 3:
            stop.set()
        raise error

    f.publish(db, f.events("S-1", told(*ELIGIBLE)))
    swept = Sweep(db, Broker(None), Steps(evaluate=fails), "evaluate", "evaluate:test:1")
    swept.run(stop, 0.001)
    assert (swept.report.sweeps, swept.report.errors) == (3, 3)
    with db.reading() as conn:
        assert heartbeats.seen(conn, f.NOW_US)


@pytest.mark.parametrize("hours", [0, 2])
def test_events_are_found_although_the_clock_was_set_back_and_their_worker_died(db, hours):
    f.publish(db, f.events("S-1", told(*ELIGIBLE)))
    earlier_us = f.NOW_US - hours * 3600 * 1_000_000
    with db.writing() as conn:
        conn.execute(update(models.streams).values(claimed_until_us=f.NOW_US + 10_000_000))
    assert sweep(db).once(earlier_us).streams == (1 if hours else 0)
