"""The declarations of a file: parameters, codes, facts.

Who comes in: schema.py with sections of the tree. Who goes out: Parameter, Code, FactSpec.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace

from rules.facts import units
from rules.language.loader import Map
from rules.language.reading import Book, Section
from rules.language.syntax import did_you_mean
from rules.language.vocabulary import SEXES
from rules.model import Code, Coding, FactSpec, Parameter, Scalar, Window
from rules.terms import EventType, Take, ValueType, WindowUnit

NAME = re.compile(r"[a-z][a-z0-9_]{0,63}")
NAME_SHAPE = "lower-case letters, digits and _, beginning with a letter"
CODED = (
    EventType.OBSERVATION,
    EventType.ASSESSMENT,
    EventType.CONDITION,
    EventType.PROCEDURE,
    EventType.MEDICATION,
)
VALUED = (EventType.OBSERVATION, EventType.ASSESSMENT)
DOCUMENTS = ("informed_consent", "assent", "guardian_consent")
GIVERS = ("subject", "guardian")
NUMERIC = (ValueType.INTEGER, ValueType.NUMBER)
_POINT = (EventType.CONDITION, EventType.PROCEDURE)
Codes = dict[tuple[EventType, str], Code]


def parameters(node: Map, book: Book) -> dict[str, Parameter]:
    """`name: {value, source, reason}`; what is not in the record needs its reason."""
    result: dict[str, Parameter] = {}
    for name, value in node.items():
        if not NAME.fullmatch(name):
            book.complain(node.lines[name], f"the parameter `{name}` must be {NAME_SHAPE}")
        if not isinstance(value, Map):
            message = f"the parameter `{name}` must be a mapping"
            book.complain(node.lines[name], message, "{value: .., source: ..}")
            continue
        section = Section(book, value, f"the parameter `{name}`")
        result[name] = _parameter(section, name)
        section.close()
    return result


def _parameter(section: Section, name: str) -> Parameter:
    value = section.raw("value", required=True)
    if value is not None and not isinstance(value, bool | int | float | str):
        section.complain("value", "`value` must be a number, a text or true/false")
        value = None
    source = section.text("source", required=True)
    reason = section.text("reason")
    if source == "not in the record" and not reason:
        section.complain("source", "what is not in the record needs a `reason`")
    return Parameter(name, 0 if value is None else value, source, reason)


def codes(section: Section) -> Codes:
    """The list of what may be published."""
    result: Codes = {}
    for item in section.sections("codes", "the code"):
        code = _code(item)
        item.close()
        if code is None:
            continue
        known = result.setdefault((code.type, code.code), code)
        if known is not code:
            item.complain(
                "code", f"is declared twice as {code.type}", f"first on line {known.line}"
            )
    return result


def _code(item: Section) -> Code | None:
    name = item.name("code", NAME, NAME_SHAPE)
    kind = item.choice("type", CODED)
    valued = kind in VALUED
    value = item.enum("value", ValueType, required=kind == EventType.OBSERVATION)
    values = item.texts("values")
    code = Code(
        code=name,
        type=EventType(kind) if kind else EventType.OBSERVATION,
        label=item.text("label", required=True),
        value=value,
        unit=item.text("unit") or None,
        values=values,
        low=item.number("low"),
        high=item.number("high"),
        codings=_codings(item),
        line=item.line(),
    )
    _check_value(item, code, valued=valued)
    return code if name and kind else None


def _check_value(item: Section, code: Code, *, valued: bool) -> None:
    if code.value is not None and not valued:
        item.complain("value", f"a {code.type} has no value of its own", "its fact is a boolean")
    if code.value is ValueType.CODE and not code.values:
        item.complain("value", "a code needs its `values`", "values: [positive, negative]")
    if code.values and code.value is not ValueType.CODE:
        item.complain("values", "only `value: code` has values")
    if len(set(code.values)) != len(code.values):
        item.complain("values", "a value stands twice")
    numeric = code.value in NUMERIC
    if not numeric and (code.low is not None or code.high is not None):
        item.complain("low" if code.low is not None else "high", "only a number has low and high")
    if code.unit is not None and not numeric:
        item.complain("unit", "only a number has a unit")
    if code.unit is not None and numeric and not units.known(code.unit):
        item.complain("unit", f"`{code.unit}` is no UCUM unit", "as Cel, mm[Hg], mg/dL, {score}")
    if code.low is not None and code.high is not None and code.low > code.high:
        item.complain("low", "`low` is above `high`")


def _codings(item: Section) -> tuple[Coding, ...]:
    found = []
    for part in item.sections("codings", f"{item.what}, coding"):
        found.append(Coding(part.text("system", required=True), part.text("code", required=True)))
        part.close()
    return tuple(found)


def default_facts(declared: Codes, book: Book) -> dict[str, FactSpec]:
    """Every code has a fact of its own name: its latest."""
    result: dict[str, FactSpec] = {}
    for code in declared.values():
        if code.type in VALUED and code.value is None:
            continue  # an assessment of `scores` is no single fact
        if code.code in result:
            message = f"the code `{code.code}` stands under two types, so its fact is not clear"
            book.complain(code.line, message, "rename one")
        result[code.code] = _of_code(code.code, code, "latest", None, code.line)
    return result


def _of_code(name: str, code: Code, take: str, window: Window | None, line: int) -> FactSpec:
    kind = ValueType.BOOLEAN if code.value is None or take == "any" else code.value
    return FactSpec(
        name=name,
        origin=code.type,
        code=code.code,
        value=kind,
        take=Take(take),
        unit=code.unit if kind is code.value else None,
        values=code.values if kind is ValueType.CODE else (),
        window=window,
        label=code.label,
        line=line,
    )


def facts(
    node: Map, declared: Codes, params: Mapping[str, Scalar], book: Book
) -> dict[str, FactSpec]:
    """The default facts and those of the file, which may replace them."""
    result = default_facts(declared, book)
    for name, value in node.items():
        line = node.lines[name]
        if not NAME.fullmatch(name):
            book.complain(line, f"the fact `{name}` must be {NAME_SHAPE}")
        elif not isinstance(value, Map):
            book.complain(line, f"the fact `{name}` must be a mapping", "{from: .., take: ..}")
        else:
            section = Section(book, value, f"the fact `{name}`")
            section.node.line = line
            spec = _fact(section, name, declared, params)
            section.close()
            if spec is not None:
                result[name] = spec
    return result


def _fact(
    section: Section, name: str, declared: Codes, params: Mapping[str, Scalar]
) -> FactSpec | None:
    origin = section.choice("from", (EventType.DEMOGRAPHICS, EventType.CONSENT, *CODED))
    label = section.text("label")
    if not origin:
        section.asked |= {"code", "field", "document", "given_by", "take", "window", "date_only"}
        return None
    if origin == EventType.DEMOGRAPHICS:
        return _demographic(section, name, label)
    if origin == EventType.CONSENT:
        return _consent(section, name, label)
    code = _find(section, EventType(origin), declared)
    take = section.choice(
        "take", ("latest", "min", "max", "any", "touches_point", "touches_span"), required=False
    )
    window = _window(section, params)
    if code is None:
        return None
    _check_take(section, take or "latest", code, window)
    counts = section.choice("date_only", ("unknown", "counts"), required=False) == "counts"
    if counts and (window is None or take in ("", "latest")):
        section.complain("date_only", "`date_only: counts` needs a `window` and a `take` over it")
    spec = _of_code(name, code, take or "latest", window, section.line())
    return replace(spec, label=label or spec.label, dates_count=counts)


def _find(section: Section, origin: EventType, declared: Codes) -> Code | None:
    name = section.text("code", required=True)
    code = declared.get((origin, name))
    if name and code is None:
        near = did_you_mean(name, [known for kind, known in declared if kind is origin])
        section.complain(
            "code", f"no {origin} `{name}` is declared", near or "declare it under `codes`"
        )
    if code is not None and code.type in VALUED and code.value is None:
        section.complain("code", f"`{name}` has no single value")
        return None
    return code


def _check_take(section: Section, take: str, code: Code, window: Window | None) -> None:
    if take in ("min", "max") and code.value not in NUMERIC:
        section.complain(
            "take", f"`take: {take}` needs a number", "any, for a condition or a boolean"
        )
    if take == "any" and code.value not in (None, ValueType.BOOLEAN):
        section.complain("take", "`take: any` needs a condition, a procedure or a boolean")
    if take == "touches_span" and code.type not in _POINT:
        section.complain("take", "`take: touches_span` needs a condition or a procedure")
    if take == "touches_point" and code.type not in _POINT:
        section.complain("take", "`take: touches_point` needs a condition or a procedure")
    if take.startswith("touches") and window is None:
        section.complain("take", f"`take: {take}` needs a `window`", "window: {months: 6}")


def _window(section: Section, params: Mapping[str, Scalar]) -> Window | None:
    part = section.section("window")
    if part is None:
        return None
    months = part.whole("months", resolve(part, "months", params), 1, 1200)
    hours = resolve(part, "hours", params)
    days = part.whole("days", resolve(part, "days", params), 1, 36500)
    part.close()
    if hours is not None and (isinstance(hours, bool) or not isinstance(hours, int | float)):
        part.complain("hours", "`hours` must be a number above 0")
        return None
    if hours is not None and hours <= 0:
        part.complain("hours", "`hours` must be a number above 0")
        return None
    if sum(item is not None for item in (months, hours, days)) != 1:
        part.complain(None, "needs exactly one of `months`, `days` or `hours`")
        return None
    lengths = {WindowUnit.MONTHS: months, WindowUnit.DAYS: days, WindowUnit.HOURS: hours}
    unit, length = next((unit, found) for unit, found in lengths.items() if found is not None)
    return Window(unit, -length)


def resolve(section: Section, key: str, params: Mapping[str, Scalar]) -> object:
    """A value, or that of the parameter it names as `params.<name>`."""
    value = section.raw(key)
    if isinstance(value, str) and value.startswith("params."):
        name = value.removeprefix("params.")
        if name not in params:
            section.complain(key, f"unknown parameter `{name}`", did_you_mean(name, params))
            return None
        return params[name]
    return value


def _demographic(section: Section, name: str, label: str) -> FactSpec | None:
    field = section.choice("field", ("birth_date", "sex"))
    line = section.line()
    if field == "birth_date":
        section.choice("take", ("completed_years",))
        return FactSpec(
            name, EventType.DEMOGRAPHICS, field, ValueType.INTEGER, Take.COMPLETED_YEARS,
            unit="a", label=label or "Age in completed years", line=line,
        )  # fmt: skip
    section.choice("take", ("latest",), required=False)
    return FactSpec(
        name, EventType.DEMOGRAPHICS, "sex", ValueType.CODE,
        values=SEXES, label=label or "Sex", line=line,
    ) if field else None  # fmt: skip


def _consent(section: Section, name: str, label: str) -> FactSpec | None:
    document = section.choice("document", DOCUMENTS)
    given_by = section.choice("given_by", GIVERS, required=False)
    section.choice("take", ("latest",), required=False)
    return FactSpec(
        name, EventType.CONSENT, document, ValueType.BOOLEAN, given_by=given_by or None,
        label=label or name.replace("_", " ").capitalize(), line=section.line(),
    ) if document else None  # fmt: skip
