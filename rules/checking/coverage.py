"""Which clauses the scenarios of a file exercise: true, false and unknown.

Who comes in: checking, with what was seen while they ran. Who goes out: a row a clause, notes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from rules.checking.watching import CRITERIA, Seen
from rules.errors import Complaint
from rules.language.checks import uncovered
from rules.language.places import Place, places
from rules.language.plainly import truth
from rules.language.reasoning import leaves
from rules.language.written import written
from rules.model import Definition, Has

SHOWN = 3  # clauses that a note names; --coverage names all


@dataclass(frozen=True)
class Clause:
    """One leaf of a condition and how many different sets of facts made it true, false, unknown."""

    what: str
    line: int
    clause: str
    true: int
    false: int
    unknown: int | None  # None: has() is never unknown

    @property
    def never(self) -> tuple[str, ...]:
        """The ways that no scenario shows."""
        ways = {"true": self.true, "false": self.false}
        return tuple(way for way, count in ways.items() if not count)


def clauses(definition: Definition, seen: Seen) -> list[Clause]:
    """Every leaf of criteria, rules and endpoints, in the order of the file."""
    found = []
    for place, group in _judged(definition):
        snapshots = seen.of(group)
        for leaf in dict.fromkeys(leaves(place.condition)):
            ways = [truth(leaf, facts) for facts in snapshots]
            unknown = None if isinstance(leaf, Has) else ways.count(None)
            row = (written(leaf), ways.count(True), ways.count(False), unknown)
            found.append(Clause(place.what, place.line, *row))
    return found


def _judged(definition: Definition) -> Iterator[tuple[Place, str]]:
    """The conditions whose facts are seen while scenarios run."""
    endpoints = {f"the stopping rule `{rule.id}`": rule.id for rule in definition.stopping}
    for place in places(definition):
        if place.what.startswith("the criterion "):
            yield place, CRITERIA
        elif place.what in endpoints:
            yield place, endpoints[place.what]
        elif place.scope is not None:
            yield place, place.scope.value


def notes(definition: Definition, rows: Iterable[Clause]) -> list[Complaint]:
    """One note a condition for what its clauses never were."""
    never: dict[tuple[int, str, str], list[str]] = {}
    for row in rows:
        for way in row.never:
            never.setdefault((row.line, row.what, way), []).append(f"`{row.clause}`")
    found = []
    for (line, what, way), clauses_ in never.items():
        more = len(clauses_) - SHOWN
        named = ", ".join(clauses_[:SHOWN]) + (f" and {more} more" if more > 0 else "")
        message = f"{what}: no scenario shows {named} {way}"
        found.append(Complaint(definition.file, line, message, "add a scenario that does"))
    return found


def verdicts(definition: Definition) -> list[Complaint]:
    """One note a criterion for the verdicts that no scenario expects."""
    lacking: dict[tuple[int, str], list[str]] = {}
    for name, line, verdict in uncovered(definition):
        lacking.setdefault((line, name), []).append(verdict)
    return [
        Complaint(
            definition.file,
            line,
            f"the criterion `{name}`: no scenario expects it {' or '.join(words)}",
            f"expect: {{verdicts: {{{name}: {words[0]}}}}}",
        )
        for (line, name), words in lacking.items()
    ]
