"""UCUM units: what converts, exactly how, and what never does."""

import subprocess
import sys

import pytest

from rules.errors import EvaluationError
from rules.facts.units import convert, convertible, known


@pytest.mark.parametrize(
    ("value", "source", "target", "wanted"),
    [
        (100.4, "[degF]", "Cel", 38.0),
        (102.2, "[degF]", "Cel", 39.0),
        (-40, "[degF]", "Cel", -40.0),
        (311.15, "K", "Cel", 38.0),
        (37.5, "Cel", "K", 310.65),
        (38, "Cel", "[degF]", 100.4),
        (1, "g/L", "mg/dL", 100.0),
        (13.5, "g/dL", "g/L", 135.0),
        (2, "10*3/uL", "10*9/L", 2.0),
        (50, "%", "1", 0.5),
        (1, "[lb_av]", "kg", 0.45359237),
        (2, "{score}", "1", 2.0),
        (2, "10*6/kg{cells}", "10*9/kg", 0.002),
    ],
)
def test_a_value_is_converted_and_compared_at_twelve_digits(value, source, target, wanted):
    assert convert(value, source, target) == wanted


def test_equal_units_leave_the_value_as_it_was_published():
    assert convert(37.99999999999999, "Cel", "Cel") == 37.99999999999999
    assert convertible("no unit at all", "no unit at all")


@pytest.mark.parametrize(
    ("source", "target"),
    [
        ("Cel", "kg"),
        ("mg/dL", "mmol/L"),
        ("[IU]/L", "10*9/L"),
        ("[IU]/L", "U/L"),
        ("mmHg", "mm[Hg]"),
        ("", "1"),
        ("Cel", ""),
        ("dB", "1"),
        ("[pH]", "mol/L"),
    ],
)
def test_what_cannot_be_told_in_the_other_unit_is_refused(source, target):
    assert not convertible(source, target)
    with pytest.raises(EvaluationError):
        convert(1.0, source, target)


def test_arbitrary_units_convert_only_within_themselves():
    assert convert(1, "[IU]/mL", "[IU]/L") == 1000.0
    assert convertible("[IU]/L", "[iU]/L")


def test_what_is_no_unit_is_not_known():
    assert known("mm[Hg]")
    assert not known("mmHg")


@pytest.mark.parametrize(
    "unit",
    [
        "10*999999999/L",
        "10*-999999999/L",
        "m99999999999",
        "(" * 3000 + "m" + ")" * 3000,
        ".".join(["m"] * 5000),
        "m" * 100_000,
    ],
)
def test_a_unit_of_a_monstrous_power_or_length_is_none_and_is_not_worked_out(unit):
    """It hung whoever asked, the API too, or ended in a RecursionError."""
    assert not known(unit)
    assert not convertible(unit, "10*9/L")


FIRST = """
import threading
from rules.facts import units
asked = ("mg/dL", "umol/L", "10*9/L", "Cel")
found, gate = [], threading.Barrier(len(asked))

def ask(unit):
    gate.wait()
    found.append((units.known(unit), units.convert(1, unit, unit)))

threads = [threading.Thread(target=ask, args=(unit,)) for unit in asked]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(found)
"""


def test_threads_that_ask_for_the_first_unit_at_once_are_all_answered():
    done = subprocess.run([sys.executable, "-c", FIRST], capture_output=True, text=True, check=True)
    assert (done.stdout.strip(), done.stderr) == (str([(True, 1)] * 4), "")
