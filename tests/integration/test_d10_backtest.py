"""D10: what another version would have decided, before it decides; on SQLite and PostgreSQL."""

from __future__ import annotations

import orjson
import pytest
from sqlalchemy import update

import rules
from services import backtests, models, protocols, replay
from services.backtests import batch
from services.broker import Broker
from services.errors import Rejected
from services.repositories import backtests as stored
from tests.support import flagship as f
from tests.support.flagship import ELIGIBLE, INFUSED, SAE, told
from tests.support.trials import event, make_trial, replace_version

NOBODY = Broker(None)
# Younger subjects only, and any adverse event of grade 1 is told of.
NEWER = (
    f.PLAIN.replace('version: "1.0"', 'version: "2.0"', 1)
    .replace("maximum_age_years: {value: 80", "maximum_age_years: {value: 30", 1)
)  # fmt: skip


@pytest.fixture
def db(database):
    f.make(database)
    for subject, story in {"S-1": told(*ELIGIBLE), "S-2": [*told(*INFUSED), SAE]}.items():
        f.evaluate(database, f.publish(database, f.events(subject, story)))
    protocols.add_version(database, f.TRIAL, NEWER, "the author", f.NOW_US)
    return database


def worked_off(db, made, limit=20):
    for _ in range(limit):
        if not backtests.work_off(db, NOBODY, f.NOW_US, made.id).more:
            break
    with db.reading() as conn:
        return stored.get(conn, made.id)


def make(db, version="2.0"):
    return backtests.make(db, f.TRIAL, version, "the author", f.NOW_US)


def test_d10_a_backtest_says_which_decisions_and_alerts_change_and_why(db):
    before = f.rows(db, models.alerts), f.rows(db, models.decisions), f.rows(db, models.streams)
    row = worked_off(db, make(db))
    assert (row.status, row.done, row.total) == ("finished", 2, 2)
    result = orjson.loads(row.result)
    assert result["totals"]["decisions"] == 2
    one = next(item for item in result["subjects"] if item["subject"] == "S-1")
    assert (one["decision"]["before"], one["decision"]["after"]) == ("eligible", "ineligible")
    (age,) = [item for item in one["decision"]["criteria"] if item["id"] == "I1"]
    assert (age["before"], age["after"]) == ("met", "not_met")
    assert {why["id"] for why in age["why"]} >= {"I1", "maximum_age_years"}
    assert [fact["fact"] for fact in age["evidence"]] == ["age_years"]
    (told_of,) = [alert for alert in one["would_fire"] if alert["rule"] == "EL-INELIGIBLE"]
    assert {why["id"] for why in told_of["why"]} >= {"I1", "maximum_age_years"}
    assert "EL-ELIGIBLE" in [alert["rule"] for alert in one["would_not_fire"]]
    assert before == (
        f.rows(db, models.alerts), f.rows(db, models.decisions), f.rows(db, models.streams),
    )  # fmt: skip


def test_d10_a_backtest_of_the_version_in_force_finds_no_difference(db):
    row = worked_off(db, make(db, "1.0"))
    result = orjson.loads(row.result)
    assert result["subjects"] == []
    assert result["trial"] is None
    assert sum(result["totals"].values()) == 2  # the subjects themselves


def test_d10_the_command_line_and_the_batch_find_the_same(db, monkeypatch):
    monkeypatch.setattr(batch, "SUBJECTS_A_PART", 1)
    row = worked_off(db, make(db))
    at_once = backtests.at_once(db, f.TRIAL, rules.loads(NEWER, "newer"))
    assert orjson.loads(orjson.dumps(at_once)) == orjson.loads(row.result)


def test_d10_the_same_backtest_is_found_again_until_the_log_moves_on(db):
    first = make(db)
    assert make(db).id == first.id
    f.evaluate(db, f.publish(db, f.events("S-3", told(*ELIGIBLE))))
    assert make(db).id != first.id


def test_d10_a_part_whose_worker_was_lost_is_taken_again_and_counted_once(db, monkeypatch):
    monkeypatch.setattr(batch, "SUBJECTS_A_PART", 1)
    made = make(db)
    with db.writing() as conn:
        lost = stored.claim(conn, f.NOW_US, f.NOW_US + batch.CLAIM_US, made.id)
    assert lost is not None
    row = worked_off(db, made)
    assert (row.status, row.done) == ("running", 1)
    later = f.NOW_US + batch.CLAIM_US
    while backtests.work_off(db, NOBODY, later).more:
        pass
    with db.writing() as conn:
        assert not stored.finish(conn, lost, stored.DONE, "[]", 1)  # whoever was lost comes back
    row = worked_off(db, made)
    assert (row.status, row.done) == ("finished", 2)


def test_d10_a_part_that_kills_every_worker_fails_the_backtest_and_nothing_else(db):
    made = make(db)
    with db.writing() as conn:
        conn.execute(update(models.backtest_parts).values(attempts=batch.MOST_ATTEMPTS))
    assert worked_off(db, made).status == "failed"


def activate(db, **more):
    return protocols.activate(db, f.TRIAL, "2.0", by="the admin", now_us=f.NOW_US, **more)


def pointers(db, **more):
    with pytest.raises(Rejected) as refused:
        activate(db, **more)
    assert all(problem.detail and problem.hint for problem in refused.value.problems)
    return [problem.pointer for problem in refused.value.problems]


def test_d10_a_version_comes_into_force_with_its_finished_backtest_and_an_approver_alone(db):
    made = make(db)
    assert pointers(db) == ["/approved_by", "/backtest"]
    assert pointers(db, approved_by="  ", backtest=made.id) == ["/approved_by", "/backtest"]
    assert pointers(db, approved_by="the sponsor", backtest=made.id) == ["/backtest"]
    of_the_other = worked_off(db, make(db, "1.0"))
    assert pointers(db, approved_by="the sponsor", backtest=of_the_other.id) == ["/backtest"]
    assert pointers(db, approved_by="the sponsor", backtest="bt_x") == ["/backtest"]
    worked_off(db, made)
    outcome = activate(db, approved_by="the sponsor", backtest=made.id)
    assert (outcome.changed, outcome.version.status) == (True, "active")
    assert not activate(db).changed
    (told_of,) = [
        row for row in f.rows(db, models.audit) if row.action == "protocol.activated" and "bt_" in row.detail
    ]  # fmt: skip
    detail = orjson.loads(told_of.detail)
    assert (detail["approved_by"], detail["drafted_by"]) == ("the sponsor", "the author")
    assert detail["backtest"] == made.id


def test_d10_after_the_activation_replay_and_store_agree_and_the_backtest_was_right(db):
    made = worked_off(db, make(db))
    outcome = activate(db, approved_by="the sponsor", backtest=made.id)
    f.evaluate(db, outcome.dirty, f.NOW_US + 1)
    assert replay.verify(db, f.TRIAL).differences == []
    assert f.stream(db, "S-1").criteria_version == "1.0"
    assert f.stream(db, "S-1").decision == "eligible"  # it stays pinned


def test_d10_a_code_that_changes_its_meaning_keeps_a_version_out_of_force(database):
    make_trial(database)
    f.evaluate(database, f.publish(database, [event()]))
    text = replace_version("2.0").replace("value: number, unit: Cel", "value: number, unit: kg")
    protocols.add_version(database, "small", text, "the author", f.NOW_US)
    with pytest.raises(Rejected) as refused:
        protocols.activate(database, "small", "2.0", by="x", approved_by="x", now_us=f.NOW_US)
    told_of = {problem.pointer: problem.detail for problem in refused.value.problems}
    assert "body_temperature" in told_of["/version"]
