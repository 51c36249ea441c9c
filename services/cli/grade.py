"""`vigil grade`: the CTCAE grade of one laboratory value, or the answers to a file of cases.

Who comes in: whoever has a value and wants its grade. Who goes out: the rules' own grades, as a
table or as JSON.
"""

from __future__ import annotations

import difflib
import math
import re
from typing import Any

import click
import orjson

import rules
from services.cli import batch

Json = dict[str, Any]

# Units as laboratories and other tools spell them, beside UCUM. Only here: protocols say UCUM.
_SPELLINGS = {
    "mmol/l": "mmol/L",
    "umol/l": "umol/L",
    "mg/dl": "mg/dL",
    "g/dl": "g/dL",
    "g/l": "g/L",
    "gi/l": "10*9/L",
    "k/ul": "10*3/uL",
    "iu/l": "U/L",
    "u/l": "U/L",
    "meq/l": "meq/L",
    "/mm3": "/uL",
    "1/mm3": "/uL",
    "cells/ul": "/uL",
    "cells/mm3": "/uL",
    "1/ul": "/uL",
    "°c": "Cel",
    "degc": "Cel",
    "°f": "[degF]",
    "degf": "[degF]",
    "ph": "[pH]",
}
_MICRO = str.maketrans({"\u00b5": "u", "\u03bc": "u"})  # the two micro signs
_POWER = re.compile(r"^[x×*]? ?10(?:\^|\*\*|[eE])(?=\d)")
_NUMBERS = ("value", "lln", "uln", "baseline")
# What is read of a case; others may stand beside them, as the grade that somebody expects.
_READ = ("id", "term", "direction", "unit", *_NUMBERS, "baseline_flag", "anticoagulated")
_FLAGS = {
    **dict.fromkeys(("high", "h", "high high", "hh"), True),
    **dict.fromkeys(("normal", "n", "low", "l", "low low", "ll"), False),
}
_DIRECTIONS = {"h": "high", "high": "high", "l": "low", "low": "low"}


@click.command(name="grade")
@click.option("--test", help="A CTCAE term, its code (as ALT) or a LOINC code.")
@click.option("--value", type=float, help="What was measured.")
@click.option("--unit", help="Its unit, and that of the limits and the baseline: UCUM, as g/dL.")
@click.option("--lln", type=float, help="The laboratory's lower limit of normal.")
@click.option("--uln", type=float, help="The laboratory's upper limit of normal.")
@click.option("--baseline", type=float, help="The value before treatment.")
@click.option(
    "--baseline-flag",
    type=click.Choice(["high", "normal", "low"]),
    help="Where the baseline lay in its own range; else it is compared with --uln.",
)
@click.option("--anticoagulated", is_flag=True, help="INR: the subject takes an anticoagulant.")
@click.option(
    "--batch", "cases", type=click.File("rb"), help="Answer a file of cases (- is stdin)."
)
@click.option("--json", "as_json", is_flag=True)
def command(*, as_json: bool, cases: Any, **asked: Any) -> int:
    """The CTCAE v5 grade of a laboratory value, in every direction that has a term."""
    if cases is not None:
        return batch.answer_all(cases.read(), answered, flat=True)
    for name in ("test", "value"):
        if asked[name] is None:
            raise click.UsageError(f"--{name} is missing, as --test ALT --value 210 --unit U/L")
    try:
        answer = graded(asked)
    except batch.CaseError as error:
        raise click.UsageError(str(error)) from None
    click.echo(orjson.dumps(answer) if as_json else "\n".join(_lines(answer)))
    return 0


def graded(asked: Json) -> Json:
    """Every term of the test that was asked for, with its grade. Raises CaseError."""
    book = rules.dictionary()
    unit, given = ucum(asked.get("unit")), _given(asked)
    grades = []
    for term in _terms(book, asked["test"]):
        found = rules.grade(term, unit, given)
        place = {"term": term.id, "label": term.label, "direction": str(term.direction)}
        grades.append({**place, **found._asdict(), "source": term.source})
    told = {"test": asked["test"], "value": asked["value"], "unit": unit}
    return {**told, "dictionary": f"CTCAE {book.version}", "grades": grades}


def answered(case: Json) -> Json:
    """One case of vectors/README.md: {"grade", "min", "max", "reason"}. Raises CaseError."""
    _check_names(case)
    if not isinstance(case.get("term"), str):
        raise batch.CaseError("`term` is missing or no text, as Anemia")
    if not isinstance(case.get("unit"), str | None):
        raise batch.CaseError("`unit` must be text, as g/L")
    terms = _terms(rules.dictionary(), case["term"])
    wanted = _direction(case.get("direction"))
    own = [term for term in terms if wanted in (None, term.direction)]
    if not own:
        raise batch.CaseError(f"CTCAE has no term for a {wanted} `{case['term']}`")
    if len(own) > 1:
        raise batch.CaseError(f"`{case['term']}` names {len(own)} terms: give `direction` H or L")
    return rules.grade(own[0], ucum(case.get("unit")), _given(case))._asdict()


def _check_names(case: Json) -> None:
    """A misspelt name would be passed over, and its value missing from the grade. CaseError."""
    absent = [name for name in _READ if name not in case]
    for told in case:
        near = difflib.get_close_matches(told.casefold(), absent, n=1, cutoff=0.85)
        if near and told not in _READ:
            raise batch.CaseError(f"unknown name `{told}`: did you mean `{near[0]}`?")


def _direction(told: object) -> str | None:
    """high, low, or None where none was told. Raises CaseError."""
    if told is None or told == "":
        return None
    word = _DIRECTIONS.get(told.strip().casefold()) if isinstance(told, str) else None
    if word is None:
        raise batch.CaseError("`direction` must be H, L or null")
    return word


def ucum(spelling: str | None) -> str | None:
    """The UCUM unit of a spelling; what is not known here stays as it is."""
    if spelling is None or not spelling.strip():
        return None
    told = _POWER.sub("10*", spelling.strip().translate(_MICRO))
    return _SPELLINGS.get(told.casefold(), told)


def _terms(book: rules.Dictionary, test: str) -> tuple[rules.Term, ...]:
    found = book.named(test)
    if found:
        return found
    if book.graded_otherwise(test):
        how = "by treatment or consequences, never by a value"
        raise batch.CaseError(f"CTCAE {book.version} grades `{test}` {how}")
    near = difflib.get_close_matches(test.strip().casefold().replace(" ", "_"), book.names, n=1)
    names = ", ".join(analyte.id for analyte in book.analytes.values())
    hint = f"did you mean {near[0]}?" if near else f"a CTCAE term, a LOINC code or one of {names}"
    raise batch.CaseError(f"`{test}` is nothing that CTCAE {book.version} grades by value: {hint}")


def _given(asked: Json) -> rules.Given:
    """What is known of the value. Raises CaseError where it is no number."""
    for name in _NUMBERS:
        _check_number(name, asked.get(name))
    low, high = asked.get("lln"), asked.get("uln")
    if low is not None and high is not None and low > high:
        raise batch.CaseError("`lln` must not be above `uln`")
    flag = asked.get("baseline_flag")
    if flag is not None and str(flag).casefold() not in _FLAGS:
        raise batch.CaseError("`baseline_flag` must be HIGH, NORMAL, LOW or null")
    if not isinstance(asked.get("anticoagulated"), bool | None):
        raise batch.CaseError("`anticoagulated` must be true, false or null")
    return rules.Given(
        value=asked.get("value"),
        low=low,
        high=high,
        baseline=asked.get("baseline"),
        baseline_high=None if flag is None else _FLAGS[str(flag).casefold()],
        anticoagulated=asked.get("anticoagulated") is True,
    )


def _check_number(name: str, told: object) -> None:
    """A lower limit of 0 is common, as is a baseline: an upper limit of 0 is none. CaseError."""
    if told is None:
        return
    if isinstance(told, bool) or not isinstance(told, int | float):
        raise batch.CaseError(f"`{name}` must be a number or null, as 5.2")
    if not math.isfinite(told):
        raise batch.CaseError(f"`{name}` must be a finite number")
    if told < 0 or (told == 0 and name == "uln"):
        least = "be above 0" if name == "uln" else "not be below 0"
        raise batch.CaseError(f"`{name}` must {least}")


def _lines(answer: Json) -> list[str]:
    unit = f" {answer['unit']}" if answer["unit"] else ""
    lines = [f"{answer['test']} {answer['value']:g}{unit} by {answer['dictionary']}"]
    width = max(len(one["label"]) for one in answer["grades"])
    for one in answer["grades"]:
        cells = f"{one['label']:<{width}}  {one['direction']:<4}  {_range(one):<9}"
        lines.append(f"  {cells}  {one['reason']}")
    return lines


def _range(one: Json) -> str:
    if one["grade"] is None:
        return "no grade"
    if one["min"] == one["max"]:
        return f"grade {one['grade']}"
    return f"grade {one['min']}-{one['max']}"
