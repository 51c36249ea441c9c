"""The virtual trials of one protocol: set up once, run as often as asked.

Who comes in: `vigil simulate`. Who goes out: Happened, one a trial; the same seed, the same trials.
"""

from __future__ import annotations

from random import Random

from rules.errors import SimulationError
from rules.model import StoppingRule
from rules.protocol import Protocol
from rules.simulation.courses import Courses, Setting
from rules.simulation.pattern import Row, pattern_of
from rules.simulation.running import Happened, VirtualTrial
from rules.simulation.witness import witness
from rules.step import Engine


class VirtualTrials:
    """Subjects who are let in, and of whom each has an event with the true probability."""

    def __init__(
        self, protocol: Protocol, setting: Setting, rule: str | None, event: Row | None = None
    ) -> None:
        """`rule` None: the first; `event` None: one that the endpoint holds for is looked for.

        Raises SimulationError where the protocol has no such rule, or no event can be found.
        """
        self.engine, self.rule = Engine(protocol), _rule(protocol, rule)
        self.pattern = pattern_of(protocol.definition)
        self.event = event or witness(self.engine, self.rule, self.pattern, setting)
        if self.event is None:
            raise SimulationError(
                f"no single adverse event or death was found that counts for `{self.rule.id}`",
                "hand one over with --event FILE.json: {type, data}",
            )
        self.courses = Courses(self.rule, self.pattern, setting, self.event)
        self.subjects = setting.subjects

    def run(self, true_p: float, number: int, seed: int) -> Happened:
        """The virtual trial `number` of those at `true_p`."""
        chance = Random(f"{seed}/{number}")  # noqa: S311 - to be repeated, not to be secret
        steps = [
            step
            for subject in range(self.subjects)
            for step in self.courses.of(subject, true_p, chance)
        ]
        return VirtualTrial(self.engine, self.rule).run(steps)


def _rule(protocol: Protocol, wanted: str | None) -> StoppingRule:
    rules = protocol.definition.stopping
    found = [rule for rule in rules if wanted in (None, rule.id)]
    if not found:
        known = ", ".join(rule.id for rule in rules) or "none"
        what = "no stopping rule" if wanted is None else f"no stopping rule `{wanted}`"
        raise SimulationError(f"the protocol has {what}", f"it has: {known}")
    return found[0]
