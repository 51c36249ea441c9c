"""Judges one published event against the protocol's declarations, and makes its data canonical.

Who comes in: intake, once an event, on the hot path; the loader with the events of scenarios.
Who goes out: (canonical data, problems). No problem ever repeats a value.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from rules.facts import dosing, units
from rules.facts.calendar import DAY_US, Calendar
from rules.language import values
from rules.language.shapes import EXCLUSIVE, PUBLISHED, REQUIRED, SPANS, fields_of
from rules.language.syntax import did_you_mean
from rules.language.values import Dates
from rules.language.vocabulary import CODED
from rules.model import Code, Definition
from rules.terms import EventType, ValueType

Problem = tuple[str, str, str]  # JSON pointer within the event, detail, hint
Data = dict[str, Any]


class EventChecker:
    """Compiled from a Definition; holds no state between events."""

    def __init__(self, definition: Definition) -> None:
        """Compile the declarations."""
        self.codes: dict[EventType, dict[str, Code]] = {kind: {} for kind in CODED}
        self.codings: dict[tuple[EventType, str, str], str] = {}
        for (kind, name), code in definition.codes.items():
            self.codes[kind][name] = code
            for item in code.codings:
                self.codings[kind, item.system, item.code] = name
        self.dates = Dates(Calendar(definition.time_zone))
        self.waivable = {item.id: item.waivable for item in definition.criteria}
        self.fields = fields_of(self.dates)
        self.aliases = definition.aliases
        self.product = definition.product
        self.quick = {
            name: (code.unit, _bound(code.low, -1), _bound(code.high, 1))
            for name, code in self.codes[EventType.OBSERVATION].items()
            if code.value is ValueType.NUMBER
        }

    def check(
        self, kind: str, data: Any, time_us: int, source: str = ""
    ) -> tuple[Data, list[Problem]]:
        """(canonical data, problems); the data mean nothing where there are problems.

        `source`: the publisher's CloudEvents source, whose spelling of units may be declared. The
        canonical data hold the UCUM unit.
        """
        if kind == EventType.OBSERVATION and self._plainly_right(data):
            return data.copy(), []
        if kind not in PUBLISHED:
            hint = did_you_mean(str(kind), PUBLISHED) or f"one of {', '.join(PUBLISHED)}"
            return {}, [("/type", "unknown type of event", hint)]
        if not isinstance(data, dict):
            return {}, [("/data", "must be an object", "")]
        return _Check(self, EventType(kind), data, time_us, source).run()

    def ucum(self, unit: str, code: Code, source: str) -> str:
        """The unit that a publisher's spelling stands for: its own, else the code's, else any's."""
        for aliases in (self.aliases.get(source), code.aliases, self.aliases.get("*")):
            if aliases and unit in aliases:
                return aliases[unit]
        return unit

    def declares(self, kind: str, system: str, code: str) -> bool:
        """Whether a type of event has the code; without a system, as the protocol names it."""
        known = self.codes.get(EventType(kind), {})
        return code in known if not system else (EventType(kind), system, code) in self.codings

    def undeclared(self, kind: str, data: Any) -> list[tuple[str, str]]:
        """(system, code) of what refused data name and no code of the protocol stands for.

        The system is '' where `code` was to be one of the protocol's own.
        """
        if kind not in CODED or not isinstance(data, dict):
            return []
        name, listed = data.get("code"), data.get("coding")
        if "code" in data:
            own = isinstance(name, str) and not self.declares(kind, "", name)
            return [("", str(name))] if own else []
        if listed is None or values.coding(listed) is not None:
            return []
        pairs = [(item["system"], item["code"]) for item in listed]
        return [] if any(self.declares(kind, *pair) for pair in pairs) else pairs

    def begins(self, time_us: int, precision: str) -> bool:
        """Whether `time` begins a span of its `timeprecision` in the site's zone."""
        return precision == "second" or self.dates.calendar.begins(time_us, precision)

    def _plainly_right(self, data: Any) -> bool:
        """The common case in one look: a declared number in the declared unit, within its range."""
        if data.__class__ is not dict or len(data) != 3:
            return False
        quick = self.quick.get(data["code"]) if data.get("code").__class__ is str else None
        value = data.get("value")
        if quick is None or "unit" not in data or value.__class__ not in (int, float):
            return False
        unit, low, high = quick
        return unit is not None and data["unit"] == unit and low <= value <= high


def _bound(limit: float | None, sign: int) -> float:
    """A limit of the quick look: an undeclared one still keeps infinities and huge numbers out."""
    return float(sign * values.EXACT) if limit is None else limit


class _Check:
    """One event on its way through the checks."""

    def __init__(
        self, checker: EventChecker, kind: EventType, data: Data, time_us: int, source: str
    ) -> None:
        self.checker, self.kind, self.time_us, self.source = checker, kind, time_us, source
        self.data = dict(data)
        self.problems: list[Problem] = []

    def run(self) -> tuple[Data, list[Problem]]:
        """Keys first, then each value, then what needs several of them."""
        faulty = self._keys()
        for key, check in self.checker.fields[self.kind].items():
            if check is not None and key in self.data and (fault := check(self.data[key])):
                self._fault(key, fault)
                faulty = True
        if not faulty:
            more = _MORE.get(self.kind)
            if self.kind in CODED:
                self._coded()
            elif more is not None:
                more(self)
            self._spans()
        return self.data, self.problems

    def _fault(self, key: str, fault: tuple[str, str]) -> None:
        pointer = "/data/" + key.replace("~", "~0").replace("/", "~1")
        self.problems.append((pointer, *fault))

    def _keys(self) -> bool:
        fields = self.checker.fields[self.kind]
        for key in self.data:
            if key not in fields:
                self._fault(
                    str(key)[:64], (f"is not a key of {self.kind}", did_you_mean(str(key), fields))
                )
        for group in REQUIRED[self.kind]:
            if not any(key in self.data for key in group):
                self._fault(group[0], (f"{' or '.join(group)} is required", ""))
        for one, other in EXCLUSIVE.get(self.kind, ()):
            if one in self.data and other in self.data:
                self._fault(other, (f"must not stand beside `{one}`", ""))
        return bool(self.problems)

    def _coded(self) -> None:
        code = self._resolve()
        if code is None:
            return
        self.data["code"] = code.code
        if self.kind in (EventType.OBSERVATION, EventType.ASSESSMENT):
            self._valued(code)

    def _resolve(self) -> Code | None:
        """The declared code that `code` names, or that one of `coding` maps to."""
        declared, name = self.checker.codes[self.kind], self.data.get("code")
        mapped: set[str] = set()
        if "coding" in self.data:
            if fault := values.coding(self.data["coding"]):
                self._fault("coding", fault)
                return None
            pairs = [(self.kind, item["system"], item["code"]) for item in self.data["coding"]]
            mapped = {self.checker.codings[pair] for pair in pairs if pair in self.checker.codings}
        if "code" not in self.data:
            if len(mapped) != 1:
                said = (
                    "maps to no declared code" if not mapped else "maps to several declared codes"
                )
                self._fault("coding", (said, f"the protocol declares what a {self.kind} may be"))
                return None
            name = mapped.pop()
        elif not isinstance(name, str) or name not in declared:
            near = did_you_mean(name, declared) if isinstance(name, str) else "a text"
            self._fault("code", (f"is no {self.kind} that the protocol declares", near))
            return None
        elif mapped and name not in mapped:
            self._fault("coding", ("maps to another declared code than `code`", ""))
            return None
        return declared[name]

    def _valued(self, code: Code) -> None:
        if "scores" in self.data:
            if code.value is not None:
                self._fault("scores", (f"must be a `value`: a {code.value}", ""))
            elif fault := _scored(self.data["scores"], code):
                self._fault("scores", fault)
        elif "value" in self.data:
            if code.value is None:
                self._fault("value", ("must be `scores`", "{skin: 2, mouth: 0}"))
            elif code.value in (ValueType.NUMBER, ValueType.INTEGER):
                self._number(code)
            else:
                self._word(code)
        if code.value not in (ValueType.NUMBER, ValueType.INTEGER) and "unit" in self.data:
            self._fault("unit", ("has no place with a value that is no number", "leave it out"))

    def _word(self, code: Code) -> None:
        value = self.data["value"]
        if code.value is ValueType.BOOLEAN:
            fault = values.boolean(value)
        elif code.value is ValueType.STRING:
            fault = values.text()(value)
        else:
            if isinstance(value, dict) and value.keys() <= {"code", "system", "display"}:
                value = self.data["value"] = value.get("code")
            fault = values.words(code.values)(value)
        if fault:
            self._fault("value", fault)

    def _number(self, code: Code) -> None:
        value = self.data["value"]
        if "unit" in self.data:
            self.data["unit"] = self.checker.ucum(self.data["unit"], code, self.source)
        unit = self.data.get("unit", code.unit)
        fault = values.number(value)
        if fault is None and code.value is ValueType.INTEGER:
            fault = values.whole(-values.EXACT)(value)
            self.data["value"] = value if fault else int(value)
        if fault:
            self._fault("value", fault)
            return
        self._unit(code)
        if self.problems:
            return
        told = value
        if code.unit and unit:
            told = units.convert(value, unit, code.unit, code.molar_mass)
        below = code.low is not None and told < code.low
        if below or (code.high is not None and told > code.high):
            self._fault("value", ("is not possible", _range(code)))
        low, high = self.data.get("reference_low"), self.data.get("reference_high")
        if low is not None and high is not None and low > high:
            self._fault("reference_low", ("is above `reference_high`", ""))

    def _unit(self, code: Code) -> None:
        unit = self.data.get("unit")
        if unit is None:
            # A pure number may leave its unit out; an assessment has no key for one.
            bare = code.unit is None or code.unit == "1" or code.unit.startswith("{")
            if not bare and self.kind is EventType.OBSERVATION:
                self._fault("unit", ("is required with this value", f"UCUM, as {code.unit}"))
        elif code.unit is None:
            self._fault("unit", ("the protocol declares no unit for this code", "leave it out"))
        elif not units.convertible(unit, code.unit, code.molar_mass):
            self._fault("unit", (f"cannot be converted to {code.unit}", "UCUM, case-sensitive"))

    def _spans(self) -> None:
        first, last = SPANS.get(self.kind, ("", ""))
        if first and (fault := self.checker.dates.ordered(self.data, first, last)):
            self._fault(last, fault)

    def demographics(self) -> None:
        """Nobody is born after the day on which their birth date was told."""
        born = self.checker.dates.span(self.data.get("birth_date"))
        if born is not None and born.start > self.time_us + DAY_US:
            self._fault("birth_date", ("lies after the event's time", ""))

    def administration(self) -> None:
        """A dose of the product is told in a unit that converts into the product's."""
        product, unit = self.checker.product, self.data.get("unit")
        if product is None or self.data.get("dose") is None:
            return
        if unit is None:
            self._fault("unit", ("is required with a dose", f"UCUM, as {product.dose_unit}"))
        elif not dosing.tells(product, unit):
            hint = "UCUM, case-sensitive"
            self._fault("unit", (f"cannot be converted to {product.dose_unit}", hint))

    def override(self) -> None:
        """Only what the protocol lets an investigator waive."""
        criterion, waivable = self.data["criterion"], self.checker.waivable
        if not isinstance(criterion, str) or criterion not in waivable:
            near = did_you_mean(str(criterion), waivable)
            self._fault("criterion", ("is no criterion of the protocol", near))
        elif not waivable[criterion]:
            open_to = ", ".join(name for name, may in waivable.items() if may) or "none"
            self._fault("criterion", ("cannot be waived", f"waivable: {open_to}"))


_MORE: Mapping[EventType, Callable[[_Check], None]] = {
    EventType.DEMOGRAPHICS: _Check.demographics,
    EventType.OVERRIDE: _Check.override,
    EventType.ADMINISTRATION: _Check.administration,
}


def _scored(scores: Data, code: Code) -> tuple[str, str] | None:
    """What is wrong with scores: each that the code declares, within its range; else 0 to 3."""
    for name, score in scores.items():
        if code.scores and name not in code.scores:
            return f"`{name}` is no score of `{code.code}`", did_you_mean(name, code.scores)
        least, most = code.scores.get(name, (0, 3))
        if not isinstance(score, str) and not least <= score <= most:
            return f"`{name}` must be from {least} to {most}", ""
    return None


def _range(code: Code) -> str:
    low = "" if code.low is None else f"at least {code.low:g}"
    high = "" if code.high is None else f"at most {code.high:g}"
    both = ", ".join(part for part in (low, high) if part)
    return f"{both} {code.unit}" if code.unit else both
