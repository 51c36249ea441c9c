"""A stopping boundary is reached while eight workers are at it and processes are killed.

Events of 200 subjects come in at once from several publishers, batches shuffled: enrolments,
infusions, adverse events that are then re-graded, re-attributed or withdrawn. The counts must be
those of the log alone, and the trial suspended exactly once.
"""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import pytest
from sqlalchemy import select

from services import audit, clock, models, protocols, replay
from services.database import Database
from services.repositories import streams
from tests.e2e.test_faults import Publisher, dirty_streams, gaps, house, see_at_work, stored_events
from tests.support.processes import wait_until

TRIAL = "stopping-faults"
SUBJECTS, PUBLISHERS, KILLS = 200, 4, 3
PROTOCOL = """\
vigil: 1
protocol:
  id: stopping-faults
  version: "1.0"
  title: A trial whose boundary is reached
  time_zone: UTC
  target: 200
  outcomes: {primary: [Safety]}
  sources: {team: The team}
parameters: {}
codes:
  - {code: fit, type: assessment, label: Fit, value: boolean}
criteria:
  - {id: I1, kind: inclusion, text: Fit, when: fit, source: {document: team}}
rules:
  - id: ST-CROSSED
    on: trial
    category: stopping
    severity: critical
    when: st_tox_crossed
    title: The boundary is reached
    action: Enrol nobody.
    source: {document: team}
stopping:
  - id: ST-TOX
    title: Related severe events
    endpoint: grade >= 3 && causality == "related"
    window_days: 20
    method: pocock
    n: 200
    p0: 0.1
    alpha: 0.05
    crossing: {hold: trial, notify: [safety_board], safety_board: required}
    source: {document: team, confidence: to be confirmed}
"""


def story(number: int, start: datetime) -> list[dict[str, Any]]:
    """One subject: every second has a severe event, and of some of these something else is told."""
    subject = f"S-{number:03}"
    told: list[tuple[str, dict[str, Any]]] = [
        ("enrolment", {"status": "enrolled"}),
        ("administration", {"number": 1, "status": "completed", "start": iso(start, 1)}),
    ]
    event = {"ae": "AE-1", "term": "Rash", "grade": 3, "causality": "related"}
    if number % 2 == 0:
        told.append(("adverse_event", {**event, "onset": iso(start, 24 + number % 48)}))
    if later := LATER.get(number % 10):
        told.append(("adverse_event", {"ae": "AE-1", **later}))
    return [
        {
            "specversion": "1.0",
            "id": f"{subject}-{n}",
            "source": "https://faults.example/",
            "type": kind,
            "trial": TRIAL,
            "subject": subject,
            "time": iso(start, n),
            "data": data,
        }
        for n, (kind, data) in enumerate(told)
    ]


# What is told later of the event of the subjects whose number ends so.
LATER: dict[int, dict[str, Any]] = {
    2: {"grade": 2},
    4: {"causality": "unrelated"},
    6: {"status": "withdrawn"},
    8: {"grade": 4},
}
COUNTED = {0, 8}  # what an event's subject ends with, where the event still counts in the end


def iso(start: datetime, hours: int) -> str:
    return (start + timedelta(hours=hours)).isoformat()


def shuffled(parts: int) -> list[list[dict[str, Any]]]:
    """Every subject's events in their order, the subjects mixed, dealt to so many publishers."""
    start = datetime.now(UTC) - timedelta(days=40)  # noqa: TID251 - the live trial's clock is real
    chance = Random(5)
    left = [story(number, start) for number in range(SUBJECTS)]
    dealt: list[list[dict[str, Any]]] = [[] for _ in range(parts)]
    while some := [events for events in left if events]:
        events = chance.choice(some)
        one = events.pop(0)
        dealt[int(one["subject"][2:]) % parts].append(one)
    return dealt


@pytest.mark.timeout(600)
def test_a_boundary_that_is_reached_under_fire_suspends_exactly_once(
    database_url: str, tmp_path: Path
) -> None:
    db = Database(database_url)
    protocols.create_trial(db, TRIAL, "live", PROTOCOL, "test", clock.now_us())
    dealt = shuffled(PUBLISHERS)
    published = sum(map(len, dealt))
    with house(database_url, tmp_path, PROCESSES="4") as running:
        wait_until(lambda: running.request("GET", "/healthz")[0] == 200, 30, "the API")
        publishers = [Publisher(running, events) for events in dealt]
        for publisher in publishers:
            publisher.faults = KILLS  # as fast as they can
            publisher.start()
        for number in range(KILLS):
            victim = running.workers[number % 2]
            see_at_work(db, victim)
            victim.kill_and_start()
            if number == 1:
                running.broker.kill()
                running.broker.start()
        for publisher in publishers:
            publisher.join()
        assert [publisher.refused for publisher in publishers] == [[]] * PUBLISHERS
        wait_until(lambda: not dirty_streams(db), 200, "every stream to be evaluated")
        path = f"/v1/trials/{TRIAL}"
        status, trial = running.request("GET", path)
        assert (status, trial["status"]) == (200, "suspended")
        (rule,) = running.request("GET", f"{path}/stopping")[1]["items"]

    assert stored_events(db) == published
    assert gaps(db) == []
    counted = [number for number in range(SUBJECTS) if number % 10 in COUNTED]
    assert (rule["evaluable"], rule["events"], rule["pending"]) == (SUBJECTS, len(counted), 0)
    assert [(one["kind"], one["by"], one["until"]) for one in rule["holds"]] == [
        ("crossed", "ST-TOX", None)
    ]
    # On the way the boundary may have been left again, by an event that was re-graded: then that
    # alert was ended, and another one opened; the hold knows nothing of it.
    assert standing(db)["ST-CROSSED"] == 1
    assert audited(db)["trial.suspended"] == 1
    assert replay.verify(db, TRIAL).differences == []
    db.dispose()


def standing(db: Database) -> Counter[str]:
    """How many alerts are open, by rule."""
    with db.reading() as conn:
        question = select(models.alerts.c.rule).where(models.alerts.c.status == "open")
        return Counter(conn.execute(question).scalars())


def audited(db: Database) -> Counter[str]:
    """How often each action stands in the audit of the trial's own stream."""
    with db.reading() as conn:
        stream = streams.find(conn, TRIAL, streams.TRIAL_SUBJECT)
        assert stream is not None
        own = models.audit.c.chain == audit.stream_chain(stream.id)
        return Counter(conn.execute(select(models.audit.c.action).where(own)).scalars())
