"""D9 in the store: what subjects are pinned to, the door that goes with it, and the replay of it."""

from __future__ import annotations

import orjson
import pytest

from services import protocols, replay
from services.errors import Conflict, Rejected
from services.reading import amendments, eligibility
from tests.support import flagship as f
from tests.support.trials import (
    SMALL_PROTOCOL,
    backtested,
    event,
    make_trial,
    replace_version,
)

MAJOR = 'version: "2.0", amends: {version: "1.0", kind: major, summary: Stricter, reconsent_within_days: 7}'
# Another name for one code, another limit for the other.
SECOND = (
    SMALL_PROTOCOL.replace('version: "1.0"', MAJOR)
    .replace("{code: ecog,", "{code: karnofsky,")
    .replace("when: ecog <= 2", "when: karnofsky <= 2")
    .replace("body_temperature >= 38", "body_temperature >= 37")
)  # fmt: skip
HOUR_US = 3_600_000_000


@pytest.fixture
def trial(database):
    return make_trial(database)


def publish(db, *some, now_us=f.NOW_US):
    f.evaluate(db, f.publish(db, list(some), now_us), now_us)


def ecog(subject="S-001", code="ecog"):
    return event(type="assessment", subject=subject, data={"code": code, "value": 1})


def screened(subject):
    return event(type="enrolment", subject=subject, data={"status": "screened"})


def consent(subject, version):
    data = {"document": "informed_consent", "given_by": "subject", "status": "given"}
    return event(type="consent", subject=subject, data={**data, "version": version})


def in_force(db, trial, text=SECOND, version="2.0", now_us=f.NOW_US):
    protocols.add_version(db, trial, text, "the author", now_us)
    outcome = protocols.activate(
        db,
        trial,
        version,
        approved_by="the sponsor",
        backtest=backtested(db, trial, version, now_us),
        by="the admin",
        now_us=now_us,
    )
    f.evaluate(db, outcome.dirty, now_us)


def judged(db, trial, subject, as_of_us=None):
    with db.reading() as conn:
        found = eligibility.of_subject(conn, trial, subject, as_of_us, f.NOW_US + HOUR_US)
    assert found is not None
    return found["protocol_version"], found["decision"]


def test_d9_pinned_subjects_keep_their_criteria_and_the_log_says_the_same(database, trial):
    warm = event(subject="S-1", data={"code": "body_temperature", "value": 37.2, "unit": "Cel"})
    publish(database, ecog("S-1"), warm, screened("S-1"))
    in_force(database, trial)
    later = f.NOW_US + 60_000_000
    publish(database, ecog("S-2", "karnofsky"), screened("S-2"), now_us=later)
    assert judged(database, trial, "S-1") == ("1.0", "eligible")
    assert judged(database, trial, "S-2")[0] == "2.0"
    assert replay.verify(database, trial).differences == []
    publish(database, consent("S-1", "2.0"), now_us=later)
    assert judged(database, trial, "S-1") == ("2.0", "ineligible")
    assert judged(database, trial, "S-1", as_of_us=later - 1) == ("1.0", "eligible")
    assert replay.verify(database, trial).differences == []


def test_d9_the_door_takes_an_earlier_versions_code_until_nobody_is_pinned_to_it(
    database, trial, monkeypatch
):
    monkeypatch.setattr(protocols, "_PINNED_S", 0.0)  # nothing is remembered any time
    publish(database, ecog("S-1"), screened("S-1"))
    in_force(database, trial)
    publish(database, ecog("S-1"), ecog("S-1", "karnofsky"))
    publish(database, consent("S-1", "2.0"))
    with pytest.raises(Rejected):
        publish(database, ecog("S-1"))
    publish(database, ecog("S-1", "karnofsky"))
    assert replay.verify(database, trial).differences == []


def test_d9_an_overdue_consent_is_alerted_by_time_alone_and_ends_with_the_consent(database, trial):
    publish(database, ecog("S-1"), screened("S-1"))
    in_force(database, trial)
    due_us = f.stream(database, "S-1", trial).next_due_us
    assert due_us == f.NOW_US + 7 * 24 * HOUR_US
    owed = orjson.loads(f.stream(database, "S-1", trial).reconsent)
    assert owed == {"version": "2.0", "since_us": f.NOW_US, "due_us": due_us}
    f.evaluate(database, [f.stream(database, "S-1", trial).id], due_us)
    assert f.open_rules(database, "S-1") == ["CO-RECONSENT-OVERDUE"]
    with database.reading() as conn:
        (listed,) = amendments.reconsent(conn, trial, None, 10, due_us)["items"]
    assert (listed["subject"], listed["overdue"]) == ("S-1", True)
    publish(database, consent("S-1", "2.0"), now_us=due_us + 1)
    assert f.open_rules(database, "S-1") == []
    assert replay.verify(database, trial).differences == []


def test_d9_a_replay_trial_is_pinned_by_its_own_clock(database):
    trial = make_trial(database, "pinned-past", mode="replay")
    first = [{**one, "trial": trial} for one in (ecog("S-1"), screened("S-1"))]
    publish(database, *first)
    in_force(database, trial)
    publish(database, {**ecog("S-2", "karnofsky"), "trial": trial})
    assert judged(database, trial, "S-1")[0] == "1.0"
    assert judged(database, trial, "S-2")[0] == "2.0"
    assert replay.verify(database, trial).differences == []


def test_d9_a_version_that_was_replaced_does_not_come_back_under_its_name(database, trial):
    in_force(database, trial, replace_version("2.0"))
    with pytest.raises(Conflict):
        protocols.activate(
            database, trial, "1.0", approved_by="x", by="x", now_us=f.NOW_US + HOUR_US
        )
