"""A replay trial has one clock, and its trial stream does not depend on who evaluated what first."""

import random
import shutil
from typing import Any

import orjson
import pytest
from sqlalchemy import insert, update

from services import evaluation, models, replay, trials
from services.database import Database
from tests.support import flagship as f
from tests.support.flagship import INFUSED, SAE, told

SUBJECTS = ("S-1", "S-2", "S-3", "S-4", "S-5")


def story(shift):
    """Five subjects' events in order of their recording, two of them with the same toxicity."""
    some = []
    for number, subject in enumerate(SUBJECTS):
        for place, event in enumerate([*told(*INFUSED), SAE]):
            second = (number * 7 + place * 13 + shift) % 60
            recorded = f"2026-03-{10 + place // 10:02}T{number % 3:02}:{place % 60:02}:{second:02}Z"
            some += f.events(subject, [event], id=f"{subject}-{place}", recordedtime=recorded)
    return sorted(some, key=lambda event: (event["recordedtime"], event["id"]))


def play(db, seed):
    """Publish in pieces; evaluate subjects in any order and any number, as workers might."""
    f.make(db, mode="replay")
    dice = random.Random(seed)
    some = story(0)
    while some:
        size = dice.randint(1, 40)
        f.publish(db, some[:size], dice.randint(f.NOW_US, 2 * f.NOW_US))
        some = some[size:]
        for _ in range(dice.randint(0, 3)):
            look(db, dice)
    trials.advance(db, f.TRIAL, f.us("2027-06-01T00:00:00Z"), "the second person", f.NOW_US)
    for _ in range(20):
        look(db, dice, everybody=True)


def look(db, dice, *, everybody=False):
    ids = [row.id for row in f.rows(db, models.streams, models.streams.c.subject != "*")]
    dice.shuffle(ids)
    for one in ids if everybody else ids[: dice.randint(0, len(ids))]:
        f.evaluate(db, one)
    if everybody or dice.random() < 0.5:
        f.evaluate(db, evaluation.release(db, f.TRIAL, f.NOW_US))


def shape(db):
    """The trial's own log and decisions, and every alert of the trial."""
    own = f.stream(db, "*").id
    log = [
        (row.n, row.id, row.received_us, row.data)
        for row in f.rows(db, models.events, models.events.c.stream_id == own)
    ]
    taken = [
        (row.n, row.at_us, row.digest, row.changes)
        for row in f.rows(db, models.decisions, models.decisions.c.stream_id == own)
    ]
    alerts = [(row.id, row.rule, row.opened_us, row.status) for row in f.rows(db, models.alerts)]
    return sorted(log), sorted(taken), sorted(alerts)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_the_trials_stream_is_the_same_whoever_evaluated_what_first(
    database, sqlite_template, tmp_path
):
    shapes = []
    for seed in range(4):
        path = tmp_path / f"seed-{seed}.db"
        shutil.copy(sqlite_template, path)
        db = Database(f"sqlite:///{path}")
        play(db, seed)
        shapes.append(shape(db))
        assert replay.verify(db, f.TRIAL).differences == []
        db.dispose()
    assert shapes[0][0], "there are contributions"
    assert any("ST-TOX-CROSSED" in alert for alert in shapes[0][2])
    assert all(one == shapes[0] for one in shapes)


def test_contributions_wait_while_a_stream_is_behind(database):
    db = database
    f.make(db, mode="replay")
    early = f.events("S-1", told(*INFUSED), recordedtime="2026-03-10T00:00:00Z")
    later = f.events("S-2", told(*INFUSED), recordedtime="2026-03-11T00:00:00Z")
    first, second = f.publish(db, early), f.publish(db, later)
    f.evaluate(db, second)
    assert evaluation.release(db, f.TRIAL, f.NOW_US) == []  # S-1 may still say something earlier
    f.evaluate(db, first)
    assert evaluation.release(db, f.TRIAL, f.NOW_US) == [f.stream(db, "*").id]
    (trial,) = f.rows(db, models.trials)
    assert trial.folded_us == f.us(
        "2026-03-10T00:00:00Z"
    )  # at the clock's own instant more may come
    subjects = {
        orjson.loads(row.data)["subject"]
        for row in f.rows(db, models.events, models.events.c.type == "contribution")
    }
    assert subjects == {"S-1"}
    trials.advance(db, f.TRIAL, f.us("2026-03-12T00:00:00Z"), "the second person", f.NOW_US)
    assert evaluation.release(db, f.TRIAL, f.NOW_US)


def test_an_event_behind_the_folded_time_is_taken_at_it(database):
    db = database
    f.make(db, mode="replay")
    for day, subject in ((10, "S-1"), (12, "S-2")):
        some = f.events(subject, told(*INFUSED), recordedtime=f"2026-03-{day}T00:00:00Z")
        f.evaluate(db, f.publish(db, some))
    assert evaluation.release(db, f.TRIAL, f.NOW_US)
    f.publish(db, f.events("S-3", told("man"), recordedtime="2026-03-09T00:00:00Z"))
    assert f.stream(db, "S-3").last_received_us >= f.us("2026-03-10T00:00:00Z")


def test_a_replay_trials_due_instants_pass_with_its_clock_not_with_the_walls(database):
    db = database
    f.make(db, mode="replay")
    f.evaluate(
        db, f.publish(db, f.events("S-1", told(*INFUSED), recordedtime="2026-03-10T00:00:00Z"))
    )
    stream = f.stream(db, "S-1")
    f.evaluate(db, stream.id, 3 * f.NOW_US)
    assert f.stream(db, "S-1").next_due_us == stream.next_due_us
    trials.advance(db, f.TRIAL, stream.next_due_us, "the second person", f.NOW_US)
    f.evaluate(db, stream.id)
    assert f.stream(db, "S-1").next_due_us != stream.next_due_us


def test_a_replay_trial_tells_only_who_names_it(database):
    db = database
    f.make(db, mode="replay")
    with db.writing() as conn:
        for own_id, wanted in (("su_all", {}), ("su_named", {"trials": [f.TRIAL]})):
            conn.execute(
                insert(models.subscriptions).values(
                    id=own_id,
                    name=own_id,
                    channel="{}",
                    filter=orjson.dumps(wanted).decode(),
                    events="[]",
                    content="minimal",
                    status="active",
                    created_us=1,
                    created_by="test",
                )
            )
    f.evaluate(
        db, f.publish(db, f.events("S-1", told(*INFUSED), recordedtime="2026-03-10T00:00:00Z"))
    )
    assert {row.subscription for row in f.rows(db, models.deliveries)} == {"su_named"}


# --- verify ---------------------------------------------------------------------------------------
@pytest.fixture
def verified(database):
    f.make(database)
    old: dict[str, Any] = {"type": "observation", "time": "2026-01-02T09:00:00+09:00"}
    old["data"] = {"code": "body_temperature", "value": 36.1, "unit": "Cel"}
    f.evaluate(database, f.publish(database, f.events("S-1", [old, *told(*INFUSED), SAE])))
    assert replay.verify(database, f.TRIAL).differences == []
    return database


TAMPERED = {
    "a decision's digest": (
        update(models.decisions).where(models.decisions.c.n == 3).values(digest="0"),
        "decision",
    ),
    "a decision's changes": (
        update(models.decisions)
        .where(models.decisions.c.changes.contains("S-RELATED-G3"))
        .values(changes="[]"),
        "decision",
    ),
    "an alert's text": (
        update(models.alerts).where(models.alerts.c.rule == "S-RELATED-G3").values(title="x"),
        "alert",
    ),
    "an alert's end": (
        update(models.alerts)
        .where(models.alerts.c.rule == "S-RELATED-G3")
        .values(still_true=False),
        "alert",
    ),
    "a missing decision": (models.decisions.delete().where(models.decisions.c.n == 5), "decision"),
    "a state": (
        update(models.streams)
        .where(models.streams.c.subject == "S-1")
        .values(decision="ineligible"),
        "state",
    ),
    "a contribution": (
        update(models.events)
        .where(models.events.c.type == "contribution", models.events.c.n == 3)
        .values(
            data='{"rule": "enrolled", "unit": "subject", "subject": "S-1", "evaluable": true, "event": false, "since_us": 1, "revision": 1}'
        ),
        "contribution",
    ),
    "an old value that weighs no more": (
        update(models.events)
        .where(models.events.c.data.contains('"body_temperature"'))
        .values(data='{"code":"body_temperature","unit":"Cel","value":36.2}'),
        "event",
    ),
    "the time of an event": (
        update(models.events).where(models.events.c.n == 2).values(time_us=1),
        "event",
    ),
    "a change of an alert that is gone": (
        models.alert_log.delete().where(models.alert_log.c.change == 1),
        "alert",
    ),
    "what a person did with an alert": (
        update(models.alerts)
        .where(models.alerts.c.rule == "S-RELATED-G3")
        .values(acknowledged='{"by": "nobody", "at": "", "note": null}'),
        "alert",
    ),
    "an alert that is gone": (
        update(models.alerts).where(models.alerts.c.rule == "S-RELATED-G3").values(stream_id=1),
        "alert",
    ),
    "the bytes of a state": (
        update(models.streams).where(models.streams.c.subject == "S-1").values(state=b"{}"),
        "state",
    ),
    "an event that is gone": (models.events.delete().where(models.events.c.n == 3), "log"),
}


@pytest.mark.parametrize("which", TAMPERED)
def test_verify_finds_what_was_tampered_with(verified, which):
    statement, what = TAMPERED[which]
    with verified.writing() as conn:
        assert conn.execute(statement).rowcount
    assert what in {one.what for one in replay.verify(verified, f.TRIAL).differences}


def test_another_engine_versions_differences_stand_apart(verified):
    with verified.writing() as conn:
        conn.execute(
            update(models.decisions)
            .where(models.decisions.c.n == 3)
            .values(digest="0", engine_version=0)
        )
    report = replay.verify(verified, f.TRIAL)
    assert report.differences == []
    assert [one.engine_version for one in report.of_other_engines] == [0, 0]


def test_verify_runs_beside_a_live_service_up_to_what_is_done(verified):
    f.publish(verified, f.events("S-1", told("woman")))
    assert replay.verify(verified, f.TRIAL).differences == []
