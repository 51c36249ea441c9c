"""What one line alone cannot show: names that clash, rules too large, places that stay empty.

Who comes in: schema.py with a whole Definition. Who goes out: complaints in the book.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace

from rules.language import sense
from rules.language.constants import Fact, typed
from rules.language.dependencies import behind
from rules.language.functions import names_in
from rules.language.normal import MAX_CLAUSES, TooLarge, clauses
from rules.language.reading import Book
from rules.language.syntax import ConditionError, did_you_mean
from rules.language.vocabulary import MAX_FACTS, TOLD, FactType, declared, related_fact, scopes_of
from rules.model import (
    AlertRule,
    Condition,
    Const,
    Definition,
    Expected,
    Scenario,
    StoppingRule,
)
from rules.ownrules import OWN_RULES
from rules.terms import Scope

RESERVED = ("facts", "params", "has", "k", "id", "sid")  # of the language and of the engine
MAX_ALTERNATIVES = 2000  # of all conditions; the engine holds each as a rule of its own
PLACE = re.compile(r"\{([^{}]*)\}")
# What a title may name: which adverse event, infusion, visit or test; never what was measured.
IDENTIFIERS = (
    *("ae", "infusion_number", "visit", "visit_label", "lab", "lab_label"),
    *("clock", "clock_label", "clock_due", "clock_region", "clock_to"),
)
_BRACE = re.compile(r"[{}]")


def fnv1a(name: str) -> int:
    """FNV-1a, 32 bits: how durable-rules tells names apart, never looking at the name itself."""
    value = 0x811C9DC5
    for byte in name.encode():
        value = ((value ^ byte) * 0x01000193) & 0xFFFFFFFF
    return value


def collisions(names: Iterable[str]) -> list[tuple[str, str]]:
    """Pairs of different names with the same hash."""
    seen: dict[int, str] = {}
    found = []
    for name in names:
        other = seen.setdefault(fnv1a(name), name)
        if other != name:
            found.append((other, name))
    return found


def check(definition: Definition, book: Book) -> None:
    """Write down every complaint about the whole."""
    names = scopes_of(definition)
    if not definition.criteria and not definition.rules:
        book.complain(1, "a protocol without a criterion and without a rule watches over nobody")
    _twice(definition, book)
    _codings(definition, book)
    _fact_names(definition, names, book)
    _sizes(definition, book)
    _dates(definition, book)
    _places(definition, names, book)
    _scenarios(definition, book)
    if not book.complaints:
        sense.complain(definition, book)


def _twice(definition: Definition, book: Book) -> None:
    rules: tuple[AlertRule | StoppingRule, ...] = (*definition.rules, *definition.stopping)
    groups: Mapping[str, Iterable[tuple[str, int]]] = {
        "criterion": [(item.id, item.line) for item in definition.criteria],
        "rule": [(item.id, item.line) for item in rules],
        "scenario": [(item.name, item.line) for item in definition.scenarios],
    }
    for word, items in groups.items():
        first: dict[str, int] = {}
        for name, line in items:
            if first.setdefault(name, line) != line:
                message = f"the {word} `{name}` stands twice"
                book.complain(line, message, f"first on line {first[name]}")


def _codings(definition: Definition, book: Book) -> None:
    """One public code of one type means one thing."""
    first: dict[tuple[str, str, str], str] = {}
    for code in definition.codes.values():
        for item in code.codings:
            known = first.setdefault((code.type, item.system, item.code), code.code)
            if known != code.code:
                message = f"the code `{code.code}`: {item.code} already means `{known}`"
                book.complain(code.line, message, "one coding, one code")


def _fact_names(
    definition: Definition, names: Mapping[Scope, Mapping[str, FactType]], book: Book
) -> None:
    own = scopes_of(replace(definition, facts={}, criteria=()))
    built_in = {name for scope in own.values() for name in scope} | set(RESERVED)
    for spec in definition.facts.values():
        if spec.name in built_in:
            message = f"the fact `{spec.name}` bears a name of the language's own"
            book.complain(spec.line, message, "choose another name")
    lines = {name: spec.line for name, spec in definition.facts.items()}
    everything = {name for scope in names.values() for name in scope} | set(RESERVED)
    for one, other in collisions(sorted(everything)):
        message = f"the engine cannot tell the names `{one}` and `{other}` apart"
        line = max(lines.get(one, 1), lines.get(other, 1))
        book.complain(line, message, "rename one: their 32-bit FNV-1a hashes are equal")
    if len(definition.facts) > MAX_FACTS:
        book.complain(1, f"more than {MAX_FACTS} facts")


def _sizes(definition: Definition, book: Book) -> None:
    """Each condition must fit the engine, both as it stands and negated."""
    conditions: list[tuple[str, int, Condition, bool]] = []
    for item in definition.criteria:
        conditions.append((f"the criterion `{item.id}`", item.line, item.when, True))
        conditions.append((f"the criterion `{item.id}`", item.line, item.when, False))
        conditions.append((f"the criterion `{item.id}`", item.line, item.applicable_if, False))
        if item.applicable_if == Const(value=False):
            book.complain(item.line, f"the criterion `{item.id}` never applies")
    for rule in definition.rules:
        conditions.append((f"the rule `{rule.id}`", rule.line, rule.when, True))
        if rule.when == Const(value=False):
            book.complain(rule.line, f"the rule `{rule.id}` can never fire")
    alternatives = 0
    for what, line, condition, true in conditions:
        try:
            alternatives += len(clauses(condition, true=true))
        except TooLarge:
            message = f"{what}: its condition is too large for the knowledge base"
            hint = f"divide it: at most {MAX_CLAUSES} alternatives when multiplied out"
            book.complain(line, message, hint)
    if alternatives > MAX_ALTERNATIVES:
        message = f"the conditions multiply out to {alternatives} alternatives"
        book.complain(1, message, f"at most {MAX_ALTERNATIVES}: divide the protocol")


def _dates(definition: Definition, book: Book) -> None:
    """A criterion is judged by what is sure; what may lie outside of its window is for rules."""
    facts = definition.facts
    for item in definition.criteria:
        for name in behind(names_in(item.when, item.applicable_if), facts):
            if facts[name].dates_count:
                message = f"the criterion `{item.id}` uses `{name}`, which has `date_only: counts`"
                book.complain(item.line, message, "that is for rules; declare another fact")


def _places(
    definition: Definition, names: Mapping[Scope, Mapping[str, FactType]], book: Book
) -> None:
    """`{fact}` in a detail must be a fact of the scope; a title holds no clinical value."""
    related = (one for one in definition.relations.values() if one.to is Scope.INFUSION)
    naming = {*IDENTIFIERS, *(related_fact(one.name, "number") for one in related)}
    for rule in definition.rules:
        known = {*names[rule.scope], *TOLD[rule.scope]}
        for key, text in (("title", rule.title), ("detail", rule.detail)):
            _braces(book, rule.line, f"the rule `{rule.id}`, `{key}`", text)
            for name in PLACE.findall(text):
                if name not in known:
                    message = f"the rule `{rule.id}`, `{key}`: unknown fact `{name}`"
                    book.complain(rule.line, message, did_you_mean(name, known))
                elif key == "title" and name not in naming:
                    message = f"the rule `{rule.id}`: a title holds no clinical value, `{name}`"
                    book.complain(rule.line, message, "say it in `detail`")


def _braces(book: Book, line: int, what: str, text: str) -> None:
    if _BRACE.search(PLACE.sub("", text)):
        book.complain(line, f"{what}: a brace without its partner", "name a fact as {grade}")


def _scenarios(definition: Definition, book: Book) -> None:
    criteria = {item.id for item in definition.criteria}
    rules = {rule.id for rule in definition.rules} | OWN_RULES.keys()
    facts = declared(definition.facts)
    for scenario in definition.scenarios:
        for expected in scenario.expect:
            told = (*(expected.alerts or ()), *(expected.opened or ()))
            outside = [rule for rule in told if not expected.concerns(rule)]
            for rule in outside:
                message = f"the scenario `{scenario.name}`: `{rule}` is none of what it is about"
                book.complain(expected.line, message, "name it under `about`")
            _about(scenario, expected, rules, book)
            for word, names, known in (
                ("criterion", expected.verdicts, criteria),
                ("rule", told, rules),
                ("fact", (*expected.facts, *(expected.missing or ())), facts),
            ):
                for name in names:
                    if name not in known:
                        message = f"the scenario `{scenario.name}`: unknown {word} `{name}`"
                        book.complain(expected.line, message, did_you_mean(name, known))
            _expected_facts(scenario.name, expected, facts, book)


def _about(scenario: Scenario, expected: Expected, rules: Collection[str], book: Book) -> None:
    """What a scenario is about are rules that there are; told once, by its first expectation."""
    if expected is not scenario.expect[0]:
        return
    for word in expected.about:
        if not any(replace(expected, about=(word,)).concerns(rule) for rule in rules):
            message = f"the scenario `{scenario.name}`: it is about no rule `{word}`"
            book.complain(scenario.line, message, did_you_mean(word, rules) or "as S-FEVER, or S-*")


def _expected_facts(
    scenario: str, expected: Expected, facts: Mapping[str, FactType], book: Book
) -> None:
    """A fact is expected to have a value of its own type, or none."""
    for name, value in expected.facts.items():
        if name not in facts or value is None:
            continue
        try:
            typed(Fact(name, 0), facts[name], value)
        except ConditionError as error:
            message = f"the scenario `{scenario}`: {error.message}"
            book.complain(expected.line, message, error.hint)


def uncovered(definition: Definition) -> list[tuple[str, int, str]]:
    """(criterion, line, verdict) for each verdict that no scenario of the file expects."""
    shown = {
        (name, verdict)
        for scenario in definition.scenarios
        for expected in scenario.expect
        for name, verdict in expected.verdicts.items()
    }
    wanted = ("met", "not_met", "indeterminate")
    found = []
    for item in definition.criteria:
        more = () if item.applicable_if == Const(value=True) else ("not_applicable",)
        missing = [verdict for verdict in (*wanted, *more) if (item.id, verdict) not in shown]
        found += [(item.id, item.line, verdict) for verdict in missing]
    return found
