"""Whether what is written makes sense: clauses that never hold, always hold, or change nothing.

Who comes in: checks.py for complaints, the check command for notes. Who goes out: complaints.
A group that can never be true, or never false where its facts are known, is refused; a clause that
could be left out is a note. What reasoning.py cannot settle within its budget is passed over.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from rules.errors import Complaint
from rules.language.functions import names_in
from rules.language.places import Names, Place, bounds, places, where_bounds
from rules.language.reading import Book
from rules.language.reasoning import Bounds, Budget, Exhausted, Space, Want, leaves, space
from rules.language.vocabulary import GRADED, declared, numeric_observations
from rules.language.written import written
from rules.model import And, Condition, Const, Definition, Not, Or
from rules.terms import Scope

STEPS = 300_000  # of reasoning over one file: about a third of a second


# --- complaints -------------------------------------------------------------------------------
@dataclass(frozen=True)
class Fault:
    """A group that is never true, or (`always`) never false where its facts are known."""

    group: Condition
    always: bool
    bounded: bool = False  # only because of what its facts can be


def faults(node: Condition, known: Space, wide: Space) -> list[Fault]:
    """The innermost groups of a condition that are never true, or never false where known.

    `known` holds the values that facts can have, `wide` those that their types allow: somebody
    who writes `ecog >= 0 && ecog <= 2` repeats what is declared, and is not refused for it.
    Raises Exhausted.
    """
    if isinstance(node, Const):
        return []
    parts = node.parts if isinstance(node, And | Or) else ()
    parts = (node.part,) if isinstance(node, Not) else parts
    if inner := [fault for part in parts for fault in faults(part, known, wide)]:
        return inner
    if known.possible((node, Want.TRUE)) is None:
        group = _least(node, known, always=False)
        bounded = wide.possible((group, Want.TRUE)) is not None
        return [Fault(group, always=False, bounded=bounded)]
    if wide.possible((node, Want.FALSE)) is None:
        return [Fault(_least(node, wide, always=True), always=True)]
    return []


def _least(node: Condition, known: Space, *, always: bool) -> Condition:
    """The fewest parts of a group that are at fault together."""
    kind = Or if always else And
    if not isinstance(node, kind):
        return node
    want = Want.FALSE if always else Want.TRUE
    parts = list(node.parts)
    for part in node.parts:
        rest = [one for one in parts if one is not part]
        if len(rest) > 1 and known.possible((kind(tuple(rest)), want)) is None:
            parts = rest
    return kind(tuple(parts))


def complain(definition: Definition, book: Book) -> None:
    """Refuse what can never hold and what always holds."""
    budget, limits = Budget(STEPS), bounds(definition)
    for place in places(definition):
        within = where_bounds(definition, place.where) if place.where else limits
        if isinstance(place.condition, Const):
            _constant(place, place.condition, book)
            continue
        if not _typed(place):
            continue
        known = space([place.condition], place.names, within, budget)
        wide = space([place.condition], place.names, {}, budget)
        try:
            found = faults(place.condition, known, wide)
            if not found and place.judges and known.possible((place.condition, Want.FALSE)) is None:
                found = [Fault(place.condition, always=True, bounded=True)]
        except Exhausted:
            return
        for fault in found:
            book.complain(place.line, *_told(place, fault, within))
    _cases(definition, limits, budget, book)
    _nothing_to_ask(definition, book)


def _constant(place: Place, constant: Const, book: Book) -> None:
    """What names no fact at all is a slip where it takes the statement's meaning away."""
    if constant.value in place.idle:
        word = "always holds" if constant.value else "can never hold"
        message = f"{place.what}: {word}, whatever is known"
        book.complain(place.line, message, "name a fact, or leave out the whole statement")


def _nothing_to_ask(definition: Definition, book: Book) -> None:
    """A rule over visits or laboratory values needs some."""
    lacking = {
        Scope.VISIT: (not definition.schedule, "no visit", "declare them under `schedule`"),
        Scope.LABORATORY: (
            not numeric_observations(definition.codes),
            "no observation that is a number",
            "declare it under `codes`",
        ),
        Scope.CLOCK: (not definition.clocks, "no clock", "declare them under `clocks`"),
    }
    graded = any(code.ctcae for code in definition.codes.values())
    for rule in definition.rules:
        lacks, what, hint = lacking.get(rule.scope, (False, "", ""))
        if lacks:
            message = f"the rule `{rule.id}` can never fire: the protocol declares {what}"
            book.complain(rule.lines.get("on", rule.line), message, hint)
        elif not graded and not GRADED.isdisjoint(names_in(rule.when)):
            message = f"the rule `{rule.id}` asks for a grade, and the protocol grades no code"
            book.complain(rule.lines.get("when", rule.line), message, "ctcae: alt beside the code")


def _typed(place: Place) -> bool:
    """Whether every name is known here; if not, somebody else complains."""
    return all(leaf.fact in place.names for leaf in leaves(place.condition))


def _told(place: Place, fault: Fault, within: Mapping[str, Bounds]) -> tuple[str, str]:
    group = f": `{_short(fault.group)}`"
    named = list(dict.fromkeys(leaf.fact for leaf in leaves(fault.group)))
    told = fault.bounded and len(named) == 1
    range_ = _range(named[0], place.names, within) if told else ""
    if fault.always:
        hint = f"leave it out{_only_known(fault.group)}"
        return f"{place.what}: always holds where it is known{group}", range_ or hint
    hint = range_ or "no value meets all of it; was || meant, or another limit?"
    return f"{place.what}: can never hold{group}", hint


def _short(group: Condition) -> str:
    text = written(group)
    return text if len(text) <= 200 else text[:197] + "..."


def _only_known(group: Condition) -> str:
    names = {leaf.fact for leaf in leaves(group)}
    return f", or write has(facts.{names.pop()})" if len(names) == 1 else ""


def _range(name: str, names: Names, within: Mapping[str, Bounds]) -> str:
    """What the fact can be, in words, where that is why."""
    limit, kind = within.get(name, Bounds()), names[name]
    if limit.values is not None and limit.values != kind.values:
        return f"`{name}` is one of {', '.join(limit.values)} here"
    low, high = limit.low, limit.high
    if low is not None and high is not None:
        return f"`{name}` lies from {low:g} to {high:g}"
    if low is not None:
        return f"`{name}` is never below {low:g}"
    return f"`{name}` is never above {high:g}" if high is not None else ""


def _cases(
    definition: Definition, limits: Mapping[str, Bounds], budget: Budget, book: Book
) -> None:
    """A case must be reachable past the cases before it."""
    definition = definition.as_written or definition
    names = declared(definition.facts)
    for spec in definition.facts.values():
        before: list[Condition] = []
        for number, case in enumerate(spec.derived.cases if spec.derived else (), start=1):
            goals = [(case.when, Want.TRUE), *((one, Want.NOT_TRUE) for one in before)]
            before.append(case.when)
            if any(leaf.fact not in names for leaf in leaves(*before)):
                break
            known = space(before, names, limits, budget)
            try:
                alone = known.possible((case.when, Want.TRUE)) is not None
                if alone and number > 1 and known.possible(*goals) is None:
                    message = f"the fact `{spec.name}`: its case {number} can never be chosen"
                    book.complain(spec.line, message, "the cases before it take all it holds for")
            except Exhausted:
                return


# --- notes ------------------------------------------------------------------------------------
def notes(definition: Definition) -> list[Complaint]:
    """What may be left out of the conditions of a sound file; never refused."""
    budget, limits = Budget(STEPS), bounds(definition, asked=False)
    found = []
    for place in places(definition):
        if not _typed(place) or isinstance(place.condition, Const):
            continue
        within = where_bounds(definition, place.where) if place.where else limits
        try:
            known = space([place.condition], place.names, within, budget)
            found += [_note(definition.file, place, *one) for one in spare(place.condition, known)]
        except Exhausted:
            break
    return found


def _note(file: str, place: Place, clause: Condition, parent: Condition) -> Complaint:
    word = "implied by its neighbours" if isinstance(parent, And) else "covered by its neighbours"
    message = f"{place.what}: `{_short(clause)}` is {word} and changes nothing"
    return Complaint(file, place.line, message, "leave it out, or mend it if it was meant to count")


def spare(root: Condition, known: Space) -> list[tuple[Condition, Condition]]:
    """(clause, its group) for each that can be left out, one after the other. Raises Exhausted."""
    found: list[tuple[Condition, Condition]] = []
    while (one := _first_spare(root, known)) is not None:
        clause, parent, root = one
        found.append((clause, parent))
    return found


def _first_spare(root: Condition, known: Space) -> tuple[Condition, Condition, Condition] | None:
    for clause, parent, without in _left_out(root):
        if same(root, without, known):
            return clause, parent, without
    return None


def _left_out(root: Condition) -> Iterator[tuple[Condition, Condition, Condition]]:
    """Every clause of every group, outermost first: (clause, group, the whole without it)."""
    if isinstance(root, Not):
        for clause, parent, without in _left_out(root.part):
            yield clause, parent, Not(without)
    elif isinstance(root, And | Or):
        kind = type(root)
        for index, clause in enumerate(root.parts):
            rest = (*root.parts[:index], *root.parts[index + 1 :])
            yield clause, root, rest[0] if len(rest) == 1 else kind(rest)
        for index, part in enumerate(root.parts):
            for clause, parent, without in _left_out(part):
                yield clause, parent, kind((*root.parts[:index], without, *root.parts[index + 1 :]))


def same(one: Condition, other: Condition, known: Space) -> bool:
    """Whether two conditions say the same of every subject, unknown included."""
    goals: Iterable[tuple[Want, Want]] = (
        (Want.TRUE, Want.NOT_TRUE),
        (Want.FALSE, Want.NOT_FALSE),
    )
    return all(
        known.possible((first, wanted), (second, otherwise)) is None
        for wanted, otherwise in goals
        for first, second in ((one, other), (other, one))
    )
