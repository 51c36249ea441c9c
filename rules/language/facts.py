"""The facts that a file reads from events, besides one of each code.

Who comes in: schema.py with the codes. Who goes out: FactSpec by name, in the order of the file.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial

from rules.clinical import ctcae
from rules.language import liver, takes
from rules.language.clauses import TRUE, Clauses
from rules.language.codes import Codes
from rules.language.loader import Map, Seq
from rules.language.parameters import Constants
from rules.language.reading import NAME, NAME_SHAPE, Book, Section
from rules.language.syntax import did_you_mean
from rules.language.takes import Read
from rules.language.vocabulary import (
    CODED,
    DOCUMENTS,
    GIVERS,
    INTEGER,
    SEXES,
    VALUED,
    FactType,
    entity_facts,
)
from rules.language.windows import duration, window
from rules.model import Code, Condition, FactSpec, Reference, Window
from rules.terms import Absence, ChangeKind, Conflict, EventType, Measure, Take, ValueType, said

ORIGINS = (EventType.DEMOGRAPHICS, EventType.CONSENT, *CODED, *takes.ENTITIES)
# What a fact of an entity may look at; the name is that of its facts in conditions.
FIELDS: Mapping[EventType, Mapping[str, str]] = {
    EventType.ADMINISTRATION: {"dose": "dose", "number": "infusion_number"},
    EventType.ADVERSE_EVENT: {
        name: name for name in ("grade", "serious", "expected", "causality", "outcome")
    },
}
_HINT = "{from: .., take: ..}"
_ALL_KEYS = (
    *("from", "code", "field", "document", "given_by", "where", "measure", "take", "baseline"),
    *("change", "window", "valid", "conflict", "worse", "within", "applicable_if", "date_only"),
    *("anchor", "label", "unit", "score"),
)


def default_facts(declared: Codes, book: Book) -> dict[str, FactSpec]:
    """Every code has a fact of its own name: its latest."""
    result: dict[str, FactSpec] = {}
    for code in declared.values():
        if code.type in VALUED and code.value is None:
            continue  # an assessment of `scores` is no single fact
        if code.code in result:
            message = f"the code `{code.code}` stands under two types, so its fact is not clear"
            book.complain(code.line, message, "rename one")
        read = _read_of(code)
        result[code.code] = FactSpec(
            name=code.code,
            origin=code.type,
            code=code.code,
            value=read.value or ValueType.BOOLEAN,
            unit=code.unit,
            values=code.values,
            label=code.label,
            line=code.line,
            molar_mass=code.molar_mass,
        )
    return result


def _read_of(code: Code, *, scored: bool = False) -> Read:
    if scored:
        return Read(code.type, ValueType.INTEGER)
    value = code.value or ValueType.BOOLEAN
    return Read(code.type, value, code.unit, code.values, code.molar_mass)


@dataclass
class SourceFacts:
    """Reads one fact after the other."""

    codes: Codes
    params: Constants
    clauses: Clauses
    reference: Reference

    def read(self, section: Section, name: str) -> FactSpec | None:
        """The fact of one mapping; its `applicable_if` is read once all names are known."""
        section.asked.add("applicable_if")
        label = section.text("label")
        if "anchor" in section.node and "from" not in section.node:
            return self._since_anchor(section, name, label)
        origin = section.choice("from", ORIGINS)
        if not origin:
            section.asked.update(_ALL_KEYS)
            return None
        if origin == EventType.DEMOGRAPHICS:
            return _demographic(section, name, label)
        if origin == EventType.CONSENT:
            return self._consent(section, name, label)
        if origin in takes.ENTITIES:
            return self._entity(section, name, EventType(origin), label)
        return self._coded(section, name, EventType(origin), label)

    def _since_anchor(self, section: Section, name: str, label: str) -> FactSpec | None:
        anchor = section.text("anchor", required=True)
        take = section.choice("take", ("days_since",))
        if not anchor or not take:
            return None
        return FactSpec(
            name, None, "", ValueType.INTEGER, Take.DAYS_SINCE, unit="d", anchor=anchor,
            label=label or f"Days since {anchor.replace('_', ' ')}", line=section.line(),
        )  # fmt: skip

    def _coded(self, section: Section, name: str, origin: EventType, label: str) -> FactSpec | None:
        if liver.is_of_liver(section):
            find = partial(self._find, section, EventType.OBSERVATION)
            return liver.read(section, name, label, find, self.params)
        found = self._codes(section, origin)
        names = {"value": FactType(ValueType.BOOLEAN)}
        if found:
            read = _read_of(found[0], scored=_asks_score(section))
            kind = read.value or ValueType.BOOLEAN
            names = {"value": FactType(kind, read.values, read.unit, "", read.molar_mass)}
            if _is_ratio(section):
                graded = section.node.get("measure") in takes.GRADES
                ratio = FactType(ValueType.NUMBER, (), "1")
                names = {"value": INTEGER if graded else ratio}
        where = self._where(section, names)
        if not found:
            section.asked.update(_ALL_KEYS)
            return None
        first, score = found[0], self._score(section, found)
        if section.node.get("measure") in takes.GRADES:
            _graded(section, found)
        spec = FactSpec(
            name, origin, first.code, ValueType.BOOLEAN, where=where,
            also=tuple(code.code for code in found[1:]), label=label or first.label,
            line=section.line(), molar_mass=first.molar_mass,
        )  # fmt: skip
        if score:
            spec = replace(spec, score=score, label=label or f"{first.label}: {said(score)}")
        return self._taken(section, spec, _read_of(first, scored=bool(score)), Take.LATEST)

    @staticmethod
    def _score(section: Section, found: list[Code]) -> str:
        """Which of an assessment's scores; ''  where its value is meant."""
        score = section.text("score")
        if score and (len(found) > 1 or score not in found[0].scores):
            near = did_you_mean(score, found[0].scores) if len(found) == 1 else "of one code"
            section.complain("score", f"`{found[0].code}` has no score `{score}`", near)
            return ""
        return score

    def _codes(self, section: Section, origin: EventType) -> list[Code]:
        """One code, or several of one type and unit whose records are pooled."""
        value = section.raw("code", required=True)
        listed = list(value) if isinstance(value, Seq) else [value] if value is not None else []
        if isinstance(value, Seq) and (not listed or len(set(map(str, listed))) != len(listed)):
            section.complain("code", "`code` must be a code, or a list of different codes")
        found = [self._find(section, origin, one) for one in listed]
        codes = [code for code in found if code is not None]
        if len(codes) != len(found):
            return []
        if len(codes) > 1 and origin not in VALUED:
            section.complain("code", f"several codes of a {origin} are no one fact", _EACH)
        for other in codes[1:]:
            alike = (other.value, other.unit, other.values)
            if alike != (codes[0].value, codes[0].unit, codes[0].values):
                message = f"`{codes[0].code}` and `{other.code}` differ in value or unit"
                section.complain("code", message, _EACH)
        return codes

    def _find(self, section: Section, origin: EventType, name: object) -> Code | None:
        if not isinstance(name, str):
            section.complain("code", "`code` must be a text", "quote it")
            return None
        code = self.codes.get((origin, name))
        if code is None:
            near = did_you_mean(name, [known for kind, known in self.codes if kind is origin])
            section.complain(
                "code", f"no {origin} `{name}` is declared", near or "declare it under `codes`"
            )
        elif code.type in VALUED and code.value is None and not _asks_score(section):
            hint = f"score: {next(iter(code.scores))}" if code.scores else ""
            section.complain("code", f"`{name}` has no single value", hint)
            return None
        return code

    def _where(self, section: Section, names: Mapping[str, FactType]) -> Condition | None:
        if "where" not in section.node:
            section.asked.add("where")
            return None
        found = self.clauses.read(section, "where", names)
        return None if found == TRUE else found

    def _entity(
        self, section: Section, name: str, origin: EventType, label: str
    ) -> FactSpec | None:
        own = entity_facts(origin, self.reference)
        field = section.choice("field", FIELDS[origin], required=False)
        where = self._where(section, own)
        kind = own[FIELDS[origin][field]] if field else None
        read = Read(origin, kind.value if kind else None, None, kind.values if kind else ())
        spec = FactSpec(
            name, origin, "", ValueType.BOOLEAN, where=where, field=field or None,
            label=label or name.replace("_", " ").capitalize(), line=section.line(),
        )  # fmt: skip
        return self._taken(section, spec, read, Take.LATEST if field else Take.COUNT)

    def _consent(self, section: Section, name: str, label: str) -> FactSpec | None:
        document = section.choice("document", DOCUMENTS)
        given_by = section.choice("given_by", GIVERS, required=False)
        spec = FactSpec(
            name, EventType.CONSENT, document, ValueType.BOOLEAN, given_by=given_by or None,
            label=label or name.replace("_", " ").capitalize(), line=section.line(),
        )  # fmt: skip
        made = self._taken(section, spec, Read(EventType.CONSENT, ValueType.BOOLEAN), Take.LATEST)
        return made if document else None

    def _taken(self, section: Section, spec: FactSpec, read: Read, default: Take) -> FactSpec:
        """The fact with everything that says how its records are taken."""
        take = section.enum("take", Take, required=False) or default
        over = window(section, self.params)
        takes.check(section, read, take, over, spec.where is not None)
        measure = _measure(section, read, take)
        change, baseline = _baseline(section, take)
        told = takes.answer(read, take, measure, change)
        spec = replace(
            spec, value=told.value, take=take, unit=told.unit, values=told.values, window=over,
            measure=measure, change=change, baseline=baseline,
            valid=_valid(section, take, self.params),
            within_day=section.choice("within", ("instant", "day"), required=False) == "day",
            dates_count=_counts(section, take, over),
        )  # fmt: skip
        conflict = section.enum("conflict", Conflict, required=False) or Conflict.LAST
        worse = _worse(section)
        takes.check_conflict(section, read, take, conflict, worse)
        return replace(spec, conflict=conflict, worse=worse)


_EACH = "one fact each, and a derived one over them"


def _valid(section: Section, take: Take, params: Constants) -> Window | None:
    valid = duration(section, params, "valid")
    if valid is not None and take not in takes.AGES:
        section.complain("valid", f"`valid` has no meaning for `take: {take}`", "a `window`")
    return valid


def _counts(section: Section, take: Take, over: Window | None) -> bool:
    counts = section.choice("date_only", ("unknown", "counts"), required=False) == "counts"
    if counts and (over is None or take in takes.AGES):
        section.complain("date_only", "`date_only: counts` needs a `window` and a `take` over it")
    return counts


def _worse(section: Section) -> tuple[str, ...]:
    """Which way is worse: a word, or the values from best to worst."""
    if isinstance(section.node.get("worse"), Seq):
        return section.texts("worse")
    told = section.choice("worse", ("high", "low"), required=False)
    return (told,) if told else ()


def _is_ratio(section: Section) -> bool:
    """Whether `value` in a `where` is the ratio to the reference range."""
    measure, take = section.node.get("measure", "value"), section.node.get("take")
    return measure != Measure.VALUE or take == Take.RATIO_TO_REFERENCE


def _measure(section: Section, read: Read, take: Take) -> Measure:
    """What of each record is looked at; a ratio is one to the upper limit unless it says lower."""
    told = section.enum("measure", Measure, required=False)
    if told not in (None, Measure.VALUE) and not (
        read.numeric and read.origin is EventType.OBSERVATION
    ):
        section.complain("measure", f"`measure: {told}` needs an observation that is a number")
        return Measure.VALUE
    if take is Take.RATIO_TO_REFERENCE and told in (None, Measure.VALUE):
        return Measure.RATIO_TO_HIGH
    return told or Measure.VALUE


def _asks_score(section: Section) -> bool:
    return "score" in section.node


def _graded(section: Section, found: list[Code]) -> None:
    """A grade needs codes that the clinical dictionary grades, all as one analyte."""
    if any(not code.ctcae for code in found) or len({code.ctcae for code in found}) > 1:
        message = "a grade needs a code that says which analyte of the dictionary it is"
        section.complain("measure", message, "ctcae: alt beside the code")
        return
    analyte = ctcae.dictionary().analytes.get(found[0].ctcae)
    if analyte is None:  # the code has been complained of
        return
    measure = str(section.node["measure"])
    sides = [term.direction for term in analyte.terms]
    if measure != Measure.GRADE and measure.removeprefix("grade_") not in sides:
        message = f"values of `{found[0].ctcae}` are not graded as {measure.removeprefix('grade_')}"
        section.complain("measure", message, f"measure: grade_{sides[0]}")


def _baseline(section: Section, take: Take) -> tuple[ChangeKind, str | None]:
    changes = take is Take.CHANGE_FROM_BASELINE
    change = section.enum("change", ChangeKind, required=False)
    baseline = section.text("baseline", required=changes)
    if not changes and (change is not None or baseline):
        key = "change" if change is not None else "baseline"
        section.complain(key, f"`{key}` needs `take: change_from_baseline`")
    return change or ChangeKind.ABSOLUTE, baseline or None


def _demographic(section: Section, name: str, label: str) -> FactSpec | None:
    field = section.choice("field", ("birth_date", "sex"))
    own = "completed_years" if field == "birth_date" else "latest"
    take = section.choice("take", (own, "absence"), required=field == "birth_date")
    if not field:
        return None
    spec = FactSpec(
        name, EventType.DEMOGRAPHICS, field, ValueType.CODE,
        values=SEXES, label=label or "Sex", line=section.line(),
    )  # fmt: skip
    if take == "absence":
        return replace(spec, take=Take.ABSENCE, values=tuple(word.value for word in Absence))
    if field == "sex":
        return spec
    return replace(
        spec, value=ValueType.INTEGER, take=Take.COMPLETED_YEARS, values=(), unit="a",
        label=label or "Age in completed years",
    )  # fmt: skip


def sections(node: Map, book: Book) -> dict[str, Section]:
    """Each fact of the file with its section."""
    result: dict[str, Section] = {}
    for name, value in node.items():
        line = node.lines[name]
        if not NAME.fullmatch(name):
            book.complain(line, f"the fact `{name}` must be {NAME_SHAPE}")
        elif not isinstance(value, Map):
            book.complain(line, f"the fact `{name}` must be a mapping", _HINT)
        else:
            result[name] = Section(book, value, f"the fact `{name}`")
            value.line = line
    return result
