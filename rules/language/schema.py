"""A checked tree -> rules.model.Definition, or every complaint at once.

Who comes in: the front door with a protocol's text. Who goes out: a Definition that holds.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from zoneinfo import ZoneInfo, available_timezones

from rules.errors import ProtocolError
from rules.language import applicability, checks
from rules.language.adverse import reference
from rules.language.clauses import Clauses, expression, source
from rules.language.clocks import Reader, clocks
from rules.language.codes import codes, publishers, value_sets
from rules.language.dependencies import circles
from rules.language.dictionaries import dictionaries, graded_codes
from rules.language.factbook import facts
from rules.language.gate import Reader as GateReader
from rules.language.gate import gate, product
from rules.language.loader import Map, parse
from rules.language.parameters import parameters
from rules.language.reading import Book, Section
from rules.language.repeats import repeats
from rules.language.responding import responses
from rules.language.scenarios import judge, scenarios
from rules.language.schedule import Known, amendment, procedures, relations, visits
from rules.language.stopping import RULE_ID, stopping_rules
from rules.language.syntax import did_you_mean
from rules.language.vocabulary import FactType, declared, gate_names, of_one_event, scopes
from rules.model import (
    AlertRule,
    Condition,
    Const,
    Criterion,
    Definition,
    FactSpec,
    Parameter,
    Scalar,
)
from rules.terms import Category, CriterionKind, Deviation, Hold, Scope, Severity

LANGUAGE = 1
PROTOCOL_ID = re.compile(r"[a-z0-9][a-z0-9-]{0,63}")
VERSION = re.compile(r"[A-Za-z0-9][A-Za-z0-9.+-]{0,31}")
CRITERION_ID = re.compile(r"[A-Z][A-Z0-9_]{0,31}")
SEXES = ("all", "female", "male")


def read(text: str, file: str) -> Definition:
    """The definition that a text holds. Raises ProtocolError with every complaint."""
    tree = parse(text, file)
    book = Book(file)
    definition = _Reader(book, Section(book, tree, "")).definition(text)
    if not book.complaints:
        checks.check(definition, book)
    if not book.complaints:
        judge(definition, book)
    if book.complaints:
        raise ProtocolError(book.complaints)
    return definition


def listen(book: Book, top: Section) -> None:
    """Read a tree for what is asked of it; nothing is checked, nothing is made of it."""
    _Reader(book, top).definition("")


@dataclass
class _Reader:
    """Reads the top of the file in the order in which its parts need one another."""

    book: Book
    top: Section

    def definition(self, text: str) -> Definition:
        self._version()
        header = self.top.section("protocol", required=True) or Section(
            self.book, Map(1), "`protocol`"
        )
        params = parameters(self.top.mapping("parameters"), self.book)
        target = header.integer("target", low=1, high=1_000_000, required=True) or 0
        constants: dict[str, Scalar | Parameter] = {"target": target}
        self.clauses = Clauses(constants | params)
        known = codes(self.top, value_sets(self.top))
        books = dictionaries(header)
        graded_codes(known, books)
        procedures(self.top, known.codes)
        self.codes = known.codes
        self.sources = _sources(header)
        self._sources_of(params)
        self.reference = reference(self.top, self.sources)
        stated = facts(self.top, known, self.clauses, self.reference)
        definition = Definition(
            id=header.name("id", PROTOCOL_ID, "lower-case letters, digits and -"),
            version=header.name("version", VERSION, 'a short text, as "1.0"'),
            title=header.text("title", required=True),
            time_zone=_time_zone(header),
            target=target,
            sex=header.choice("sex", SEXES, required=False) or "all",
            outcomes=_outcomes(header),
            sources=self.sources,
            parameters=params,
            codes=known.codes,
            facts=stated,
            criteria=self._criteria(stated),
            **self._rules(stated),  # type: ignore[arg-type]
            scenarios=scenarios(self.top, self.book),
            file=self.book.file,
            digest=hashlib.sha256(text.encode()).hexdigest(),
            aliases=publishers(self.top, known.codes),
            amends=amendment(header, VERSION),
            consent_version=header.text("consent_version") or None,
            dictionaries=books,
            sponsor_time_zone=_time_zone(header, "sponsor_time_zone", required=False),
            reference=self.reference,
        )
        header.close()
        self.top.close()
        return _plain(definition, self.book)

    def _version(self) -> None:
        version = self.top.raw("vigil", required=True)
        if version is not None and (isinstance(version, bool) or version != LANGUAGE):
            self.top.complain("vigil", f"this is not language version {LANGUAGE}", "vigil: 1")

    def _sources_of(self, parameters: Mapping[str, Parameter]) -> None:
        node = self.top.mapping("parameters")
        for name, parameter in parameters.items():
            if parameter.source not in (*self.sources, "not in the record", ""):
                near = did_you_mean(parameter.source, [*self.sources, "not in the record"])
                message = f"the parameter `{name}`: unknown source `{parameter.source}`"
                self.book.complain(node.lines[name], message, near or "declare it under `sources`")

    def _criteria(self, facts: Mapping[str, FactSpec]) -> tuple[Criterion, ...]:
        names = declared(facts)
        result = []
        for item in self.top.sections("criteria", "the criterion"):
            criterion = Criterion(
                id=item.name("id", CRITERION_ID, "capital letters and digits, as I1"),
                kind=item.enum("kind", CriterionKind) or CriterionKind.INCLUSION,
                text=item.text("text", required=True),
                when=self.clauses.read(item, "when", names),
                source=source(item, self.sources),
                applicable_if=self.clauses.read(item, "applicable_if", names, required=False),
                interpretation=item.text("interpretation"),
                waivable=item.boolean("waivable"),
                expression=expression(item, "when"),
                line=item.line(),
                lines=item.node.lines,
            )
            item.close()
            result.append(criterion)
        return tuple(result)

    def _rules(self, facts: dict[str, FactSpec]) -> dict[str, object]:
        nodes = [node.get("id") for node in self.top.items("criteria") if isinstance(node, Map)]
        ids = [name for name in nodes if isinstance(name, str)]
        schedule = visits(self.top, Known(self.codes, facts, self.clauses, self.sources))
        related = relations(self.top, self.clauses.params)
        before = scopes(facts, ids, (), relations=related, reference=self.reference)
        stopping = stopping_rules(self.top, self.clauses, self.sources, before)
        one_event = of_one_event(before, related)
        watched = clocks(self.top, Reader(one_event, self.clauses, self.sources))
        taken = [one.id for one in stopping]
        same = repeats(self.top, self.clauses, self.sources, before[Scope.ADVERSE_EVENT], taken)
        taken += [one.id for one in same]
        rates = responses(self.top, self.clauses, self.sources, before[Scope.SUBJECT], taken)
        at_gate = gate_names(before[Scope.SUBJECT])
        gated = gate(self.top, GateReader(at_gate, self.clauses, self.sources))
        infused = product(self.top, facts)
        names = scopes(
            facts,
            ids,
            stopping,
            schedule=schedule,
            relations=related,
            codes=self.codes,
            clocks=watched,
            reference=self.reference,
            repeats=same,
            response=rates,
            gated=bool(gated),
            dosed=infused is not None and infused.weight is not None,
        )
        rules = tuple(self._rule(item, names) for item in self.top.sections("rules", "the rule"))
        return {
            "rules": rules,
            "stopping": stopping,
            "schedule": schedule,
            "relations": related,
            "clocks": watched,
            "repeats": same,
            "response": rates,
            "gate": gated,
            "product": infused,
        }

    def _rule(self, item: Section, names: Mapping[Scope, Mapping[str, FactType]]) -> AlertRule:
        scope = item.enum("on", Scope)
        rule = AlertRule(
            id=item.name("id", RULE_ID, "capital letters, digits and -, as S-FEVER"),
            scope=scope or Scope.SUBJECT,
            category=item.enum("category", Category) or Category.SAFETY,
            severity=item.enum("severity", Severity) or Severity.INFO,
            when=self.clauses.read(item, "when", names[scope]) if scope else self._unread(item),
            title=item.text("title", required=True),
            detail=item.text("detail"),
            action=item.text("action", required=True),
            source=source(item, self.sources),
            hold=item.enum("hold", Hold, required=False),
            deviation=item.enum("deviation", Deviation, required=False),
            expression=expression(item, "when"),
            line=item.line(),
            lines=item.node.lines,
        )
        item.close()
        return rule

    def _unread(self, item: Section) -> Condition:
        item.asked.add("when")
        return Const(value=False)


def _plain(stated: Definition, book: Book) -> Definition:
    """The definition with facts that do not apply written into its conditions."""
    if circles(stated.facts):
        return stated
    try:
        facts, applies = applicability.of_facts(stated.facts)
    except applicability.TooLargeError as error:
        name = str(error)
        message = f"the fact `{name}`: when it applies hangs on too much to be written out"
        book.complain(stated.facts[name].line, message, "let `applicable_if` name fewer facts")
        return stated
    return replace(
        stated,
        as_written=stated if applies else None,
        facts=facts,
        criteria=tuple(applicability.of_criterion(item, applies) for item in stated.criteria),
        rules=tuple(applicability.of_rule(item, applies, facts) for item in stated.rules),
        stopping=tuple(applicability.of_stopping(item, applies, facts) for item in stated.stopping),
        schedule=tuple(applicability.of_visit(item, applies) for item in stated.schedule),
        gate=tuple(applicability.of_criterion(item, applies) for item in stated.gate),
    )


def _sources(header: Section) -> dict[str, str]:
    node = header.mapping("sources", required=True)
    for name, value in node.items():
        if not isinstance(value, str) or not value:
            header.book.complain(node.lines[name], f"the source `{name}` must be a text")
    return {name: value for name, value in node.items() if isinstance(value, str)}


def _outcomes(header: Section) -> dict[str, tuple[str, ...]]:
    part = header.section("outcomes")
    if part is None:
        return {}
    result = {key: part.texts(key) for key in ("primary", "secondary")}
    part.close()
    return result


def _time_zone(header: Section, key: str = "time_zone", *, required: bool = True) -> str:
    name = header.text(key, required=required)
    if not name and not required:
        return ""
    if name and name not in available_timezones():
        near = did_you_mean(name, available_timezones())
        header.complain(key, f"unknown time zone `{name}`", near or "as Asia/Seoul")
    return str(ZoneInfo(name)) if name in available_timezones() else "UTC"
