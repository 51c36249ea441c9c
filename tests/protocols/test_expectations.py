"""What contract §11 and the record ask of the flagship, written from their text and not its code."""

from __future__ import annotations

import itertools
import random
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

import rules
from rules.facts.calendar import to_us
from rules.replay import open_findings

FILE = Path(__file__).parents[2] / "rules" / "protocols" / "msc-cgvhd.yaml"
TEXT = FILE.read_text(encoding="utf-8")
FIXTURES: dict[str, list[dict[str, Any]]] = yaml.safe_load(TEXT)["fixtures"]
MET, NOT, UNKNOWN, INAPPLICABLE = "met", "not_met", "indeterminate", "not_applicable"
NOON = "2026-03-02T12:00:00+09:00"
BEFORE = "2026-03-01T09:00:00+09:00"
Row = dict[str, Any]


@cache
def engine() -> rules.Engine:
    return rules.Engine(rules.loads(TEXT.partition("\nscenarios:")[0] + "\n", FILE.name))


def us(text: str) -> int:
    return to_us(datetime.fromisoformat(text))


def fixture(*names: str, without: tuple[str, ...] = ()) -> list[Row]:
    rows = [row for name in names for row in FIXTURES[name]]
    return [row for row in rows if row["data"].get("code") not in without]


def row(kind: str, time: str, /, *, precision: str = "second", **data: Any) -> Row:
    return {"type": kind, "time": time, "precision": precision, "data": data}


def stepped(rows: list[Row], at: str) -> rules.Outcome:
    """Everything received in order of time, judged up to an instant."""
    checker = engine().plan.protocol.checker
    log: list[rules.Event] = []
    for n, one in enumerate(sorted(rows, key=lambda one: us(one["time"])), 1):
        time_us, precision = us(one["time"]), one.get("precision", "second")
        data, problems = checker.check(one["type"], one["data"], time_us)
        assert problems == []
        assert checker.begins(time_us, precision)
        names = (f"ev{n}", "s", f"e{n}", one["type"])
        log.append(rules.Event(n, *names, time_us, precision, time_us, data))
    return engine().subject_steps("t", "s", None, log, lambda n: log[:n], us(at))


def folded(rows: list[Row], at: str) -> tuple[dict[str, Any], list[str]]:
    """The checklist and the open rules at an instant."""
    outcome = stepped(rows, at)
    view = engine().view(outcome.state)
    return view, sorted(rule for rule, _ in open_findings(outcome.results))


def verdict(criterion: str, rows: list[Row], at: str = NOON) -> str:
    view, _ = folded(rows, at)
    return next(one["verdict"] for one in view["criteria"] if one["id"] == criterion)


def adult(*more: Row, without: str) -> list[Row]:
    return [*fixture("clinical", "man", "own_consent", without=(without,)), *more]


# --- the window of six months -------------------------------------------------------------------
WINDOW = [
    ("2025-09-02", MET),
    ("2025-09-01", NOT),
    ("2025-09-02T00:00:00+09:00", MET),
    ("2025-09-01T23:59:59+09:00", NOT),
    ("2025-09-01T15:00:00Z", MET),
    ("2025-09-01T14:59:59Z", NOT),
    ("2025-08", NOT),
    ("2025-09", UNKNOWN),
    ("2025-10", MET),
    ("2024", NOT),
    ("2025", UNKNOWN),
    ("2026", MET),
    ("2026-03", MET),
]


@pytest.mark.parametrize(("when", "expected"), WINDOW)
def test_what_happened_within_six_months_excludes_whatever_its_status(when, expected):
    for status in ("active", "resolved"):
        told = row("condition", BEFORE, code="myocardial_infarction", status=status, onset=when)
        assert verdict("E5", adult(told, without="myocardial_infarction")) == expected
    done = row("procedure", BEFORE, code="coronary_angioplasty", status="done", start=when)
    assert verdict("E5", adult(done, without="coronary_angioplasty")) == expected
    for status, onset in (("active", "2020"), ("resolved", "2020"), ("resolved", when)):
        told = row(
            "condition", BEFORE, code="arrhythmia", status=status, onset=onset, abatement=when
        )
        assert verdict("E5", adult(told, without="arrhythmia")) == expected


@pytest.mark.parametrize(
    ("at", "first", "last_outside"),
    [
        ("2026-08-31T12:00:00+09:00", "2026-02-28", "2026-02-27"),
        ("2026-08-28T12:00:00+09:00", "2026-02-28", "2026-02-27"),
        ("2026-09-01T00:00:00+09:00", "2026-03-01", "2026-02-28"),
        ("2028-08-31T12:00:00+09:00", "2028-02-29", "2028-02-28"),
        ("2028-08-29T12:00:00+09:00", "2028-02-29", "2028-02-28"),
        ("2028-02-29T12:00:00+09:00", "2027-08-29", "2027-08-28"),
    ],
)
def test_six_calendar_months_end_on_the_months_last_day(at, first, last_outside):
    for onset, expected in ((first, MET), (last_outside, NOT)):
        told = f"{onset}T23:00:00+09:00"
        known = row("condition", told, code="myocardial_infarction", status="active", onset=onset)
        assert verdict("E5", adult(known, without="myocardial_infarction"), at) == expected


OLD = "2020-01-10T09:00:00+09:00"
STORIES = [
    ("myocardial_infarction", [], UNKNOWN),
    ("myocardial_infarction", [(BEFORE, "absent", {})], NOT),
    ("myocardial_infarction", [(BEFORE, "active", {})], MET),
    ("myocardial_infarction", [(BEFORE, "resolved", {})], UNKNOWN),
    ("myocardial_infarction", [(BEFORE, "suspected", {})], UNKNOWN),
    ("myocardial_infarction", [(OLD, "active", {}), (BEFORE, "absent", {})], NOT),
    (
        "myocardial_infarction",
        [(OLD, "active", {"onset": "2019-05-05"}), (BEFORE, "suspected", {})],
        UNKNOWN,
    ),
    (
        "myocardial_infarction",
        [
            ("2026-01-10T09:00:00+09:00", "active", {"onset": "2025-12-01"}),
            (BEFORE, "absent", {}),
        ],
        MET,
    ),
    ("arrhythmia", [(OLD, "active", {})], MET),
    ("arrhythmia", [(OLD, "active", {}), ("2021-01-10T09:00:00+09:00", "absent", {})], NOT),
    ("arrhythmia", [(OLD, "active", {}), ("2021-01-10T09:00:00+09:00", "resolved", {})], NOT),
    ("arrhythmia", [(OLD, "active", {}), (BEFORE, "absent", {})], UNKNOWN),
    ("arrhythmia", [(OLD, "active", {}), (BEFORE, "resolved", {})], UNKNOWN),
    ("arrhythmia", [(OLD, "resolved", {"abatement": "2020"}), (BEFORE, "active", {})], MET),
    ("arrhythmia", [(BEFORE, "resolved", {})], UNKNOWN),
]


@pytest.mark.parametrize(("code", "story", "expected"), STORIES)
def test_what_was_told_one_after_the_other(code, story, expected):
    told = [row("condition", time, code=code, status=s, **more) for time, s, more in story]
    assert verdict("E5", adult(*told, without=code)) == expected


# --- age ----------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("born", "old_enough", "too_old"),
    [
        ("2025-03-02", MET, NOT),
        ("2025-03-03", NOT, MET),
        ("1945-03-03", MET, NOT),
        ("1945-03-02", NOT, MET),
        ("2025-02", MET, NOT),
        ("2025-03", UNKNOWN, UNKNOWN),
        ("2025-04", NOT, MET),
        ("1945-02", NOT, MET),
        ("1945-03", UNKNOWN, UNKNOWN),
        ("1945-04", MET, NOT),
        ("2024", MET, NOT),
        ("2025", UNKNOWN, UNKNOWN),
        ("2026", NOT, MET),
        ("1944", NOT, MET),
        ("1945", UNKNOWN, UNKNOWN),
        ("1946", MET, NOT),
    ],
)
def test_age_by_the_day_and_by_what_a_partial_date_leaves_open(born, old_enough, too_old):
    told = row("demographics", "2026-03-02T09:00:00+09:00", birth_date=born, sex="male")
    rows = [*fixture("clinical", "guardian", "assent", "own_consent"), told]
    assert verdict("I1", rows) == old_enough
    assert verdict("E3", rows) == too_old


# --- Kleene -------------------------------------------------------------------------------------
Truth = bool | None
CODES = {True: MET, False: NOT, None: UNKNOWN}


def any_of(*parts: Truth) -> Truth:
    return True if True in parts else None if None in parts else False


def both(one: Truth, other: Truth) -> Truth:
    return False if False in (one, other) else None if None in (one, other) else True


def condition(code: str, truth: Truth, time: str = BEFORE) -> list[Row]:
    status = "active" if truth else "absent"
    return [] if truth is None else [row("condition", time, code=code, status=status)]


def assessment(code: str, value: Any, time: str = BEFORE, **more: Any) -> list[Row]:
    return [] if value is None else [row("assessment", time, code=code, value=value, **more)]


def observation(code: str, value: Any, **more: Any) -> list[Row]:
    return [] if value is None else [row("observation", BEFORE, code=code, value=value, **more)]


@pytest.mark.parametrize("sex", ["female", "other", "unknown", "male", None])
def test_pregnancy_nursing_and_contraception_in_every_combination(sex):
    known = {"birth_date": "1980-06-15"} | ({"sex": sex} if sex else {})
    who = [*fixture("clinical", "own_consent"), row("demographics", BEFORE, **known)]
    three = (True, False, None)
    for pregnant, nursing, possible, careful in itertools.product(three, three, three, three):
        test = {True: "positive", False: "negative", None: None}[pregnant]
        rows = [*who, *observation("pregnancy_test", test), *condition("breastfeeding", nursing)]
        rows += assessment("childbearing_potential", possible)
        rows += assessment("contraception_adequate", careful)
        careless = None if careful is None else not careful
        expected = CODES[any_of(pregnant, nursing, both(possible, careless))]
        assert verdict("E1", rows) == (INAPPLICABLE if sex == "male" else expected)


PRESSURES: list[tuple[dict[str, Any] | None, Truth]] = [
    (None, None),
    ({"value": 115, "unit": "mm[Hg]"}, False),
    ({"value": 115.1, "unit": "mm[Hg]"}, True),
    ({"value": 116, "unit": "mm[Hg]"}, True),
    ({"value": 15.332, "unit": "kPa"}, False),  # 114.999
    ({"value": 15.4655, "unit": "kPa"}, True),  # 116.001
    ({"value": 11.5, "unit": "cm[Hg]"}, False),
]
ALONE: tuple[str, ...] = ("uncontrolled_hypertension", "unstable_angina", "severe_diabetes")
ALONE += ("myocardial_infarction", "arrhythmia")


def test_the_fifth_exclusion_in_random_combinations():
    chance = random.Random(11)
    for _ in range(150):
        truths: dict[str, Truth] = {}
        names = (*ALONE, "heart_failure", "other_non_malignant_disease", "hiv", "angioplasty")
        for name in names:
            truths[name] = chance.choice([True, False, False, False, None])
        rows = fixture("man", "own_consent")
        for name in (*ALONE, "heart_failure", "other_non_malignant_disease"):
            rows += condition(name, truths[name])
        hiv = {True: "positive", False: "negative", None: None}[truths["hiv"]]
        rows += observation("hiv_status", hiv)
        if truths["angioplasty"] is not None:
            status = "done" if truths["angioplasty"] else "not_done"
            rows.append(row("procedure", BEFORE, code="coronary_angioplasty", status=status))
        told, pressure = chance.choice(PRESSURES)
        rows += [row("observation", BEFORE, code="diastolic_bp", **told)] if told else []
        nyha, judged = chance.choice([None, 1, 2, 3]), chance.choice([True, False, None])
        rows += assessment("nyha_class", nyha) + assessment("other_disease_excludes", judged)
        expected = any_of(
            *(truths[name] for name in (*ALONE, "hiv", "angioplasty")),
            pressure,
            both(truths["heart_failure"], None if nyha is None else nyha >= 2),
            both(truths["other_non_malignant_disease"], judged),
        )
        assert verdict("E5", rows) == CODES[expected], (truths, told, nyha, judged)


# --- values, units, validity ----------------------------------------------------------------------
@pytest.mark.parametrize(
    ("value", "unit", "expected"),
    [
        (38, "Cel", MET),
        (37.99999, "Cel", NOT),
        (100.4, "[degF]", MET),
        (100.39, "[degF]", NOT),
        (311.15, "K", MET),
        (311.14, "K", NOT),
    ],
)
def test_fever_in_any_unit(value, unit, expected):
    told = observation("body_temperature", value, unit=unit)
    assert verdict("E2", adult(*told, without="body_temperature")) == expected


def test_a_value_that_could_not_be_taken_any_more_is_missing():
    told = observation("body_temperature", 36.8, unit="Cel")
    told.append(row("observation", NOON, code="body_temperature", absent="refused"))
    assert verdict("E2", adult(*told, without="body_temperature")) == UNKNOWN


@pytest.mark.parametrize(
    ("expires", "at", "expected"),
    [
        ("2026-03-02", "2026-03-02T23:59:59+09:00", MET),
        ("2026-03-02", "2026-03-03T00:00:00+09:00", UNKNOWN),
        ("2026-03", "2026-03-31T23:59:59+09:00", MET),
        (NOON, "2026-03-02T11:59:59+09:00", MET),
        (NOON, NOON, UNKNOWN),
    ],
)
def test_an_assessment_holds_until_it_expires(expires, at, expected):
    told = assessment("ecog", 1, expires=expires)
    assert verdict("I3", adult(*told, without="ecog"), at) == expected


@pytest.mark.parametrize(
    ("born", "document", "by"),
    [
        ("1980-06-15", "informed_consent", "subject"),
        ("2013-03-02", "informed_consent", "subject"),
        ("2013-03-03", "assent", "subject"),
        ("2021-03-02", "assent", "subject"),
        ("2021-03-03", "guardian_consent", "guardian"),
    ],
)
def test_the_consent_of_the_age_given_withdrawn_and_given_again(born, document, by):
    rows = [*fixture("clinical"), row("demographics", BEFORE, birth_date=born, sex="male")]
    for other, giver in (
        ("informed_consent", "subject"),
        ("assent", "subject"),
        ("guardian_consent", "guardian"),
    ):
        if other != document:
            rows.append(row("consent", BEFORE, document=other, given_by=giver, status="given"))
    assert verdict("I7", rows) == UNKNOWN
    for minute, status, expected in ((1, "given", MET), (2, "withdrawn", NOT), (3, "given", MET)):
        time = f"2026-03-02T09:0{minute}:00+09:00"
        rows.append(row("consent", time, document=document, given_by=by, status=status))
        assert verdict("I7", rows) == expected


@pytest.mark.parametrize(
    ("expires", "at", "satisfied"),
    [
        (None, NOON, True),
        ("2026-03-02", "2026-03-02T23:59:59+09:00", True),
        ("2026-03-02", "2026-03-03T00:00:00+09:00", False),
        (NOON, "2026-03-02T11:59:59+09:00", True),
        (NOON, NOON, False),
    ],
)
def test_an_override_satisfies_until_it_expires_and_never_moves_the_verdict(expires, at, satisfied):
    waiver = {"criterion": "E7", "by": "dr", "reason": "r"}
    waiver |= {"expires": expires} if expires else {}
    rows = adult(*assessment("other_trial", True), without="other_trial")
    view, _ = folded([*rows, row("override", "2026-03-02T10:00:00+09:00", **waiver)], at)
    (one,) = [one for one in view["criteria"] if one["id"] == "E7"]
    assert (one["verdict"], one["satisfied"]) == (MET, satisfied)
    assert view["decision"] == ("eligible" if satisfied else "ineligible")


# --- dates alone, around an infusion --------------------------------------------------------------
GIVEN = "S-INFUSED-FEVER"
HOLD = "S-FEVER"
INFECTIONS: tuple[str, ...] = ("acute_infection", "bacterial_infection", "fungal_infection")
INFECTIONS += ("unknown_active_infection",)


def infusion(start: str = "2026-03-09T10:00:00+09:00", status: str = "completed") -> Row:
    data: dict[str, Any] = {"product": "MSC", "number": 1, "status": status}
    return row("administration", "2026-03-09T11:00:00+09:00", **data, start=start)


def heat(value: float, time: str, precision: str = "second") -> Row:
    data = {"code": "body_temperature", "value": value, "unit": "Cel"}
    return row("observation", time, precision=precision, **data)


def heat_of(day: str, value: float = 39.0) -> Row:
    return heat(value, f"{day}T00:00:00+09:00", "day")


def fires(rule: str, *more: Row, at: str = "2026-03-12T12:00:00+09:00") -> bool:
    who = fixture("clinical", "man", "own_consent", "screened", "enrolled")
    return rule in folded([*who, *more], at)[1]


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        (heat(38.0, "2026-03-08T10:00:00+09:00"), True),
        (heat(38.0, "2026-03-08T09:59:59+09:00"), False),
        (heat(39.0, "2026-03-09T10:00:01+09:00"), False),
        (heat_of("2026-03-07"), False),
        (heat_of("2026-03-08"), True),
        (heat_of("2026-03-09"), True),
        (heat_of("2026-03-10"), False),
        (heat_of("2026-03-09", 36.5), False),
    ],
)
def test_a_fever_of_unknown_hour_that_may_lie_before_an_infusion_is_told(told, expected):
    assert fires(GIVEN, told, infusion()) is expected
    assert not fires(GIVEN, told, infusion(status="not_done"))
    # A measured temperature in the morning does not talk it away.
    assert fires(GIVEN, heat(36.5, "2026-03-09T09:00:00+09:00"), told, infusion()) is expected


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        (heat(39.0, "2026-03-07T23:59:59+09:00"), False),
        (heat(39.0, "2026-03-08T08:00:00+09:00"), True),
        (heat(39.0, "2026-03-09T20:00:00+09:00"), True),
        (heat(39.0, "2026-03-10T00:00:00+09:00"), False),
        (heat_of("2026-03-07"), False),
        (heat_of("2026-03-08"), True),
        (heat_of("2026-03-09"), True),
        (heat_of("2026-03-10"), False),
    ],
)
def test_an_infusion_of_unknown_hour_looks_back_from_its_first_and_up_to_its_last(told, expected):
    assert fires(GIVEN, told, infusion("2026-03-09")) is expected


@pytest.mark.parametrize("code", INFECTIONS)
@pytest.mark.parametrize(
    ("status", "time", "more", "expected"),
    [
        ("active", "2026-03-05T08:00:00+09:00", {}, True),
        ("active", "2026-03-09T12:00:00+09:00", {}, False),
        ("active", "2026-03-09T12:00:00+09:00", {"onset": "2026-03-09"}, True),
        ("active", "2026-03-10T12:00:00+09:00", {"onset": "2026-03-10"}, False),
        ("resolved", "2026-03-07T08:00:00+09:00", {}, False),
        ("absent", "2026-03-07T08:00:00+09:00", {}, False),
        ("resolved", "2026-03-09T08:00:00+09:00", {"abatement": "2026-03-07"}, False),
        ("resolved", "2026-03-09T08:00:00+09:00", {"abatement": "2026-03-08"}, True),
        ("resolved", "2026-03-09T08:00:00+09:00", {"abatement": "2026-03-09"}, True),
        ("suspected", "2026-03-09T08:00:00+09:00", {}, False),
    ],
)
def test_an_infection_that_may_have_lasted_until_an_infusion_is_told(
    code, status, time, more, expected
):
    story = [row("condition", time, code=code, status=status, **more)]
    if status in {"resolved", "absent"}:
        story.append(row("condition", "2026-03-04T08:00:00+09:00", code=code, status="active"))
    assert fires(GIVEN, *story, infusion()) is expected


def test_a_fever_of_yesterday_holds_the_next_infusion_until_today_is_over():
    told = heat_of("2026-03-10")
    assert fires(HOLD, told, at="2026-03-10T12:00:00+09:00")
    assert fires(HOLD, told, at="2026-03-11T23:59:59+09:00")
    assert not fires(HOLD, told, at="2026-03-12T00:00:01+09:00")


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        (heat_of("2026-03-09"), "39 Cel (exact time not recorded);"),
        (heat(39.0, "2026-03-09T08:00:00+09:00"), "39 Cel;"),
    ],
)
def test_the_alert_says_that_the_hour_is_not_recorded(told, expected):
    who = fixture("clinical", "man", "own_consent", "screened", "enrolled")
    outcome = stepped([*who, told, infusion()], "2026-03-09T12:00:00+09:00")
    found = {rule: change for (rule, _), change in open_findings(outcome.results).items()}
    assert f"before it {expected}" in found[GIVEN].detail
    assert f"in 24 hours {expected}" in found[HOLD].detail
