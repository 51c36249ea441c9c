"""Which clinical dictionaries a trial goes by, and what of them its codes are.

Who comes in: schema.py with the header and the codes. Who goes out: versions by name; complaints
of analytes that the dictionary does not have, and of units that its limits do not convert into.
"""

from __future__ import annotations

from rules.clinical import ctcae
from rules.facts import grading
from rules.language.codes import Declared
from rules.language.reading import Section
from rules.language.syntax import did_you_mean
from rules.language.vocabulary import NUMERIC
from rules.model import Code
from rules.terms import EventType


def dictionaries(header: Section) -> dict[str, str]:
    """The version of each dictionary; the newest where the trial says none."""
    part = header.section("dictionaries")
    if part is None:
        return {ctcae.NAME: ctcae.LATEST}
    version = part.choice(ctcae.NAME, ctcae.FILES)
    part.close()
    return {ctcae.NAME: version or ctcae.LATEST}


def graded_codes(declared: Declared, versions: dict[str, str]) -> None:
    """Complain of codes that the dictionary cannot grade."""
    version = versions[ctcae.NAME]
    for place, code in declared.codes.items():
        if code.ctcae and place in declared.sections:
            _check(declared.sections[place], code, version)


def _check(item: Section, code: Code, version: str) -> None:
    analytes = ctcae.dictionary(version).analytes
    if code.type is not EventType.OBSERVATION or code.value not in NUMERIC:
        item.complain("ctcae", "only an observation that is a number is graded")
    elif code.ctcae not in analytes:
        near = did_you_mean(code.ctcae, analytes) or f"one of {', '.join(analytes)}"
        item.complain("ctcae", f"CTCAE {version} grades no `{code.ctcae}`", near)
    elif not grading.scales(code.ctcae, code.unit, version):
        wanted = {unit for term in analytes[code.ctcae].terms for unit in term.units}
        message = f"values in {code.unit or 'no unit'} are not graded as `{code.ctcae}`"
        item.complain("ctcae", message, f"a unit that converts into {' or '.join(sorted(wanted))}")
