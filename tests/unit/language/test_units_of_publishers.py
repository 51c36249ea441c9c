"""How publishers spell units, and what converts into what; nothing is guessed."""

import pytest

import rules
from rules.events import Event
from rules.facts import units
from rules.facts.calendar import Calendar
from rules.facts.log import effective
from tests.unit.language.test_codes import WIDE

LIS = '  - {source: "https://lis.example/", unit_aliases: {C: K, MMOL: mmol/L}}\n'
PROTOCOL = rules.loads(WIDE.replace("publishers:\n", "publishers:\n" + LIS, 1))


def published(code, value, unit, source=""):
    data = {"code": code, "value": value, "unit": unit}
    return PROTOCOL.checker.check("observation", data, 0, source)


# (code, value, unit, source, the canonical unit)
SPELLINGS = [
    ("temperature", 37.0, "C", "anybody", "Cel"),
    ("temperature", 310.0, "C", "https://lis.example/", "K"),
    ("temperature", 310.0, "C", "https://lis.example", None),
    ("temperature", 37.0, "Cel", "anybody", "Cel"),
    ("creatinine", 1.0, "MG/DL", "anybody", "mg/dL"),
    ("creatinine", 1.0, "MG/DL", "https://lis.example/", "mg/dL"),
    ("creatinine", 1.0, "MMOL", "https://lis.example/", "mmol/L"),
    ("creatinine", 1.0, "MMOL", "anybody", None),
    ("creatinine", 1.0, "mg/dL", "", "mg/dL"),
    ("creatinine", 1.0, "Mg/dL", "", "Mg/dL"),  # megagrams: UCUM minds the case
    ("creatinine", 1.0, "[IU]/L", "", None),
    ("temperature", 37.0, "mg/dL", "", None),
]


@pytest.mark.parametrize(("code", "value", "unit", "source", "canonical"), SPELLINGS)
def test_a_spelling_stands_for_what_its_publisher_declared(code, value, unit, source, canonical):
    data, problems = published(code, value, unit, source)
    if canonical is None:
        assert [pointer for pointer, *_ in problems] in (["/data/unit"], ["/data/value"])
    else:
        assert (problems, data["unit"], data["value"]) == ([], canonical, value)


def test_bounds_hold_after_the_conversion_of_an_alias():
    assert published("temperature", 37.0, "C", "https://lis.example/")[1] == [
        ("/data/value", "is not possible", "at least 25, at most 45 Cel")
    ]


def test_a_correction_is_read_in_the_spelling_of_who_sent_it():
    first = {"code": "temperature", "value": 37.0, "unit": "Cel"}
    told = {"corrects": {"source": "a", "id": "1"}, "data": {**first, "value": 310.0, "unit": "C"}}
    log = [
        Event(1, "a#1", "a", "1", "observation", 0, "second", 0, first),
        Event(2, "l#2", "https://lis.example/", "2", "correction", 0, "second", 1, told),
    ]
    (event,) = effective(log, Calendar("Asia/Seoul"), PROTOCOL.checker).events
    assert event.data["unit"] == "K"


# (value, from, to, g/mol, told)
CONVERSIONS = [
    (1.0, "mg/dL", "umol/L", 113.12, 88.4016973126),
    (88.4, "umol/L", "mg/dL", 113.12, 0.9999808),
    (5.0, "mmol/L", "mg/dL", 180.156, 90.078),
    (2.0, "g", "mol", 58.44, 0.0342231348392),
    (1.0, "mg/kg", "mmol/kg", 10.0, 0.1),
    (1.0, "g/L", "mg/dL", 180.156, 100.0),
    (100.4, "[degF]", "Cel", None, 38.0),
    (38.0, "Cel", "[degF]", None, 100.4),
    (7.0, "x", "x", None, 7.0),
]


@pytest.mark.parametrize(("value", "source", "target", "mass", "told"), CONVERSIONS)
def test_mass_and_amount_convert_by_the_molar_mass(value, source, target, mass, told):
    assert units.convert(value, source, target, mass) == told


@pytest.mark.parametrize(
    ("source", "target", "mass"),
    [
        ("mg/dL", "umol/L", None),
        ("mg/dL", "10*9/L", 113.12),
        ("[IU]/L", "mg/L", 113.12),
        ("[IU]/L", "umol/L", 113.12),
        ("g2", "mol", 113.12),
        ("mg", "mmol/L", 113.12),
        ("Cel", "mol", 113.12),
    ],
)
def test_what_is_no_mass_or_amount_of_the_same_is_refused(source, target, mass):
    assert not units.convertible(source, target, mass)


def test_units_are_the_same_however_spelled():
    assert units.same("L", "l")
    assert units.same("{score}", None)
    assert units.same("{score}", "1")
    assert units.same("mg/dL", "mg.dL-1")
    assert not units.same("mg/dL", "mg/L")
    assert not units.same("Cel", "K")
    assert not units.same("kg", None)
