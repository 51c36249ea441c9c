"""Facts computed by a clinical function: its name and arguments, each of the right type.

Who comes in: derivations.py with the section of a fact. Who goes out: a Clinical node, or None.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rules.clinical.functions import FUNCTIONS, Argument, Function
from rules.facts import units
from rules.language.reading import Section
from rules.language.syntax import did_you_mean
from rules.language.vocabulary import NUMERIC, FactType
from rules.model import Clinical, Name
from rules.terms import ValueType


def clinical(
    section: Section, names: Mapping[str, FactType], every: frozenset[str]
) -> Clinical | None:
    """The function over the facts that are known so far; `every`: all names, for hints."""
    name = section.text("clinical", required=True)
    function = FUNCTIONS.get(name)
    given = section.mapping("of", required=True)
    if function is None:
        if name:
            near = did_you_mean(name, FUNCTIONS) or f"one of {', '.join(FUNCTIONS)}"
            section.complain("clinical", f"no clinical function `{name}`", near)
        return None
    found = {
        argument: fact
        for argument, fact in given.items()
        if _stands(section, function, argument, fact, names, every)
    }
    missing = _missing(function, given)
    if missing:
        message = f"`{name}` needs {', '.join(f'`{one}`' for one in missing)}"
        section.complain("of", message, f"{missing[0]}: the name of a fact")
    if missing or len(found) != len(given):
        return None
    ordered = [key for key in function.arguments if key in found]
    return Clinical(name, tuple((key, Name(str(found[key]))) for key in ordered))


def _missing(function: Function, given: Mapping[str, Any]) -> list[str]:
    wanted = function.arguments.items()
    return [key for key, one in wanted if not one.optional and key not in given]


def _stands(
    section: Section,
    function: Function,
    argument: str,
    fact: object,
    names: Mapping[str, FactType],
    every: frozenset[str],
) -> bool:
    """Whether a fact may stand for an argument; complains where not."""
    wanted = function.arguments.get(argument)
    if wanted is None:
        section.complain("of", f"no argument `{argument}`", _near(argument, function.arguments))
        return False
    if not isinstance(fact, str) or fact not in names:
        near = did_you_mean(str(fact), every) or "declare it under `facts`"
        section.complain("of", f"`{argument}`: no fact `{fact}`", near)
        return False
    unfit = _unfit(wanted, names[fact])
    if unfit:
        section.complain("of", f"`{argument}`: the fact `{fact}` {unfit}", _hint(wanted))
    return not unfit


def _near(name: str, known: Mapping[str, Argument]) -> str:
    return did_you_mean(name, known) or f"one of {', '.join(known)}"


def _unfit(wanted: Argument, told: FactType) -> str:
    """What speaks against a fact as an argument; '': nothing."""
    if wanted.kind is ValueType.NUMBER:
        if told.value not in NUMERIC:
            return f"is of type {told.value}, not number"
        return "" if units.same(told.unit, wanted.unit) else f"is in {told.unit or '1'}"
    if told.value is not wanted.kind:
        return f"is of type {told.value}, not {wanted.kind}"
    other = [value for value in told.values if value not in wanted.values]
    return f"may be `{other[0]}`" if wanted.values and other else ""


def _hint(wanted: Argument) -> str:
    if wanted.values:
        return f"only {', '.join(wanted.values)}"
    return f"in {wanted.unit}" if wanted.unit else f"a fact that is {wanted.kind}"
