"""A backtest under fire: real workers are killed at it, with a broker and without any."""

from __future__ import annotations

import time
from functools import partial

import orjson
import pytest
from sqlalchemy import update

import rules
from services import backtests, models, protocols
from services.backtests import batch
from services.broker import Broker
from services.repositories import backtests as stored
from tests.integration.test_d10_backtest import NEWER
from tests.support import flagship as f
from tests.support.flagship import ELIGIBLE, INFUSED, SAE, told
from tests.support.processes import Child, python, wait_until


@pytest.mark.parametrize(
    ("database_url", "with_broker"),
    [("postgresql", True), ("sqlite", False)],
    ids=["PostgreSQL and a broker", "SQLite and no broker"],
    indirect=["database_url"],
)
def test_d10_a_backtest_survives_the_death_of_its_workers_and_of_its_bell(
    database, database_url, valkey, tmp_path, monkeypatch, with_broker
):
    f.make(database)
    for number in range(16):
        story = told(*ELIGIBLE) if number % 2 else [*told(*INFUSED), SAE]
        f.evaluate(database, f.publish(database, f.events(f"S-{number:02}", story)))
    protocols.add_version(database, f.TRIAL, NEWER, "the author", f.NOW_US)
    monkeypatch.setattr(batch, "SUBJECTS_A_PART", 1)
    env = {"VIGIL_DATABASE_URL": database_url, "VIGIL_DATA": str(tmp_path)}
    if with_broker:
        env["VIGIL_BROKER_URL"] = valkey.url
    workers = [
        Child(python("-m", "worker", "deliver"), env, tmp_path / f"{name}.log") for name in "ab"
    ]
    made = backtests.make(database, f.TRIAL, "2.0", "the author", f.NOW_US)

    def row():
        with database.reading() as conn:
            return stored.get(conn, made.id)

    def moved(seen):
        return row().done > seen or row().status != stored.RUNNING

    try:
        for worker in workers:
            worker.start()
        Broker(valkey.url if with_broker else None).ring_maintenance([made.id])
        for worker in workers:  # each dies once, whatever it is at
            seen = row().done
            wait_until(partial(moved, seen), 60, "some subjects")
            worker.kill_and_start()
            # Its claims have run out, as they do by themselves within a minute.
            with database.writing() as conn:
                conn.execute(update(models.backtest_parts).values(claimed_until_us=0))
        wait_until(lambda: row().status != stored.RUNNING, 120, "the backtest to be over")
    finally:
        for worker in workers:
            worker.kill()
    assert (row().status, row().done) == (stored.FINISHED, 16)
    at_once = backtests.at_once(database, f.TRIAL, rules.loads(NEWER, "newer"))
    assert orjson.loads(row().result) == orjson.loads(orjson.dumps(at_once))
    assert row().finished_us <= time.time_ns() // 1000
