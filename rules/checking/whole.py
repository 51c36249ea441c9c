"""A protocol file checked whole: what is refused, and what a person should look at.

Who comes in: `vigil protocol check`, the upload. Who goes out: Report.
Static checks come with loading; here the scenarios run, the generated cases are tried, and what
the scenarios exercised is counted. Complaints refuse the file; notes never do.
"""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass, field

from rules.checking import boundaries, cases, coverage, mutants, showing
from rules.checking.boundaries import Planned
from rules.checking.cases import Row
from rules.checking.coverage import Clause
from rules.checking.mutants import Mutant
from rules.checking.scenarios import check_scenario
from rules.checking.showing import Shown
from rules.checking.watching import Seen, watched
from rules.errors import Complaint
from rules.knowledge import KnowledgeBase
from rules.language import sense
from rules.language.loader import MAX_COMPLAINTS
from rules.model import Definition
from rules.protocol import Protocol


@dataclass(frozen=True)
class Report:
    """Everything that is to be said of one protocol."""

    complaints: tuple[Complaint, ...]
    notes: tuple[Complaint, ...] = ()
    coverage: tuple[Clause, ...] = ()
    cases: tuple[Row, ...] = field(default=())
    size: str = ""  # what was looked at, in words; "" where the file does not load
    survivors: tuple[Mutant, ...] | None = None  # None: not looked for
    boundaries: tuple[Planned, ...] = ()  # of its stopping rules
    shown: tuple[Shown, ...] = ()  # what the scenarios show of each alert rule


def check(protocol: Protocol, *, mutate: bool = False) -> Report:
    """Run its scenarios and its generated cases. Never raises for what a file says.

    `mutate`: look also for slips that no scenario would notice, which takes longer.
    """
    with closing(KnowledgeBase(protocol.definition)) as knowledge:
        return _checked(protocol, knowledge, mutate=mutate)


def _checked(protocol: Protocol, knowledge: KnowledgeBase, *, mutate: bool) -> Report:
    definition = protocol.definition
    seen = Seen()
    engine = watched(protocol, seen, knowledge)
    stopping = boundaries.judge(definition)
    complaints = [*stopping.complaints]
    if len(stopping.planned) < len(definition.stopping):  # without a boundary nothing can be tried
        return Report(tuple(sorted({*complaints})), boundaries=stopping.planned)
    for scenario in definition.scenarios:
        complaints += check_scenario(engine, scenario, seen)
        if len(complaints) >= MAX_COMPLAINTS:
            refused = tuple(sorted({*complaints})[:MAX_COMPLAINTS])
            return Report(refused, boundaries=stopping.planned)
    made = cases.generate(protocol, knowledge)
    rows = coverage.clauses(definition, seen)
    notes = [*sense.notes(definition), *made.notes, *stopping.notes]
    if definition.scenarios:
        notes += [*coverage.verdicts(definition), *coverage.notes(definition, rows)]
    survivors = tuple(mutants.surviving(definition, seen)) if mutate else None
    return Report(
        complaints=tuple(sorted({*complaints, *made.complaints})),
        notes=tuple(sorted(notes)),
        coverage=tuple(rows),
        cases=made.rows,
        size=_size(definition, len(made.rows)),
        survivors=survivors,
        boundaries=stopping.planned,
        shown=tuple(showing.rules(definition, seen)),
    )


def _size(definition: Definition, cases_made: int) -> str:
    """`1 criterion, 2 rules, 0 scenarios, 8 comparisons`."""
    counts = {
        ("criterion", "criteria"): len(definition.criteria),
        ("rule", "rules"): len(definition.rules),
        ("scenario", "scenarios"): len(definition.scenarios),
        ("comparison", "comparisons"): cases_made,
    }
    return ", ".join(f"{n} {one if n == 1 else many}" for (one, many), n in counts.items())
