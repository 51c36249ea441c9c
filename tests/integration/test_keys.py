"""Keys, the audit's chains and protocol versions, on both stores."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from sqlalchemy import text

from services import audit, ids, keys, protocols
from services.database import Database
from services.errors import Conflict, NotFound, Rejected, Unauthenticated
from services.repositories import audit as audit_rows
from services.repositories import events, streams, trials
from services.repositories import protocols as versions
from tests.support.trials import (
    NOW_US,
    SMALL_PROTOCOL,
    backtested,
    event,
    make_trial,
    replace_version,
)

HOUR_US = 3_600_000_000


def new_key(db: Database, **changes: Any) -> tuple[keys.Key, str]:
    wanted: dict[str, Any] = {"role": "publisher", "by": "test", "now_us": NOW_US, **changes}
    return keys.create(db, **wanted)


# --- keys ---------------------------------------------------------------------------------------
def test_a_key_is_recognised_and_stored_only_as_a_hash(database: Database) -> None:
    key, secret = new_key(database, role="clinician", trials=["b", "a"], person="the investigator")
    caller = keys.authenticate(database, secret)
    assert caller == keys.Caller(key.id, "clinician", frozenset({"a", "b"}), "the investigator")
    with database.reading() as conn:
        for table in ("api_keys", "audit"):
            stored = str(conn.execute(text(f"SELECT * FROM {table}")).all())
            assert secret not in stored
            assert secret.removeprefix("vigil_") not in stored


def test_keys_have_256_bits_and_differ(database: Database) -> None:
    secrets = {new_key(database)[1] for _ in range(20)}
    assert len(secrets) == 20
    assert all(len(secret.removeprefix("vigil_")) == 43 for secret in secrets)


@pytest.mark.parametrize("bearer", ["", "wrong", "vigil_", "ключ", "a" * 10_000])
def test_an_unknown_key_is_nobodys(database: Database, bearer: str) -> None:
    new_key(database)
    with pytest.raises(Unauthenticated) as caught:
        keys.authenticate(database, bearer, "the-admin-key-of-the-test")
    assert len(bearer) < 5 or bearer not in str(caught.value)


def test_a_revoked_key_is_nobodys_from_then_on(database: Database) -> None:
    key, secret = new_key(database)
    assert keys.revoke(database, key.id, by="test", now_us=NOW_US + 1).revoked_us == NOW_US + 1
    assert keys.revoke(database, key.id, by="test", now_us=NOW_US + 9).revoked_us == NOW_US + 1
    with pytest.raises(Unauthenticated):
        keys.authenticate(database, secret)
    with pytest.raises(NotFound):
        keys.revoke(database, "key_unknown", by="test", now_us=NOW_US)
    assert [one.revoked_us for one in keys.every(database)] == [NOW_US + 1]


def test_the_bootstrap_key_is_an_admins_and_only_while_it_is_set(database: Database) -> None:
    caller = keys.authenticate(database, "bootstrap-secret-0123", "bootstrap-secret-0123")
    assert (caller.role, caller.person, caller.trials) == ("admin", "admin", None)
    for other in (None, "", "another-secret-0123"):
        with pytest.raises(Unauthenticated):
            keys.authenticate(database, "bootstrap-secret-0123", other)
    with pytest.raises(Unauthenticated):
        keys.authenticate(database, "", "")


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"role": "root"}, "/role"),
        ({"role": "clinician"}, "/person"),
        ({"role": "admin", "person": ""}, "/person"),
        ({"trials": []}, "/trials"),
    ],
)
def test_a_key_that_nobody_could_answer_for_is_refused(
    database: Database, changes: dict[str, Any], pointer: str
) -> None:
    with pytest.raises(Rejected) as caught:
        new_key(database, **changes)
    assert [problem.pointer for problem in caught.value.problems] == [pointer]
    assert keys.every(database) == []


# --- audit --------------------------------------------------------------------------------------
@pytest.fixture
def audited(database: Database) -> Database:
    for n in range(5):
        with database.writing() as conn:
            audit.append(conn, audit.ADMIN, n, "test", "done", f"thing {n}", {"n": n})
            audit.append(conn, audit.stream_chain(7), n, "evaluation", "alert", "al", {})
    return database


def test_untouched_chains_hold(audited: Database) -> None:
    assert audit.verify(audited) == []


@pytest.mark.parametrize(
    ("tampering", "at"),
    [
        ("UPDATE audit SET actor = 'x' WHERE chain = 'admin' AND n = 3", 3),
        ("UPDATE audit SET detail = '{}' WHERE chain = 'admin' AND n = 1", 1),
        ("UPDATE audit SET at_us = 99 WHERE chain = 'admin' AND n = 5", 5),
        ("UPDATE audit SET hash = 'x' WHERE chain = 'admin' AND n = 2", 2),
        ("DELETE FROM audit WHERE chain = 'admin' AND n = 2", 2),
        ("DELETE FROM audit WHERE chain = 'admin' AND n = 5", 4),
        ("DELETE FROM audit WHERE chain = 'admin'", 0),
        ("DELETE FROM audit_heads WHERE chain = 'admin'", 5),
        ("UPDATE audit_heads SET n = 4 WHERE chain = 'admin'", 5),
    ],
)
def test_any_tampering_breaks_its_chain_and_no_other(
    audited: Database, tampering: str, at: int
) -> None:
    with audited.writing() as conn:
        conn.exec_driver_sql(tampering)
    broken = audit.verify(audited)
    assert [(one.chain, one.n) for one in broken] == [("admin", at)]
    assert audit.verify(audited, audit.stream_chain(7)) == []


def test_an_aborted_change_leaves_no_trace_in_the_audit(audited: Database) -> None:
    def fail() -> None:
        with audited.writing() as conn:
            audit.append(conn, audit.ADMIN, 9, "test", "done", "x", {})
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert audit.verify(audited) == []


def test_writers_at_once_make_one_chain(database: Database) -> None:
    def write() -> None:
        for n in range(10):
            database.transact(
                lambda conn: audit.append(conn, audit.ADMIN, n, "t", "done", "x", {})  # noqa: B023
            )

    threads = [threading.Thread(target=write) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert audit.verify(database) == []
    with database.reading() as conn:
        assert len(audit_rows.latest(conn, audit.ADMIN, None, 100)) == 40


# --- protocols ----------------------------------------------------------------------------------
def test_a_trial_starts_with_its_first_version_in_force(database: Database) -> None:
    outcome = protocols.create_trial(database, "small", "live", SMALL_PROTOCOL, "t", NOW_US)
    assert outcome.changed
    assert (outcome.version.version, outcome.version.status) == ("1.0", "active")
    with database.reading() as conn:
        found = protocols.in_force(conn, ["small", "unknown"])
        row = protocols.active(conn, "small")
    assert found.keys() == {"small"}
    assert row is not None
    assert protocols.compiled(row) is found["small"].protocol


def test_creating_the_same_trial_again_changes_nothing_and_another_conflicts(
    database: Database,
) -> None:
    make_trial(database)
    again = protocols.create_trial(database, "small", "live", SMALL_PROTOCOL, "t", NOW_US)
    assert not again.changed
    for mode, yaml in (("replay", SMALL_PROTOCOL), ("live", SMALL_PROTOCOL + "# other\n")):
        with pytest.raises(Conflict):
            protocols.create_trial(database, "small", mode, yaml, "t", NOW_US)


@pytest.mark.parametrize(("trial", "mode"), [("", "live"), ("a/b", "live"), ("a", "dead")])
def test_what_cannot_be_a_trial_is_refused(database: Database, trial: str, mode: str) -> None:
    with pytest.raises(Rejected):
        protocols.create_trial(database, trial, mode, SMALL_PROTOCOL, "t", NOW_US)


def test_a_broken_protocol_is_refused_with_its_line_and_the_last_good_one_stays(
    database: Database,
) -> None:
    make_trial(database)
    broken = replace_version("2.0").replace("ecog <= 2", "ecogg <= 2")
    with pytest.raises(Rejected) as caught:
        protocols.add_version(database, "small", broken, "t", NOW_US)
    assert caught.value.problems[0].detail.startswith("line ")
    with database.reading() as conn:
        assert [row.version for row in versions.of_trial(conn, "small")] == ["1.0"]


def test_versions_never_change(database: Database) -> None:
    make_trial(database)
    added = protocols.add_version(database, "small", replace_version("2.0"), "t", NOW_US)
    assert (added.changed, added.version.status) == (True, "draft")
    assert not protocols.add_version(database, "small", replace_version("2.0"), "t", NOW_US).changed
    with pytest.raises(Conflict):
        protocols.add_version(database, "small", replace_version("2.0") + "# x\n", "t", NOW_US)
    with pytest.raises(NotFound):
        protocols.add_version(database, "unknown", SMALL_PROTOCOL, "t", NOW_US)


def activate(db: Database, version: str, **more: Any) -> protocols.Outcome:
    return protocols.activate(
        db, "small", version, approved_by="the second person", by="key", now_us=NOW_US, **more
    )


def test_an_activation_reaches_every_stream_with_a_number_and_once(database: Database) -> None:
    make_trial(database)
    with database.writing() as conn:
        streams.ensure(conn, "small", ["S-001", "S-002"])
    protocols.add_version(database, "small", replace_version("2.0"), "t", NOW_US)
    backtest = backtested(database, "small", "2.0")
    first = activate(database, "2.0", backtest=backtest)
    again = activate(database, "2.0")
    assert (len(first.dirty), first.changed, again.changed) == (3, True, False)
    with database.reading() as conn:
        rows = versions.of_trial(conn, "small")
        assert {row.version: row.status for row in rows} == {"1.0": "retired", "2.0": "active"}
        for stream in streams.of_trial(conn, "small"):
            (told,) = events.rows_of(conn, stream.id)
            assert (told.n, told.type, told.received_us) == (1, "activation", NOW_US)


def test_an_activation_for_later_waits_for_its_time(database: Database) -> None:
    make_trial(database)
    protocols.add_version(database, "small", replace_version("2.0"), "t", NOW_US)
    with pytest.raises(Rejected):
        activate(database, "2.0", effective_from_us=NOW_US - 1)
    later_us = NOW_US + HOUR_US
    assert activate(database, "2.0", effective_from_us=later_us).version.status == "scheduled"
    assert protocols.activate_due(database, later_us - 1) == ()
    with database.reading() as conn:
        assert trials.get(conn, "small").active_version == "1.0"  # type: ignore[union-attr]
    assert len(protocols.activate_due(database, later_us)) == 1
    assert protocols.activate_due(database, later_us) == ()
    with database.reading() as conn:
        assert trials.get(conn, "small").active_version == "2.0"  # type: ignore[union-attr]


def test_what_changes_a_trial_is_audited(database: Database) -> None:
    make_trial(database)
    protocols.add_version(database, "small", replace_version("2.0"), "t", NOW_US)
    activate(database, "2.0")
    with database.reading() as conn:
        actions = [row.action for row in audit_rows.latest(conn, audit.ADMIN, None, 9)]
    assert sorted(actions) == [
        "protocol.activated", "protocol.drafted", "protocol.drafted", "trial.created",
    ]  # fmt: skip
    assert audit.verify(database) == []


def test_ids_of_events_depend_on_all_their_parts() -> None:
    assert ids.event_id("a", "b", "c") != ids.event_id("a", "bc", "")
    assert event()["id"] != event()["id"]
