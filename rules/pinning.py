"""Which version of the protocol a subject stands under: decided from its log alone.

Who comes in: the fold, with what the log says of versions, consents and enrolment. Who goes out:
Pins. Everything here goes by the order of receipt: what was in force, and what was signed, when.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

from rules.events import Event
from rules.facts.calendar import DAY_US
from rules.facts.entities import STOPPED
from rules.model import Definition
from rules.terms import AmendmentKind, EventType

Mark = list[Any]  # [n, kind, word, time_us, event]: lives in the state's JSON
N, KIND, WORD, TIME, EVENT = range(5)
_ACTIVATION, _CONSENT, _ENROLMENT = "activation", "consent", "enrolment"
_WITHDRAWAL = "withdrawal"  # of a consent: the form no longer counts, before or after it moved
# Whoever signs the informed consent for somebody; an assent stands beside it, never in its place.
_DOCUMENTS = frozenset({"informed_consent", "guardian_consent"})

Find = Callable[[str], Definition]


class Pins(NamedTuple):
    """Versions by name: whose criteria judge the subject, whose schedule it consented to."""

    criteria: str
    schedule: str


class Owed(NamedTuple):
    """A major amendment that the subject has not consented to."""

    version: str
    since_us: int
    due_us: int | None  # None: the protocol gives no time
    event: str  # the activation


class Standing(NamedTuple):
    """Where a subject's log leads: its pins, and what it owes (while it is in the trial)."""

    pins: Pins
    owed: Owed | None


def mark(event: Event) -> Mark | None:
    """What an event says of versions; None: nothing."""
    data = event.data
    word: object = None
    kind = event.type
    if event.type == _ACTIVATION:
        word = data["version"]
    elif event.type == _CONSENT:
        if data.get("document") in _DOCUMENTS:
            word = data.get("version")
            if data.get("status") != "given":
                kind = _WITHDRAWAL
    elif event.type == _ENROLMENT:
        word = data.get("status")
    if word is None:
        return None
    return [event.n, kind, str(word), event.time_us, event.event]


def speaks_of_versions(kind: str) -> bool:
    """Whether events of this type may say something of versions."""
    return kind in {_ACTIVATION, _CONSENT, _ENROLMENT}


def course(events: Iterable[Event]) -> list[Mark]:
    """What the events that count say of versions; nothing where none was activated among them."""
    found = list(events)
    if all(event.type != EventType.ACTIVATION.value for event in found):
        return []
    return [one for event in found if (one := mark(event)) is not None]


def standing(began: str, marks: Sequence[Mark], find: Find) -> Standing:
    """Where the course leads that began under the version `began`.

    The pin is the version in force at the first event; then that at the screening, which begins
    with a `screened` event and anew after the subject has left; from then on it moves by consent:
    to the latest version activated after it whose consent form was signed. A new form that was
    signed before its version came into force counts from then on. A form that is withdrawn takes
    its move back, and the consent is owed as if it had never been given. Who is enrolled stays
    judged by the criteria it was enrolled under.
    """
    way = _Way(began, find, _enrolled(marks))
    for one in marks:
        way.follow(one)
    return Standing(Pins(way.criteria or way.pin, way.pin), way.owed())


def _enrolled(marks: Sequence[Mark]) -> int | None:
    """The number of the enrolment that eligibility is anchored to: the first by clinical time."""
    found = [
        (one[TIME], one[N]) for one in marks if one[KIND] == _ENROLMENT and one[WORD] == "enrolled"
    ]
    return min(found)[1] if found else None


class _Way:
    """A subject's way through the versions."""

    def __init__(self, began: str, find: Find, enrolled: int | None) -> None:
        self.find, self.enrolled = find, enrolled
        self.order: list[Mark] = [[0, _ACTIVATION, began, 0, ""]]
        # Where it stood one after the other: the place in the order, the form that led there.
        self.stays: list[tuple[int, str | None]] = [(0, None)]
        self.signed: set[str] = set()  # forms of versions that were not in force yet
        self.criteria: str | None = None
        self.screening = False

    @property
    def place(self) -> int:
        """Of the pin in the order."""
        return self.stays[-1][0]

    @property
    def pin(self) -> str:
        """The version that it stands under."""
        return str(self.order[self.place][WORD])

    def follow(self, one: Mark) -> None:
        """The next mark."""
        if one[KIND] == _ACTIVATION:
            self._activate(one)
        elif one[KIND] == _CONSENT:
            self._consent(one[WORD])
        elif one[KIND] == _WITHDRAWAL:
            self.signed.discard(one[WORD])
            self.stays = [stay for stay in self.stays if stay[1] != one[WORD]]
        else:
            self._enrol(one)

    def _activate(self, one: Mark) -> None:
        pin, form = self.pin, self._form(one[WORD])
        self.order.append(one)
        if form in self.signed and form != self._form(pin):
            self._move(len(self.order) - 1, form)
        elif one[WORD] == pin:  # an amendment was taken back
            self._move(len(self.order) - 1, self.stays[-1][1])

    def _enrol(self, one: Mark) -> None:
        status = one[WORD]
        if one[N] == self.enrolled:
            self.criteria = self.pin
        if status == "screened" and not self.screening and self.criteria is None:
            self._move(len(self.order) - 1, None)
            self.screening = True
        elif status in STOPPED and self.criteria is None:
            self.screening = False

    def _consent(self, form: str) -> None:
        self.signed.add(form)
        later = range(len(self.order) - 1, self.place, -1)
        found = next((n for n in later if self._form(self.order[n][WORD]) == form), None)
        if found is not None:
            self._move(found, form)

    def _move(self, place: int, form: str | None) -> None:
        self.stays.append((place, form))

    def _form(self, version: str) -> str:
        return self.find(version).consent_version or version

    def owed(self) -> Owed | None:
        """The first major amendment after the pin, and the earliest instant it is due."""
        majors = [
            (one, amends.reconsent_within_days)
            for one in self.order[self.place + 1 :]
            if (amends := self.find(one[WORD]).amends) is not None
            and amends.kind is AmendmentKind.MAJOR
        ]
        if not majors:
            return None
        dues = [one[TIME] + days * DAY_US for one, days in majors if days is not None]
        first, last = majors[0][0], majors[-1][0]
        return Owed(last[WORD], first[TIME], min(dues, default=None), first[EVENT])
