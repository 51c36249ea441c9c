"""Rows D4, D5, D6 and D17: the worklist, the explanation, the counterfactual, and opinions.

Each holds the flagship against what the row promises, event by event.
"""

from __future__ import annotations

import rules
from rules.replay import open_findings
from tests.protocols.test_expectations import engine, fixture, row, stepped

MARCH = "2026-03-20T09:00:00+09:00"
SCREENED = ("clinical", "man", "own_consent", "screened")
NOON = "2026-03-19T12:00:00+09:00"
HOT = row(
    "observation", "2026-03-19T08:00:00+09:00", code="body_temperature", value=38.6, unit="Cel"
)


def found(rows, rule, at=MARCH):
    """The finding of one rule as it was last told."""
    outcome = stepped(rows, at)
    told = {name: change for (name, _), change in open_findings(outcome.results).items()}
    return told[rule]


def leaves(tree):
    if "fact" in tree:
        return [tree]
    return [leaf for part in tree.get("parts", ()) for leaf in leaves(part)]


# --- D5 -----------------------------------------------------------------------------------------
def test_d5_an_alert_is_frozen_with_its_clauses_facts_units_times_events_and_text():
    change = found([*fixture(*SCREENED, "enrolled"), HOT], "S-FEVER", NOON)
    assert change.explanation["holds"] == "true"
    by_fact = {leaf["fact"]: leaf for leaf in leaves(change.explanation)}
    assert by_fact["max_temperature_24h"] == {
        "text": "max_temperature_24h >= 38",
        "holds": "true",
        "fact": "max_temperature_24h",
        "label": "Body temperature",
        "unit": "Cel",
        "value": 38.6,
    }
    assert by_fact["on_study"]["value"] is True
    assert by_fact["bacterial_infection_24h"]["holds"] == "false"
    told = {item["fact"]: item for item in change.evidence}
    proof = told["max_temperature_24h"]
    assert (proof["value"], proof["unit"]) == (38.6, "Cel")
    assert proof["time"] == 1773874800000000
    assert proof["event"].startswith("ev")
    assert "38.6 Cel" in change.detail
    assert "Exclusion 2" in change.source_text


def test_d5_the_alert_of_an_ineligible_subject_names_the_datum_and_not_the_criterion_alone():
    elsewhere = row("assessment", "2026-03-19T08:00:00+09:00", code="other_trial", value=True)
    change = found([*fixture(*SCREENED), elsewhere], "EL-INELIGIBLE")
    (proof,) = [item for item in change.evidence if item.get("criterion") == "E7"]
    assert (proof["fact"], proof["value"]) == ("other_trial", True)
    assert proof["event"]
    assert [item for item in change.evidence if item.get("criterion") not in {None, "E7"}] == []


def test_d5_of_a_criterion_with_many_data_only_those_that_decide_stand_behind_the_alert():
    change = found([*fixture(*SCREENED), HOT], "EL-INELIGIBLE")
    behind = {item["fact"] for item in change.evidence if item.get("criterion") == "E2"}
    assert behind == {"body_temperature"}


def test_d5_what_is_missing_is_named_as_a_person_calls_it():
    change = found(fixture(*SCREENED, without=("hiv_status", "ecog")), "EL-NEEDS-DATA")
    assert "HIV serology" in change.detail
    assert "hiv_status" not in change.detail


def test_d5_a_cleared_finding_explains_nothing_anew():
    cool = row(
        "observation", "2026-03-19T09:00:00+09:00", code="body_temperature", value=36.5, unit="Cel"
    )
    outcome = stepped([*fixture(*SCREENED), HOT, cool], MARCH)
    changes = [c for r in outcome.results for c in r.changes if c.rule == "EL-INELIGIBLE"]
    assert [change.change for change in changes] == [rules.Change.OPENED, rules.Change.CLEARED]
    assert changes[0].explanation is not None
    assert changes[1].explanation is None


# --- D17 ----------------------------------------------------------------------------------------
def test_d17_an_override_behind_a_decision_is_shown_as_somebodys_word():
    elsewhere = row("assessment", "2026-03-19T08:00:00+09:00", code="other_trial", value=True)
    waived = row(
        "override",
        "2026-03-19T09:00:00+09:00",
        criterion="E7",
        by="investigator",
        reason="an observational study",
        expires="2026-04-30",
    )
    change = found([*fixture(*SCREENED), elsewhere, waived], "EL-ELIGIBLE")
    (proof,) = [item for item in change.evidence if item.get("criterion") == "E7"]
    assert (proof["fact"], proof["value"]) == ("E7", "met")
    assert proof["note"].startswith("overridden by investigator, until 2026-04-30")


# --- D4 -----------------------------------------------------------------------------------------
def worklist(rows, at=MARCH):
    return engine().worklist(stepped(rows, at).state)


def test_d4_only_data_that_can_still_change_the_decision_are_asked_for():
    rows = fixture(*SCREENED, without=("hiv_status", "nyha_class", "heart_failure"))
    items = worklist(rows)["items"]
    assert [item["fact"] for item in items] == ["hiv_status", "heart_failure", "nyha_class"]
    assert [item["decides"] for item in items] == [["ineligible"], [], []]
    assert {item["reason"] for item in items} == {"not_recorded"}
    sound = row("condition", "2026-03-19T08:00:00+09:00", code="heart_failure", status="absent")
    assert [one["fact"] for one in worklist([*rows, sound])["items"]] == ["hiv_status"]


def test_d4_nothing_is_asked_for_where_a_criterion_excludes_for_good():
    rows = fixture(*SCREENED, without=("hiv_status",))
    assert worklist([*rows, HOT])["items"] == []


def test_d4_what_may_be_waived_does_not_end_the_asking():
    elsewhere = row("assessment", "2026-03-19T08:00:00+09:00", code="other_trial", value=True)
    rows = [*fixture(*SCREENED, without=("hiv_status",)), elsewhere]
    assert worklist(rows)["decision"] == "ineligible"
    (item,) = worklist(rows)["items"]
    assert (item["fact"], item["decides"]) == ("hiv_status", ["eligible", "ineligible"])


def test_d4_what_a_man_need_not_answer_is_not_asked_and_of_unknown_sex_the_sex_is():
    rows = fixture("clinical", "own_consent", "screened")
    born = row("demographics", "2026-03-02T09:00:00+09:00", birth_date="1980-05-01")
    asked = {item["fact"]: item["decides"] for item in worklist([*rows, born])["items"]}
    assert asked["sex"] == ["eligible"]
    assert asked["pregnancy_test"] == ["ineligible"]
    assert worklist(fixture(*SCREENED))["items"] == []


def test_d4_a_refused_datum_is_asked_for_as_refused():
    no = row("observation", "2026-03-19T08:00:00+09:00", code="hiv_status", absent="refused")
    (item,) = worklist([*fixture(*SCREENED, without=("hiv_status",)), no])["items"]
    assert (item["fact"], item["reason"]) == ("hiv_status", "refused")


# --- D6 -----------------------------------------------------------------------------------------
def what_if(rows, at=MARCH):
    return engine().explanation(stepped(rows, at).state)["counterfactual"]


def test_d6_it_says_which_single_fact_would_let_the_subject_in():
    told = what_if([*fixture(*SCREENED), HOT])
    (way,) = told["changes"]
    assert (told["decision"], told["to"], told["complete"]) == ("ineligible", "eligible", True)
    assert way["text"] == "eligible if body_temperature < 38 Cel"
    (change,) = way["set"]
    assert (change["value"], change["needed"]) == (38.6, {"op": "<", "value": 38})
    cool = row(
        "observation", "2026-03-19T09:00:00+09:00", code="body_temperature", value=37.9, unit="Cel"
    )
    assert what_if([*fixture(*SCREENED), HOT, cool])["decision"] == "eligible"


def test_d6_an_age_is_named_and_marked_as_what_nobody_can_change():
    old = row("demographics", "2026-03-05T09:00:00+09:00", birth_date="1930-01-01", sex="male")
    (way,) = what_if([*fixture(*SCREENED), old])["changes"]
    (change,) = way["set"]
    assert change["needed"] == {"op": ">=", "value": 13, "and": {"op": "<=", "value": 80}}
    assert change["changeable"] is False


def test_d6_where_two_facts_are_in_the_way_both_are_named_together():
    worse = row("assessment", "2026-03-19T08:00:00+09:00", code="ecog", value=4)
    (way,) = what_if([*fixture(*SCREENED), HOT, worse])["changes"]
    assert way["text"] == "eligible if ecog <= 2 and body_temperature < 38 Cel"


def test_d6_of_an_eligible_subject_each_single_fact_that_would_exclude_is_named():
    told = what_if(fixture(*SCREENED))
    assert told["to"] == "ineligible"
    texts = {way["text"] for way in told["changes"]}
    assert "ineligible if body_temperature >= 38 Cel" in texts
    assert "ineligible if ecog >= 3" in texts
    assert {len(way["set"]) for way in told["changes"]} == {1}


def test_d17_a_signed_judgement_is_shown_as_the_opinion_that_it_is_with_its_expiry():
    judged = row(
        "assessment",
        "2026-03-19T08:00:00+09:00",
        code="unfit",
        value=True,
        by="investigator",
        expires="2026-04-01",
    )
    rows = [*fixture(*SCREENED), judged]
    note = "opinion of investigator, expires 2026-04-01"
    (proof,) = [e for e in found(rows, "EL-INELIGIBLE").evidence if e.get("criterion") == "E8"]
    assert (proof["fact"], proof["value"], proof["note"]) == ("unfit", True, note)
    view = engine().view(stepped(rows, MARCH).state)
    (unfit,) = [item for item in view["criteria"] if item["id"] == "E8"]
    assert [item["note"] for item in unfit["evidence"]] == [note]
    (ecog,) = [item for item in view["criteria"] if item["id"] == "I3"]
    assert all("note" not in item for item in ecog["evidence"])


def test_d17_an_opinion_that_has_expired_decides_nothing_and_says_so():
    judged = row(
        "assessment",
        "2026-03-19T08:00:00+09:00",
        code="unfit",
        value=False,
        by="investigator",
        expires="2026-03-31",
    )
    rows = [*fixture(*SCREENED, without=("unfit",)), judged]
    assert worklist(rows)["decision"] == "eligible"
    (item,) = worklist(rows, "2026-04-02T09:00:00+09:00")["items"]
    assert (item["fact"], item["reason"]) == ("unfit", "expired")


def test_d17_two_judgements_of_one_instant_that_differ_are_shown_as_a_conflict():
    both = [
        row("assessment", "2026-03-19T08:00:00+09:00", code="unfit", value=value, by=by)
        for value, by in ((False, "investigator"), (True, "sub-investigator"))
    ]
    rows = [*fixture(*SCREENED), *both]
    (proof,) = [e for e in found(rows, "EL-INELIGIBLE").evidence if e.get("criterion") == "E8"]
    assert proof["note"] == "conflict: 2 values; opinion of sub-investigator"
