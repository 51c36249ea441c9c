"""What goes on when the story is told: measurements as they should be, now and then a candidate.

Who comes in: the demo's process. Who goes out: scenes without end; those without text are silent.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from datetime import timedelta
from random import Random

from services.demo.cast import SEED, Person, hiv, screening, vital
from services.demo.scenes import Ago, Fact, Scene
from services.demo.story import Evening

FIRST_CANDIDATE = 11
# Of so many scenes one brings a candidate, who is complete and then declines after some more.
EVERY, COMPLETE, DECLINES = 40, 8, 20
_NOW = Ago(timedelta(seconds=1))


def everyday(evening: Evening, treated: Sequence[Person]) -> Iterator[Scene]:
    """Scene after scene."""
    chance = Random(f"{SEED}/everyday")  # noqa: S311 - a story, not a secret
    for who in itertools.count(FIRST_CANDIDATE):
        person = Person(who, chance.randint(20, 75), chance.choice(("female", "male")), 1)
        for scene in range(EVERY):
            subject = chance.choice(treated).who
            yield _candidate(evening, person, scene) or Scene(
                "", [Fact(subject, "observation", vital(chance), _NOW)]
            )


def _candidate(evening: Evening, person: Person, scene: int) -> Scene | None:
    """What becomes of a candidate, if it is time."""
    name = evening.name(person.who)
    if scene == EVERY - DECLINES - 1:
        facts = screening(person, without={"hiv_status"})
        return Scene(f"{name} is screened; the HIV serology is to come.", facts)
    if scene == EVERY - DECLINES + COMPLETE - 1:
        return Scene(f"{name}'s serology arrives: eligible.", [hiv(person.who, "negative", _NOW)])
    if scene == EVERY - 1:
        declined = Fact(person.who, "enrolment", {"status": "withdrawn"}, _NOW)
        return Scene(f"{name} declines; the alert ends by itself.", [declined])
    return None
