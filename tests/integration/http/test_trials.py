"""Trials over HTTP: made, advanced, held by two persons; protocols drafted and put in force."""

import pytest

from services import holding
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


def test_one_person_suspends_and_two_resume(house):
    one, other = house.door("clinician"), house.key("clinician", "the-second-clinician")
    held = one.post(f"{TRIAL}/suspend", json={"reason": "two events"})
    assert (held.status_code, held.json["status"]) == (200, "suspended")
    assert (held.json["hold"]["reason"], held.json["hold"]["by"]) == (
        "two events",
        "the-investigator",
    )
    again = other.post(f"{TRIAL}/suspend", json={"reason": "agreed"})
    assert (again.status_code, again.json["hold"]) == (200, held.json["hold"])
    house.evaluate()
    assert other.get(TRIAL).json["hold"] == held.json["hold"]
    first = other.post(f"{TRIAL}/resume", json={"reason": "looked into"})
    assert (first.status_code, first.json["status"]) == (202, "awaiting_second")
    assert other.post(f"{TRIAL}/resume", json={"reason": "looked into"}).status_code == 409
    assert one.get(TRIAL).json["awaiting_second"]["by"] == "the-second-clinician"
    assert one.post(f"{TRIAL}/resume", json={}).status_code == 422  # each says why
    resumed = one.post(f"{TRIAL}/resume", json={"reason": "the board agrees"})
    assert (resumed.status_code, resumed.json["status"], resumed.json["hold"]) == (
        200,
        "open",
        None,
    )
    assert resumed.json["awaiting_second"] is None
    assert one.post(f"{TRIAL}/resume", json={"reason": "again"}).json["status"] == "open"
    house.evaluate()
    assert one.get(TRIAL).json["status"] == "open"
    (hold,) = one.get(f"{TRIAL}/stopping").json["holds"]
    assert (hold["kind"], hold["what"], hold["by"]) == ("person", "enrolment", "the-investigator")
    assert hold["lifted"] == {
        "by": ["the-second-clinician", "the-investigator"],
        "reasons": ["looked into", "the board agrees"],
    }


def test_a_wider_hold_is_added_and_a_narrower_one_is_not(house):
    one = house.door("clinician")
    one.post(f"{TRIAL}/suspend", json={"reason": "enrol nobody"})
    wider = one.post(f"{TRIAL}/suspend", json={"reason": "infuse nobody", "what": "trial"})
    assert (wider.json["hold"]["what"], wider.json["hold"]["standing"]) == ("trial", 2)
    same = one.post(f"{TRIAL}/suspend", json={"reason": "enrol nobody"})
    assert same.json["hold"]["standing"] == 2
    house.evaluate()
    assert one.get(TRIAL).json["hold"] == wider.json["hold"]
    assert one.post(f"{TRIAL}/suspend", json={"reason": "x", "what": "all"}).status_code == 422


def test_what_began_after_the_first_person_asked_is_not_lifted(house):
    one, other = house.door("clinician"), house.key("clinician", "the-second-clinician")
    one.post(f"{TRIAL}/suspend", json={"reason": "enrol nobody"})
    one.post(f"{TRIAL}/resume", json={"reason": "looked into"})
    one.post(f"{TRIAL}/suspend", json={"reason": "infuse nobody", "what": "trial"})
    still = other.post(f"{TRIAL}/resume", json={"reason": "agreed"})
    assert (still.status_code, still.json["status"], still.json["hold"]["standing"]) == (
        200,
        "suspended",
        1,
    )
    house.evaluate()
    assert one.get(TRIAL).json["hold"]["reason"] == "infuse nobody"
    assert [one["until"] is None for one in one.get(f"{TRIAL}/stopping").json["holds"]] == [
        False,
        True,
    ]


def test_two_keys_of_one_person_are_one_person(house):
    clinician = house.door("clinician")
    clinician.post(f"{TRIAL}/suspend", json={"reason": "x"})
    clinician.post(f"{TRIAL}/resume", json={"reason": "x"})
    again = house.key("admin", "the-investigator").post(f"{TRIAL}/resume", json={"reason": "x"})
    assert again.status_code == 409


def test_a_wish_counts_for_a_day(house):
    database = house.services.database

    def wish(person, at_us):
        return holding.resume(database, "msc-cgvhd", person, "looked into", at_us).until_us

    asked_us = now_us() - DAY_US
    holding.suspend(database, "msc-cgvhd", "trial", "the-investigator", "x", asked_us)
    assert wish("the-investigator", asked_us) == asked_us + DAY_US
    assert house.door("clinician").get(TRIAL).json["awaiting_second"] is None
    assert wish("the-second-clinician", asked_us + DAY_US) == asked_us + 2 * DAY_US
    assert wish("the-investigator", asked_us + DAY_US + 1) is None
    assert house.door("clinician").get(TRIAL).json["status"] == "open"


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
