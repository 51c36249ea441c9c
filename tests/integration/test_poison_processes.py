"""Events that end or hang their process: real workers, killed by what they evaluate.

Each time the attempt is counted beforehand, so that the kills are bounded; whoever stood in the
same commit goes on.
"""

from __future__ import annotations

import time

import pytest

from services import deadletters, models, replay
from services.broker import Broker
from tests.support import flagship as f
from tests.support.flagship import INFUSED, told
from tests.support.processes import Child, python, wait_until


class Workers:
    """Workers with a fault in their rules, started again when they die, as a supervisor does."""

    def __init__(self, database_url, folder, broker_url):
        env = {
            "VIGIL_DATABASE_URL": database_url,
            "VIGIL_DATA": str(folder),
            "VIGIL_LOG_LEVEL": "warning",
            "VIGIL_TEST_MENDED": str(folder / "mended"),
            "VIGIL_TEST_QUICK": "1",
        }
        if broker_url:
            env["VIGIL_BROKER_URL"] = broker_url
        command = python("-m", "tests.support.faulty_worker", "evaluate")
        self.children = [Child(command, env, folder / f"{name}.log") for name in ("one", "two")]

    def __enter__(self):
        for child in self.children:
            child.start()
        return self

    def __exit__(self, *_):
        for child in self.children:
            child.kill()

    def revive(self):
        for child in self.children:
            if child.process is not None and child.process.poll() is not None:
                child.kill_and_start()


@pytest.mark.parametrize(
    ("how", "with_broker"),
    [
        pytest.param("abort", True, id="it ends the process"),
        pytest.param("hang", False, id="it never ends and lets no thread run"),
    ],
)
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_an_event_that_ends_its_process_is_held_and_the_others_go_on(
    database, database_url, valkey, tmp_path, how, with_broker
):
    f.make(database)
    broker = Broker(valkey.url if with_broker else None)
    bad = [{**event, "id": how} for event in f.events("S-1", told("man"))]
    some = [*f.events("S-1", told("clinical")), *bad, *f.events("S-1", told("own_consent"))]
    for number in range(2, 12):
        some += f.events(f"S-{number}", told(*INFUSED))
    with Workers(database_url, tmp_path, broker.url) as workers:
        broker.ring_evaluate(f.publish(database, some, time.time_ns() // 1000))

        def is_held():
            workers.revive()
            return f.stream(database, "S-1").held

        wait_until(is_held, 60, "the poisonous event to be held")
        held = f.stream(database, "S-1")
        assert held.done_n == len(told("clinical"))
        (letter,) = f.rows(database, models.dead_letters)
        assert (letter.n, letter.reason) == (held.done_n + 1, "WorkerLost")
        assert "OPS-HELD" in f.open_rules(database, "S-1")

        def others_done():
            workers.revive()
            return all(
                row.done_n == row.next_n
                for row in f.rows(database, models.streams, models.streams.c.subject != "S-1")
            )

        wait_until(others_done, 20, "the other subjects")
        (tmp_path / "mended").touch()
        now_us = time.time_ns() // 1000
        deadletters.requeue(database, broker, letter.id, "the first person", now_us)

        def mended():
            workers.revive()
            stream = f.stream(database, "S-1")
            return stream.done_n == stream.next_n

        wait_until(mended, 20, "the mended stream")
    assert replay.verify(database, f.TRIAL).differences == []
