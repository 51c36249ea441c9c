"""The course of one virtual subject: screened as the file has it, enrolled, treated, with chance.

Who comes in: the virtual trial. Who goes out: rows of events in order of time. Chance is handed in,
so that the same seed makes the same course.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from random import Random

from rules.facts.calendar import DAY_US, HOUR_US, iso
from rules.model import StoppingRule
from rules.simulation.pattern import Pattern, Row, days_between, moved, received_us
from rules.terms import EventType

_SOURCE = "simulation"

UNNAMED = "Virtual event"  # its term, where the endpoint asks for none


@dataclass(frozen=True)
class Setting:
    """How the virtual trials are run; what the protocol does not say is an assumption, told.

    `every_days`: between the enrolments of two subjects; `infusions_every_days`: between two
    infusions of one. No infusion is given after the subject's event.
    """

    subjects: int
    every_days: float = 14.0
    infusions: int = 1
    infusions_every_days: float = 7.0


@dataclass(frozen=True, slots=True)
class Step:
    """One row at its time; `asks` is what must not be under a hold for it to happen at all."""

    at_us: int
    subject: str
    row: Row
    asks: str = ""  # '' | 'enrolment' | 'infusion'


class Courses:
    """Makes the courses of one protocol under one stopping rule."""

    def __init__(self, rule: StoppingRule, pattern: Pattern, setting: Setting, event: Row) -> None:
        """`event`: type and data of what the endpoint holds for."""
        self.rule, self.pattern, self.setting, self.event = rule, pattern, setting, event

    def of(self, number: int, true_p: float, chance: Random) -> list[Step]:
        """Subject `number` (from 0), who has an event with the probability `true_p`."""
        name = f"V-{number + 1:04d}"
        ready_us = self.pattern.ends_us + HOUR_US
        offset_us = round(number * self.setting.every_days * DAY_US)
        enrolled_us = ready_us + offset_us
        steps = [*self._screening(name, days_between(ready_us, enrolled_us))]
        enrolment = _row(EventType.ENROLMENT, enrolled_us, {"status": "enrolled"})
        steps.append(Step(enrolled_us, name, enrolment, "enrolment"))
        infusions = [
            enrolled_us + HOUR_US + round(k * self.setting.infusions_every_days * DAY_US)
            for k in range(self.setting.infusions)
        ]
        happens_us = self._event_us(enrolled_us, infusions, true_p, chance)
        for k, start_us in enumerate(infusions, start=1):
            if happens_us is None or start_us <= happens_us:
                data = {**self.pattern.given, "number": k, "start": iso(start_us)}
                row = _row(EventType.ADMINISTRATION, start_us, data)
                steps.append(Step(start_us, name, row, "infusion"))
        if happens_us is not None:
            steps.append(Step(happens_us, name, self._event_row(name, happens_us)))
        return sorted(steps, key=lambda step: step.at_us)

    def _screening(self, name: str, days: int) -> Iterator[Step]:
        for row in self.pattern.rows:
            one = moved(row, days)
            yield Step(received_us(one), name, one)

    def _event_us(
        self, enrolled_us: int, infusions: list[int], true_p: float, chance: Random
    ) -> int | None:
        """When the event happens: anywhere in the time that counts, each instant as likely."""
        draw, place = chance.random(), chance.random()  # both always, so that p moves nothing else
        if draw >= true_p:
            return None
        begins_us = infusions[0] if infusions else enrolled_us
        length_us = self.rule.window_days * DAY_US
        return begins_us + 1 + int(place * (length_us - 2))

    def _event_row(self, name: str, at_us: int) -> Row:
        data = dict(self.event["data"])
        if self.event["type"] == EventType.ADVERSE_EVENT.value:
            data |= {"ae": f"{name}-1", "onset": iso(at_us)}
            if data.get("term") == UNNAMED:  # chance gave nobody the same event as another
                data["term"] = f"{UNNAMED} {name}"
        return _row(EventType(self.event["type"]), at_us, data)


def _row(kind: EventType, at_us: int, data: Row) -> Row:
    return {
        "type": kind.value,
        "source": _SOURCE,
        "id": f"{kind.value}-{at_us}",
        "time": iso(at_us),
        "data": data,
    }
