"""Hy's law as a fact of a subject: what was told, in whatever order and unit, with its evidence."""

from datetime import datetime
from functools import cache
from typing import Any

import pytest

import rules
from rules import state as states
from rules.facts.calendar import to_us
from tests.support.step_logs import event

HEAD = """
vigil: 1
protocol: {id: p, version: "1", title: P, time_zone: America/New_York, target: 2, sex: all, outcomes: {primary: [x], secondary: [y]}, sources: {doc: A document}}
parameters: {}
codes:
  - {code: alt, type: observation, label: ALT, value: number, unit: U/L}
  - {code: ast, type: observation, label: AST, value: number, unit: U/L}
  - {code: bilirubin, type: observation, label: Bilirubin, value: number, unit: umol/L, molar_mass: 584.66}
  - {code: alp, type: observation, label: ALP, value: number, unit: U/L}
facts:
  sex: {from: demographics, field: sex}
"""
TAIL = """
criteria:
  - {id: E1, kind: exclusion, text: T, when: alt > 4000, source: {document: doc}}
rules: []
"""
TESTS = "from: observation, alt: alt, ast: ast, bilirubin: bilirubin"
LAW = f"{{{TESTS}, alp: alp, take: hys_law}}"
BASED = f"{{{TESTS}, alp: alp, take: hys_law, baseline: first_infusion}}"
EDISH = f"{{{TESTS}, take: edish}}"
LIMITS = {"alt": (40, "U/L"), "ast": (40, "U/L"), "bilirubin": (20, "umol/L"), "alp": (100, "U/L")}
NOW = "2026-06-01T12:00:00Z"


NOW_US = to_us(datetime.fromisoformat(NOW))


@cache
def engine(fact):
    return rules.Engine(rules.loads(f"{HEAD}  x: {fact}\n{TAIL}", "p.yaml"))


def read(fact, log, as_of=None):
    made = engine(fact)
    outcome = made.subject_steps("t", "S", None, log, lambda n: log[:n])
    held = states.loads(outcome.state)
    return made.plan.read["x"](held.timeline(), None if as_of is None else at(as_of), at(NOW))


def at(text):
    return to_us(datetime.fromisoformat(text))


def log(*told: Any) -> list[rules.Event]:
    """Events of (code, time, value[, what else is told]); an infusion is a time alone."""
    made = []
    data: dict[str, Any]
    for n, one in enumerate(told, 1):
        if isinstance(one, str):
            data = {"product": "MSC", "number": 1, "status": "completed", "start": one}
            made.append(event(n, "administration", at(one), NOW_US, **data))
            continue
        code, time, value, *more = one
        upper, unit = LIMITS[code]
        data = {"code": code, "value": value, "unit": unit, "reference_high": upper}
        data |= more[0] if more else {}
        data = {name: one for name, one in data.items() if one is not None}
        made.append(event(n, "observation", at(time), NOW_US, **data))
    return made


HIT = (
    ("alt", "2026-03-01T15:00:00Z", 200),
    ("bilirubin", "2026-03-10T15:00:00Z", 50),
    ("alp", "2026-03-02T15:00:00Z", 125),
)


def test_nothing_told_is_unknown_and_a_normal_liver_is_none():
    assert read(LAW, []).value is None
    assert read(LAW, log(("alt", "2026-03-01T15:00:00Z", 30))).value == "none"


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 2, 0)])
def test_a_candidate_names_its_values_their_days_and_the_ratio(order):
    found = read(LAW, log(*(HIT[place] for place in order)))
    assert found.value == "candidate"
    assert found.note == (
        "ALT 5 x ULN (2026-03-01), bilirubin 2.5 x ULN (2026-03-10), ALP 1.25 x ULN (2026-03-02), "
        "R 4 (mixed)"
    )


def test_units_are_converted_with_their_limits():
    told = ("bilirubin", "2026-03-10T15:00:00Z", 3, {"unit": "mg/dL", "reference_high": 1.2})
    assert read(LAW, log(HIT[0], told, HIT[2])).value == "candidate"


def test_a_missing_upper_limit_is_never_silence():
    bare = ("alt", "2026-03-01T15:00:00Z", 200, {"reference_high": None})
    found = read(LAW, log(bare, *HIT[1:]))
    assert (found.value, "upper limit not told" in found.note) == ("limits_missing", True)


def test_a_raised_transaminase_without_bilirubin_is_unknown_with_its_reason():
    found = read(LAW, log(HIT[0]))
    assert (found.value, found.note) == (
        None,
        "no bilirubin in the window of a raised transaminase",
    )


def test_a_candidate_stays_whatever_comes_after():
    later = [("alt", f"2026-04-{day:02}T15:00:00Z", 20) for day in range(1, 29)]
    later += [("bilirubin", f"2026-04-{day:02}T15:00:00Z", 10) for day in range(1, 29)]
    assert read(LAW, log(*HIT, *later)).value == "candidate"


def test_days_are_the_sites_own():
    late = ("bilirubin", "2026-03-16T03:30:00Z", 50)  # the evening of the 15th: day 14
    later = ("bilirubin", "2026-03-16T05:30:00Z", 50)
    assert read(LAW, log(HIT[0], late, HIT[2])).value == "candidate"
    assert read(LAW, log(HIT[0], later, HIT[2])).value is None


def test_what_was_before_the_first_infusion_is_no_signal_of_it():
    assert read(BASED, log(*HIT)).value == "candidate"
    assert read(BASED, log(*HIT, "2026-03-20T15:00:00Z")).value is None


def test_after_an_abnormal_baseline_its_multiples_count():
    before = (("alt", "2026-02-01T15:00:00Z", 80), "2026-02-10T15:00:00Z")
    assert read(BASED, log(*before, *HIT)).value == "none"
    higher = ("alt", "2026-03-01T15:00:00Z", 240)
    found = read(BASED, log(*before, higher, *HIT[1:]))
    assert found.value == "candidate"
    assert found.note.startswith("ALT 6 x ULN, 3 x baseline (2026-03-01)")


def test_a_published_baseline_is_the_baseline():
    published = ("alt", "2026-02-01T15:00:00Z", 80, {"baseline": True})
    told = log(published, ("alt", "2026-02-05T15:00:00Z", 20), "2026-02-10T15:00:00Z", *HIT)
    assert read(BASED, told).value == "none"


def test_as_of_an_instant_only_what_was_by_then_counts():
    assert read(LAW, log(*HIT), "2026-03-05T15:00:00Z").value is None
    assert read(LAW, log(*HIT), "2026-03-11T15:00:00Z").value == "candidate"


def test_the_quadrant_is_of_the_peaks_of_all_time():
    far = ("bilirubin", "2026-05-10T15:00:00Z", 50)
    found = read(EDISH, log(HIT[0], far))
    assert found.value == "hy"
    assert found.note == "ALT 5 x ULN (2026-03-01), bilirubin 2.5 x ULN (2026-05-10)"


@pytest.mark.parametrize(
    ("fact", "complaint"),
    [
        ("{from: observation, take: hys_law, alt: alt}", "`take: hys_law` needs `bilirubin`"),
        ("{from: observation, take: edish, bilirubin: bilirubin}", "`alt` or `ast`"),
        (f"{{{TESTS}, take: hys_law, alp: alt}}", "a code of its own"),
        (f"{{{TESTS}, take: hys_law, alp: alpp}}", "no observation `alpp` is declared"),
        (f"{{{TESTS}, take: hys_law, window: {{hours: 3}}}}", "`window` is a number of days"),
        (f"{{{TESTS}, take: hys_law, at_times: 0}}", "`at_times` must be above 0"),
        (f"{{{TESTS}, take: hys_law, at_times: high}}", "`at_times` must be a number"),
        (f"{{{TESTS}, take: edish, alp: alp, code: alt}}", "code"),
        (f"{{{TESTS}, take: hys_law, baseline: nowhen}}", "nowhen"),
    ],
)
def test_what_cannot_be_asked_of_the_liver_is_refused(fact, complaint):
    with pytest.raises(rules.ProtocolError) as caught:
        rules.loads(f"{HEAD}  x: {fact}\n{TAIL}", "p.yaml")
    assert complaint in str(caught.value)
