"""Intake on both stores: numbers, duplicates, conflicts, corrections, atomicity, replay trials."""

from __future__ import annotations

import multiprocessing
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import orjson
import pytest
from sqlalchemy import Connection

from services import groupcommit, ids, intake, protocols
from services.database import Database, upgrade
from services.errors import Busy, Conflict, Forbidden, NotFound, Rejected
from services.groupcommit import GroupCommit
from services.models import events as table
from services.recording import Parcel, Recorded, record
from services.repositories import streams, trials
from services.repositories.events import OwnEvent, append_own, rows_of
from tests.support.trials import (
    ADMIN,
    CLINICIAN,
    NOW_US,
    PUBLISHER,
    SMALL_PROTOCOL,
    Someone,
    backtested,
    correction,
    event,
    make_trial,
    replace_version,
    temperature,
)

HOUR_US = 3_600_000_000
PROCESSES, EACH, SUBJECTS = 4, 60, 5


@pytest.fixture
def trial(database: Database) -> str:
    return make_trial(database)


@pytest.fixture
def replay(database: Database) -> str:
    return make_trial(database, mode="replay")


def publish(db: Database, *events: Any, by: Someone = PUBLISHER, now_us: int = NOW_US, **more: Any):
    return intake.publish(db, list(events), by, now_us, **more)


def log(db: Database, subject: str = "S-001") -> list[Any]:
    with db.reading() as conn:
        stream = streams.find(conn, "small", subject)
        return [] if stream is None else rows_of(conn, stream.id)[::-1]


def everything(db: Database) -> list[Any]:
    with db.reading() as conn:
        return list(conn.execute(table.select().order_by(table.c.stream_id, table.c.n)))


def statuses(receipt: intake.Receipt) -> list[str]:
    return [item.status for item in receipt.items]


# --- numbers ------------------------------------------------------------------------------------
def test_events_are_numbered_in_their_streams_without_gaps(database: Database, trial: str) -> None:
    publish(database, event(), event(subject="S-002"), event())
    publish(database, event(subject="S-002"), event())
    assert [row.n for row in log(database)] == [1, 2, 3]
    assert [row.n for row in log(database, "S-002")] == [1, 2]


def test_a_subjects_first_event_makes_the_subject_and_a_refused_one_does_not(
    database: Database, trial: str
) -> None:
    publish(database, event(id="same"))
    with pytest.raises(Conflict):
        publish(database, event(id="same", subject="S-002"))
    publish(database, event(id="same", subject="S-003"), lenient=True)
    with database.reading() as conn:
        assert [row.subject for row in streams.of_trial(conn, trial)] == ["*", "S-001"]


def test_a_clean_stream_that_becomes_dirty_is_rung_for_and_a_dirty_one_is_not(
    database: Database, trial: str
) -> None:
    first = publish(database, event(), event(subject="S-002"))
    assert len(first.dirty) == 2
    assert publish(database, event()).dirty == ()
    with database.writing() as conn:
        stream = streams.find(conn, trial, "S-001")
        assert stream is not None
        done = streams.commit_step(conn, stream.id, old_n=0, old_rev=0, done_n=stream.next_n)
        assert done
        assert not streams.commit_step(conn, stream.id, old_n=0, old_rev=0, done_n=9)
    assert publish(database, event()).dirty == (stream.id,)


def test_receipt_never_goes_back_when_the_clock_does(database: Database, trial: str) -> None:
    publish(database, event(), now_us=NOW_US)
    publish(database, event(), event(subject="S-002"), now_us=NOW_US - HOUR_US)
    assert [row.received_us for row in log(database)] == [NOW_US, NOW_US]
    assert [row.received_us for row in log(database, "S-002")] == [NOW_US - HOUR_US]
    assert [row.stored_us for row in log(database)] == [NOW_US, NOW_US - HOUR_US]


def _publish_many(url: str, tag: int) -> None:
    db = Database(url)
    for i in range(EACH):
        some = [event(id=f"{tag}-{i}-{k}", subject=f"S-{(i + k * 3) % SUBJECTS}") for k in range(3)]
        publish(db, *some, event(id=f"shared-{i}", subject=f"S-{i % SUBJECTS}"))
    db.dispose()


def _assert_whole(db: Database, publishers: int) -> None:
    rows = everything(db)
    assert len(rows) == publishers * EACH * 3 + EACH
    assert len({row.event for row in rows}) == len(rows)
    with db.reading() as conn:
        for stream in streams.of_trial(conn, "small"):
            numbers = [row.n for row in rows if row.stream_id == stream.id]
            assert numbers == list(range(1, stream.next_n + 1))


def test_processes_that_publish_at_once_leave_no_gap_and_no_double(
    database: Database, database_url: str, trial: str
) -> None:
    context = multiprocessing.get_context("spawn")
    children = [
        context.Process(target=_publish_many, args=(database_url, tag)) for tag in range(PROCESSES)
    ]
    for child in children:
        child.start()
    for child in children:
        child.join()
    assert [child.exitcode for child in children] == [0] * PROCESSES
    _assert_whole(database, PROCESSES)


def test_threads_that_publish_at_once_leave_no_gap_and_no_double(
    database: Database, database_url: str, trial: str
) -> None:
    threads = [threading.Thread(target=_publish_many, args=(database_url, tag)) for tag in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    _assert_whole(database, 4)


# --- duplicates and conflicts -------------------------------------------------------------------
def test_the_same_event_again_is_a_duplicate_and_is_stored_once(
    database: Database, trial: str
) -> None:
    one = event()
    first = publish(database, one, one)
    again = publish(database, one)
    assert statuses(first) == ["accepted", "duplicate"]
    assert (again.accepted, again.duplicates) == (0, 1)
    assert (
        again.items[0].event
        == first.items[0].event
        == ids.event_id("small", one["source"], one["id"])
    )
    assert len(log(database)) == 1


@pytest.mark.parametrize(
    "changes",
    [
        {"time": "2026-03-01T23:15:00Z"},  # the same instant
        {"data": {"unit": "Cel", "value": 37.20, "code": "body_temperature"}},
        {"recordedtime": "2026-03-02T09:00:00Z"},
        {"comment": "other attributes do not count"},
        {"timeprecision": "second"},
    ],
)
def test_what_is_not_content_makes_no_conflict(
    database: Database, trial: str, changes: dict[str, Any]
) -> None:
    publish(database, event(id="same"))
    assert statuses(publish(database, event(id="same", **changes))) == ["duplicate"]


@pytest.mark.parametrize(
    "changes",
    [
        {"time": "2026-03-01T23:15:01Z"},
        {"data": temperature(37.3)},
        {"subject": "S-002"},
        {"type": "assessment", "data": {"code": "ecog", "value": 1}},
    ],
)
def test_the_same_id_with_other_content_is_a_conflict_and_nothing_is_stored(
    database: Database, trial: str, changes: dict[str, Any]
) -> None:
    publish(database, event(id="same"))
    before = everything(database)
    with pytest.raises(Conflict) as caught:
        publish(database, event(), event(id="same", **changes))
    assert [problem.index for problem in caught.value.problems] == [1]
    assert everything(database) == before


def test_a_conflict_within_one_request_is_one_too(database: Database, trial: str) -> None:
    with pytest.raises(Conflict):
        publish(database, event(id="same"), event(id="same", data=temperature(39)))
    assert everything(database) == []


def test_the_same_id_in_another_trial_or_from_another_source_is_another_event(
    database: Database, trial: str
) -> None:
    make_trial(database, "other")
    receipt = publish(
        database,
        event(id="same"),
        event(id="same", trial="other"),
        event(id="same", source="https://edc.example/"),
    )
    assert statuses(receipt) == ["accepted"] * 3
    assert len({item.event for item in receipt.items}) == 3


def test_lenient_stores_the_good_and_says_what_became_of_each(
    database: Database, trial: str
) -> None:
    publish(database, event(id="old"))
    receipt = publish(
        database,
        event(),
        event(id="old"),
        event(data=temperature(37, "s")),
        event(id="old", data=temperature(38)),
        event(trial="unknown"),
        "no event",
        lenient=True,
    )
    expected = ["accepted", "duplicate", "refused", "conflict", "refused", "refused"]
    assert statuses(receipt) == expected
    assert [item.index for item in receipt.items] == list(range(6))
    assert all(item.errors for item in receipt.items if item.status in {"refused", "conflict"})
    assert len(everything(database)) == 2


def test_a_batch_with_one_bad_event_stores_nothing_and_names_every_problem(
    database: Database, trial: str
) -> None:
    with pytest.raises(Rejected) as caught:
        publish(database, event(), event(time="2026-03-02T08:15:00"), event(subject="*", id=""))
    found = [(problem.index, problem.pointer) for problem in caught.value.problems]
    assert found == [(1, "/time"), (2, "/id"), (2, "/subject")]
    assert everything(database) == []
    with database.reading() as conn:
        assert streams.find(conn, trial, "S-001") is None


def test_a_request_of_several_trials_is_stored_as_one(database: Database, trial: str) -> None:
    make_trial(database, "other", mode="replay")
    publish(database, event(), event(trial="other"))
    with pytest.raises(Rejected):
        publish(database, event(), event(trial="other", type="nothing"))
    assert sorted(row.trial for row in everything(database)) == ["other", "small"]


def test_a_transaction_that_dies_before_its_commit_leaves_nothing(
    database: Database, trial: str
) -> None:
    class Killed(Exception):
        pass

    def dying(parcel):
        with database.writing() as conn:
            record(conn, [parcel])
            raise Killed

    with pytest.raises(Killed):
        publish(database, event(), event(subject="S-002"), store=dying)
    assert everything(database) == []
    with database.reading() as conn:
        assert [row.next_n for row in streams.of_trial(conn, trial)] == [0]
    assert publish(database, event()).accepted == 1


# --- who may publish what -----------------------------------------------------------------------
def test_an_unknown_trial_is_not_found(database: Database, trial: str) -> None:
    with pytest.raises(NotFound):
        publish(database, event(), event(trial="unknown"))


def test_a_trial_outside_the_keys_is_forbidden_whether_or_not_it_exists(
    database: Database, trial: str
) -> None:
    elsewhere = Someone(trials=frozenset({"other"}))
    for name in ("small", "unknown"):
        with pytest.raises(Forbidden):
            publish(database, event(trial=name), by=elsewhere)
    receipt = publish(database, event(), by=elsewhere, lenient=True)
    assert statuses(receipt) == ["refused"]
    assert everything(database) == []


def test_a_trial_without_a_protocol_in_force_takes_nothing(database: Database) -> None:
    protocols.create_trial(database, "small", "live", SMALL_PROTOCOL, "t", 1, activate=False)
    with pytest.raises(Rejected) as caught:
        publish(database, event())
    assert caught.value.problems[0].pointer == "/trial"


def test_a_clinician_decides_but_does_not_measure(database: Database, trial: str) -> None:
    with pytest.raises(Forbidden):
        publish(database, event(), by=CLINICIAN)
    assert statuses(publish(database, event(), by=CLINICIAN, lenient=True)) == ["refused"]


def override(criterion: str = "E1") -> dict[str, Any]:
    data = {"criterion": criterion, "by": "the investigator", "reason": "known and treated"}
    return event(type="override", data=data)


@pytest.mark.parametrize(
    ("by", "criterion", "stored"),
    [
        (CLINICIAN, "E1", True),
        (ADMIN, "E1", True),
        (PUBLISHER, "E1", False),
        (CLINICIAN, "I1", False),
    ],
)
def test_an_override_needs_a_clinician_and_a_waivable_criterion(
    database: Database, trial: str, by: Someone, criterion: str, stored: bool
) -> None:
    if stored:
        assert publish(database, override(criterion), by=by).accepted == 1
    else:
        with pytest.raises(Rejected):
            publish(database, override(criterion), by=by)


# --- corrections --------------------------------------------------------------------------------
def test_a_correction_is_checked_against_its_targets_type(database: Database, trial: str) -> None:
    wrong = event(data=temperature(39.9))
    publish(database, wrong)
    publish(database, correction(wrong, data={"data": temperature(36.9)}))
    with pytest.raises(Rejected) as caught:
        publish(database, correction(wrong, data={"data": temperature(36.9, "kg")}))
    assert [problem.pointer for problem in caught.value.problems] == ["/data/data/unit"]


def test_a_correction_may_come_with_its_target_or_before_it(database: Database, trial: str) -> None:
    wrong = event()
    fixed = correction(wrong, data={"entered_in_error": True})
    assert publish(database, fixed).accepted == 1
    assert publish(database, wrong).accepted == 1
    together = event()
    with pytest.raises(Rejected):
        publish(database, together, correction(together, data={"data": {"code": "ecog"}}))


def test_a_correction_from_another_source_needs_a_clinicians_key(
    database: Database, trial: str
) -> None:
    wrong = event()
    publish(database, wrong)
    other = correction(wrong, data={"entered_in_error": True}, source="https://edc.example/")
    with pytest.raises(Rejected) as caught:
        publish(database, other)
    assert caught.value.problems[0].pointer == "/data/corrects/source"
    assert publish(database, other, by=CLINICIAN).accepted == 1


def test_a_correction_for_another_subject_or_of_a_correction_is_refused(
    database: Database, trial: str
) -> None:
    wrong = event()
    first = correction(wrong, data={"entered_in_error": True})
    publish(database, wrong, first)
    for bad in (
        correction({**wrong, "subject": "S-002"}, data={"entered_in_error": True}),
        correction(first, data={"data": {"corrects": {"source": "a", "id": "b"}}}),
    ):
        with pytest.raises(Rejected) as caught:
            publish(database, bad)
        assert caught.value.problems[0].pointer == "/data/corrects"


def test_a_correction_is_undone_by_calling_it_an_error(database: Database, trial: str) -> None:
    wrong = event()
    first = correction(wrong, data={"entered_in_error": True})
    undone = correction(first, data={"entered_in_error": True})
    assert publish(database, wrong, first, undone).accepted == 3


def test_a_correction_cannot_move_an_event_into_the_future(database: Database, trial: str) -> None:
    wrong = event()
    publish(database, wrong)
    with pytest.raises(Rejected) as caught:
        publish(database, correction(wrong, data={"time": "2031-01-01T00:00:00Z"}))
    assert [problem.pointer for problem in caught.value.problems] == ["/data/time"]


def test_a_correction_sent_again_is_a_duplicate_even_if_its_target_came_meanwhile(
    database: Database, trial: str
) -> None:
    wrong = event()
    coded = {
        "coding": [{"system": "http://loinc.org", "code": "8310-5"}],
        "value": 37,
        "unit": "Cel",
    }
    fixed = correction(wrong, data={"data": coded})
    publish(database, fixed)
    publish(database, wrong)
    assert statuses(publish(database, fixed)) == ["duplicate"]


# --- time ---------------------------------------------------------------------------------------
def test_a_live_event_may_lie_five_minutes_ahead_and_no_more(
    database: Database, trial: str
) -> None:
    now_us = 1_772_406_900_000_000 - 5 * 60 * 1_000_000  # the event's time less five minutes
    assert publish(database, event(), now_us=now_us).accepted == 1
    with pytest.raises(Rejected) as caught:
        publish(database, event(), now_us=now_us - 1)
    assert caught.value.problems[0].pointer == "/time"


def test_in_a_replay_trial_receipt_is_the_publishers_own(database: Database, replay: str) -> None:
    publish(database, event(), event(recordedtime="2026-03-03T00:00:00Z"))
    time_us, recorded_us = 1_772_406_900_000_000, 1_772_496_000_000_000
    assert [row.received_us for row in log(database)] == [time_us, recorded_us]
    with database.reading() as conn:
        row = trials.get(conn, replay)
        assert row is not None
        assert row.clock_us == recorded_us
    with pytest.raises(Rejected):  # more than five minutes ahead of its own receipt
        publish(database, event(recordedtime="2026-03-01T00:00:00Z"))


def test_an_event_behind_its_stream_is_taken_at_the_last_and_called_late(
    database: Database, replay: str
) -> None:
    publish(database, event(recordedtime="2026-03-05T00:00:00Z"))
    receipt = publish(
        database,
        event(recordedtime="2026-03-04T00:00:00Z"),
        event(recordedtime="2026-03-04T00:00:00Z", subject="S-002"),
        event(recordedtime="2026-03-06T00:00:00Z"),
    )
    assert [item.late for item in receipt.items] == [True, False, False]
    received = [row.received_us for row in log(database)]
    assert received == sorted(received)
    assert received[0] == received[1]


def test_an_event_behind_what_the_trial_has_folded_is_late(database: Database, replay: str) -> None:
    folded_us = 1_772_582_400_000_000  # 2026-03-04
    with database.writing() as conn:
        trials.mark_folded(conn, replay, folded_us)
    receipt = publish(database, event())
    assert receipt.items[0].late
    assert [row.received_us for row in log(database)] == [folded_us]


def test_a_replay_trials_clock_never_goes_back(database: Database, replay: str) -> None:
    publish(database, event(recordedtime="2026-03-05T00:00:00Z"))
    publish(database, event(recordedtime="2026-03-04T00:00:00Z", subject="S-002"))
    with database.reading() as conn:
        row = trials.get(conn, replay)
        assert row is not None
        assert row.clock_us == 1_772_668_800_000_000  # 2026-03-05


# --- the service's own events -------------------------------------------------------------------
def test_the_services_own_event_happens_once(database: Database, trial: str) -> None:
    made = OwnEvent("ev_own", "contribution", 5, {"rule": "enrolled"})
    for _ in range(2):
        with database.writing() as conn:
            found = streams.find(conn, trial, streams.TRIAL_SUBJECT)
            assert found is not None
            stream = streams.lock(conn, [found.id])[0]
            assert append_own(conn, stream, [made], at_us=7, now_us=9) == 1
    assert [(row.n, row.received_us) for row in log(database, "*")] == [(1, 7)]


def test_a_publisher_cannot_pass_for_the_service(database: Database, trial: str) -> None:
    for bad in (event(source="vigil:service"), event(type="contribution"), event(subject="*")):
        with pytest.raises(Rejected):
            publish(database, bad)


# --- sharing a commit ---------------------------------------------------------------------------
def test_requests_that_share_a_commit_get_each_their_own_answer(
    database: Database, trial: str
) -> None:
    group = GroupCommit(database, record)
    publish(database, event(id="old"))
    answers: dict[int, str] = {}

    def one(number: int) -> None:
        changes = {"data": temperature(39)} if number % 3 == 0 else {"id": f"new-{number}"}
        sent = event(**{"id": "old", **changes})
        try:
            receipt = publish(database, sent, store=group.put)
        except Conflict:
            answers[number] = "conflict"
        else:
            answers[number] = receipt.items[0].status

    threads = [threading.Thread(target=one, args=(number,)) for number in range(30)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == {n: "conflict" if n % 3 == 0 else "accepted" for n in range(30)}
    assert [row.n for row in log(database)] == list(range(1, 22))


def test_a_parcel_that_breaks_the_shared_commit_takes_nobody_with_it(database: Database) -> None:
    def add(conn: Connection, numbers: Sequence[int]) -> list[int]:
        for number in numbers:
            trials.add(conn, f"t-{number}", mode="live", by="t", now_us=1, banner=None)
            if number % 2:
                raise ZeroDivisionError
        return list(numbers)

    group = GroupCommit(database, add)
    with ThreadPoolExecutor(20) as pool:
        done = [pool.submit(group.put, number) for number in range(40)]
    failed = {number for number, one in enumerate(done) if one.exception() is not None}
    assert failed == set(range(1, 40, 2))
    assert [one.result() for one in done[::2]] == list(range(0, 40, 2))
    with database.reading() as conn:
        assert {row.id for row in trials.every(conn)} == {f"t-{n}" for n in range(0, 40, 2)}


def test_who_waits_in_vain_for_the_database_is_told_and_stores_nothing(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(groupcommit, "_PATIENCE_S", 0.05)
    at_it, go_on = threading.Semaphore(0), threading.Event()
    stored: list[str] = []

    def slow(_conn: Connection, parcels: Sequence[str]) -> Sequence[str]:
        at_it.release()
        assert go_on.wait(60)
        stored.extend(parcels)
        return parcels

    group = GroupCommit(database, slow)
    lanes = 1 if database.dialect == "sqlite" else 2
    with ThreadPoolExecutor(lanes) as pool:
        leading = []
        for number in range(lanes):
            leading.append(pool.submit(group.put, f"leads-{number}"))
            assert at_it.acquire(timeout=60)
        with pytest.raises(Busy):
            group.put("late")
        go_on.set()
        assert [one.result(60) for one in leading] == [f"leads-{n}" for n in range(lanes)]
    assert group.put("afterwards") == "afterwards"
    assert "late" not in stored


# --- which version judges -----------------------------------------------------------------------
WITHOUT_ECOG = replace_version("2.0").replace("  - {code: ecog,", "  - {code: ecog_score,")
WITHOUT_ECOG = WITHOUT_ECOG.replace("when: ecog <= 2", "when: ecog_score <= 2")


def in_force(database: Database, version: str) -> None:
    backtest = backtested(database, "small", version)
    protocols.activate(
        database, "small", version, approved_by="a", backtest=backtest, by="a", now_us=NOW_US
    )


def ecog(code: str) -> dict[str, Any]:
    return event(type="assessment", data={"code": code, "value": 1})


@pytest.fixture
def two_versions(database: Database, trial: str) -> None:
    """Two drafts, and the first version remembered by this process."""
    for text in (WITHOUT_ECOG, replace_version("3.0")):
        protocols.add_version(database, trial, text, "test", NOW_US)
    protocols.warm(database)


@pytest.mark.usefixtures("two_versions")
def test_an_activation_is_seen_by_the_next_request(database: Database) -> None:
    in_force(database, "2.0")
    with pytest.raises(Rejected):
        publish(database, ecog("ecog"))
    assert publish(database, ecog("ecog_score")).accepted == 1
    in_force(database, "3.0")
    # By memory this one is to be refused: what is remembered says no to nobody.
    assert publish(database, ecog("ecog")).accepted == 1
    # The subject began under the second version, which is judged by the other one.
    assert publish(database, ecog("ecog_score"), ecog("ecog"), lenient=True).accepted == 2
    assert publish(database, ecog("ecog_other"), ecog("ecog"), lenient=True).accepted == 1


@pytest.mark.usefixtures("two_versions")
def test_an_activation_between_judging_and_storing_is_seen_too(database: Database) -> None:
    turns = iter([True, False])

    def late(parcel: Parcel) -> Recorded:
        if next(turns):
            in_force(database, "2.0")
        return database.transact(lambda conn: record(conn, [parcel]))[0]

    with pytest.raises(Rejected):
        publish(database, ecog("ecog"), store=late)
    assert log(database) == []


@pytest.mark.usefixtures("two_versions")
def test_a_trial_of_the_same_name_in_another_store_is_not_mistaken(
    database: Database, tmp_path: Path
) -> None:
    other = Database(f"sqlite:///{tmp_path / 'other.db'}")
    upgrade(other)
    make_trial(other, text=WITHOUT_ECOG)
    assert publish(other, ecog("ecog_score")).accepted == 1
    with pytest.raises(Rejected):
        publish(database, ecog("ecog_score"))
    other.dispose()


def test_stored_data_are_canonical_json(database: Database, trial: str) -> None:
    publish(database, event(data={"unit": "Cel", "value": 38.0, "code": "body_temperature"}))
    assert log(database)[0].data == '{"code":"body_temperature","unit":"Cel","value":38}'
    assert orjson.loads(log(database)[0].data)["value"] == 38
