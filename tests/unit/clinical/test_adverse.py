"""Serious, suspected, expected, a SUSAR: what follows of what was told of one adverse event."""

import pytest

from rules.clinical.adverse import derived
from rules.model import EventGroup, Listed, Reference

ONSET = "2026-03-10"
NOTHING = Reference()
FEVER = Reference(listed=(Listed(frozenset({"pyrexia"}), max_grade=2),))


def found(name, reference=NOTHING, onset=ONSET, **values):
    return derived(values, onset, reference)[name]


@pytest.mark.parametrize(
    ("values", "serious"),
    [
        ({}, None),
        ({"serious": True}, True),
        ({"serious": False}, False),
        ({"seriousness": []}, False),
        ({"seriousness": ["hospitalisation"]}, True),
        ({"serious": False, "seriousness": ["disability"]}, True),
        ({"serious": None, "seriousness": None}, None),
        ({"serious": False, "grade": 4}, False),
        ({"serious": False, "grade": 5}, True),
        ({"serious": False, "outcome": "fatal"}, True),
        ({"grade": 5}, True),
        ({"grade": 3}, None),
    ],
)
def test_any_criterion_makes_an_event_serious_and_grade_alone_does_not(values, serious):
    assert found("is_serious", **values) is serious


@pytest.mark.parametrize(
    ("values", "conflict"),
    [
        ({}, None),
        ({"seriousness": ["death"]}, None),
        ({"serious": False}, False),
        ({"serious": False, "seriousness": []}, False),
        ({"serious": True, "seriousness": ["death"]}, False),
        ({"serious": False, "seriousness": ["medically_important"]}, True),
        ({"serious": False, "grade": 5}, True),
        ({"serious": False, "outcome": "Fatal"}, True),
    ],
)
def test_a_flag_of_not_serious_conflicts_with_any_criterion(values, conflict):
    assert found("seriousness_conflict", **values) is conflict


@pytest.mark.parametrize(
    ("values", "fatal"),
    [
        ({}, None),
        ({"serious": True}, None),
        ({"grade": 4}, False),
        ({"grade": 5}, True),
        ({"grade": 5, "outcome": "recovered"}, True),
        ({"outcome": "not recovered"}, False),
        ({"outcome": "FATAL"}, True),
        ({"outcome": "unknown"}, None),
        ({"outcome": "Not known", "grade": 3}, False),
        ({"seriousness": ["results in death"]}, True),
        ({"seriousness": ["hospitalisation"]}, False),
        ({"seriousness": ["deaht"], "grade": 3}, None),
        ({"seriousness": ["deaht"], "grade": 3, "outcome": "recovered"}, False),
    ],
)
def test_fatal_is_grade_5_a_fatal_outcome_or_death_among_the_criteria(values, fatal):
    assert found("is_fatal", **values) is fatal


@pytest.mark.parametrize(
    ("values", "threatening"),
    [
        ({}, None),
        ({"grade": 4}, None),
        ({"seriousness": []}, False),
        ({"seriousness": ["life-threatening"]}, True),
        ({"seriousness": ["lifethretening"]}, None),
        ({"seriousness": ["prolongation", "disability"]}, False),
        ({"seriousness": ["Life threatening", "hospitalisation"]}, True),
    ],
)
def test_life_threatening_is_a_criterion_and_no_grade(values, threatening):
    assert found("is_life_threatening", **values) is threatening


@pytest.mark.parametrize(
    ("causality", "suspected"),
    [
        (None, True),
        ("related", True),
        ("probable", True),
        ("possible", True),
        ("unlikely", False),
        ("unrelated", False),
    ],
)
def test_what_was_not_assessed_counts_as_suspected(causality, suspected):
    assert found("is_suspected", causality=causality) is suspected


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"term": "Pyrexia", "grade": 1}, True),
        ({"term": " PYREXIA ", "grade": 2}, True),
        ({"term": "Pyrexia", "grade": 3}, False),
        ({"term": "Pyrexia"}, None),
        ({"term": "Pyrexia", "grade": 2, "outcome": "fatal"}, False),
        ({"term": "Neutropenic pyrexia", "grade": 1}, False),
        ({"grade": 1}, None),
    ],
)
def test_more_severe_more_specific_or_fatal_is_unexpected(values, expected):
    assert found("is_expected", FEVER, **values) is expected


def test_a_fatal_outcome_is_expected_only_where_it_is_listed():
    listed = Reference(listed=(Listed(frozenset({"sepsis"}), max_grade=4, fatal=True),))
    assert found("is_expected", listed, term="Sepsis", grade=5) is True


UNBOUNDED = Reference(listed=(Listed(frozenset({"pyrexia"})),))


@pytest.mark.parametrize(
    ("values", "expected", "susar"),
    [
        ({}, None, True),
        ({"outcome": "unknown"}, None, True),
        ({"seriousness": ["deaht"]}, None, True),
        ({"grade": 4}, True, False),
        ({"outcome": "recovered"}, True, False),
        ({"seriousness": ["hospitalisation"]}, True, False),
        ({"outcome": "fatal"}, False, True),
    ],
)
def test_a_serious_event_of_which_nobody_said_it_was_not_fatal_is_not_expected(
    values, expected, susar
):
    told = {"term": "Pyrexia", "serious": True, **values}
    assert found("is_expected", UNBOUNDED, **told) is expected
    assert found("is_susar", UNBOUNDED, **told) is susar


def test_what_is_listed_must_have_been_in_force_at_the_onset():
    since = Reference(
        listed=(Listed(frozenset({"pyrexia"}), since="2026-03-10", until="2026-04-01"),)
    )
    days = {"2026-03-09": False, "2026-03-10": True, "2026-03-31": True, "2026-04-01": False}
    for day, expected in days.items():
        assert found("is_expected", since, day, term="Pyrexia", grade=1) is expected


def test_an_empty_reference_expects_nothing_and_none_leaves_it_to_the_reporter():
    assert found("is_expected", Reference(listed=()), grade=1) is False
    assert found("is_expected", term="Pyrexia") is None
    assert found("is_expected", term="Pyrexia", expected=True) is True


def test_the_reporters_word_conflicts_with_the_reference():
    assert found("expectedness_conflict", FEVER, term="Pyrexia", grade=4, expected=True) is True
    assert found("expectedness_conflict", FEVER, term="Pyrexia", grade=1, expected=True) is False
    assert found("expectedness_conflict", FEVER, term="Pyrexia", grade=4) is None


@pytest.mark.parametrize(
    ("values", "susar"),
    [
        ({"serious": True, "term": "Dyspnoea", "grade": 3, "causality": "possible"}, True),
        ({"serious": True, "term": "Dyspnoea", "grade": 3}, True),
        ({"serious": True}, True),
        ({"serious": True, "causality": "unrelated"}, False),
        ({"serious": False, "causality": "related"}, False),
        ({"serious": True, "term": "Pyrexia", "grade": 2, "causality": "related"}, False),
        ({"serious": True, "term": "Pyrexia", "causality": "related"}, True),
        ({"causality": "related"}, None),
    ],
)
def test_a_susar_is_serious_suspected_and_not_known_to_be_expected(values, susar):
    assert found("is_susar", FEVER, **values) is susar


@pytest.mark.parametrize(
    ("values", "ongoing"),
    [
        ({}, True),
        ({"outcome": "not recovered"}, True),
        ({"outcome": "recovering"}, True),
        ({"outcome": "Recovered/Resolved"}, False),
        ({"outcome": "recovered with sequelae"}, False),
        ({"outcome": "fatal"}, False),
        ({"resolved": "2026-03-12"}, False),
        ({"resolved": None, "outcome": "recovered"}, False),
    ],
)
def test_what_was_not_told_to_be_over_goes_on(values, ongoing):
    assert found("ae_ongoing", **values) is ongoing


CLOTS = EventGroup("clots", "Clots", frozenset({"pulmonary embolism"}), frozenset({"m|10037377"}))
BY_TERM = EventGroup("clots", "Clots", frozenset({"pulmonary embolism"}))
BY_CODE = EventGroup("clots", "Clots", frozenset(), frozenset({"m|10037377"}))


def coded(system, code):
    return [{"system": system, "code": code}]


@pytest.mark.parametrize(
    ("group", "values", "inside"),
    [
        (CLOTS, {"term": "pulmonary  Embolism"}, True),
        (CLOTS, {"term": "Headache"}, False),
        (CLOTS, {"coding": coded("m", "10037377")}, True),
        (CLOTS, {"term": "Headache", "coding": coded("m", "10037377")}, True),
        (CLOTS, {"coding": coded("m", "1")}, None),  # a code of another term of the group, perhaps
        (CLOTS, {}, None),
        (BY_TERM, {"coding": coded("m", "10037377")}, None),
        (BY_TERM, {"term": "Headache", "coding": coded("m", "1")}, False),
        (BY_CODE, {"term": "Pulmonary embolism"}, None),
        (BY_CODE, {"coding": coded("m", "1")}, False),
        (BY_CODE, {"coding": coded("other", "10037377")}, None),
        (BY_CODE, {"coding": [*coded("other", "1"), *coded("m", "10037377")]}, True),
    ],
)
def test_a_group_knows_its_events_only_by_what_it_is_listed_by(group, values, inside):
    assert found("ae_in_clots", Reference(groups=(group,)), **values) is inside
