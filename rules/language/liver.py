"""A fact over liver tests together: Hy's law, or the quadrant of the highest values.

Who comes in: facts.py, with a fact whose `take` is one of the two. Who goes out: its FactSpec.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from rules.clinical.hys_law import Law, Quadrant
from rules.language.parameters import Constants, resolve
from rules.language.reading import Section
from rules.language.windows import duration
from rules.model import Code, FactSpec, LiverRule
from rules.terms import EventType, Take, ValueType, WindowUnit

TAKES = (Take.HYS_LAW, Take.EDISH)
_TESTS = LiverRule().tests
_DAYS = {"window": "window_days", "before": "before_days", "alp_within": "alp_within_days"}
_LIMITS = (
    *("at_times", "bilirubin_times", "alp_times"),
    *("at_over_baseline", "at_absolute", "bilirubin_over_baseline"),
)
_OF_EDISH = ("at_times", "bilirubin_times")
_LABELS = {
    Take.HYS_LAW: "Liver tests together (Hy's law)",
    Take.EDISH: "Quadrant of the highest liver tests (eDISH)",
}
_VALUES: Mapping[Take, tuple[str, ...]] = {
    Take.HYS_LAW: tuple(word.value for word in Law),
    Take.EDISH: tuple(word.value for word in Quadrant),
}
_HINT = "{from: observation, take: hys_law, alt: alt, ast: ast, bilirubin: bilirubin, alp: alp}"

Find = Callable[[str], Code | None]


def is_of_liver(section: Section) -> bool:
    """Whether the section's `take` looks at liver tests together."""
    return section.node.get("take") in tuple(take.value for take in TAKES)


def read(section: Section, name: str, label: str, find: Find, params: Constants) -> FactSpec | None:
    """The fact; `find`: a declared observation, or a complaint."""
    take = Take(section.choice("take", [take.value for take in TAKES]))
    section.choice("from", (EventType.OBSERVATION,))
    named = {test: section.text(test) for test in _TESTS}
    named = {test: code for test, code in named.items() if code}
    if "bilirubin" not in named or not named.keys() & {"alt", "ast"}:
        section.complain("take", f"`take: {take}` needs `bilirubin`, and `alt` or `ast`", _HINT)
    if len(set(named.values())) < len(named):
        section.complain("take", "each liver test needs a code of its own")
    found = {test: find(code) for test, code in named.items()}
    codes = {test: code for test, code in found.items() if code is not None}
    for test, code in codes.items():
        if code.value is not ValueType.NUMBER:
            section.complain(test, f"`{code.code}` is no number, so it has no upper limit")
        if code.ctcae not in ("", None, test):
            message = f"`{code.code}` is graded as {code.ctcae}, so it is no {test}"
            section.complain(test, message, f"name the code of {test}")
    rule = _rule(section, take, tuple(codes), params)
    baseline = section.text("baseline") if take is Take.HYS_LAW else ""
    if not codes:
        return None
    first, *also = (code.code for code in codes.values())
    return FactSpec(
        name, EventType.OBSERVATION, first, ValueType.CODE, take, values=_VALUES[take],
        also=tuple(also), baseline=baseline or None, label=label or _LABELS[take],
        line=section.line(), liver=rule,
    )  # fmt: skip


def _rule(section: Section, take: Take, tests: tuple[str, ...], params: Constants) -> LiverRule:
    rule = LiverRule(tests=tests)
    told: dict[str, float] = {}
    for key in _LIMITS if take is Take.HYS_LAW else _OF_EDISH:
        value = resolve(section, key, params, "1")
        if isinstance(value, bool) or not isinstance(value, int | float | None):
            section.complain(key, f"`{key}` must be a number")
        elif value is not None and value <= 0:
            section.complain(key, f"`{key}` must be above 0")
        elif value is not None:
            told[key] = value
    for key, field in _DAYS.items() if take is Take.HYS_LAW else ():
        days = _days(section, params, key)
        if days is not None:
            told[field] = days
    return replace(rule, **told)  # type: ignore[arg-type]


def _days(section: Section, params: Constants, key: str) -> int | None:
    made = duration(section, params, key)
    if made is None or made.low is None:
        return None
    if made.unit is not WindowUnit.DAYS:
        section.complain(key, f"`{key}` is a number of days", f"{key}: {{days: 14}}")
        return None
    return int(-made.low)
