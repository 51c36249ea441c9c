"""Response over HTTP and on the pages: the trial's rate, a subject's scores and what they say."""

import pytest

RESPONSE = "/v1/trials/msc-cgvhd/response"
SCORES = {"skin": 2, "mouth": 0, "eyes": 0, "gi": 0, "liver": 0, "lungs": 0, "joints": 0}


@pytest.fixture
def clinician(house):
    return house.door("clinician")


def test_a_trial_without_anybody_evaluable_has_no_rate(clinician):
    (found,) = clinician.get(RESPONSE).json["items"]
    assert (found["id"], found["responders"], found["evaluable"]) == ("RR-28", 0, 0)
    assert (found["rate"], found["lower"], found["upper"]) == (None, None, None)


def test_a_subjects_severity_is_told_with_what_it_was_made_of(house, clinician, make_event):
    scores = {"code": "nih_organs", "scores": {**SCORES, "genital": 0}}
    house.publish(make_event(1, "assessment", scores, subject="S-1"))
    house.evaluate()
    found = clinician.get("/v1/trials/msc-cgvhd/subjects/S-1/response").json
    told = {one["fact"]: one["value"] for one in found["items"]}
    assert told["nih_severity"] == "moderate"
    assert told["nih_response"] is None
    assert [one["status"] for one in found["rates"]] == ["not_evaluable"]


def test_relapse_after_an_infusion_counts_as_no_response(house, clinician, make_event):
    infusion = {"product": "MSC", "number": 1, "status": "completed"}
    relapse = {"code": "malignancy_relapse", "status": "active"}
    house.publish(make_event(1, "administration", infusion, subject="S-1"))
    house.publish(make_event(2, "condition", relapse, subject="S-1"))
    house.evaluate()
    (found,) = clinician.get(RESPONSE).json["items"]
    assert found["subjects"] == [{"subject": "S-1", "status": "non_responder"}]
    assert (found["rate"], found["lower"], found["upper"]) == (0, 0, 0.975)


def test_the_pages_tell_the_rate_and_what_it_was_made_of(house, clinician, make_event):
    scores = {"code": "nih_organs", "scores": {**SCORES, "genital": 0}}
    house.publish(make_event(1, "assessment", scores, subject="S-1"))
    house.evaluate()
    trial = clinician.get("/trials/msc-cgvhd").text
    assert "nobody is evaluable yet" in trial.partition('id="response"')[2]
    subject = clinician.get("/trials/msc-cgvhd/subjects/S-1").text
    assert "Global severity of chronic GVHD" in subject.partition('id="response"')[2]
