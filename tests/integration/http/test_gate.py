"""The gate before an infusion over HTTP: of a past trial, whose clock is what its publisher tells."""

from __future__ import annotations

from typing import Any

import pytest

from services import protocols
from services.clock import now_us
from tests.integration.http.conftest import YAML
from tests.support import flagship

TRIAL = "past"
GATE = f"/v1/trials/{TRIAL}/subjects/S-1/gate"
STORY = (*flagship.INFUSED, "well_before_2")
ITEMS = ["FEVER", "INFECTION", "TOXICITY", "HOLD", "ELIGIBLE", "CONSENT", "OBSERVED"]
FEVER = {
    "type": "observation",
    "time": "2026-03-16T08:30:00+09:00",
    "data": {"code": "body_temperature", "value": 38.4, "unit": "Cel"},
}
TOXICITY: dict[str, Any] = {
    "type": "adverse_event",
    "time": "2026-03-12T09:00:00+09:00",
    "data": {"ae": "a1", "term": "Rash", "grade": 3, "causality": "related", "onset": "2026-03-12"},
}


@pytest.fixture
def clinician(house):
    protocols.create_trial(house.services.database, TRIAL, "replay", YAML, "test", now_us())
    return house.door("clinician")


@pytest.fixture
def tell(house, clinician):
    """Publish the story of a subject about to be infused again, and more; each told as it was."""

    def publish(*more: dict[str, Any], without: str = "") -> None:
        story = [one for one in flagship.told(*STORY) if one["data"].get("code") != without]
        timed = sorted([*story, *more], key=lambda one: one["time"])
        told = [{**one, "recordedtime": one["time"]} for one in timed]
        answer = house.publish(*flagship.events("S-1", told, trial=TRIAL))
        assert answer.status_code == 202, answer.json
        house.evaluate(TRIAL)

    return publish


def states(body: dict[str, Any], *wanted: str) -> set[str]:
    """The items that stand so."""
    return {item["id"] for item in body["items"] if item["state"] in wanted}


def item(body: dict[str, Any], name: str) -> dict[str, Any]:
    (found,) = [one for one in body["items"] if one["id"] == name]
    return found


def test_the_gate_is_open_where_every_item_is_and_says_which_infusion_is_next(tell, clinician):
    tell()
    body = clinician.get(GATE).json
    assert body["gate"] == "open"
    assert [one["id"] for one in body["items"]] == ITEMS
    assert states(body, "open") == set(ITEMS)
    assert (body["trial_hold"], body["pending"], body["held"]) == (None, 0, False)
    assert (body["subject"], body["as_of"]) == ("S-1", "2026-03-15T23:00:00Z")
    keys = ("number", "visit", "opens", "due", "closes")
    assert tuple(body["next_infusion"][key] for key in keys) == (
        *(2, "infusion_2"),
        *("2026-03-14", "2026-03-16", "2026-03-18"),
    )


def test_a_closed_gate_says_what_closes_it_and_by_which_event(tell, clinician):
    tell(FEVER, TOXICITY)
    body = clinician.get(GATE).json
    assert body["gate"] == "closed"
    assert states(body, "closed") == {"FEVER", "TOXICITY", "HOLD"}
    assert item(body, "HOLD")["held_by"] == ["S-FEVER"]
    assert item(body, "FEVER")["held_by"] == []
    (evidence,) = item(body, "FEVER")["evidence"]
    assert (evidence["fact"], evidence["value"]) == ("max_temperature_24h", 38.4)
    assert item(body, "FEVER")["clauses"]["holds"] == "true"
    assert item(body, "TOXICITY")["evidence"][0]["value"] == 1


def test_an_item_that_nobody_told_of_leaves_the_gate_unknown_and_says_what_is_missing(
    tell, clinician
):
    tell(without="infusion_observation")
    body = clinician.get(GATE).json
    assert body["gate"] == "unknown"
    assert states(body, "unknown") == {"OBSERVED"}
    assert item(body, "OBSERVED")["missing"] == ["infusion_observed"]


def test_what_is_missing_opens_no_gate_that_something_else_closes(tell, clinician):
    tell(FEVER, without="infusion_observation")
    assert clinician.get(GATE).json["gate"] == "closed"


@pytest.mark.parametrize(
    ("as_of", "word", "closed", "unknown"),
    [
        ("2026-03-16T08:29:00+09:00", "open", set(), set()),
        ("2026-03-16T08:31:00+09:00", "closed", {"FEVER", "HOLD"}, set()),
        ("2026-03-15T09:00:00+09:00", "unknown", set(), {"FEVER"}),
        ("2026-03-10T10:00:00+09:00", "unknown", set(), {"FEVER", "OBSERVED"}),
        ("2026-03-09T09:30:00+09:00", "open", set(), set()),
        ("2026-03-05T09:00:00+09:00", "closed", {"ELIGIBLE"}, {"FEVER"}),
    ],
)
def test_the_gate_may_be_asked_for_as_it_was_known(tell, clinician, as_of, word, closed, unknown):
    tell(FEVER)
    body = clinician.get(GATE, query_string={"as_of": as_of}).json
    assert (body["gate"], states(body, "closed"), states(body, "unknown")) == (
        word,
        closed,
        unknown,
    )
    assert body["as_of"] <= as_of  # in UTC, so an earlier hour of the day


def test_a_toxicity_that_is_told_as_resolved_opens_the_gate_again(tell, clinician):
    over = {
        "type": "adverse_event",
        "time": "2026-03-14T09:00:00+09:00",
        "data": {"ae": "a1", "resolved": "2026-03-14", "outcome": "recovered"},
    }
    tell(TOXICITY, over)
    assert clinician.get(GATE).json["gate"] == "open"
    before = clinician.get(GATE, query_string={"as_of": "2026-03-13T09:00:00+09:00"}).json
    assert states(before, "closed") == {"TOXICITY"}


def test_a_held_trial_closes_every_gate_and_a_hold_of_enrolment_none(tell, house, clinician):
    tell()
    suspend = f"/v1/trials/{TRIAL}/suspend"
    clinician.post(suspend, json={"reason": "to look", "what": "enrolment"})
    house.evaluate(TRIAL)
    assert clinician.get(GATE).json["gate"] == "open"
    clinician.post(suspend, json={"reason": "to look", "what": "trial"})  # at once, unevaluated
    body = clinician.get(GATE).json
    assert (body["gate"], states(body, "closed", "unknown")) == ("closed", set())
    assert body["trial_hold"]["what"] == "trial"
    earlier = clinician.get(GATE, query_string={"as_of": "2026-03-16T07:59:00+09:00"}).json
    assert earlier["trial_hold"] is None


def test_an_event_that_waits_to_be_evaluated_leaves_no_gate_open(tell, house, clinician):
    tell()
    late = {**FEVER, "recordedtime": FEVER["time"]}
    house.publish(*flagship.events("S-1", [late], trial=TRIAL))
    body = clinician.get(GATE).json
    assert (body["gate"], body["pending"]) == ("unknown", 1)


@pytest.mark.parametrize("path", [GATE.replace("S-1", "S-404"), GATE.replace(TRIAL, "no-such")])
def test_who_is_not_there_has_no_gate(tell, clinician, path):
    tell()
    assert clinician.get(path).status_code == 404


def test_an_instant_without_an_offset_is_refused(tell, clinician):
    tell()
    answer = clinician.get(GATE, query_string={"as_of": "2026-03-16T08:00:00"})
    assert answer.status_code == 422


@pytest.mark.parametrize(
    ("role", "status"),
    [("clinician", 200), ("admin", 200), ("ops", 403), ("publisher", 403), (None, 401)],
)
def test_a_gate_is_for_whoever_may_see_subjects(tell, house, role, status):
    tell()
    assert house.door(role).get(GATE).status_code == status
