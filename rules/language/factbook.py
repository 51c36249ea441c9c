"""All facts of a file: of each code, read from events, derived; whole, in order, without circles.

Who comes in: schema.py with the codes. Who goes out: FactSpec by name, conditions as written.
"""

from __future__ import annotations

from dataclasses import replace

from rules.language.clauses import TRUE, Clauses
from rules.language.codes import Declared
from rules.language.dependencies import circles, walk
from rules.language.derivations import Derivations
from rules.language.facts import SourceFacts, default_facts, sections
from rules.language.mentions import is_derived, mentions
from rules.language.reading import Book, Section
from rules.language.vocabulary import MAX_FACTS, declared
from rules.language.windows import check_anchor
from rules.model import FactSpec, Reference

Facts = dict[str, FactSpec]


def facts(top: Section, known: Declared, clauses: Clauses, reference: Reference) -> Facts:
    """The default facts and those of the file, which may replace them."""
    book = top.book
    result = default_facts(known.codes, book)
    parts = sections(top.mapping("facts"), book)
    if len(parts) > MAX_FACTS:
        book.complain(top.line("facts"), f"more than {MAX_FACTS} facts")
        clauses.failed.update(parts)
        return result
    reader = SourceFacts(known.codes, clauses.params, clauses, reference)
    for name, part in parts.items():
        if not is_derived(part):
            spec = reader.read(part, name)
            part.close()
            if spec is not None:
                result[name] = spec
            elif name not in result:
                clauses.failed.add(name)
    _derived(result, parts, clauses, book)
    result = _in_order(result, parts)
    _applicable(result, parts, known, clauses)
    _anchors(result, parts, clauses)
    for circle in circles(result):
        _complain(book, result[circle[0]].line, circle)
    return result


def _derived(result: Facts, parts: dict[str, Section], clauses: Clauses, book: Book) -> None:
    """Read each derived fact after those that it names."""
    derived = {name: part for name, part in parts.items() if is_derived(part)}
    order, found = walk(derived, lambda name: mentions(derived[name]))
    for circle in found:
        _complain(book, derived[circle[0]].line(), circle)
        clauses.failed.update(circle)
    reader = Derivations(clauses, result, frozenset((*result, *parts)))
    for name in order:
        if name not in clauses.failed:
            reader.read(derived[name], name)


def _complain(book: Book, line: int, circle: tuple[str, ...]) -> None:
    if len(circle) == 2:
        message = f"the fact `{circle[0]}` needs itself"
    else:
        message = f"facts need one another in a circle: {' -> '.join(circle)}"
    book.complain(line, message, "let one of them be read from events alone")


def _in_order(found: Facts, parts: dict[str, Section]) -> Facts:
    """The order of the file; hidden facts before the one that they belong to."""
    result = {name: spec for name, spec in found.items() if not _owner(name, parts)}
    owned: dict[str, list[str]] = {}
    for name in found:
        owned.setdefault(_owner(name, parts), []).append(name)
    for owner in parts:
        hidden = [name for name in owned.get(owner, ()) if name != owner]
        result.update({one: found[one] for one in (*hidden, owner) if one in found})
    return result


def _owner(name: str, parts: dict[str, Section]) -> str:
    """The fact of the file that a name is, or is a hidden fact of."""
    if name in parts:
        return name
    stem, _, number = name.rpartition("__")
    return stem if number.isdigit() and stem in parts else ""


def _applicable(
    result: Facts, parts: dict[str, Section], known: Declared, clauses: Clauses
) -> None:
    """The `applicable_if` of each fact, else that of the code whose own fact it is."""
    names = declared(result)
    for name, spec in result.items():
        part = parts.get(name)
        if part is None or "applicable_if" not in part.node:
            of_code = spec.origin and spec.code == name and known.sections.get((spec.origin, name))
            part = of_code or None
        if part is not None and "applicable_if" in part.node:
            when = clauses.read(part, "applicable_if", names)
            if when != TRUE:
                result[name] = replace(spec, applicable_if=when)


def _anchors(result: Facts, parts: dict[str, Section], clauses: Clauses) -> None:
    for name, part in parts.items():
        spec = result.get(name)
        if spec is None or spec.derived is not None:
            continue
        told = {
            "window": spec.window.anchor if spec.window else None,
            "baseline": spec.baseline,
            "anchor": spec.anchor,
        }
        for key, anchor in told.items():
            if anchor is not None and anchor not in clauses.failed:
                check_anchor(part, key, anchor, result)
