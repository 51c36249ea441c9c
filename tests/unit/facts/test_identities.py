"""One code that stands for several things: the end of one is not the end of another."""

from __future__ import annotations

from dataclasses import replace

import pytest

import rules
from rules import state as states
from rules.facts import timeline
from tests.support.step_logs import at, event

ATC = "http://www.whocc.no/atc"
TEXT = """
vigil: 1
protocol: {id: p, version: "1", title: P, time_zone: Asia/Seoul, target: 2, sex: all, outcomes: {primary: [x], secondary: [y]}, sources: {doc: A document}}
parameters: {}
codes:
  - {code: inhibitor, type: medication, label: A strong inhibitor, codings: [{system: "http://www.whocc.no/atc", code: J02AC02}, {system: "http://www.whocc.no/atc", code: J05AE03}]}
  - {code: clot, type: condition, label: A clot, codings: [{system: "http://snomed.info/sct", code: "1"}, {system: "http://hl7.org/fhir/sid/icd-10", code: I26}]}
facts:
  sex: {from: demographics, field: sex}
  taken_lately: {from: medication, code: inhibitor, take: touches_span, window: {days: 7}}
  began_lately: {from: medication, code: inhibitor, take: touches_point, window: {days: 7}}
  courses: {from: medication, code: inhibitor, take: count}
  inhibitor_why: {from: medication, code: inhibitor, take: absence}
criteria:
  - {id: E1, kind: exclusion, text: Inhibitor, when: inhibitor, source: {document: doc}}
  - {id: E2, kind: exclusion, text: Lately, when: taken_lately || began_lately, source: {document: doc}}
  - {id: E3, kind: exclusion, text: Courses, when: courses >= 3, source: {document: doc}}
  - {id: E4, kind: exclusion, text: Clot, when: clot, source: {document: doc}}
  - {id: E5, kind: exclusion, text: Why, when: 'inhibitor_why == "refused"', source: {document: doc}}
rules: []
"""
ENGINE = rules.Engine(rules.loads(TEXT, "p.yaml"))
ITRACONAZOLE, RITONAVIR = "J02AC02", "J05AE03"
KETOCONAZOLE, OTHER = "J02AB02", "J01FA09"


def drug(n, day, status, coded=None):
    data = {"code": "inhibitor", "status": status}
    if coded:
        data["coding"] = [{"system": ATC, "code": coded}]
    return event(n, "medication", f"2026-03-{day:02}T09:00:00", **data)


def facts(*log, on="2026-03-20T09:00:00"):
    told = list(log)
    outcome = ENGINE.subject_steps("t", "S", None, told, lambda n: told[:n], at(on))
    held = states.loads(outcome.state)
    read = ENGINE.plan.read
    return lambda name: read[name](held.timeline(), None, at(on)).value


def test_stopping_one_drug_of_a_class_does_not_stop_another():
    read = facts(
        drug(1, 2, "started", ITRACONAZOLE),
        drug(2, 3, "started", RITONAVIR),
        drug(3, 4, "stopped", ITRACONAZOLE),
    )
    assert read("inhibitor") is True
    assert read("taken_lately") is True
    assert read("began_lately") is False
    assert read("courses") == 2
    assert read("inhibitor_why") == "recorded"


def test_it_is_taken_no_more_once_every_drug_of_the_class_is_stopped():
    read = facts(
        drug(1, 2, "started", ITRACONAZOLE),
        drug(2, 3, "started", RITONAVIR),
        drug(3, 4, "stopped", ITRACONAZOLE),
        drug(4, 5, "stopped", RITONAVIR),
    )
    assert read("inhibitor") is False
    assert read("taken_lately") is False


def test_nothing_told_of_any_drug_is_unknown():
    read = facts(event(1, "enrolment", "2026-03-02T09:00:00", status="screened"))
    assert read("inhibitor") is None
    assert read("taken_lately") is None
    assert read("courses") is None
    assert read("inhibitor_why") == "not_recorded"


def test_what_is_told_by_the_bare_code_stands_by_itself():
    read = facts(drug(1, 2, "started", RITONAVIR), drug(2, 3, "stopped"))
    assert read("inhibitor") is True


def test_one_coding_in_each_system_is_one_thing():
    by_snomed = [{"system": "http://snomed.info/sct", "code": "1"}]
    by_icd = [{"system": "http://hl7.org/fhir/sid/icd-10", "code": "I26"}]
    told = event(
        1, "condition", "2026-03-02T09:00:00", code="clot", status="active", coding=by_snomed
    )
    ended = event(
        2, "condition", "2026-03-03T09:00:00", code="clot", status="resolved", coding=by_icd
    )
    assert facts(told)("clot") is True
    assert facts(told, ended)("clot") is False


@pytest.mark.parametrize("keep", [1, 6])
def test_many_tellings_of_one_drug_never_drop_what_was_told_of_another(monkeypatch, keep):
    monkeypatch.setattr(timeline, "KEEP", keep)
    monkeypatch.setattr(timeline, "PRUNE_EVERY", 2)
    log = [drug(1, 1, "started", RITONAVIR)]
    for n in range(2, 40):
        status = "started" if n % 2 else "stopped"
        log.append(drug(n, 2 + n % 3, status, ITRACONAZOLE))
    log.append(drug(40, 5, "stopped", ITRACONAZOLE))
    read = facts(*log)
    assert read("inhibitor") is True
    assert read("taken_lately") is True


@pytest.mark.parametrize("status", ["stopped", "started", "not_taken"])
def test_a_drug_whose_start_nobody_told_is_shown_with_what_is_known_of_it(status):
    log = [drug(1, 1, status), drug(2, 2, "stopped")]
    outcome = ENGINE.subject_steps("t", "S", None, log, lambda n: log[:n])
    shown = ENGINE.view(outcome.state)["criteria"]
    assert [item["id"] for item in shown] == ["E1", "E2", "E3", "E4", "E5"]
    times = [told["time"] for item in shown for told in item["evidence"]]
    assert all(time is None or time.startswith("20") for time in times)


# --- versions ---------------------------------------------------------------------------------
def listing(name, *drugs):
    """The same protocol with another list of drugs."""
    codings = ", ".join(f'{{system: "{ATC}", code: {one}}}' for one in drugs)
    head, mark, rest = TEXT.partition("codings: [")
    text = head + mark + codings + rest[rest.index("]}") :]
    return rules.loads(text.replace('version: "1"', f'version: "{name}"'), f"{name}.yaml")


def under_the_first(new, *drugs):
    """E1 of who was screened under the long list, the new one being in force from the 5th on."""
    old = listing("1", ITRACONAZOLE, RITONAVIR, KETOCONAZOLE)
    screened = event(1, "enrolment", "2026-03-01T09:00:00", status="screened")
    active = event(5, "activation", "2026-03-05T09:00:00", version="2", effective_from_us=0)
    told = sorted([screened, *drugs, active], key=lambda one: one.n)
    log = [replace(one, n=n) for n, one in enumerate(told, 1)]
    engine = rules.Engine(new, others=lambda _name: old)
    outcome = engine.subject_steps("t", "S", None, log, lambda n: log[:n], began="1")
    (found,) = (item for item in engine.view(outcome.state)["criteria"] if item["id"] == "E1")
    return found["verdict"]


@pytest.mark.parametrize("kept", [(ITRACONAZOLE,), (ITRACONAZOLE, OTHER)])
def test_who_is_pinned_to_a_longer_list_of_drugs_is_judged_by_that_list(kept):
    still = under_the_first(
        listing("2", *kept),
        drug(2, 2, "started", RITONAVIR),
        drug(3, 3, "stopped", KETOCONAZOLE),
        drug(4, 4, "started", ITRACONAZOLE),
        drug(6, 6, "stopped", ITRACONAZOLE),
    )
    assert still == "met"


def test_what_only_the_new_list_names_says_nothing_to_who_is_judged_by_the_old_one():
    longer = listing("2", ITRACONAZOLE, RITONAVIR, OTHER)
    drugs = (drug(2, 2, "stopped", RITONAVIR), drug(6, 6, "started", OTHER))
    assert under_the_first(longer, *drugs) == "not_met"


def test_the_door_takes_a_drug_that_only_an_earlier_version_lists():
    old, new = listing("1", ITRACONAZOLE, RITONAVIR), listing("2", ITRACONAZOLE)
    data = {"coding": [{"system": ATC, "code": RITONAVIR}], "status": "started"}

    def problems(checker):
        return checker.check("medication", data, at("2026-03-02T09:00:00"))[1]

    assert problems(new.checker)
    assert problems(rules.door(new, [old])) == []
