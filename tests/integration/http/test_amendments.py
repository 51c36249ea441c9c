"""An amendment through the API and the pages: compared, backtested, approved, consented to."""

from __future__ import annotations

import pytest

from services import backtests
from services.clock import now_us
from tests.integration.http.conftest import YAML
from tests.integration.http.test_pages import Person

TRIAL = "/v1/trials/msc-cgvhd"
MAJOR = 'amends: {version: "1.0", kind: major, summary: Younger subjects only, reconsent_within_days: 30}'
NEXT = YAML.replace('version: "1.0"', f'version: "2.0"\n  {MAJOR}', 1).replace(
    "maximum_age_years: {value: 80", "maximum_age_years: {value: 30", 1
)


@pytest.fixture
def admin(house):
    return house.door("admin")


@pytest.fixture
def drafted(admin):
    answer = admin.post(f"{TRIAL}/protocols", data=NEXT, content_type="application/yaml")
    assert answer.status_code == 201, answer.text


@pytest.fixture
def screened(house, make_event):
    birth = {"birth_date": "1980-05-01", "sex": "male"}
    house.publish(
        make_event(1, "demographics", birth),
        make_event(2, "enrolment", {"status": "screened", "site": "A"}),
    )
    house.evaluate()


def finished(house, admin):
    made = admin.post(f"{TRIAL}/protocols/2.0/backtest")
    assert made.status_code == 202
    assert made.json["status"] == "running"
    services = house.services
    while backtests.work_off(services.database, services.broker, now_us(), made.json["id"]).more:
        pass
    return made.json["id"]


def put_in_force(house, admin):
    body = {"approved_by": "the sponsor", "backtest": finished(house, admin)}
    answer = admin.post(f"{TRIAL}/protocols/2.0/activate", json=body)
    assert answer.status_code == 200, answer.text
    house.evaluate()


@pytest.mark.usefixtures("drafted")
def test_d9_a_person_reads_what_a_version_changes(admin):
    found = admin.get(f"{TRIAL}/protocols/2.0/diff").json
    assert (found["from"]["version"], found["to"]["version"]) == ("1.0", "2.0")
    changed = {item["id"]: item for item in found["changes"]}
    assert changed["I1"]["touches"] == ["eligibility"]
    (limit,) = changed["maximum_age_years"]["keys"]
    assert (limit["key"], limit["from"], limit["to"]) == ("value", 80, 30)
    assert found["warnings"] == []
    assert admin.get(f"{TRIAL}/protocols/2.0/diff?against=9.9").status_code == 404
    assert admin.get(f"{TRIAL}/protocols/1.0/diff?against=1.0").json["changes"] == []


@pytest.mark.usefixtures("drafted", "screened")
def test_d10_a_version_is_backtested_and_then_put_in_force(house, admin):
    refused = admin.post(f"{TRIAL}/protocols/2.0/activate", json={})
    assert refused.status_code == 422
    assert [item["pointer"] for item in refused.json["errors"]] == ["/approved_by", "/backtest"]
    assert all(item["hint"] for item in refused.json["errors"])
    backtest = finished(house, admin)
    shown = house.door("clinician").get(f"{TRIAL}/backtests/{backtest}").json
    assert (shown["status"], shown["progress"]) == ("finished", {"done": 1, "total": 1})
    (subject,) = shown["result"]["subjects"]
    assert (subject["subject"], subject["decision"]["after"]) == ("S-001", "ineligible")
    listed = house.door("ops").get(f"{TRIAL}/backtests").json["items"]
    assert [item["id"] for item in listed] == [backtest]
    assert "result" not in listed[0]
    assert admin.post(f"{TRIAL}/protocols/2.0/backtest").json["id"] == backtest
    body = {"approved_by": "the sponsor", "backtest": backtest}
    assert admin.post(f"{TRIAL}/protocols/2.0/activate", json=body).json["status"] == "active"


@pytest.mark.usefixtures("drafted", "screened")
def test_d9_who_owes_a_consent_is_listed_until_it_is_given(house, admin, make_event):
    clinician = house.door("clinician")
    assert clinician.get(f"{TRIAL}/reconsent").json["items"] == []
    put_in_force(house, admin)
    (owed,) = clinician.get(f"{TRIAL}/reconsent").json["items"]
    assert (owed["subject"], owed["site"], owed["version"]) == ("S-001", "A", "2.0")
    assert (owed["pinned_version"], owed["overdue"]) == ("1.0", False)
    eligibility = clinician.get(f"{TRIAL}/subjects/S-001/eligibility").json
    assert eligibility["protocol_version"] == "1.0"
    before = {"document": "informed_consent", "given_by": "subject", "status": "given"}
    house.publish(make_event(3, "consent", before | {"version": "2.0"}))
    house.evaluate()
    assert clinician.get(f"{TRIAL}/reconsent").json["items"] == []
    assert clinician.get(f"{TRIAL}/subjects/S-001/eligibility").json["protocol_version"] == "2.0"


def test_d9_unknown_trials_and_backtests_are_404(house, admin):
    for path in ("reconsent", "backtests", "backtests/bt_x", "protocols/1.0/diff"):
        assert admin.get(f"/v1/trials/nowhere/{path}").status_code == 404
    assert admin.get(f"{TRIAL}/backtests/bt_x").status_code == 404
    assert admin.post(f"{TRIAL}/protocols/9.9/backtest").status_code == 404


@pytest.mark.usefixtures("drafted", "screened")
def test_the_pages_lead_through_an_amendment(house):
    person = Person(house, "admin")
    path = "/trials/msc-cgvhd/protocol/2.0"
    text = person.get(path)
    assert "Younger subjects only" in text
    assert "maximum_age_years" in text
    refused = person.press(f"{path}/activate", approved_by="")
    assert refused.status_code == 422
    assert "is required: subjects are in the trial" in refused.text
    made = person.press(f"{path}/backtest")
    assert made.status_code == 303
    where = made.headers["Location"]
    assert "It is under way" in person.get(where)
    services = house.services
    while backtests.work_off(services.database, services.broker, now_us()).subjects:
        pass
    assert "would be another" in person.get(where)
    backtest = where.rpartition("/")[2]
    assert f'<option value="{backtest}"' in person.get(path)
    bad = {"approved_by": "x", "backtest": backtest, "effective_from": "tomorrow"}
    assert "must be a time with an offset" in person.press(f"{path}/activate", **bad).text
    good = {"approved_by": "the sponsor", "backtest": backtest}
    assert person.press(f"{path}/activate", **good).status_code == 303
    house.evaluate()
    assert "/subjects/S-001" in person.get("/trials/msc-cgvhd/reconsent")


ADDED = "- {code: added, type: observation, label: Added, value: %s}\n  "


def with_code(version, value):
    """The flagship's next version with one more code."""
    head, mark, rest = NEXT.partition("codes:\n  ")
    return head.replace('version: "2.0"', f'version: "{version}"') + mark + ADDED % value + rest


def test_d9_a_version_for_later_reads_what_is_published_until_then(admin):
    """No subject is there when it is approved; some may be when its instant comes."""
    for text in (with_code("2.0", "boolean"), with_code("3.0", "string")):
        drafted = admin.post(f"{TRIAL}/protocols", data=text, content_type="application/yaml")
        assert drafted.status_code == 201, drafted.text
    clash = "`added` cannot be read as version {} declared it"
    now = {"approved_by": "the sponsor"}
    later = now | {"effective_from": "2190-01-01T00:00:00Z"}
    path = f"{TRIAL}/protocols/{{}}/activate"
    assert admin.post(path.format("2.0"), json=later).json["status"] == "scheduled"
    refused = admin.post(path.format("3.0"), json=now)
    assert refused.json["errors"][0]["detail"] == clash.format("2.0")
    assert admin.post(path.format("2.0"), json=now).json["status"] == "active"
    refused = admin.post(path.format("3.0"), json=later)
    assert refused.json["errors"][0]["detail"] == clash.format("2.0")
    assert admin.post(path.format("3.0"), json=now).json["status"] == "active"
