"""What the scenarios show of each alert rule as a whole: that it fires, is silent, lacks a datum.

Who comes in: whole.py, with what was seen while they ran. Who goes out: a row a rule.
"""

from __future__ import annotations

from dataclasses import dataclass

from rules.checking.watching import Facts, Seen
from rules.language.functions import names_in
from rules.language.plainly import truth
from rules.language.vocabulary import always_known
from rules.model import AlertRule, Definition


@dataclass(frozen=True)
class Shown:
    """How many different sets of facts made a rule fire, left it silent, lacked what it names.

    `silent` None: it always fires. `lacking` None: what it names is never missing.
    """

    rule: str
    line: int
    fires: int
    silent: int | None
    lacking: int | None

    @property
    def never(self) -> tuple[str, ...]:
        """What no scenario shows of it."""
        ways = {"firing": self.fires, "silent": self.silent, "with a datum missing": self.lacking}
        return tuple(way for way, count in ways.items() if count == 0)


def rules(definition: Definition, seen: Seen) -> list[Shown]:
    """Every alert rule, in the order of the file."""
    return [_shown(rule, definition, seen.of(rule.scope.value)) for rule in definition.rules]


def _shown(rule: AlertRule, definition: Definition, snapshots: list[Facts]) -> Shown:
    named = names_in(rule.when)
    known = always_known(definition, rule.scope)
    wanted = [name for name in named if name not in known]
    answers = [truth(rule.when, facts) for facts in snapshots]
    lacking = sum(any(name not in facts for name in wanted) for facts in snapshots)
    return Shown(
        rule=rule.id,
        line=rule.line,
        fires=answers.count(True),
        silent=answers.count(False) if named else None,
        lacking=lacking if wanted else None,
    )
