"""Rows D1 to D18 of what Vigil can: each held by a test of its name, through the public doors.

D4, D5, D6 and D17 stand in test_rows_explanation.py, D7 and D8 in test_rows_checks.py, D9 and D10
in test_d9_versions.py and test_d10_backtest.py; who is told, in tests/integration/test_rows_told.py.
"""

from __future__ import annotations

import hashlib
import itertools
import os
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

import rules
from tests.properties.test_flagship_oracle import partial_sets
from tests.support import flagship_reading as reading
from tests.support.stories import Story, criterion, protocol, rule, us

ROOT = Path(__file__).resolve().parents[2]
FLAGSHIP = ROOT / "rules" / "protocols" / "msc-cgvhd.yaml"
TEMPERATURE = """\
codes:
  - {code: temp, type: observation, label: Temperature, value: number, unit: Cel, low: 25, high: 45,
     codings: [{system: "http://loinc.org", code: 8310-5}, {system: "http://snomed.info/sct", code: "386725007"}]}
"""
SEOUL = "2026-03-02T{}+09:00"


# --- D1: criteria as data -----------------------------------------------------------------------
WHOLE = protocol(
    """\
parameters:
  oldest: {value: 80, source: team}
codes:
  - {code: ecog, type: assessment, label: ECOG, value: integer, low: 0, high: 5}
  - {code: day_29, type: procedure, label: Day 29}
facts:
  age_years: {from: demographics, field: birth_date, take: completed_years}
criteria:
  - id: I1
    kind: inclusion
    text: Age betwen 18 and 80 years, of any sex.
    when: age_years >= 18 && age_years <= params.oldest
    interpretation: Completed years; the misprint is the source's.
    source: {document: team, section: "4.1", quote: Age betwen 18 and 80 years}
  - {id: I2, kind: inclusion, text: ECOG 0 to 2, when: ecog <= 2, @}
rules:
  - {id: S-ECOG, on: subject, category: safety, severity: serious, when: ecog >= 4, title: Bedridden, detail: "ECOG {ecog}", action: Call the ward., @}
stopping:
  - {id: ST-TOX, title: Toxicity, method: table, endpoint: grade >= 3, window_days: 28, table: [[3, 2]], @}
schedule:
  - {id: day_29, label: Day 29, after: first_infusion, day: 28, early_days: 2, late_days: 3, collects: [ecog], owner: site coordinator, @}
scenarios:
  - name: an adult in good health
    events:
      - {type: demographics, time: "2026-03-02T09:00:00+09:00", data: {birth_date: "1980-06-15"}}
      - {type: assessment, time: "2026-03-02T09:00:00+09:00", data: {code: ecog, value: 2}}
    expect: {decision: eligible}
"""
)


def test_d1_one_yaml_file_holds_the_whole_trial_with_the_sources_own_words():
    loaded = rules.loads(WHOLE)
    assert rules.check_scenarios(loaded) == []
    shown = rules.show(loaded, "text")
    for words in (
        "Age betwen 18 and 80 years, of any sex.",  # verbatim, misprint and all
        "Completed years; the misprint is the source's.",
        "Call the ward.",
        "Toxicity",
        "Day 29",
        "Source: team; 4.1",
    ):
        assert words in shown, words
    told = Story(WHOLE).tell("assessment", SEOUL.format("09:00:00"), code="ecog", value=4).open()
    assert told == {"S-ECOG": "ECOG 4"}


def test_d1_changing_the_file_alone_changes_the_verdict():
    for limit, verdict in (("80", "met"), ("40", "not_met")):
        story = Story(WHOLE.replace("oldest: {value: 80", f"oldest: {{value: {limit}"))
        story.tell("demographics", SEOUL.format("09:00:00"), birth_date="1980-06-15")
        assert story.verdict("I1") == verdict


def test_d1_a_criterion_without_its_source_does_not_load():
    with pytest.raises(rules.ProtocolError, match=r":\d+: .*source") as refused:
        rules.loads(WHOLE.replace("text: ECOG 0 to 2, when: ecog <= 2, source: {document: team}", "text: ECOG 0 to 2, when: ecog <= 2"))  # fmt: skip
    assert len(refused.value.complaints) == 1


# --- D2: three-valued, never coerced ------------------------------------------------------------
def test_d2_of_5000_random_records_none_differs_from_an_independent_oracle():
    flagship = rules.load(FLAGSHIP)
    undecided = 0
    for facts in partial_sets(5000, seed=18):
        made = flagship.assess(facts)
        assert dict(made.verdicts) == reading.verdicts(facts), facts
        assert made.decision == reading.decision(facts), facts
        undecided += made.decision is rules.Decision.INDETERMINATE
    assert undecided > 500


def test_d2_what_is_missing_is_never_no():
    flagship = rules.load(FLAGSHIP)
    made = flagship.assess({})
    assert set(made.verdicts.values()) == {None}
    assert made.decision is rules.Decision.INDETERMINATE


# --- D11: replay, and as known then -------------------------------------------------------------
REPLAYED = protocol(
    TEMPERATURE
    + """\
facts:
  hottest: {from: observation, code: temp, take: max, window: {hours: 24}}
criteria:
"""
    + criterion("E1", "hottest >= 38")
    + "rules:\n"
    + rule("S-HOT", "hottest >= 38", "{hottest}")
)


def feverish() -> Story:
    story = Story(REPLAYED)
    for day, value in ((1, 36.5), (2, 38.4), (4, 37.0), (5, 39.1)):
        time = f"2026-03-0{day}T08:00:00+09:00"
        story.tell("observation", time, code="temp", value=value, unit="Cel")
    return story.correct(2, "2026-03-06T08:00:00+09:00", entered_in_error=True)


def test_d11_as_known_then_is_what_was_decided_then():
    story = feverish()
    verdicts = {
        day: story.verdict("E1", f"2026-03-0{day}T09:00:00+09:00") for day in (1, 2, 3, 4, 5, 6)
    }
    assert verdicts == {1: "not_met", 2: "met", 3: "indeterminate", 4: "not_met", 5: "met", 6: "indeterminate"}  # fmt: skip
    # On the 2nd nobody knew that it would be taken back; now everybody does.
    assert story.open("2026-03-02T09:00:00+09:00") == {"S-HOT": "38.4 Cel"}
    assert [c.change for r in story.run().results for c in r.changes if c.rule == "S-HOT"] == [
        rules.Change.OPENED,
        rules.Change.CLEARED,
        rules.Change.OPENED,
    ]


PRINT = """
import hashlib
from tests.protocols.test_rows_d1_d18 import feverish
outcome = feverish().run("2026-03-09T00:00:00+09:00")
print(hashlib.sha256(outcome.state + repr(outcome.results).encode()).hexdigest())
"""


def test_d11_every_process_replays_byte_for_byte_the_same():
    printed = {
        subprocess.run(
            [sys.executable, "-c", PRINT],
            cwd=ROOT,
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()
        for seed in ("1", "2")
    }
    outcome = feverish().run("2026-03-09T00:00:00+09:00")
    here = hashlib.sha256(outcome.state + repr(outcome.results).encode()).hexdigest()
    assert printed == {here}


def test_d11_however_the_work_is_shared_out_the_state_is_the_same_to_the_byte():
    story = feverish()
    whole = story.run()
    for cuts in itertools.combinations(range(1, 6), 2):
        state, done = None, 0
        for cut in (*cuts, len(story.log)):
            part = story.log[done:cut]
            outcome = story.engine.subject_steps("t", "S-1", state, part, lambda n: story.log[:n])
            state, done = outcome.state, cut
        assert state == whole.state


# --- D12: late, out of order, corrected, entered in error ----------------------------------------
def test_d12_a_late_datum_is_judged_at_its_own_time():
    story = Story(REPLAYED)
    story.tell("observation", SEOUL.format("08:00:00"), code="temp", value=36.5, unit="Cel")
    story.tell("observation", "2026-03-01T07:00:00+09:00", SEOUL.format("09:00:00"), code="temp", value=39, unit="Cel")  # fmt: skip
    assert story.verdict("E1") == "not_met"  # 26 hours old when it came
    story.tell("observation", "2026-03-01T09:00:00+09:00", SEOUL.format("09:00:00"), code="temp", value=38.2, unit="Cel")  # fmt: skip
    assert story.open() == {"S-HOT": "38.2 Cel"}


def test_d12_the_order_of_arrival_does_not_matter():
    days = [("2026-03-01T10:00:00+09:00", 38.2), (SEOUL.format("08:00:00"), 36.4), ("2026-03-01T12:00:00+09:00", 38.9)]  # fmt: skip
    views = []
    for order in itertools.permutations(days):
        story = Story(REPLAYED)
        for time, value in order:
            story.tell("observation", time, SEOUL.format("09:00:00"), code="temp", value=value, unit="Cel")  # fmt: skip
        views.append((story.verdict("E1"), story.open()))
    assert views == [("met", {"S-HOT": "38.9 Cel"})] * 6


@pytest.mark.parametrize(
    "how",
    [
        {"entered_in_error": True},
        {"data": {"code": "temp", "value": 36.4, "unit": "Cel"}},
        {"time": "2026-02-20T08:00:00+09:00"},
    ],
    ids=["entered in error", "another value", "another time"],
)
def test_d12_a_correction_supersedes_what_rested_on_the_error(how):
    story = Story(REPLAYED)
    story.tell("observation", SEOUL.format("08:00:00"), code="temp", value=38.6, unit="Cel")
    assert story.open() == {"S-HOT": "38.6 Cel"}
    story.correct(1, SEOUL.format("09:00:00"), **how)
    assert story.open() == {}
    (last,) = story.run().results[-1].changes
    assert (last.change, last.rule, last.because_of) == (rules.Change.SUPERSEDED, "S-HOT", "ev2")


def test_d12_a_correction_of_a_correction_brings_the_first_word_back():
    story = Story(REPLAYED)
    story.tell("observation", SEOUL.format("08:00:00"), code="temp", value=38.6, unit="Cel")
    story.correct(1, SEOUL.format("09:00:00"), data={"code": "temp", "value": 36.4, "unit": "Cel"})
    story.correct(2, SEOUL.format("10:00:00"), entered_in_error=True)
    assert story.open() == {"S-HOT": "38.6 Cel"}


# --- D13: time passing ---------------------------------------------------------------------------
PASSING = protocol(
    TEMPERATURE
    + """\
  - {code: fit, type: assessment, label: Fit, value: boolean}
facts:
  age_years: {from: demographics, field: birth_date, take: completed_years}
  hottest: {from: observation, code: temp, take: max, window: {hours: 24}}
criteria:
"""
    + criterion("I1", "age_years >= 18")
    + criterion("I2", "fit", waivable="true")
    + criterion("E1", "hottest >= 38")
    + "rules:\n"
    + rule("S-HOT", "hottest >= 38")
    + rule("S-ADULT", "age_years >= 18")
    + rule("S-FIT", "fit")
)


def passing() -> Story:
    story = Story(PASSING)
    story.tell("demographics", SEOUL.format("08:00:00"), birth_date="2008-03-05", sex="male")
    story.tell("assessment", SEOUL.format("08:00:00"), code="fit", value=True, expires="2026-03-07")
    return story.tell("observation", SEOUL.format("08:00:00"), code="temp", value=38, unit="Cel")


def test_d13_windows_birthdays_and_expiries_are_known_in_advance_to_the_microsecond():
    story = passing()
    steps = []
    outcome = story.run()
    while outcome.next_due_us is not None:
        due, state = outcome.next_due_us, outcome.state
        outcome = story.engine.subject_steps("t", "S-1", state, [], lambda n: story.log[:n], due)
        (result,) = outcome.results
        steps.append((due, [(c.change.value, c.rule) for c in result.changes]))
        if len(steps) == 3:
            break
    assert steps == [
        (us("2026-03-03T08:00:00.000001+09:00"), [("cleared", "S-HOT")]),
        (us("2026-03-05T00:00:00+09:00"), [("opened", "S-ADULT")]),
        (us("2026-03-08T00:00:00+09:00"), [("cleared", "S-FIT")]),
    ]


def test_d13_a_sweep_that_never_ran_changes_nothing():
    story = passing()
    end = "2026-03-20T00:00:00+09:00"
    never = story.run(end)
    state: bytes | None = None
    results: list[rules.StepResult] = []
    for hour in range(0, 24 * 18, 7):
        at = us(SEOUL.format("08:00:00")) + hour * 3_600_000_000
        new = [] if state else story.log
        outcome = story.engine.subject_steps("t", "S-1", state, new, lambda n: story.log[:n], at)
        state = outcome.state
        results += outcome.results
    assert tuple(results) == never.results


def test_d13_an_override_expires_by_itself():
    story = Story(PASSING).tell("assessment", SEOUL.format("08:00:00"), code="fit", value=False)
    story.tell("override", SEOUL.format("09:00:00"), criterion="I2", by="the investigator", reason="r", expires="2026-03-04")  # fmt: skip
    satisfied = []
    for at in ("2026-03-04T23:59:59+09:00", "2026-03-05T00:00:00+09:00"):
        satisfied += [one["satisfied"] for one in story.view(at)["criteria"] if one["id"] == "I2"]
    assert satisfied == [True, False]


# --- D15: units ----------------------------------------------------------------------------------
def test_d15_a_hundred_point_four_fahrenheit_is_fever():
    story = Story(REPLAYED)
    story.tell("observation", SEOUL.format("08:00:00"), code="temp", value=100.4, unit="[degF]")
    assert story.verdict("E1") == "met"
    (item,) = story.view()["criteria"][0]["evidence"]
    assert (item["value"], item["unit"]) == (38.0, "Cel")
    story.tell("observation", "2026-03-04T08:00:00+09:00", code="temp", value=100.3, unit="[degF]")
    assert story.verdict("E1") == "not_met"


@pytest.mark.parametrize("unit", ["mm[Hg]", "mg/dL", "cel", "degF", "fever"])
def test_d15_what_does_not_convert_is_refused_at_the_door(unit):
    data = {"code": "temp", "value": 38, "unit": unit}
    (problem,) = Story(REPLAYED).engine.protocol.problems("observation", data, us(SEOUL.format("08:00:00")))  # fmt: skip
    assert problem[0] == "/data/unit"
    assert "cannot be converted to Cel" in problem[1]


CREATININE = protocol(
    """\
publishers:
  - {source: "https://lis.example/", unit_aliases: {MG/DL: mg/dL}}
parameters:
  limit: {value: 1.5, unit: mg/dL, source: team}
codes:
  - {code: creatinine, type: observation, label: Creatinine, value: number, unit: umol/L, molar_mass: 113.12}
  - {code: glucose, type: observation, label: Glucose, value: number, unit: mmol/L}
criteria:
"""
    + criterion("E1", "creatinine > params.limit")
    + criterion("E2", "glucose > 10")
)


@pytest.mark.parametrize(
    ("value", "unit", "verdict"),
    [
        (132.6, "umol/L", "not_met"),
        (132.7, "umol/L", "met"),
        (0.1327, "mmol/L", "met"),
        (1.5, "mg/dL", "not_met"),
        (1.51, "mg/dL", "met"),
        (15.1, "mg/L", "met"),
    ],
)
def test_d15_mass_converts_into_amount_by_the_molar_mass(value, unit, verdict):
    story = Story(CREATININE)
    story.tell("observation", SEOUL.format("08:00:00"), code="creatinine", value=value, unit=unit)
    assert story.verdict("E1") == verdict


@pytest.mark.parametrize(
    ("value", "unit", "told"),
    [(1.5, "mg/dL", 132.602545969), (132.6, "umol/L", 132.6), (0.1326, "mmol/L", 132.6)],
)
def test_d15_what_was_told_as_mass_is_read_as_amount(value, unit, told):
    story = Story(CREATININE)
    story.tell("observation", SEOUL.format("08:00:00"), code="creatinine", value=value, unit=unit)
    (item,) = story.view()["criteria"][0]["evidence"]
    assert (item["value"], item["unit"]) == (told, "umol/L")


@pytest.mark.parametrize(
    ("value", "unit", "told"),
    [(132.6, "umol/L", 1.49997120), (1.5, "mg/dL", 1.5), (0.1326, "mmol/L", 1.4999712)],
)
def test_d15_what_was_told_as_amount_is_read_as_mass(value, unit, told):
    story = Story(CREATININE.replace("unit: umol/L, molar_mass", "unit: mg/dL, molar_mass"))
    story.tell("observation", SEOUL.format("08:00:00"), code="creatinine", value=value, unit=unit)
    (item,) = story.view()["criteria"][0]["evidence"]
    assert (item["value"], item["unit"]) == (told, "mg/dL")


def test_d15_without_a_molar_mass_mass_is_no_amount():
    problems = Story(CREATININE).engine.protocol.problems(
        "observation", {"code": "glucose", "value": 180, "unit": "mg/dL"}, us(SEOUL.format("08:00:00"))
    )  # fmt: skip
    assert [pointer for pointer, _, _ in problems] == ["/data/unit"]


# --- D16: code systems ---------------------------------------------------------------------------
CODED = protocol(
    """\
value_sets:
  strong_inhibitors: [{system: "http://www.whocc.no/atc", code: J02AC02}, {system: "http://www.whocc.no/atc", code: J02AB02}]
"""
    + TEMPERATURE
    + """\
  - {code: diabetes, type: condition, label: Diabetes,
     codings: [{system: "http://hl7.org/fhir/sid/icd-10", code: E11}, {system: "http://snomed.info/sct", code: "44054006"}, {system: "https://www.meddra.org", code: "10012601"}]}
  - {code: inhibitor, type: medication, label: A strong inhibitor, value_set: strong_inhibitors}
criteria:
"""
    + criterion("E1", "diabetes || inhibitor || temp >= 38")
)


@pytest.mark.parametrize(
    ("kind", "system", "code", "more"),
    [
        ("observation", "http://loinc.org", "8310-5", {"value": 39, "unit": "Cel"}),
        ("observation", "http://snomed.info/sct", "386725007", {"value": 39, "unit": "Cel"}),
        ("condition", "http://hl7.org/fhir/sid/icd-10", "E11", {"status": "active"}),
        ("condition", "http://snomed.info/sct", "44054006", {"status": "active"}),
        ("condition", "https://www.meddra.org", "10012601", {"status": "active"}),
        ("medication", "http://www.whocc.no/atc", "J02AC02", {"status": "started"}),
        ("medication", "http://www.whocc.no/atc", "J02AB02", {"status": "started"}),
    ],
)
def test_d16_one_concept_may_be_told_in_several_code_systems(kind, system, code, more):
    strange = {"system": "urn:local", "code": "x"}
    story = Story(CODED)
    coding = [strange, {"system": system, "code": code}]
    story.tell(kind, SEOUL.format("08:00:00"), coding=coding, **more)
    assert story.verdict("E1") == "met"


def test_d16_the_local_code_and_the_public_one_are_the_same_datum():
    story = Story(CODED)
    story.tell("observation", SEOUL.format("08:00:00"), code="temp", value=39, unit="Cel")
    loinc = [{"system": "http://loinc.org", "code": "8310-5"}]
    story.tell("observation", SEOUL.format("09:00:00"), coding=loinc, value=36, unit="Cel")
    evidence = {item["fact"]: item["value"] for item in story.view()["criteria"][0]["evidence"]}
    assert evidence == {"temp": 36}


def test_d16_a_code_that_maps_to_nothing_is_told_and_never_silent():
    checker = Story(CODED).engine.protocol
    strange = [{"system": "http://loinc.org", "code": "1-1"}]
    (problem,) = checker.problems("observation", {"coding": strange, "value": 1, "unit": "Cel"}, us(SEOUL.format("08:00:00")))  # fmt: skip
    assert problem[0] == "/data/coding"
    assert problem[1] == "maps to no declared code"


# --- D3: four kinds of absence -------------------------------------------------------------------
ABSENT = protocol(
    """\
codes:
  - {code: pregnancy, type: observation, label: Pregnancy test, value: code, values: [negative, positive], applicable_if: sex == "female"}
  - {code: ecog, type: assessment, label: ECOG, value: integer, low: 0, high: 5}
  - {code: infection, type: condition, label: Infection}
facts:
  sex: {from: demographics, field: sex}
  why_pregnancy: {from: observation, code: pregnancy, take: absence, applicable_if: sex == "female"}
  why_ecog: {from: assessment, code: ecog, take: absence, valid: {days: 14}}
  why_infection: {from: condition, code: infection, take: absence}
criteria:
"""
    + criterion("E1", 'pregnancy == "positive"')
    + criterion("E2", "infection || ecog > 2")
    + "rules:\n"
    + rule("WHY", "infusions < 1000", "{why_pregnancy} {why_ecog} {why_infection}")
)
WHY = [
    ("nothing told", [], "not_recorded not_recorded not_recorded"),
    ("not done", [("observation", {"code": "pregnancy", "absent": "not_done"})], "not_done not_recorded not_recorded"),
    ("asked and not known", [("observation", {"code": "pregnancy", "absent": "unknown"})], "unknown not_recorded not_recorded"),
    ("refused", [("observation", {"code": "pregnancy", "absent": "refused"})], "refused not_recorded not_recorded"),
    ("a man", [("demographics", {"sex": "male"})], "not_applicable not_recorded not_recorded"),
    ("a man who was tested", [("demographics", {"sex": "male"}), ("observation", {"code": "pregnancy", "value": "negative"})], "recorded not_recorded not_recorded"),
    ("suspected", [("condition", {"code": "infection", "status": "suspected"})], "not_recorded not_recorded uncertain"),
    ("expired", [("assessment", {"code": "ecog", "value": 1, "expires": "2026-03-01"})], "not_recorded expired not_recorded"),
    ("recorded", [("assessment", {"code": "ecog", "value": 1})], "not_recorded recorded not_recorded"),
]  # fmt: skip


@pytest.mark.parametrize(("told", "words"), [one[1:] for one in WHY], ids=[one[0] for one in WHY])
def test_d3_why_a_datum_has_no_value_is_told_in_a_word_of_its_own(told, words):
    story = Story(ABSENT)
    story.tell("consent", SEOUL.format("08:00:00"), document="informed_consent", given_by="subject", status="given")  # fmt: skip
    for kind, data in told:
        story.tell(kind, SEOUL.format("08:00:00"), **data)
    assert story.open() == {"WHY": words}


@pytest.mark.parametrize("word", ["not_done", "unknown", "refused"])
def test_d3_no_kind_of_absence_is_no(word):
    story = Story(ABSENT)
    story.tell("observation", SEOUL.format("08:00:00"), code="pregnancy", absent=word)
    assert story.verdict("E1") == "indeterminate"
    (missing,) = [one for one in story.view()["missing"] if one["fact"] == "pregnancy"]
    assert missing["reason"] == word


def test_d3_what_does_not_apply_is_not_asked_for():
    story = Story(ABSENT).tell("demographics", SEOUL.format("08:00:00"), sex="male")
    assert story.verdict("E1") == "not_applicable"
    assert "pregnancy" not in {one["fact"] for one in story.view()["missing"]}
    story.tell("observation", SEOUL.format("09:00:00"), code="pregnancy", value="positive")
    assert story.verdict("E1") == "met"  # what was recorded wins


# --- D14: windows, partial dates, local days -----------------------------------------------------
def windowed(window: str, take: str = "count") -> str:
    body = f"facts:\n  f: {{from: observation, code: temp, take: {take}, window: {window}}}\ncriteria:\n"
    return protocol(TEMPERATURE + body + criterion("E1", "f >= 1"), "America/New_York")


EDGE = [
    ("{hours: 24}", "2026-03-08T12:00:00-04:00", "met"),
    ("{hours: 24}", "2026-03-08T11:59:59.999999-04:00", "indeterminate"),
    ("{hours: 24, ends: last}", "2026-03-08T12:00:00-04:00", "indeterminate"),
    ("{hours: 24, ends: last}", "2026-03-08T12:00:00.000001-04:00", "met"),
    ("{hours: 24, ends: first}", "2026-03-09T12:00:00-04:00", "indeterminate"),
    ("{hours: 24, ends: neither}", "2026-03-09T11:59:59.999999-04:00", "met"),
    # The clocks went forward on the 8th: 24 hours are exact, a calendar day has 23.
    ("{days: 1}", "2026-03-08T11:30:00-04:00", "indeterminate"),
    ("{calendar_days: 1}", "2026-03-08T00:00:00-05:00", "met"),
    ("{calendar_days: 1}", "2026-03-07T23:59:59-05:00", "indeterminate"),
    ("{calendar_days: 1, ends: last}", "2026-03-08T23:59:59-04:00", "indeterminate"),
    ("{calendar_days: 1, ends: last}", "2026-03-09T00:00:00-04:00", "met"),
    ("{months: 1}", "2026-02-09T00:00:00-05:00", "met"),
    ("{months: 1}", "2026-02-08T23:59:59-05:00", "indeterminate"),
]


@pytest.mark.parametrize(("window", "time", "verdict"), EDGE)
def test_d14_a_window_says_which_of_its_ends_belong_to_it(window, time, verdict):
    story = Story(windowed(window))
    story.tell("observation", time, "2026-03-09T12:00:00-04:00", code="temp", value=37, unit="Cel")
    assert story.verdict("E1", "2026-03-09T12:00:00-04:00") == verdict


def test_d14_days_are_the_sites_and_not_the_servers():
    story = Story(windowed("{calendar_days: 0}"))
    story.tell("observation", "2026-03-09T00:30:00-04:00", code="temp", value=37, unit="Cel")
    assert story.verdict("E1", "2026-03-09T23:59:59-04:00") == "met"  # in UTC it is the 10th
    assert story.verdict("E1", "2026-03-10T00:00:00-04:00") == "indeterminate"


def test_d14_a_date_without_its_hour_is_an_interval():
    story = Story(windowed("{hours: 24}").replace("f >= 1", "f >= 2"))
    story.tell("observation", "2026-03-08T00:00:00-05:00", "2026-03-09T08:00:00-04:00", precision="day", code="temp", value=37, unit="Cel")  # fmt: skip
    story.tell("observation", "2026-03-09T07:00:00-04:00", code="temp", value=37, unit="Cel")
    answers = [story.verdict("E1", f"2026-03-09T{at}-04:00") for at in ("08:00:00", "23:59:59.999999")]  # fmt: skip
    assert answers == ["indeterminate", "indeterminate"]  # at eight, and at the day's last hour


AGED = protocol(
    """\
codes:
  - {code: ecog, type: assessment, label: ECOG, value: integer, low: 0, high: 5}
facts:
  age_years: {from: demographics, field: birth_date, take: completed_years}
  given: {derive: (140 - age_years) * 2}
criteria:
"""
    + criterion("I1", "age_years >= 18")
)


@pytest.mark.parametrize(
    ("born", "verdict"),
    [
        ("2007", "met"),
        ("2008", "indeterminate"),
        ("2009", "not_met"),
        ("2008-02", "met"),
        ("2008-03", "indeterminate"),
        ("2008-04", "not_met"),
        ("2008-03-09", "met"),
        ("2008-03-10", "not_met"),
    ],
)
def test_d14_age_by_a_partial_birth_date_is_open_near_a_limit_alone(born, verdict):
    text = AGED.replace("  given: {derive: (140 - age_years) * 2}\n", "")
    story = Story(text).tell("demographics", "2026-03-09T12:00:00+09:00", birth_date=born)
    assert story.verdict("I1") == verdict


def test_d14_what_is_computed_of_an_open_age_is_open():
    text = AGED + criterion("E1", "given > 188").replace("@", "source: {document: team}")
    story = Story(text).tell("demographics", "2026-03-09T12:00:00+09:00", birth_date="1980")
    assert story.verdict("E1") == "indeterminate"  # 190 or 188, by a birthday nobody knows
    story.tell("demographics", "2026-03-09T13:00:00+09:00", birth_date="1980-12-01")
    assert story.verdict("E1") == "met"


def test_d14_born_on_the_29th_of_february_one_is_of_age_on_the_1st_of_march():
    text = AGED.replace("  given: {derive: (140 - age_years) * 2}\n", "")
    story = Story(text).tell("demographics", "2026-02-01T12:00:00+09:00", birth_date="2008-02-29")
    assert story.verdict("I1", "2026-02-28T23:59:59.999999+09:00") == "not_met"
    assert story.verdict("I1", "2026-03-01T00:00:00+09:00") == "met"
    waits = story.run("2026-02-28T23:59:59.999999+09:00").next_due_us
    assert waits == us("2026-03-01T00:00:00+09:00")  # it is judged anew by itself


ANCHORED = protocol(
    TEMPERATURE
    + """\
facts:
  before: {from: observation, code: temp, take: max, window: {calendar_days: 3, before: enrolment}}
  day_29: {from: observation, code: temp, take: latest, window: {calendar_days: [25, 31], after: first_infusion}}
criteria:
"""
    + criterion("E1", "before >= 38")
    + "rules:\n"
    + rule("TELL", "infusions < 1000", "{before} {day_29}")
)


def test_d14_a_window_may_stand_round_an_anchor():
    story = Story(ANCHORED)
    for day, value in (("02-26", 39), ("02-27", 38.5), ("03-02", 38), ("03-27", 40), ("03-28", 37), ("04-03", 36), ("04-04", 41)):  # fmt: skip
        story.tell("observation", f"2026-{day}T12:00:00+09:00", code="temp", value=value, unit="Cel")  # fmt: skip
        if day == "03-02":
            assert story.open() == {"TELL": "not recorded not recorded"}  # neither has happened
            story.tell("enrolment", "2026-03-02T13:00:00+09:00", status="enrolled")
            story.tell("administration", "2026-03-03T09:00:00+09:00", number=1, status="completed")
    assert story.open() == {"TELL": "38.5 Cel 36 Cel"}


# --- D18: conflicting data -----------------------------------------------------------------------
def conflicting(policy: str, code: str = "temp") -> str:
    codes = """\
codes:
  - {code: temp, type: observation, label: Temperature, value: number, unit: Cel}
  - {code: colour, type: observation, label: Colour, value: code, values: [green, amber, red]}
  - {code: unfit, type: assessment, label: Unfit, value: boolean}
"""
    origin = "assessment" if code == "unfit" else "observation"
    facts = f"facts:\n  f: {{from: {origin}, code: {code}{policy}}}\ncriteria:\n"
    rules_ = "rules:\n" + rule("TELL", "infusions < 1000", "{f}")
    return protocol(codes + facts + criterion("E1", "temp >= 50") + rules_)


POLICIES = [
    ("", "temp", (38, 36, 37), "37 Cel"),
    (", conflict: last", "temp", (38, 36, 37), "37 Cel"),
    (", conflict: last, within: day", "temp", (38, 36, 37), "37 Cel"),
    (", conflict: worst, worse: high", "temp", (38, 36, 37), "38 Cel"),
    (", conflict: worst, worse: low", "temp", (38, 36, 37), "36 Cel"),
    (", conflict: mean", "temp", (38, 36, 38), "37.3333333333 Cel"),
    (", conflict: worst, worse: [green, amber, red]", "colour", ("amber", "red", "green"), "red"),
    (", conflict: worst, worse: [red, amber, green]", "colour", ("amber", "red", "green"), "green"),
    (", conflict: any", "unfit", (False, True, False), "yes"),
    (", conflict: last", "unfit", (False, True, False), "no"),
]


@pytest.mark.parametrize(("policy", "code", "values", "answer"), POLICIES)
def test_d18_data_of_one_time_that_differ_are_settled_by_the_facts_policy(
    policy, code, values, answer
):
    story = Story(conflicting(policy, code))
    kind = "assessment" if code == "unfit" else "observation"
    unit = {"unit": "Cel"} if code == "temp" else {}
    for value in values:
        story.tell(kind, SEOUL.format("08:00:00"), code=code, value=value, **unit)
    assert story.open() == {"TELL": answer}


@pytest.mark.parametrize(("within", "answer"), [("instant", "36 Cel"), ("day", "38 Cel")])
def test_d18_of_one_time_may_mean_of_one_local_day(within, answer):
    story = Story(conflicting(f", conflict: worst, worse: high, within: {within}"))
    for hour, value in ((8, 38), (20, 36)):
        story.tell("observation", SEOUL.format(f"{hour:02}:00:00"), code="temp", value=value, unit="Cel")  # fmt: skip
    assert story.open() == {"TELL": answer}


@pytest.mark.parametrize(
    ("policy", "decides"),
    [("", 36), (", conflict: worst, worse: high", 38), (", conflict: mean", 37.3333333333)],
)
def test_d18_a_conflict_is_visible_where_it_decides(policy, decides):
    story = Story(conflicting(policy).replace("temp >= 50", "f >= 30"))
    for value in (38, 38, 36):
        story.tell("observation", SEOUL.format("08:00:00"), code="temp", value=value, unit="Cel")
    (item,) = story.view()["criteria"][0]["evidence"]
    assert item["value"] == decides
    assert "conflict: 2 values" in str(item)


# --- every row has a test of its name ------------------------------------------------------------
def test_every_row_has_a_test_of_its_name():
    found = Counter(
        int(number)
        for file in (ROOT / "tests").rglob("test_*.py")
        for number in re.findall(r"^(?:async )?def test_d(\d+)_", file.read_text(), re.MULTILINE)
    )
    assert [row for row in range(1, 19) if not found[row]] == []
