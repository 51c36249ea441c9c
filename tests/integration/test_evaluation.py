"""Events become decisions and alerts behind a fence, on SQLite and on PostgreSQL."""

import threading
from typing import Any

import orjson
import pytest
from sqlalchemy import insert, select, update

from services import models, replay, responses, sequencer
from services.evaluation import committing, loop, work
from services.repositories import steps
from tests.support import flagship as f
from tests.support.flagship import ELIGIBLE, INFUSED, SAE, told


@pytest.fixture
def db(database):
    f.make(database)
    return database


def test_an_eligible_subject_is_told_of_once_and_every_event_has_one_decision(db):
    dirty = f.publish(db, f.events("S-1", told(*ELIGIBLE)))
    progress = f.evaluate(db, dirty)
    stream = f.stream(db, "S-1")
    assert stream.done_n == stream.next_n == progress.events
    assert stream.decision == "eligible"
    assert f.open_rules(db, "S-1") == ["EL-ELIGIBLE"]
    numbers = [
        row.n for row in f.rows(db, models.decisions, models.decisions.c.stream_id == stream.id)
    ]
    assert sorted(numbers) == list(range(1, stream.next_n + 1))


def test_a_doorbell_that_rings_twice_does_nothing_twice(db):
    dirty = f.publish(db, f.events("S-1", told(*ELIGIBLE)))
    f.evaluate(db, dirty)
    before = f.rows(db, models.alert_log), f.stream(db, "S-1").rev
    progress = f.evaluate(db, dirty)
    assert (progress.events, progress.changes) == (0, 0)
    assert (f.rows(db, models.alert_log), f.stream(db, "S-1").rev) == before


def test_two_evaluators_at_once_commit_each_event_once(db, monkeypatch):
    dirty = f.publish(db, f.events("S-1", [*told(*INFUSED), SAE]))
    both_thought = threading.Barrier(2, timeout=20)
    first = threading.local()
    commit = committing.commit

    def after_both(*arguments):
        if not getattr(first, "met", False):
            first.met = True
            both_thought.wait()  # both have thought of the same events; now they race
        return commit(*arguments)

    monkeypatch.setattr(loop, "commit", after_both)
    done = []
    threads = [
        threading.Thread(target=lambda: done.append(f.evaluate(db, dirty))) for _ in range(2)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    stream = f.stream(db, "S-1")
    trial = f.stream(db, "*")
    assert len(done) == 2
    assert sum(progress.events for progress in done) == stream.next_n + trial.next_n
    assert stream.done_n == stream.next_n
    assert replay.verify(db, f.TRIAL).differences == []


def test_events_that_come_in_pieces_give_the_same_as_all_at_once(db):
    story = [*told(*INFUSED), SAE]
    for event in f.events("S-1", story):
        f.evaluate(db, f.publish(db, [event]))
    f.evaluate(db, f.publish(db, f.events("S-2", story)))
    one, two = f.stream(db, "S-1"), f.stream(db, "S-2")
    assert (one.decision, one.status, one.next_due_us) == (
        two.decision,
        two.status,
        two.next_due_us,
    )
    open_now = ["INF-MISSED", "P-REACTION-LATE", "S-RELATED-G3"]
    assert f.open_rules(db, "S-1") == f.open_rules(db, "S-2") == open_now
    assert replay.verify(db, f.TRIAL).differences == []


def test_contributions_reach_the_trial_exactly_once(db):
    f.evaluate(db, f.publish(db, f.events("S-1", [*told(*INFUSED), SAE])))
    trial = f.stream(db, "*")
    own = f.rows(db, models.events, models.events.c.stream_id == trial.id)
    named = [(orjson.loads(row.data)["rule"], orjson.loads(row.data)["revision"]) for row in own]
    assert len(named) == len(set(named))
    assert {rule for rule, _ in named} == {"enrolled", "infused", "ST-TOX", "RP-SAME-G3"}
    assert trial.done_n == trial.next_n


def severe(n):
    return {**SAE["data"], "term": f"Event {n}"}


def test_the_stopping_table_suspends_enrolment_in_the_trial_streams_commit(db):
    some = [
        event
        for n in range(4)  # each another event: the same in two would pause the trial before
        for event in f.events(f"S-{n}", [*told(*INFUSED), {**SAE, "data": severe(n)}])
    ]
    f.evaluate(db, f.publish(db, some))
    (trial,) = f.rows(db, models.trials)
    assert trial.status == "suspended"
    assert orjson.loads(trial.hold)["by"] == "ST-TOX"
    assert "ST-TOX-CROSSED" in f.open_rules(db)


def test_a_correction_supersedes_the_alert_that_rested_on_the_error(db):
    sae = f.events("S-1", [SAE])
    f.evaluate(db, f.publish(db, [*f.events("S-1", told(*INFUSED)), *sae]))
    assert f.open_rules(db, "S-1") == ["INF-MISSED", "P-REACTION-LATE", "S-RELATED-G3"]
    target: dict[str, Any] = {"source": sae[0]["source"], "id": sae[0]["id"]}
    data = {"corrects": target, "entered_in_error": True, "reason": "another subject"}
    wrong = f.events("S-1", [{"type": "correction", "time": SAE["time"], "data": data}])
    f.evaluate(db, f.publish(db, wrong))
    assert f.open_rules(db, "S-1") == ["INF-MISSED"]
    (alert,) = f.rows(db, models.alerts, models.alerts.c.rule == "S-RELATED-G3")
    assert orjson.loads(alert.resolution)["reason"] == "superseded"
    kinds = [row.kind for row in f.rows(db, models.alert_log, models.alert_log.c.alert == alert.id)]
    assert kinds == ["opened", "superseded"]
    assert replay.verify(db, f.TRIAL).differences == []


def test_who_was_told_hears_that_it_was_wrong_whatever_their_filter_says_now(db):
    _subscribe(db, "su_1", {"rules": ["S-RELATED-G3"]}, events=["alert.opened"])
    _subscribe(db, "su_2", {"rules": ["EL-ELIGIBLE"]})
    sae = f.events("S-1", [SAE])
    f.evaluate(db, f.publish(db, [*f.events("S-1", told(*INFUSED)), *sae]))
    with db.writing() as conn:
        nothing = orjson.dumps({"rules": ["NONE"]}).decode()
        conn.execute(update(models.subscriptions).values(filter=nothing))
    target: dict[str, Any] = {"source": sae[0]["source"], "id": sae[0]["id"]}
    data = {"corrects": target, "entered_in_error": True, "reason": "another subject"}
    f.evaluate(
        db,
        f.publish(db, f.events("S-1", [{"type": "correction", "time": SAE["time"], "data": data}])),
    )
    sent = [
        (row.event, row.position)
        for row in f.rows(db, models.deliveries, models.deliveries.c.subscription == "su_1")
    ]
    assert sorted(sent) == [("alert.opened", 1), ("alert.superseded", 2)]


def test_who_was_told_and_then_disabled_hears_that_it_was_wrong_when_active_again(db):
    _subscribe(db, "su_1", {"rules": ["S-RELATED-G3"]})
    sae = f.events("S-1", [SAE])
    f.evaluate(db, f.publish(db, [*f.events("S-1", told(*INFUSED)), *sae]))
    with db.writing() as conn:
        conn.execute(update(models.subscriptions).values(status="disabled"))
    target: dict[str, Any] = {"source": sae[0]["source"], "id": sae[0]["id"]}
    data = {"corrects": target, "entered_in_error": True, "reason": "another subject"}
    other = {**SAE, "data": SAE["data"] | {"ae": "a2"}}
    wrong = {"type": "correction", "time": SAE["time"], "data": data}
    f.evaluate(db, f.publish(db, f.events("S-1", [wrong, other])))
    sent = [(row.event, row.position, row.status) for row in f.rows(db, models.deliveries)]
    assert sorted(sent) == [
        ("alert.opened", 1, "pending"),
        ("alert.superseded", 2, "pending"),
    ]


def test_what_is_logged_of_a_resolution_is_what_the_contract_names(db):
    f.evaluate(db, f.publish(db, f.events("S-1", [*told(*INFUSED), SAE])))
    (alert,) = f.rows(db, models.alerts, models.alerts.c.rule == "S-RELATED-G3")
    resolve = responses.Action.RESOLVE
    responses.respond(
        db, f.SILENT, alert.id, resolve, by="the investigator", note="seen", now_us=f.NOW_US
    )
    last = f.rows(db, models.alert_log, models.alert_log.c.kind == "resolved")[-1]
    assert last.alert == alert.id
    body = orjson.loads(last.body)
    assert set(body["resolution"]) == {"reason", "at", "by", "note", "because_of"}
    assert set(body) - {"still_true"} == set(CONTRACT_4)


CONTRACT_4 = (
    *("id", "trial", "protocol_version", "subject", "rule", "category", "severity", "status"),
    *("resolution", "title", "detail", "action", "source_text", "evidence", "occurred_at"),
    *("opened_at", "due_at", "acknowledged", "assigned_to", "snoozed_until", "sequence", "key"),
)


def test_what_a_person_resolved_stays_resolved_until_it_grows_worse(db):
    mild = {**SAE, "data": SAE["data"] | {"grade": 3}}
    f.evaluate(db, f.publish(db, f.events("S-1", [*told(*INFUSED), mild])))
    (alert,) = f.rows(db, models.alerts, models.alerts.c.rule == "S-RELATED-G3")
    resolve = responses.Action.RESOLVE
    responses.respond(
        db, f.SILENT, alert.id, resolve, by="the investigator", note="seen", now_us=f.NOW_US
    )
    f.evaluate(
        db, f.publish(db, f.events("S-1", [SAE]))
    )  # grade 4: the same rule, the same severity
    (after,) = f.rows(db, models.alerts, models.alerts.c.id == alert.id)
    assert (after.status, after.still_true) == ("resolved", True)
    assert orjson.loads(after.resolution)["reason"] == "manual"
    with db.writing() as conn:  # as if it had been resolved while it was only a warning
        then = orjson.dumps({**orjson.loads(after.resolution), "severity_rank": 1}).decode()
        mine = models.alerts.c.id == alert.id
        conn.execute(update(models.alerts).where(mine).values(resolution=then))
    worse = {**SAE, "data": {"ae": "a1", "grade": 5}}
    f.evaluate(db, f.publish(db, f.events("S-1", [worse])))
    (after,) = f.rows(db, models.alerts, models.alerts.c.id == alert.id)
    assert (after.status, after.resolution) == ("open", None)


def test_an_instant_that_passes_is_evaluated_without_an_event(db):
    f.evaluate(db, f.publish(db, f.events("S-1", told(*INFUSED))))
    stream = f.stream(db, "S-1")
    later_us = stream.next_due_us + 5
    f.evaluate(db, stream.id, later_us)
    after = f.stream(db, "S-1")
    assert after.next_due_us is None or after.next_due_us > later_us
    assert after.last_received_us >= stream.next_due_us  # nothing can be received before it now
    dues = f.rows(db, models.decisions, models.decisions.c.due_us > 0)
    assert min(row.due_us for row in dues) == stream.next_due_us
    assert replay.verify(db, f.TRIAL).differences == []


def test_an_event_that_comes_in_while_an_instant_passes_is_not_overtaken(db, monkeypatch):
    f.evaluate(db, f.publish(db, f.events("S-1", told(*INFUSED))))
    stream = f.stream(db, "S-1")
    late: list[int] = []
    commit = committing.commit

    def with_an_event_before_it(database, thoughts, now_us):
        if not late:
            late.extend(f.publish(db, f.events("S-1", [SAE]), stream.next_due_us - 1000))
        return commit(database, thoughts, now_us)

    monkeypatch.setattr(loop, "commit", with_an_event_before_it)
    f.evaluate(db, stream.id, stream.next_due_us + 5)
    assert late
    order = [
        (row.n, row.due_us)
        for row in f.rows(db, models.decisions, models.decisions.c.stream_id == stream.id)
    ]
    assert (
        stream.next_n,
        stream.next_due_us,
    ) not in order  # it was passed after the event, not before
    assert (stream.next_n + 1, 0) in order
    assert replay.verify(db, f.TRIAL).differences == []


def test_a_newer_engines_state_is_left_alone(db):
    dirty = f.publish(db, f.events("S-1", told("man")))
    with db.writing() as conn:
        conn.execute(
            update(models.streams)
            .where(models.streams.c.id.in_(dirty))
            .values(engine_version=10**6)
        )
    assert f.evaluate(db, dirty).events == 0
    assert f.stream(db, "S-1").done_n == 0


def test_a_claim_is_one_workers_and_runs_out(db):
    (stream,) = f.publish(db, f.events("S-1", told("man")))
    with db.writing() as conn:
        at = {stream: 0}
        assert steps.claim(conn, at, now_us=10, until_us=20, ahead=5) == {stream: 1}
        assert steps.claim(conn, at, now_us=15, until_us=25, ahead=5) == {}
        assert steps.claim(conn, at, now_us=20, until_us=30, ahead=5) == {stream: 2}


def test_who_read_before_another_moved_the_stream_on_claims_nothing(db, monkeypatch):
    dirty = f.publish(db, f.events("S-1", told(*ELIGIBLE)))
    late_us = f.NOW_US + 60_000_000
    read = work.read

    def overtaken(database, ids, now_us):
        batch = read(database, ids, now_us)
        monkeypatch.setattr(loop, "read", read)
        f.evaluate(db, dirty, late_us)  # another worker, in between
        f.publish(db, f.events("S-1", told("woman")), late_us)
        return batch

    monkeypatch.setattr(loop, "read", overtaken)
    f.evaluate(db, dirty, late_us + 1)
    stream = f.stream(db, "S-1")
    assert (stream.attempts, stream.claimed_until_us) == (0, 0)


def test_old_events_are_evaluated_under_a_claim_that_progress_ends(db):
    dirty = f.publish(db, f.events("S-1", told(*ELIGIBLE)))
    f.evaluate(db, dirty, f.NOW_US + 60_000_000)
    stream = f.stream(db, "S-1")
    assert (stream.done_n, stream.attempts, stream.claimed_until_us) == (stream.next_n, 0, 0)


def _subscribe(db, own_id, wanted, events=()):
    with db.writing() as conn:
        conn.execute(
            insert(models.subscriptions).values(
                id=own_id,
                name=own_id,
                channel='{"kind": "webhook", "url": "http://127.0.0.1:9/"}',
                filter=orjson.dumps(wanted).decode(),
                events=orjson.dumps(list(events)).decode(),
                content="minimal",
                status="active",
                created_us=1,
                created_by="test",
            )
        )


def test_an_alert_of_a_quiet_subject_does_not_wait_for_an_import(db, monkeypatch):
    monkeypatch.setattr(work, "GROUP_EVENTS", 5)
    imported = f.publish(db, f.events("S-1", told(*ELIGIBLE)))
    quiet = f.publish(db, f.events("S-2", [SAE]))
    numbered: list[int] = []

    def number_soon(store):
        with store.reading() as conn:
            numbered.append(len(list(conn.execute(select(models.alert_log.c.alert)))))
        return real(store)

    real = sequencer.number_soon
    monkeypatch.setattr(sequencer, "number_soon", number_soon)
    batch = work.read(db, [*imported, *quiet], f.NOW_US)
    assert [one.head.subject for one in batch.works] == ["S-2"]
    assert batch.postponed == imported
    f.evaluate(db, [*imported, *quiet])
    # Told of, and given its position, before the import was even begun.
    assert f.open_rules(db, "S-1") == ["EL-ELIGIBLE"]
    assert numbered[0] < numbered[-1]
