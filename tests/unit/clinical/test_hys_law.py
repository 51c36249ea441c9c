"""Hy's law and eDISH over hand-made values, and over the pilot study beside a plain count."""

from collections import defaultdict
from dataclasses import replace

import pytest

from rules.clinical.hys_law import Judged, Law, Liver, Quadrant, Sample, judged, pattern, peaks
from rules.model import LiverRule
from tests.support import pilot_truth

RULE = LiverRule()
UPPER = {"alt": 40.0, "ast": 40.0, "bilirubin": 20.0, "alp": 100.0}


def sample(test, day, times, last=None, **more):
    upper = UPPER[test]
    return Sample(test, day, day if last is None else last, times * upper, upper, **more)


def bare(test, day, value):
    return Sample(test, day, day, value)


def liver(*samples):
    return Liver(
        [one for one in samples if one.test in ("alt", "ast")],
        [one for one in samples if one.test == "bilirubin"],
        [one for one in samples if one.test == "alp"],
    )


ALT, BILIRUBIN, ALP = sample("alt", 100, 3), sample("bilirubin", 100, 2), sample("alp", 100, 1)
ABNORMAL = {"base": 60.0, "base_upper": 40.0}  # 1.5 times the limit
ABNORMAL_BILIRUBIN = {"base": 30.0, "base_upper": 20.0}
CASES = {
    "all at once at the limits are a candidate": ((ALT, BILIRUBIN, ALP), "candidate"),
    "AST counts as ALT does": ((sample("ast", 100, 3), BILIRUBIN, ALP), "candidate"),
    "a transaminase just below three times its limit is none": ((sample("alt", 100, 2.99), BILIRUBIN, ALP), "none"),
    "a bilirubin just below twice its limit is none": ((ALT, sample("bilirubin", 100, 1.99), ALP), "none"),
    "a bilirubin on the last day of the window counts": ((ALT, sample("bilirubin", 114, 2), ALP), "candidate"),
    "a bilirubin a day after the window, and none in it, leaves it unknown": ((ALT, sample("bilirubin", 115, 2), ALP), None),
    "a bilirubin of the day before does not count": ((ALT, sample("bilirubin", 99, 2), ALP), None),
    "a raised transaminase without a bilirubin beside it is unknown": ((ALT, ALP), None),
    "no transaminase at all is unknown": ((BILIRUBIN, ALP), None),
    "a normal transaminase needs no bilirubin": ((sample("alt", 100, 1),), "none"),
    "a phosphatase of twice its limit makes it cholestatic": ((ALT, BILIRUBIN, sample("alp", 100, 2)), "cholestatic"),
    "a phosphatase just below twice its limit leaves it a candidate": ((ALT, BILIRUBIN, sample("alp", 107, 1.99)), "candidate"),
    "a phosphatase 8 days off says nothing of cholestasis": ((ALT, BILIRUBIN, sample("alp", 108, 3)), "cholestasis_unknown"),
    "a phosphatase 7 days before counts": ((ALT, BILIRUBIN, sample("alp", 93, 3)), "cholestatic"),
    "no phosphatase: cholestasis unknown": ((ALT, BILIRUBIN), "cholestasis_unknown"),
    "a phosphatase without its limit says nothing of cholestasis": ((ALT, BILIRUBIN, bare("alp", 100, 300)), "cholestasis_unknown"),
    "the phosphatase is looked at beside the highest transaminase": (
        (ALT, BILIRUBIN, sample("alt", 110, 9), sample("alp", 112, 2.5)), "cholestatic"),
    "of two episodes the worse is told": (
        (ALT, BILIRUBIN, sample("alp", 100, 3), sample("alt", 300, 4), sample("bilirubin", 301, 2), sample("alp", 300, 1)), "candidate"),
    "a transaminase without its limit beside a raised bilirubin: limits missing": ((bare("alt", 100, 400), BILIRUBIN), "limits_missing"),
    "a bilirubin without its limit beside a raised transaminase: limits missing": ((ALT, bare("bilirubin", 101, 40)), "limits_missing"),
    "a transaminase without its limit and without a bilirubin: limits missing": ((bare("alt", 100, 400),), "limits_missing"),
    "a transaminase without its limit beside a normal bilirubin is none": ((bare("alt", 100, 400), sample("bilirubin", 100, 1)), "none"),
    "an upper limit of zero is no limit": ((Sample("alt", 100, 100, 50, 0), BILIRUBIN), "limits_missing"),
    "what is dated by a month may be of the window": ((ALT, sample("bilirubin", 90, 2, last=120), ALP), "candidate"),
    "after an abnormal baseline three limits are not enough": ((sample("alt", 100, 3, **ABNORMAL), BILIRUBIN, ALP), "none"),
    "after an abnormal baseline three times the baseline are": ((sample("alt", 100, 4.5, **ABNORMAL), BILIRUBIN, ALP), "candidate"),
    "after an abnormal baseline 300 U/L are": ((sample("alt", 100, 7.5, base=120.0, base_upper=40.0), BILIRUBIN, ALP), "candidate"),
    "after an abnormal bilirubin twice the limit is not enough": (
        (ALT, sample("bilirubin", 100, 2, **ABNORMAL_BILIRUBIN), ALP), "none"),
    "after an abnormal bilirubin 4.8 times the baseline is": (
        (ALT, sample("bilirubin", 100, 7.2, **ABNORMAL_BILIRUBIN), ALP), "candidate"),
    "a normal baseline leaves the limit": ((sample("alt", 100, 3, base=40.0, base_upper=40.0), BILIRUBIN, ALP), "candidate"),
    "a multiple of a normal baseline is none": ((sample("alt", 100, 2, base=20.0, base_upper=40.0), BILIRUBIN, ALP), "none"),
    "a baseline without its limit leaves the limit": ((sample("alt", 100, 3, base=60.0), BILIRUBIN, ALP), "candidate"),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_liver_values_together_are_what_the_guidance_says(name):
    samples, expected = CASES[name]
    assert judged(liver(*samples), RULE).law == expected


def test_the_order_of_values_does_not_matter():
    for samples, _ in CASES.values():
        forward, backward = judged(liver(*samples), RULE), judged(liver(*samples[::-1]), RULE)
        assert forward.law == backward.law


def test_a_bilirubin_before_counts_where_the_window_says_so():
    values = liver(ALT, sample("bilirubin", 95, 2), ALP)
    assert judged(values, replace(RULE, before_days=5)).law is Law.CANDIDATE
    assert judged(values, replace(RULE, before_days=4)).law is None


def test_other_multiples_may_be_asked_for():
    values = liver(sample("alt", 100, 4.5, **ABNORMAL), BILIRUBIN, ALP)
    mdish = replace(RULE, at_over_baseline=3.8, at_absolute=None)
    assert judged(values, mdish).law is Law.NONE


def test_the_values_it_rests_on_are_told_with_their_ratio():
    values = liver(sample("alt", 100, 6), BILIRUBIN, sample("alp", 100, 1.5))
    found = judged(values, RULE)
    assert found == Judged(Law.CANDIDATE, values.at[0], BILIRUBIN, values.alp[0], 4.0)


@pytest.mark.parametrize(("r", "word"), [(5, "hepatocellular"), (4.9, "mixed"), (2, "cholestatic")])
def test_the_pattern_of_injury_is_told_by_the_ratio(r, word):
    assert pattern(r) == word


QUADRANTS = [
    ((ALT, sample("bilirubin", 900, 2)), Quadrant.HY),
    ((ALT, sample("bilirubin", 900, 1.9)), Quadrant.TEMPLE),
    ((sample("ast", 1, 2.9), BILIRUBIN), Quadrant.CHOLESTASIS),
    ((sample("ast", 1, 2.9), sample("bilirubin", 1, 1)), Quadrant.NORMAL),
    ((ALT,), None),
    ((BILIRUBIN,), None),
    ((sample("alt", 1, 1), bare("ast", 1, 400), BILIRUBIN), None),
    ((ALT, bare("ast", 1, 400), BILIRUBIN), Quadrant.HY),
]


@pytest.mark.parametrize(("samples", "quadrant"), QUADRANTS)
def test_the_peaks_of_all_time_lie_in_a_quadrant(samples, quadrant):
    assert peaks(liver(*samples), RULE).quadrant == quadrant


def of_pilot(tests):
    """The plain count's values as samples; each test's limit is one."""
    name = {"ALT": "alt", "AST": "ast", "BILI": "bilirubin", "ALP": "alp"}
    days = [(name[one.test], one.at.date().toordinal(), one.times) for one in tests]
    return liver(*(Sample(test, day, day, times, 1.0) for test, day, times in days))


def test_the_pilot_study_has_one_biochemical_hit_and_it_is_cholestatic():
    found, quadrants, unknown = {}, defaultdict(set), set()
    for subject, tests in pilot_truth.livers().items():
        values = of_pilot(tests)
        law = judged(values, RULE).law
        if law is None:
            unknown.add(subject)
        assert (law or Law.NONE) == pilot_truth.hys_law(tests)
        assert peaks(values, RULE).quadrant == pilot_truth.quadrant(tests)
        found[subject] = law
        quadrants[pilot_truth.quadrant(tests)].add(subject)
    assert {one for one, law in found.items() if law not in (None, Law.NONE)} == {"01-705-1186"}
    assert found["01-705-1186"] is Law.CHOLESTATIC
    assert quadrants["hy"] == {"01-705-1186"}
    assert len(found) == 254
