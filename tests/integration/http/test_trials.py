"""Trials over HTTP: made, advanced, held by two persons; protocols drafted and put in force."""

import pytest

from services import trials as step
from services.clock import SECOND_US, iso, now_us
from tests.integration.http.conftest import YAML
from tests.support.trials import backtested

TRIAL = "/v1/trials/msc-cgvhd"
DAY_US = 24 * 3600 * SECOND_US
NEXT = YAML.replace('version: "1.0"', 'version: "2.0"', 1)


@pytest.fixture
def admin(house):
    return house.door("admin")


def draft(door, text):
    return door.post(f"{TRIAL}/protocols", data=text.encode(), content_type="application/yaml")


def test_a_trial_is_made_once(admin):
    wish = {"id": "second", "mode": "replay", "protocol": YAML}
    made = admin.post("/v1/trials", json=wish)
    assert made.status_code == 201
    assert made.headers["Location"] == "/v1/trials/second"
    assert (made.json["mode"], made.json["status"], made.json["active_version"]) == (
        "replay",
        "open",
        "1.0",
    )
    assert admin.post("/v1/trials", json=wish).status_code == 200
    assert admin.post("/v1/trials", json={**wish, "mode": "live"}).status_code == 409
    assert [item["id"] for item in admin.get("/v1/trials").json["items"]] == ["msc-cgvhd", "second"]


def test_a_broken_protocol_makes_no_trial_and_says_where(admin):
    answer = admin.post(
        "/v1/trials",
        json={"id": "third", "protocol": YAML.replace("kind: inclusion", "kind: inklusion", 1)},
    )
    assert answer.status_code == 422
    assert any("line " in error["detail"] for error in answer.json["errors"])
    assert admin.get("/v1/trials/third").status_code == 404


def test_a_replay_trials_clock_is_moved_on_and_never_back(admin):
    admin.post("/v1/trials", json={"id": "second", "mode": "replay", "protocol": YAML})
    later = admin.post("/v1/trials/second/advance", json={"to": "2020-02-01T00:00:00+09:00"})
    assert later.status_code == 200
    assert later.json["clock"] == "2020-01-31T15:00:00Z"
    earlier = admin.post("/v1/trials/second/advance", json={"to": "2019-01-01T00:00:00Z"})
    assert earlier.json["clock"] == "2020-01-31T15:00:00Z"


def test_a_live_trials_clock_is_not_moved(admin):
    assert admin.post(f"{TRIAL}/advance", json={"to": iso(now_us())}).status_code == 409
    assert admin.post(f"{TRIAL}/advance", json={"to": "soon"}).status_code == 422
    assert admin.post("/v1/trials/nowhere/advance", json={"to": iso(now_us())}).status_code == 404


def test_suspending_and_resuming_take_two_persons(house):
    one, other = house.door("clinician"), house.key("clinician", "the-second-clinician")
    first = one.post(f"{TRIAL}/suspend", json={"reason": "two events"})
    assert (first.status_code, first.json["status"]) == (202, "awaiting_second")
    assert one.post(f"{TRIAL}/suspend", json={"reason": "two events"}).status_code == 409
    assert one.get(TRIAL).json["awaiting_second"]["by"] == "the-investigator"
    done = other.post(f"{TRIAL}/suspend", json={"reason": "agreed"})
    assert (done.status_code, done.json["status"]) == (200, "suspended")
    assert done.json["hold"]["reason"] == "two events"
    assert done.json["awaiting_second"] is None
    again = other.post(f"{TRIAL}/suspend", json={"reason": "agreed"})
    assert (again.status_code, again.json["status"]) == (200, "suspended")
    assert other.post(f"{TRIAL}/resume", json={"reason": "looked into"}).status_code == 202
    resumed = one.post(f"{TRIAL}/resume")
    assert (resumed.status_code, resumed.json["status"], resumed.json["hold"]) == (
        200,
        "open",
        None,
    )


def test_two_keys_of_one_person_are_one_person(house):
    house.door("clinician").post(f"{TRIAL}/suspend", json={"reason": "x"})
    assert (
        house.key("admin", "the-investigator")
        .post(f"{TRIAL}/suspend", json={"reason": "x"})
        .status_code
        == 409
    )


def test_a_wish_counts_for_a_day(house):
    database = house.services.database
    asked_us = now_us() - DAY_US
    assert (
        step.by_two(database, "msc-cgvhd", step.Wish.SUSPEND, "the-investigator", "x", asked_us)
        == asked_us + DAY_US
    )
    assert house.door("clinician").get(TRIAL).json["awaiting_second"] is None
    late = step.by_two(
        database, "msc-cgvhd", step.Wish.SUSPEND, "the-second-clinician", "x", asked_us + DAY_US
    )
    assert late == asked_us + 2 * DAY_US
    assert (
        step.by_two(
            database, "msc-cgvhd", step.Wish.SUSPEND, "the-investigator", "x", asked_us + DAY_US + 1
        )
        is None
    )


def test_a_version_is_drafted_shown_and_put_in_force(admin, house, make_event):
    house.publish(make_event(1, "assessment", {"code": "ecog", "value": 1}))
    house.evaluate()
    drafted = draft(admin, NEXT)
    assert drafted.status_code == 201
    assert drafted.json["status"] == "draft"
    assert draft(admin, NEXT).status_code == 200
    assert draft(admin, NEXT + "\n# other text\n").status_code == 409
    alone = admin.post(f"{TRIAL}/protocols/2.0/activate", json={"approved_by": "board"})
    assert alone.status_code == 422
    assert [item["pointer"] for item in alone.json["errors"]] == ["/backtest"]
    backtest = backtested(house.services.database, "msc-cgvhd", "2.0", now_us())
    approved = {"approved_by": "board", "backtest": backtest}
    active = admin.post(f"{TRIAL}/protocols/2.0/activate", json=approved)
    assert (active.status_code, active.json["status"]) == (200, "active")
    assert admin.get(TRIAL).json["active_version"] == "2.0"
    assert {
        item["version"]: item["status"] for item in admin.get(f"{TRIAL}/protocols").json["items"]
    } == {"1.0": "retired", "2.0": "active"}
    before = house.door("clinician").get(f"{TRIAL}/subjects/S-001/eligibility").json
    house.evaluate()
    after = house.door("clinician").get(f"{TRIAL}/subjects/S-001/eligibility").json
    assert (before["pending"], after["pending"]) == (1, 0)
    assert after["protocol_version"] == "1.0"  # first seen under it, and not screened since


def test_a_version_is_not_put_in_force_in_the_past_or_unknown(admin):
    draft(admin, NEXT)
    past = {"approved_by": "board", "effective_from": "2020-01-01T00:00:00Z"}
    assert admin.post(f"{TRIAL}/protocols/2.0/activate", json=past).status_code == 422
    assert (
        admin.post(f"{TRIAL}/protocols/9.0/activate", json={"approved_by": "board"}).status_code
        == 404
    )
    assert admin.post(f"{TRIAL}/protocols/2.0/activate", json={}).status_code == 422


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        (b"vigil: 1\n  bad", "application/yaml", 422),
        (b"", "application/yaml", 422),
        (b"\xff\xfe", "application/yaml", 400),
        (b"{}", "application/json", 415),
        (b"&a [*a]", "application/yaml", 422),
        (b"a: \x00", "application/yaml", 422),
    ],
)
def test_what_is_no_protocol_is_refused(admin, body, kind, status):
    answer = admin.post(f"{TRIAL}/protocols", data=body, content_type=kind)
    assert answer.status_code == status
