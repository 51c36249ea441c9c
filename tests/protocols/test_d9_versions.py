"""D9: subjects keep the version they were screened under; what protects them is the newest."""

from __future__ import annotations

from dataclasses import replace

import pytest

import rules
from rules.model import Amendment, And, Compare, Const
from rules.pinning import course, standing
from rules.protocol import Protocol
from rules.terms import AmendmentKind
from rules.versions.merging import accepting, merged
from tests.support.step_logs import HOUR, event
from tests.support.versions import AMENDS, engine, fold, version

DAY = "2026-01-{:02}T09:00:00"


def told(*said):
    """A numbered log: (day, type, data) each."""
    return [
        replace(event(n, kind, DAY.format(day), **data), n=n)
        for n, (day, kind, data) in enumerate(said, 1)
    ]


def activation(day, name):
    return (day, "activation", {"version": name, "effective_from_us": 0})


ECOG_2 = {"code": "ecog", "value": 2}
SCREENED = (2, "enrolment", {"status": "screened"})
ENROLLED = (4, "enrolment", {"status": "enrolled"})


def consent(day, form, status="given"):
    data = {"document": "informed_consent", "given_by": "subject", "status": status}
    return (day, "consent", {**data, "version": form})


def view(log):
    _, outcome, name = fold(log)
    return engine(name).view(outcome.state)


def verdict(log, criterion="I3"):
    found = view(log)
    by_id = {item["id"]: item["verdict"] for item in found["criteria"]}
    return found["protocol_version"], by_id[criterion]


def test_d9_a_subject_screened_under_a_version_is_judged_by_it_after_the_next_is_in_force():
    log = told((1, "assessment", ECOG_2), SCREENED, activation(3, "2"))
    assert verdict(log) == ("1", "met")


def test_d9_a_subject_first_seen_before_and_screened_after_is_judged_by_the_new_version():
    log = told((1, "assessment", ECOG_2), activation(2, "2"))
    assert verdict(log) == ("1", "met")
    assert verdict(told((1, "assessment", ECOG_2), activation(2, "2"), (3, *SCREENED[1:]))) == (
        ("2", "not_met")
    )


def test_d9_consent_to_the_new_version_moves_a_subject_in_screening():
    log = told((1, "assessment", ECOG_2), SCREENED, activation(3, "2"), consent(4, "2"))
    assert verdict(log) == ("2", "not_met")
    assert verdict([*log[:3], *told(*[activation(1, "2")] * 3, consent(4, "1"))[3:]])[0] == "1"
    assert verdict(told((1, "assessment", ECOG_2), SCREENED, activation(3, "2"),
                        consent(4, "2", "withdrawn")))[0] == "1"  # fmt: skip


def test_d9_a_consent_entered_in_error_moves_nobody():
    log = told(
        (1, "assessment", ECOG_2), SCREENED, activation(3, "2"), consent(4, "2"),
        (5, "correction", {"corrects": {"source": "lab", "id": "e4"}, "entered_in_error": True}),
    )  # fmt: skip
    assert verdict(log) == ("1", "met")


def test_d9_a_new_form_signed_before_its_version_is_in_force_counts_from_then_on():
    log = told((1, "assessment", ECOG_2), SCREENED, consent(3, "2"), activation(4, "2"))
    assert verdict(log) == ("2", "not_met")


def test_d9_a_new_form_withdrawn_before_its_version_is_in_force_moves_nobody():
    signed = (SCREENED, ENROLLED, consent(4, "2"))
    log = told(*signed, consent(5, "2", "withdrawn"), activation(6, "2"))
    pins, owed = standing("1", course(log), definition)
    assert pins.schedule == "1"
    assert owed is not None
    assert owed.version == "2"
    again = told(*signed, consent(5, "2", "withdrawn"), consent(6, "2"), activation(7, "2"))
    assert standing("1", course(again), definition).pins.schedule == "2"


@pytest.mark.parametrize("ahead", [True, False])
def test_d9_a_new_form_withdrawn_after_it_counted_is_owed_again_and_takes_its_move_back(ahead):
    moved = (consent(4, "2"), activation(5, "2"))
    moved = moved if ahead else moved[::-1]
    marks = course(told(SCREENED, ENROLLED, *moved, consent(6, "2", "withdrawn")))
    pins, owed = standing("1", marks, definition)
    assert pins == ("1", "1")
    assert owed is not None
    assert (owed.version, owed.since_us) == ("2", next(m[3] for m in marks if m[1] == "activation"))
    again = told(SCREENED, ENROLLED, *moved, consent(6, "2", "withdrawn"), consent(7, "2"))
    assert standing("1", course(again), definition) == (("1", "2"), None)


def test_d9_an_earlier_form_withdrawn_beside_a_newer_one_changes_nothing():
    log = (SCREENED, consent(3, "1"), ENROLLED, activation(5, "2"), consent(6, "2"))
    assert standing("1", course(told(*log, consent(7, "1", "withdrawn"))), definition) == (
        ("1", "2"),
        None,
    )


def test_d9_the_consent_withdrawn_last_leads_back_to_the_one_before():
    log = (SCREENED, ENROLLED, activation(5, "2"), consent(5, "2"), activation(6, "3"))
    marks = course(told(*log, consent(7, "3"), consent(8, "3", "withdrawn")))
    assert standing("1", marks, definition).pins.schedule == "2"
    marks = course(told(*log, consent(7, "3"), consent(8, "2", "withdrawn")))
    assert standing("1", marks, definition).pins.schedule == "3"


def test_d9_an_enrolled_subject_stays_judged_by_the_version_it_was_enrolled_under():
    log = told((1, "assessment", ECOG_2), SCREENED, ENROLLED, activation(5, "2"), consent(6, "2"))
    _, outcome, _ = fold(log)
    assert verdict(log) == ("1", "met")
    assert (outcome.criteria_version, outcome.pinned_version) == ("1", "2")


def test_d9_who_is_screened_anew_after_leaving_is_screened_under_the_version_of_that_day():
    left = (4, "enrolment", {"status": "withdrawn"})
    again = (6, "enrolment", {"status": "screened"})
    log = told((1, "assessment", ECOG_2), SCREENED, left, activation(5, "2"), again)
    assert verdict(log)[0] == "2"
    told_twice = told((1, "assessment", ECOG_2), SCREENED, activation(5, "2"), again)
    assert verdict(told_twice)[0] == "1"


def test_d9_safety_rules_of_the_active_version_protect_a_subject_pinned_to_an_earlier_one():
    warm = {"code": "temp", "value": 37.7, "unit": "Cel"}
    log = told(SCREENED, ENROLLED, activation(5, "2"), (6, "observation", warm))
    results, _, _ = fold(log)
    fired = [(c.rule, c.version) for r in results for c in r.changes if c.rule == "S-HOT"]
    assert fired == [("S-HOT", None)]
    results, _, _ = fold(told(SCREENED, ENROLLED, (6, "observation", warm)))
    assert not [c for r in results for c in r.changes if c.rule == "S-HOT"]


def overdue_visits(log, until):
    results, _, _ = fold(log, until=until)
    return [(c.key, c.change) for r in results for c in r.changes if c.rule == "V-OVERDUE"]


def test_d9_consented_visits_are_those_of_the_version_that_the_subject_consented_to():
    infused = (5, "administration", {"product": "MSC", "number": 1, "status": "completed"})
    woman = (1, "demographics", {"sex": "female", "birth_date": "1980"})
    log = told(woman, SCREENED, ENROLLED, infused, activation(6, "2"))
    until = log[-1].time_us + 12 * 24 * HOUR  # week 1 of the first version is over
    assert ("visit:week_1", "opened") in overdue_visits(log, until)
    moved = [*log, *told(*[SCREENED] * 5, consent(7, "2"))[5:]]
    assert ("visit:week_1", "opened") not in overdue_visits(moved, until)
    late = [*log, *told(*[SCREENED] * 5, consent(18, "2"))[5:]]
    assert ("visit:week_1", "cleared") in overdue_visits(late, until)


def test_d9_eligibility_alerts_name_the_pinned_version_and_its_facts_without_a_suffix():
    infarct = {"code": "infarct", "status": "active", "onset": "2025-10-01"}
    log = told(SCREENED, activation(3, "2"), (4, "condition", infarct))
    results, _, _ = fold(log)
    (change,) = [c for r in results for c in r.changes if c.rule == "EL-NO"]
    assert change.version == "1"
    shown = view(log)
    (heart,) = [item for item in shown["criteria"] if item["id"] == "E2"]
    assert heart["verdict"] == "met"
    assert "infarct" in [item["fact"] for item in heart["evidence"]]
    assert "__" not in str(shown)


def test_d9_a_merged_protocol_has_both_readings_of_a_fact_and_only_one_of_those_alike():
    one, two = version("1").definition, version("2").definition
    both = merged(one, one, two)
    assert both.facts["infarct"] == two.facts["infarct"]
    assert both.facts["infarct__pinned"].window == one.facts["infarct"].window
    assert "stent__pinned" not in both.facts
    hot = {item.id: item.when for item in both.rules}["S-HOT"]
    assert Compare("hottest", ">=", 37.5) in names_and_limits(hot)
    assert merged(two, two, two) is two
    rules.Engine(Protocol(both)).knowledge  # noqa: B018 - it compiles, for the engine too


def test_d9_a_rule_about_a_criterion_that_the_subjects_version_lacks_sees_it_not_apply():
    one, two = version("1").definition, version("2").definition
    shorter = replace(one, criteria=one.criteria[1:], digest="shorter")
    gone = one.criteria[0].id
    rule = replace(two.rules[3], when=rules_when(gone))
    both = merged(shorter, shorter, replace(two, rules=(rule,), digest="ruled"))
    (kept,) = [item for item in both.rules if item.id == rule.id]
    assert kept.when == Const(value=True)


def names_and_limits(condition):
    return condition.parts if isinstance(condition, And) else (condition,)


def rules_when(name):
    return Compare(name, "==", "not_applicable")


def test_d9_the_door_takes_the_codes_of_the_active_version_and_of_those_still_needed():
    one, two = version("1").definition, version("2").definition
    fewer = replace(two, codes={key: code for key, code in two.codes.items() if key[1] != "stent"})
    kind = next(key for key in one.codes if key[1] == "stent")
    assert kind not in accepting(fewer, []).codes
    assert kind in accepting(fewer, [one]).codes


def definition(name):
    return version(name).definition


# --- re-consent -------------------------------------------------------------------------------
def overdue(log, until=None):
    results, outcome, _ = fold(log, until=until)
    found = [
        (c.change, r.due_us) for r in results for c in r.changes if c.rule == "CO-RECONSENT-OVERDUE"
    ]
    return found, outcome


def test_d9_an_overdue_consent_is_told_at_its_instant_and_ends_with_the_consent():
    log = told(SCREENED, ENROLLED, activation(5, "2"))
    due_us = log[-1].time_us + 14 * 24 * HOUR
    found, outcome = overdue(log)
    assert found == []
    assert outcome.next_due_us == due_us
    assert outcome.owed == ("2", log[-1].time_us, due_us)
    assert overdue(log, until=due_us)[0] == [("opened", due_us)]
    found, outcome = overdue([*log, *told(*[SCREENED] * 3, consent(25, "2"))[3:]])
    assert found == [("opened", due_us), ("cleared", 0)]
    assert outcome.owed is None


def test_d9_a_consent_withdrawn_after_it_was_due_is_overdue_at_once():
    log = told(
        SCREENED, ENROLLED, activation(5, "2"), consent(6, "2"), consent(25, "2", "withdrawn")
    )
    found, outcome = overdue(log)
    assert [change for change, _ in found] == ["opened"]
    assert outcome.owed is not None
    left = (26, "enrolment", {"status": "withdrawn"})
    gone = told(SCREENED, ENROLLED, activation(5, "2"), consent(6, "2"), consent(25, "2", "withdrawn"), left)  # fmt: skip
    found, outcome = overdue(gone)
    assert [change for change, _ in found] == ["opened", "cleared"]
    assert outcome.owed is None


@pytest.mark.parametrize("status", ["withdrawn", "completed", "lost"])
def test_d9_who_has_left_the_trial_owes_no_consent(status):
    log = told(SCREENED, ENROLLED, activation(5, "2"), (25, "enrolment", {"status": status}))
    found, outcome = overdue(log)
    assert [change for change, _ in found] == ["opened", "cleared"]
    assert outcome.owed is None


def test_d9_who_is_not_in_screening_or_dead_owes_no_consent():
    assert overdue(told((1, "assessment", ECOG_2), activation(5, "2")))[1].owed is None
    died = told(SCREENED, ENROLLED, activation(5, "2"), (6, "death", {"causality": "unrelated"}))
    assert overdue(died)[1].owed is None


def test_d9_a_minor_amendment_asks_for_no_consent_and_does_not_hide_a_major_one():
    minor = told(activation(1, "2"), (2, *SCREENED[1:]), activation(5, "3"))
    assert standing("2", course(minor), definition).owed is None
    both = told(SCREENED, activation(5, "2"), activation(6, "3"))
    owed = standing("1", course(both), definition).owed
    assert owed is not None
    assert (owed.version, owed.since_us) == ("2", both[1].time_us)


def test_d9_without_a_time_the_consent_is_listed_and_nobody_is_alerted():
    open_end = replace(AMENDS["2"], reconsent_within_days=None)
    amended = Protocol(replace(version("2").definition, amends=open_end))
    one = rules.Engine(amended, others={"1": version("1")}.get)
    log = told(SCREENED, ENROLLED, activation(5, "2"))
    outcome = one.subject_steps("t", "S-1", None, log, lambda n: log[:n], 1 << 60, began="1")
    assert outcome.owed == ("2", log[-1].time_us, None)
    assert not [c for r in outcome.results for c in r.changes if c.rule == "CO-RECONSENT-OVERDUE"]


def test_d9_a_consent_form_may_serve_several_versions():
    forms = {"2": "F2", "3": "F2", "1": "F1"}

    def find(name):
        amends = Amendment("1", AmendmentKind.MAJOR, "x") if name == "2" else None
        return replace(version(name).definition, consent_version=forms[name], amends=amends)

    log = told(SCREENED, consent(3, "F1"), activation(5, "2"), consent(6, "F2"), activation(7, "3"))
    assert standing("1", course(log), find).pins.schedule == "2"
    signed_again = [*log, *told(*[SCREENED] * 5, consent(8, "F2"))[5:]]
    assert standing("1", course(signed_again), find).pins.schedule == "3"
