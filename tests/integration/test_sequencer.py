"""Positions are given after commit, by one at a time: nobody who reads by position skips a row."""

import threading
import time

import orjson
import pytest
from sqlalchemy import insert

from services import models, sequencer
from services.database import Database
from services.repositories import leases
from tests.support import flagship as f
from tests.support.flagship import ELIGIBLE, INFUSED, told


@pytest.fixture
def db(database):
    f.make(database)
    with database.writing() as conn:
        for own_id in ("su_1", "su_2"):
            conn.execute(
                insert(models.subscriptions).values(
                    id=own_id,
                    name=own_id,
                    channel="{}",
                    filter="{}",
                    events="[]",
                    content="minimal",
                    status="active",
                    created_us=1,
                    created_by="test",
                )
            )
    return database


def positions(db):
    return {(row.alert, row.change): row.position for row in f.rows(db, models.alert_log)}


def of_subscription(db, own_id):
    found = f.rows(db, models.deliveries, models.deliveries.c.subscription == own_id)
    return sorted(row.position for row in found)


def test_positions_have_no_gap_in_the_log_and_in_each_subscription(db):
    for number in range(3):
        f.evaluate(db, f.publish(db, f.events(f"S-{number}", told(*INFUSED))))
    given = sorted(positions(db).values())
    assert given == list(range(1, len(given) + 1))
    for own_id in ("su_1", "su_2"):
        assert of_subscription(db, own_id) == given


def test_numbering_again_changes_nothing(db):
    f.evaluate(db, f.publish(db, f.events("S-1", told(*ELIGIBLE))))
    before = positions(db)
    assert sequencer.number(db) == sequencer.Numbered(0, ())
    assert positions(db) == before


def test_a_later_change_of_an_alert_never_comes_before_an_earlier_one(db, monkeypatch):
    monkeypatch.setattr(sequencer, "number_soon", lambda _: sequencer.Numbered(0, ()))
    f.evaluate(db, f.publish(db, f.events("S-1", told(*ELIGIBLE))))
    monkeypatch.undo()
    (first,) = f.rows(db, models.alert_log)
    with db.writing() as conn:  # a person, by another clock than the trial's
        row = dict(first._mapping) | {"change": 2, "kind": "updated", "at_us": first.at_us - 10**9}
        conn.execute(insert(models.alert_log).values(row))
    sequencer.number(db)
    given = positions(db)
    assert given[first.alert, 1] < given[first.alert, 2]


def log_row(alert, at_us):
    return {"alert": alert, "change": 99, "kind": "updated", "at_us": at_us, "body": "{}"}


def test_a_writer_that_commits_late_is_numbered_late_and_never_skipped(postgresql_url):
    db = Database(postgresql_url)
    f.make(db)
    some = [event for number in (1, 2) for event in f.events(f"S-{number}", told(*ELIGIBLE))]
    f.evaluate(db, f.publish(db, some))
    slow, quick = sorted(row.id for row in f.rows(db, models.alerts))
    seen = sequencer.number(db)
    assert seen.changes == 0
    with db.engine.connect() as late:
        transaction = late.begin()
        late.execute(
            insert(models.alert_log).values(log_row(slow, 1))
        )  # the earlier time, not committed
        with db.writing() as conn:
            conn.execute(insert(models.alert_log).values(log_row(quick, 2)))
        assert sequencer.number(db).changes == 1
        reader_has_read_to = max(positions(db).values())
        transaction.commit()
    assert sequencer.number(db).changes == 1
    assert positions(db)[slow, 99] > reader_has_read_to
    db.dispose()


def test_several_sequencers_at_once_give_each_position_once(db):
    some = [event for number in range(6) for event in f.events(f"S-{number}", told(*INFUSED))]
    f.evaluate(db, f.publish(db, some))
    start, alerts = threading.Barrier(4), [row.id for row in f.rows(db, models.alerts)]
    errors = []

    def write_and_number(own):
        start.wait()
        try:
            for change in range(100 + 10 * own, 110 + 10 * own):
                with db.writing() as conn:
                    rows = [log_row(alert, change) | {"change": change} for alert in alerts]
                    conn.execute(insert(models.alert_log), rows)
                sequencer.number(db)
        except Exception as error:  # noqa: BLE001 - shown by the assertion below
            errors.append(error)

    threads = [threading.Thread(target=write_and_number, args=(own,)) for own in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    given = sorted(positions(db).values())
    assert given == list(range(1, len(given) + 1))
    assert orjson.loads(f.rows(db, models.alert_log)[0].body) is not None


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_who_was_stopped_while_it_numbered_stops_no_evaluation(db):
    with db.writing() as held:
        leases.lock(held, "sequencer", "stopped")
        began = time.monotonic()
        progress = f.evaluate(db, f.publish(db, f.events("S-1", told(*ELIGIBLE))))
        assert time.monotonic() - began < 5
        assert progress.events == len(told(*ELIGIBLE))
        assert set(positions(db).values()) == {None}
    assert sequencer.number(db).changes == len(positions(db))
