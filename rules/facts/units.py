"""UCUM units: whether one converts into another, and the conversion, rounded as we compare.

Who comes in: the door's checker and the timeline. Who goes out: pint, once per pair of units.
"""

from __future__ import annotations

import math
import re
import threading
from functools import lru_cache
from typing import Any, NamedTuple

from rules.errors import EvaluationError

# UCUM's arbitrary units convert into nothing but themselves; pint takes them for plain numbers.
_ARBITRARY = re.compile(
    r"\[(?:IU|iU|arb'U|USP'U|GPL'U|MPL'U|APL'U|beth'U|anti'Xa'U|todd'U|dye'U|smgy'U|bdsk'U|ka'U"
    r"|knk'U|mclg'U|tb'U|CCID_50|TCID_50|EID_50|PFU|FFU|CFU|IR|BAU|AU|Amb'a'1'U|PNU|Lf|D'ag'U"
    r"|FEU|ELU|EU)\]"
)
_ANNOTATION = re.compile(r"\{[^{}]*\}")
_TOLERANCE = 1e-9
# No laboratory's unit is longer or of a higher power; what is would be worked out for minutes.
_LONGEST = 80
_POWER = re.compile(r"[^\d\s./()][+-]?\d{3,}")


class _Line(NamedTuple):
    """target = factor * value + offset."""

    factor: float
    offset: float


ROUNDING = 2e-11  # of a number: twice what two values of 12 digits can be off by


def rounded(value: float) -> float:
    """`value` at 12 significant digits, which is where converted values are compared."""
    return float(f"{value:.12g}")


def settled(value: float, size: float = 0.0) -> float:
    """A computed number, or the short one that it misses by no more than roundings of conversions.

    0.5 and 0.75 mg/dL, told in umol/L, are 49.9999999999 percent apart: a limit of 50 is reached.
    `size`: of what it was computed from, where that is larger. Short: 7 digits of the larger.
    """
    size = max(abs(value), abs(size))
    if size == 0 or not math.isfinite(size):
        return value
    short = round(value, 6 - math.floor(math.log10(size)))
    return short if abs(value - short) <= ROUNDING * size else value


def apart(left: float, right: float) -> float:
    """How far `left` lies above `right`; 0 where roundings of conversions alone divide them."""
    return 0.0 if math.isclose(left, right, rel_tol=ROUNDING) else left - right


def risen(value: float, base: float) -> float:
    """By how many percent of its size a value lies above a baseline that is not 0."""
    return (settled(value / base) - 1) * math.copysign(100, base)


# The registry is made, and asked for a new unit, by one thread at a time: it and its parser keep
# what they read in places that all threads share. What was asked before needs no lock.
_ONE_AT_A_TIME = threading.RLock()


@lru_cache(maxsize=1)
def _registry() -> Any:
    from ucumvert import PintUcumRegistry  # noqa: PLC0415 - 0.7 s, only where units differ

    return PintUcumRegistry()


@lru_cache(maxsize=4096)
def _unit(ucum: str) -> Any:
    """The pint quantity of one UCUM unit; None where it is no UCUM unit."""
    with _ONE_AT_A_TIME:
        return _parsed(ucum)


def _parsed(ucum: str) -> Any:
    import lark  # noqa: PLC0415 - with the registry
    import pint  # noqa: PLC0415

    plain = _ANNOTATION.sub("", ucum)
    if not plain:
        plain = "1" if ucum else ucum  # an annotation alone is the unity
    if not plain or len(plain) > _LONGEST or _POWER.search(plain):
        return None
    try:
        quantity = _registry().from_ucum(plain)
    except (lark.exceptions.LarkError, pint.PintError, AttributeError, ValueError):
        return None
    return quantity if hasattr(quantity, "dimensionality") else None


@lru_cache(maxsize=4096)
def _line(source: str, target: str, molar_mass: float | None) -> _Line | None:
    """How `source` converts into `target`; None where it does not, or not along a line."""
    with _ONE_AT_A_TIME:
        return _converted(source, target, molar_mass)


def _converted(source: str, target: str, molar_mass: float | None) -> _Line | None:
    import pint  # noqa: PLC0415

    given, wanted = _unit(source), _unit(target)
    if given is None or wanted is None or _arbitrary(source) != _arbitrary(target):
        return None
    registry = _registry()

    def at(value: float) -> float:
        quantity = registry.Quantity(value * given.magnitude, given.units)
        quantity = _by_molar_mass(quantity, wanted, molar_mass)
        return float(quantity.to(wanted.units).magnitude) / float(wanted.magnitude)

    try:
        zero, one, ten = at(0.0), at(1.0), at(10.0)
    except (pint.PintError, ZeroDivisionError, ValueError, OverflowError):
        return None
    factor = one if zero == 0 else (ten - zero) / 10
    straight = abs(zero + 10 * factor - ten) <= _TOLERANCE * max(abs(ten), abs(zero))
    near_one = abs(zero + factor - one) <= _TOLERANCE * max(abs(one), abs(zero), abs(factor))
    return _Line(factor, zero) if straight and near_one else None


def _by_molar_mass(quantity: Any, wanted: Any, molar_mass: float | None) -> Any:
    """A mass as the amount of substance it is, or the other way; all else as it came."""
    if molar_mass is None:
        return quantity
    masses = [it.dimensionality.get("[mass]", 0) for it in (quantity, wanted)]
    factor = _registry().Quantity(molar_mass, "g/mol")
    if masses[0] - masses[1] == 1:
        return quantity / factor
    return quantity * factor if masses[1] - masses[0] == 1 else quantity


def _arbitrary(ucum: str) -> list[str]:
    return sorted(found.lower() for found in _ARBITRARY.findall(ucum))


def known(ucum: str) -> bool:
    """Whether this is a UCUM unit at all."""
    return _unit(ucum) is not None


def same(one: str | None, other: str | None) -> bool:
    """Whether two units are one, however spelled; no unit is the unity, as an annotation is."""
    first, second = _plain(one), _plain(other)
    if first == second:
        return True
    line = _line(first, second, None)
    return line is not None and line.offset == 0 and abs(line.factor - 1) <= _TOLERANCE


def _plain(ucum: str | None) -> str:
    return _ANNOTATION.sub("", ucum or "") or "1"


def convertible(source: str, target: str, molar_mass: float | None = None) -> bool:
    """Whether a value in `source` can be told in `target`; equal spellings always can.

    A mass and an amount of substance only by the molar mass, in g/mol.
    """
    return source == target or _line(source, target, molar_mass) is not None


def convert(value: float, source: str, target: str, molar_mass: float | None = None) -> float:
    """`value` in `target`, at 12 significant digits; untouched where the units are equal.

    Raises EvaluationError where it cannot be: the door should have refused it.
    """
    if source == target:
        return value
    line = _line(source, target, molar_mass)
    if line is None:
        raise EvaluationError("a unit does not convert into its fact's unit")
    return rounded(line.factor * value + line.offset)
