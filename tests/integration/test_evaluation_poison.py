"""An event that cannot be evaluated: held after three attempts, told, requeued or discarded."""

import logging

import orjson
import pytest
import structlog
from sqlalchemy import insert, select

import rules
from services import deadletters, evaluation, logs, models, replay
from services.errors import Conflict
from services.evaluation import loop, poison
from services.repositories import steps
from tests.support import flagship as f
from tests.support.flagship import ELIGIBLE, INFUSED, SAE, told

BAD = "poison"


@pytest.fixture
def db(database):
    f.make(database)
    return database


@pytest.fixture(autouse=True)
def own_log():
    """The service's logging, and what was there put back."""
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    logs.configure("error")
    yield
    root.handlers, root.level = handlers, level
    structlog.reset_defaults()


@pytest.fixture
def poisoned(monkeypatch):
    """The rules as they would be with a fault that one event meets; `healed` mends them."""
    healed: list[str] = []
    real = rules.Engine.subject_steps

    def steps_with_a_fault(self, trial, subject, state, events, log, *rest, **named):
        if not healed and any(event.id == BAD and event.type != "discard" for event in events):
            raise ZeroDivisionError("value4711 of S-1")
        return real(self, trial, subject, state, events, log, *rest, **named)

    monkeypatch.setattr(rules.Engine, "subject_steps", steps_with_a_fault)
    return healed


def publish_with_poison(db, subject="S-1"):
    before = f.events(subject, told(*ELIGIBLE))
    (bad,) = f.events(subject, [SAE])
    after = f.events(subject, told("enrolled", "infused_1"))
    return f.publish(db, [*before, {**bad, "id": BAD}, *after]), len(before) + 1


def hold(db):
    dirty, n = publish_with_poison(db)
    progress = f.evaluate(db, dirty)
    return progress, n


def letter(db):
    (row,) = f.rows(db, models.dead_letters)
    return row


def test_the_third_failure_holds_the_stream_and_nothing_before_it_is_lost(db, poisoned):
    progress, n = hold(db)
    stream = f.stream(db, "S-1")
    assert (stream.held, stream.done_n, stream.next_n) == (True, n - 1, n + 3)
    assert progress.held == 1
    assert (letter(db).n, letter(db).reason, letter(db).status) == (n, "ZeroDivisionError", "open")
    assert f.open_rules(db, "S-1") == ["EL-ELIGIBLE", "OPS-HELD"]
    assert progress.failures == 1 + 3  # the batch, then the event three times


def test_other_subjects_go_on_in_the_same_call(db, poisoned):
    dirty, _ = publish_with_poison(db)
    dirty += f.publish(db, f.events("S-2", told(*INFUSED)))
    f.evaluate(db, dirty)
    assert f.stream(db, "S-2").done_n == f.stream(db, "S-2").next_n
    assert f.stream(db, "S-1").held


def test_what_cannot_be_written_is_held_and_the_others_of_its_commit_go_on(db):
    dirty = f.publish(db, f.events("S-1", told(*ELIGIBLE)))
    dirty += f.publish(db, f.events("S-2", told(*ELIGIBLE)))
    with db.writing() as conn:  # a row that stands where an evaluation's would
        row = {"stream_id": dirty[0], "n": 2, "due_us": 0, "at_us": 1, "protocol_version": "1.0"}
        row |= {"engine_version": 1, "digest": "", "changes": "[]", "evaluated_us": 1}
        conn.execute(insert(models.decisions).values(row))
    f.evaluate(db, dirty)
    assert f.stream(db, "S-2").done_n == f.stream(db, "S-2").next_n
    stuck = f.stream(db, "S-1")
    assert (stuck.held, stuck.done_n) == (True, 1)
    assert (letter(db).n, letter(db).reason) == (2, "IntegrityError")


def test_a_held_stream_takes_events_and_waits(db, poisoned):
    _, n = hold(db)
    f.publish(db, f.events("S-1", told("man")))
    assert f.evaluate(db, f.stream(db, "S-1").id).events == 0
    assert f.stream(db, "S-1").done_n == n - 1


def test_operations_and_safety_are_told_and_told_again_until_it_is_released(db, poisoned):
    for own_id, category in (
        ("su_ops", "operations"),
        ("su_safety", "safety"),
        ("su_el", "stopping"),
    ):
        with db.writing() as conn:
            conn.execute(
                insert(models.subscriptions).values(
                    id=own_id,
                    name=own_id,
                    channel="{}",
                    events="[]",
                    content="minimal",
                    filter=orjson.dumps({"categories": [category]}).decode(),
                    status="active",
                    created_us=1,
                    created_by="test",
                )
            )
    hold(db)
    assert evaluation.remind(db, f.NOW_US + 60_000_000) == 0
    later_us = f.NOW_US + poison.REMIND_AFTER_US + 60_000_000
    assert evaluation.remind(db, later_us) == 1
    assert evaluation.remind(db, later_us + 1) == 0
    sent = {(row.subscription, row.event) for row in f.rows(db, models.deliveries)}
    both = {"alert.opened", "alert.escalated"}
    assert sent == {(who, event) for who in ("su_ops", "su_safety") for event in both}
    poisoned.append("healed")
    deadletters.requeue(db, f.SILENT, letter(db).id, "the second person", later_us)
    assert evaluation.remind(db, later_us + 2 * poison.REMIND_AFTER_US) == 0


def test_requeue_tries_again_and_the_rest_follows(db, poisoned):
    hold(db)
    poisoned.append("healed")
    deadletters.requeue(db, f.SILENT, letter(db).id, "the second person", f.NOW_US)
    deadletters.requeue(
        db, f.SILENT, letter(db).id, "the second person", f.NOW_US
    )  # again is without effect
    f.evaluate(db, f.stream(db, "S-1").id)
    stream = f.stream(db, "S-1")
    assert (stream.held, stream.done_n) == (False, stream.next_n)
    assert f.open_rules(db, "S-1") == ["INF-MISSED", "P-REACTION-LATE", "S-RELATED-G3"]
    assert letter(db).status == "requeued"
    assert replay.verify(db, f.TRIAL).differences == []


def test_requeue_of_what_is_still_poison_holds_again_with_the_same_letter_and_alert(db, poisoned):
    hold(db)
    first = letter(db).id
    deadletters.requeue(db, f.SILENT, first, "the second person", f.NOW_US)
    f.evaluate(db, f.stream(db, "S-1").id)
    assert f.stream(db, "S-1").held
    assert (letter(db).id, letter(db).status) == (first, "open")
    held = f.rows(db, models.alerts, models.alerts.c.rule == "OPS-HELD")
    assert [row.status for row in held] == ["open"]
    kinds = [
        row.kind for row in f.rows(db, models.alert_log, models.alert_log.c.alert == held[0].id)
    ]
    assert kinds == ["opened", "resolved", "reopened"]


def test_discard_takes_two_persons_and_the_fold_goes_on_without_the_event(db, poisoned):
    _, n = hold(db)
    until_us = deadletters.discard(
        db, f.SILENT, letter(db).id, "the second person", "device fault", f.NOW_US
    )
    assert until_us == f.NOW_US + deadletters.WITHIN_US
    with pytest.raises(Conflict):
        deadletters.discard(
            db, f.SILENT, letter(db).id, "the second person", "device fault", f.NOW_US
        )
    assert (
        deadletters.discard(db, f.SILENT, letter(db).id, "the first person", "agreed", f.NOW_US)
        is None
    )
    assert (
        deadletters.discard(db, f.SILENT, letter(db).id, "the first person", "agreed", f.NOW_US)
        is None
    )
    f.evaluate(db, f.stream(db, "S-1").id)
    stream = f.stream(db, "S-1")
    assert (stream.held, stream.done_n, stream.next_n) == (False, n + 4, n + 4)
    assert letter(db).status == "discarded"
    assert f.open_rules(db, "S-1") == ["INF-MISSED"]  # the adverse event does not count
    assert replay.verify(db, f.TRIAL).differences == []
    with db.reading() as conn:
        numbers = list(
            conn.scalars(
                select(models.decisions.c.n).where(models.decisions.c.stream_id == stream.id)
            )
        )
    assert sorted(numbers) == list(range(1, stream.next_n + 1))


def test_a_worker_that_is_killed_each_time_is_counted_and_held(db, monkeypatch):
    (stream_id,) = f.publish(db, f.events("S-1", told(*ELIGIBLE)))
    old_us = f.NOW_US + 60_000_000  # long enough ago that attempts are counted beforehand

    def killed(*_):
        raise _Killed

    class _Killed(BaseException):
        """Nothing after it runs, not even the taking back."""

    monkeypatch.setattr(loop, "think", killed)
    monkeypatch.setattr(loop._Call, "_unclaim", lambda *_: None)
    for attempt in range(1, 4):
        with pytest.raises(_Killed):
            f.evaluate(db, stream_id, old_us + attempt * 60_000_000)
        assert f.stream(db, "S-1").attempts == attempt
    f.evaluate(db, stream_id, old_us + 300_000_000)
    assert f.stream(db, "S-1").held
    assert letter(db).reason == "WorkerLost"


def test_a_shutdown_or_a_lost_database_is_not_the_events_fault(db, monkeypatch):
    (stream_id,) = f.publish(db, f.events("S-1", told(*ELIGIBLE)))
    for error in (SystemExit, KeyboardInterrupt, OSError):

        def ended(*_, error=error):
            raise error

        monkeypatch.setattr(loop, "think", ended)
        with pytest.raises(error):
            f.evaluate(db, stream_id, f.NOW_US + 60_000_000)
        stream = f.stream(db, "S-1")
        assert (stream.attempts, stream.claimed_until_us) == (0, 0)


def test_careful_steps_go_one_event_at_a_time_and_end(db):
    (stream_id,) = f.publish(db, f.events("S-1", told(*ELIGIBLE)))
    with db.writing() as conn:
        steps.count_failure(conn, stream_id, 0, 5)
    progress = f.evaluate(db, stream_id)
    stream = f.stream(db, "S-1")
    assert progress.events == stream.next_n == stream.done_n
    assert stream.rev == stream.next_n  # each in a commit of its own
    f.evaluate(db, f.publish(db, f.events("S-1", told("woman"))))
    assert f.stream(db, "S-1").careful_to > f.stream(db, "S-1").done_n


def test_no_value_of_a_subject_reaches_the_log(db, poisoned, capsys):
    logs.configure("info")
    hold(db)
    written = capsys.readouterr()
    assert "evaluation failed" in written.err
    for text in (written.out, written.err, str(letter(db))):
        assert "value4711" not in text
        assert "S-1" not in text
