"""Who lives, and what was counted: sums that never go down, whoever ends, returns or is forgotten."""

from __future__ import annotations

import pytest

from services import canaries, clock, pulse
from services.pulse import Heart, Pulse
from services.repositories import heartbeats
from tests.support.processes import Child, python, wait_until

HOUR_US = 3600 * clock.SECOND_US
NOW_US = 1_800_000_000_000_000


def counted(db, kind="api", name="requests"):
    with db.reading() as conn:
        return heartbeats.counted(conn).get(kind, {}).get(name, 0)


def seen(db, since_us=0):
    with db.reading() as conn:
        return [row.process for row in heartbeats.seen(conn, since_us)]


def of(db, process, started_us=NOW_US):
    return Pulse(db, "api", process, started_us)


def test_counts_of_processes_are_added_up(database):
    of(database, "api:h:1").beat(NOW_US, {"requests": 3})
    of(database, "api:h:2").beat(NOW_US, {"requests": 4, "other": 0.5})
    assert (counted(database), counted(database, name="other")) == (7, 0.5)
    assert seen(database) == ["api:h:1", "api:h:2"]


def test_a_process_that_takes_over_the_name_of_a_dead_one_takes_nothing_from_the_sum(database):
    of(database, "api:h:1").beat(NOW_US, {"requests": 30})
    second = of(database, "api:h:1", NOW_US + 1)
    second.beat(NOW_US + 1, {"requests": 2})
    assert counted(database) == 32
    second.beat(NOW_US + 2, {"requests": 5})
    assert counted(database) == 35
    assert seen(database) == ["api:h:1"]


def test_who_is_forgotten_or_ends_leaves_its_counts(database):
    of(database, "api:h:1").beat(NOW_US, {"requests": 30})
    ending = of(database, "api:h:2")
    ending.beat(NOW_US, {"requests": 5})
    ending.end(NOW_US)
    assert seen(database) == ["api:h:1"]
    of(database, "api:h:3").beat(NOW_US + HOUR_US + 1, {"requests": 1})
    assert seen(database) == ["api:h:3"]
    assert counted(database) == 36
    of(database, "api:h:4").beat(NOW_US + 3 * HOUR_US, {"requests": 1})  # what is kept is kept
    assert counted(database) == 37


def test_who_comes_back_after_it_was_forgotten_is_not_counted_twice(database):
    stopped = of(database, "api:h:1")
    stopped.beat(NOW_US, {"requests": 30})
    of(database, "api:h:2").beat(NOW_US + 2 * HOUR_US, {"requests": 1})
    stopped.beat(NOW_US + 2 * HOUR_US, {"requests": 31})
    stopped.beat(NOW_US + 2 * HOUR_US + 1, {"requests": 32})
    assert counted(database) == 33


def test_a_canary_shows_its_queue_and_the_maintenance_one_the_scheduler(database):
    for queue in ("evaluate", "maintenance"):
        canaries.heard(
            database,
            queue,
            sent_us=NOW_US - 2500,
            sent_by="scheduler:h:7",
            heard_by="deliver:h:1",
            now_us=NOW_US,
        )
    with database.reading() as conn:
        known = heartbeats.canaries(conn)
    assert set(known) == {"evaluate", "maintenance"}
    assert known["evaluate"]["took_ms"] == 2.5
    assert seen(database) == ["scheduler:h:7"]


def test_a_clock_that_is_behind_makes_no_canary_arrive_before_it_left(database):
    who = {"sent_by": "scheduler:h:7", "heard_by": "deliver:h:1"}
    canaries.heard(database, "deliver", sent_us=NOW_US + 1_000_000, now_us=NOW_US, **who)
    with database.reading() as conn:
        assert heartbeats.canaries(conn)["deliver"]["took_ms"] == 0


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_heart_beats_until_it_stops_and_its_last_count_stays(database):
    counts = {"requests": 1}
    heart = Heart(Pulse(database, "api"), lambda: counts)
    heart.start()
    wait_until(lambda: seen(database) == [pulse.name("api")], 30, "a beat")
    counts["requests"] = 8
    heart.stop()
    assert seen(database) == []
    assert counted(database) == 8


BEATS = """
import sys, time
from services.database import Database
from services.pulse import Heart, Pulse
Heart(Pulse(Database(sys.argv[1]), "api"), lambda: {"requests": 6}).start()
time.sleep(600)
"""


def test_what_a_killed_process_had_told_stays(database, database_url, tmp_path):
    child = Child(python("-c", BEATS, database_url), {}, tmp_path / "log").start()
    try:
        wait_until(lambda: counted(database) == 6, 30, "a beat")
        child.kill()
        assert counted(database) == 6
        # Its successor under the same name, as in a container.
        (name,) = seen(database)
        of(database, name, 5).beat(clock.now_us(), {"requests": 1})
        assert counted(database) == 7
    finally:
        child.kill()
