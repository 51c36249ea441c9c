"""Holds in a running trial, on both databases: from the finding to the row, and back by two persons."""

from __future__ import annotations

import threading
from typing import Any

import orjson
import pytest

from services import evaluation, holding, models, replay, trials
from services.evaluation import work
from services.reading import stopping
from services.repositories import trials as trial_rows
from services.repositories.streams import TRIAL_SUBJECT
from tests.support import flagship as f
from tests.support.flagship import INFUSED, NOW_US, SAE, told

DAY_US = 24 * 3600 * 1_000_000


@pytest.fixture
def db(database):
    f.make(database)
    return database


def toxic(subject: str) -> list[dict[str, Any]]:
    return f.events(subject, [*told(*INFUSED), SAE])


def cross(db) -> None:
    some = [one for n in range(4) for one in toxic(f"S-{n}")]
    f.evaluate(db, f.publish(db, some))


def row(db) -> Any:
    (found,) = f.rows(db, models.trials)
    return found


def audited(db, action: str) -> list[Any]:
    return f.rows(db, models.audit, models.audit.c.action == action)


def counted(db) -> dict[str, int]:
    with db.reading() as conn:
        return stopping.counted(conn, f.TRIAL)


def resume(db, now_us: int) -> None:
    asked = holding.resume(db, f.TRIAL, "one", "seen", now_us, counted(db))
    assert asked.until_us is not None
    agreed = holding.resume(db, f.TRIAL, "other", "agreed", now_us, counted(db))
    f.evaluate(db, list(agreed.dirty), now_us)


def test_a_crossed_boundary_is_held_once_and_resumed_by_two(db):
    cross(db)
    assert row(db).status == "suspended"
    assert len(audited(db, "trial.suspended")) == 1
    resume(db, NOW_US + DAY_US)
    assert (row(db).status, row(db).hold) == ("open", None)
    assert "ST-TOX-CROSSED" in f.open_rules(db)  # the boundary is still reached
    f.evaluate(db, f.publish(db, f.events("S-9", told("clinical"))), NOW_US + DAY_US)
    assert row(db).status == "open"
    assert replay.verify(db, f.TRIAL).differences == []


def test_what_came_between_the_two_persons_holds_the_trial_again(db):
    cross(db)
    later = NOW_US + DAY_US
    assert holding.resume(db, f.TRIAL, "one", "seen", later, counted(db)).until_us is not None
    f.evaluate(db, f.publish(db, toxic("S-9")), later)
    agreed = holding.resume(db, f.TRIAL, "other", "agreed", later, counted(db))
    f.evaluate(db, list(agreed.dirty), later)
    assert row(db).status == "suspended"
    assert orjson.loads(row(db).hold)["by"] == "ST-TOX"
    resume(db, later)  # both know of it now
    assert row(db).status == "open"
    assert replay.verify(db, f.TRIAL).differences == []


def test_a_toxicity_that_is_withdrawn_leaves_the_hold_and_not_the_count(db):
    cross(db)
    gone = {"ae": "a1", "status": "withdrawn"}
    later = {"type": "adverse_event", "time": "2026-03-19T09:00:00+09:00", "data": gone}
    some = [one for n in range(4) for one in f.events(f"S-{n}", [later])]
    f.evaluate(db, f.publish(db, some))
    assert "ST-TOX-CROSSED" not in f.open_rules(db)
    assert row(db).status == "suspended"
    assert replay.verify(db, f.TRIAL).differences == []


def test_who_enters_during_a_hold_is_accepted_and_told_of_at_once(db):
    asked = holding.suspend(db, f.TRIAL, "trial", "one", "to look", f.us("2026-03-01T00:00:00Z"))
    f.evaluate(db, list(asked.dirty))
    story = f.events("S-1", told(*INFUSED))
    assert len(f.publish(db, story)) == 1
    f.evaluate(db, [f.stream(db, "S-1").id])
    assert {"TR-ENROLLED-DURING-HOLD", "TR-INFUSED-DURING-HOLD"} <= set(f.open_rules(db))
    alerts = f.rows(db, models.alerts, models.alerts.c.rule == "TR-ENROLLED-DURING-HOLD")
    assert [(one.severity, one.category, one.key) for one in alerts] == [
        ("critical", "stopping", "during:enrolled|S-1|subject")
    ]
    (entry,) = [
        one for one in story if one["type"] == "enrolment" and one["data"]["status"] == "enrolled"
    ]
    target = {"source": entry["source"], "id": entry["id"]}
    data = {"corrects": target, "time": "2026-02-20T09:00:00+09:00", "reason": "mistyped"}
    wrong = {"type": "correction", "time": "2026-03-19T09:00:00+09:00", "data": data}
    f.evaluate(db, f.publish(db, f.events("S-1", [wrong])))
    assert "TR-ENROLLED-DURING-HOLD" not in f.open_rules(db)
    (alert,) = f.rows(db, models.alerts, models.alerts.c.rule == "TR-ENROLLED-DURING-HOLD")
    assert orjson.loads(alert.resolution)["reason"] == "superseded"
    assert replay.verify(db, f.TRIAL).differences == []


def test_a_persons_hold_that_is_not_folded_yet_outlives_another_step(db):
    some = [one for n in range(4) for one in toxic(f"S-{n}")]
    dirty = f.publish(db, some)
    holding.suspend(db, f.TRIAL, "trial", "one", "to look", NOW_US)
    asked = holding.resume(db, f.TRIAL, "one", "seen", NOW_US)
    assert asked.until_us is not None
    f.evaluate(db, dirty)
    holding.resume(db, f.TRIAL, "other", "agreed", NOW_US)
    f.evaluate(db, [f.stream(db, TRIAL_SUBJECT).id])
    found = orjson.loads(row(db).hold)
    assert {one["kind"] for one in found["standing"]} == {
        "crossed",
        "rule",
    }  # found after the first asked
    assert row(db).status == "suspended"
    assert replay.verify(db, f.TRIAL).differences == []


def test_many_who_suspend_at_once_hold_once(db):
    together = threading.Barrier(4, timeout=20)
    done: list[holding.Asked] = []

    def ask(person: str) -> None:
        together.wait()
        done.append(holding.suspend(db, f.TRIAL, "trial", person, "to look", NOW_US))

    threads = [threading.Thread(target=ask, args=(f"person {n}",)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(bool(one.dirty) for one in done) == 1
    f.evaluate(db, [f.stream(db, TRIAL_SUBJECT).id])
    own = f.stream(db, TRIAL_SUBJECT)
    assert (own.next_n, len(audited(db, "trial.suspend.done"))) == (1, 1)
    assert len(orjson.loads(row(db).hold)["standing"]) == 1


def test_a_hold_of_an_earlier_version_is_resumed_like_any_other(db):
    hold = {"since_us": NOW_US, "by": "ST-TOX-CROSSED", "reason": "reached"}
    with db.writing() as conn:
        told_so = models.trials.update().values(
            status="suspended", hold=orjson.dumps(hold).decode()
        )
        conn.execute(told_so)
    f.evaluate(db, f.publish(db, f.events("S-1", told(*INFUSED))))
    assert row(db).status == "suspended"
    resume(db, NOW_US)
    assert (row(db).status, row(db).hold) == ("open", None)


def test_in_a_replay_trial_a_decision_waits_for_its_place_in_time(database):
    f.make(database, mode="replay")
    some = f.events("S-1", told(*INFUSED), recordedtime="2026-03-10T00:00:00Z")
    f.evaluate(database, f.publish(database, some))
    holding.suspend(database, f.TRIAL, "trial", "one", "to look", NOW_US)
    assert row(database).status == "suspended"
    assert evaluation.release(database, f.TRIAL, NOW_US) == []
    assert replay.verify(database, f.TRIAL).differences == []
    trials.advance(database, f.TRIAL, f.us("2026-03-11T00:00:00Z"), "one", NOW_US)
    f.evaluate(database, f.stream(database, "S-1").id)
    f.evaluate(database, evaluation.release(database, f.TRIAL, NOW_US))
    own = f.rows(database, models.events, models.events.c.stream_id == f.stream(database, "*").id)
    assert [(one.type, one.source) for one in own if one.type != "contribution"] == [
        ("suspension", "vigil:service")
    ]
    assert row(database).status == "suspended"
    assert replay.verify(database, f.TRIAL).differences == []


def test_no_moment_is_open_between_a_resumption_and_a_suspension_that_waits_behind_it(
    db, monkeypatch
):
    f.evaluate(db, list(holding.suspend(db, f.TRIAL, "trial", "one", "to look", NOW_US).dirty))
    holding.resume(db, f.TRIAL, "one", "seen", NOW_US)
    dirty = holding.resume(db, f.TRIAL, "other", "agreed", NOW_US).dirty
    holding.suspend(db, f.TRIAL, "enrolment", "one", "again", NOW_US)
    assert row(db).status == "suspended"
    follow = trial_rows.follow
    seen: list[int] = []

    def watched(conn: Any, one: Any, holds: Any) -> None:
        seen.append(len(holds))
        follow(conn, one, holds)

    monkeypatch.setattr(work, "MOST_EVENTS", 1)
    monkeypatch.setattr(trial_rows, "follow", watched)
    f.evaluate(db, list(dirty))
    assert seen == [1, 1]
    assert row(db).status == "suspended"
    assert replay.verify(db, f.TRIAL).differences == []


def test_a_resumption_that_waits_for_its_place_in_time_is_not_undone_meanwhile(database):
    f.make(database, mode="replay")
    clock = "2026-03-13T00:00:00Z"
    some = f.events("S-1", told(*INFUSED), recordedtime="2026-03-12T00:00:00Z")
    f.evaluate(database, f.publish(database, some))
    holding.suspend(database, f.TRIAL, "trial", "one", "to look", NOW_US)
    some = f.events("S-1", told("clinical"), recordedtime=clock)
    f.evaluate(database, f.publish(database, some))
    f.evaluate(database, evaluation.release(database, f.TRIAL, NOW_US))
    assert row(database).status == "suspended"
    holding.resume(database, f.TRIAL, "one", "seen", NOW_US)
    holding.resume(database, f.TRIAL, "other", "agreed", NOW_US)
    some = f.events("S-2", told(*INFUSED), recordedtime="2026-03-12T12:00:00Z")
    f.evaluate(database, f.publish(database, some))
    released = evaluation.release(database, f.TRIAL, NOW_US)
    assert released
    f.evaluate(database, released)
    assert row(database).status == "open"
    trials.advance(database, f.TRIAL, f.us("2026-03-14T00:00:00Z"), "one", NOW_US)
    for name in ("S-1", "S-2"):
        f.evaluate(database, f.stream(database, name).id)
    f.evaluate(database, evaluation.release(database, f.TRIAL, NOW_US))
    assert row(database).status == "open"
    assert replay.verify(database, f.TRIAL).differences == []


def test_who_held_and_who_lifted_is_in_the_audit(db):
    f.evaluate(db, list(holding.suspend(db, f.TRIAL, "trial", "one", "to look", NOW_US).dirty))
    resume(db, NOW_US)
    said = {
        name: [(one.actor, orjson.loads(one.detail)["reason"]) for one in audited(db, name)]
        for name in ("trial.suspend.done", "trial.resume.asked", "trial.resume.done")
    }
    assert said == {
        "trial.suspend.done": [("one", "to look")],
        "trial.resume.asked": [("one", "seen")],
        "trial.resume.done": [("other", "agreed")],
    }
    assert audited(db, "trial.suspended") == []


def test_a_death_that_may_be_related_holds_the_whole_trial_at_once_and_for_good(db):
    death = {
        "type": "death",
        "time": "2026-03-12T08:00:00+09:00",
        "data": {"cause": "Sepsis", "causality": "related"},
    }
    story = f.events("S-1", [*told(*INFUSED), death])
    f.evaluate(db, f.publish(db, story))
    hold = orjson.loads(row(db).hold)
    assert (row(db).status, hold["kind"], hold["by"], hold["what"]) == (
        "suspended",
        "paused",
        "PAUSE-DEATH",
        "trial",
    )
    target = {"source": story[-1]["source"], "id": story[-1]["id"]}
    data = {"corrects": target, "entered_in_error": True, "reason": "another subject"}
    wrong = {"type": "correction", "time": "2026-03-19T09:00:00+09:00", "data": data}
    f.evaluate(db, f.publish(db, f.events("S-1", [wrong])))
    assert "PAUSE-DEATH" not in f.open_rules(db, "S-1")
    assert row(db).status == "suspended"
    assert replay.verify(db, f.TRIAL).differences == []
