"""`vigil up --demo`: a short synthetic story, published through the front door like anybody's.

Who comes in: the supervisor, with the service's address and the receiver's socket. Who goes out:
HTTP with the publisher's key, into the demo trial and no other. Nobody in it is or was a person.
"""

from __future__ import annotations

import os
import socket
import sys
import threading
import time
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random
from typing import Any

import click

from services import clock
from services.client import Service
from services.config import Settings
from services.errors import ServiceError
from services.receiver import Receiver
from services.supervisor.premises import read_keys
from services.supervisor.preparation import DEMO_TRIAL

SOURCE = "https://demo.example/edc"
SUBSCRIPTION = "demo receiver"
SEED = 20
PAUSE_S = 2.5
READY_S = 60.0
_ABSENT = (
    *("acute_infection", "associated_tumour", "unknown_active_infection", "bacterial_infection"),
    *("fungal_infection", "uncontrolled_hypertension", "unstable_angina", "heart_failure"),
    *("severe_diabetes", "myocardial_infarction", "arrhythmia", "other_non_malignant_disease"),
    *("mental_disorder", "drug_addiction"),
)
_NO = ("other_trial", "unfit", "other_serious_condition", "disorder_affects_study")

Data = dict[str, Any]


@dataclass(frozen=True)
class Fact:
    """One event of the story: what, about whom, how long ago."""

    who: str
    kind: str
    data: Data
    ago: timedelta


@dataclass(frozen=True)
class Scene:
    """Events that are published together, and what a person should look at."""

    text: str
    facts: Sequence[Fact]


def story(seed: int = SEED) -> Iterator[Scene]:
    """Three subjects: gaps and an error in screening, infusions, a fever, and toxicities."""
    chance = Random(seed)  # noqa: S311 - a story, not a secret
    day = timedelta(days=1)
    yield Scene(
        "A is screened, with gaps in the record",
        screening("A", 42 * day, chance, without={"hiv_status", "ecog"}),
    )
    yield Scene(
        "B is screened; the laboratory reports HIV positive",
        [
            *screening("B", 41 * day, chance, without={"hiv_status"}),
            _hiv("B", "positive", 40 * day),
        ],
    )
    yield Scene(
        "A's missing results arrive",
        [
            Fact("A", "assessment", {"code": "ecog", "value": 1}, 41 * day),
            _hiv("A", "negative", 41 * day),
        ],
    )
    yield Scene(
        "the laboratory corrects B's result: it was somebody else's sample",
        [
            Fact(
                "B",
                "correction",
                _corrects("B", "hiv_status", {"code": "hiv_status", "value": "negative"}),
                39 * day,
            )
        ],
    )
    yield Scene("A and B are enrolled", [_enrolled("A", 35 * day), _enrolled("B", 34 * day)])
    yield Scene(
        "A receives four infusions, B two",
        [
            *(_infused("A", number, (35 - 7 * number) * day) for number in range(1, 5)),
            *(_infused("B", number, (29 - 7 * number) * day) for number in range(1, 3)),
        ],
    )
    yield Scene("B has a fever three hours ago", [_fever("B", timedelta(hours=3))])
    yield Scene("B is infused all the same", [_infused("B", 3, timedelta(hours=1))])
    yield Scene(
        "A has a serious adverse event, probably related",
        [Fact("A", "adverse_event", _toxicity("AE-1", "Pneumonia", 3, "probable", 2 * day), day)],
    )
    yield Scene(
        "C is screened, and something speaks against it",
        [
            *screening("C", 10 * day, chance, without={"hiv_status"}),
            _hiv("C", "positive", 9 * day),
        ],
    )
    yield Scene(
        "B has a severe reaction too: the stopping table is reached",
        [
            Fact(
                "B",
                "adverse_event",
                _toxicity("AE-1", "Hypersensitivity", 4, "related", timedelta(hours=1)),
                timedelta(minutes=50),
            )
        ],
    )


def screening(
    who: str, ago: timedelta, chance: Random, without: Collection[str] = ()
) -> list[Fact]:
    """What the criteria ask of an adult, all in the subject's favour, less what is `without`."""
    born = f"{chance.randint(1950, 2000)}-{chance.randint(1, 12):02}-{chance.randint(1, 28):02}"
    data: list[tuple[str, Data]] = [
        ("demographics", {"birth_date": born, "sex": "male"}),
        (
            "consent",
            {
                "document": "informed_consent",
                "given_by": "subject",
                "version": "1",
                "status": "given",
            },
        ),
        ("condition", {"code": "cgvhd", "status": "active"}),
        ("procedure", {"code": "allogeneic_hsct", "status": "done"}),
        ("procedure", {"code": "coronary_angioplasty", "status": "not_done"}),
        ("assessment", {"code": "cgvhd_course", "value": "worsening_2_weeks"}),
        ("assessment", {"code": "survival_over_3_months", "value": True}),
        ("assessment", {"code": "ecog", "value": chance.choice((0, 1, 2))}),
        ("observation", {"code": "hiv_status", "value": "negative"}),
        (
            "observation",
            {"code": "diastolic_bp", "value": chance.randint(68, 90), "unit": "mm[Hg]"},
        ),
        (
            "observation",
            {"code": "body_temperature", "value": chance.randint(362, 372) / 10, "unit": "Cel"},
        ),
        *(("condition", {"code": code, "status": "absent"}) for code in _ABSENT),
        *(("assessment", {"code": code, "value": False}) for code in _NO),
        ("enrolment", {"status": "screened"}),
    ]
    return [Fact(who, kind, each, ago) for kind, each in data if each.get("code") not in without]


def _hiv(who: str, value: str, ago: timedelta) -> Fact:
    return Fact(who, "observation", {"code": "hiv_status", "value": value}, ago)


def _fever(who: str, ago: timedelta) -> Fact:
    return Fact(who, "observation", {"code": "body_temperature", "value": 38.7, "unit": "Cel"}, ago)


def _enrolled(who: str, ago: timedelta) -> Fact:
    return Fact(who, "enrolment", {"status": "enrolled"}, ago)


def _infused(who: str, number: int, ago: timedelta) -> Fact:
    data = {"product": "MSC", "number": number, "status": "completed", "start": ago}
    return Fact(who, "administration", data, ago)


def _toxicity(ae: str, term: str, grade: int, causality: str, onset: timedelta) -> Data:
    return {
        "ae": ae,
        "term": term,
        "grade": grade,
        "serious": True,
        "seriousness": ["hospitalisation"],
        "causality": causality,
        "onset": onset,
    }


def _corrects(who: str, code: str, data: Data) -> Data:
    return {"corrects": (who, code), "data": data, "reason": "Sample mixed up in the laboratory"}


class Teller:
    """Publishes the scenes of one evening under names that no earlier evening used."""

    def __init__(self, service: Service, now: datetime) -> None:
        """`now` is when the story ends: everything in it lies before."""
        self._service = service
        self._now = now
        self._evening = now.strftime("%m%d%H%M")
        self._number = 0
        self._ids: dict[tuple[str, str], str] = {}

    def publish(self, scene: Scene) -> None:
        """One request for a scene. Raises ServiceError if it is not taken."""
        events = [self.event(fact) for fact in scene.facts]
        answer = self._service.post("/v1/events", events)
        if answer.status != 202:
            raise ServiceError(f"the demo's events were refused with {answer.status}")

    def event(self, fact: Fact) -> Data:
        """A CloudEvent; what is a span of time becomes an instant before now."""
        self._number += 1
        own_id = f"{self._evening}-{self._number}"
        self._ids[fact.who, str(fact.data.get("code"))] = own_id
        data = {name: self._placed(value) for name, value in fact.data.items()}
        return {
            "specversion": "1.0",
            "id": own_id,
            "source": SOURCE,
            "type": fact.kind,
            "trial": DEMO_TRIAL,
            "subject": f"{fact.who}-{self._evening}",
            "time": self._at(fact.ago),
            "data": data,
        }

    def _placed(self, value: Any) -> Any:
        if isinstance(value, timedelta):
            return self._at(value)
        if isinstance(value, tuple):  # the event that a correction names
            return {"source": SOURCE, "id": self._ids[value]}
        return value

    def _at(self, ago: timedelta) -> str:
        return (self._now - ago).isoformat()


def subscribe(service: Service, receiver: Receiver) -> str:
    """Tell the service where the receiver is tonight; the secret. Raises ServiceError."""
    for known in service.get("/v1/subscriptions").body["items"]:
        if known["name"] == SUBSCRIPTION:
            service.delete(f"/v1/subscriptions/{known['id']}")
    host, port = receiver.server_address[:2]
    wish = {
        "name": SUBSCRIPTION,
        "channel": {"kind": "webhook", "url": f"http://{host!s}:{port}/"},
        "filter": {"trials": [DEMO_TRIAL]},
    }
    answer = service.post("/v1/subscriptions", wish)
    if answer.status != 201:
        raise ServiceError(f"the demo's subscription was refused with {answer.status}")
    return str(answer.body["secret"])


def main(url: str, descriptor: int) -> None:
    """Listen, subscribe, tell the story, and go on listening until the supervisor ends it."""
    keys = read_keys(Settings.from_env(os.environ).data)
    receiver = Receiver(socket.socket(fileno=descriptor))
    threading.Thread(target=receiver.serve_forever, daemon=True).start()
    admin = Service(url, keys["admin"])
    wait_until_ready(admin)
    receiver.secret = subscribe(admin, receiver)
    now = clock.EPOCH + timedelta(microseconds=clock.now_us())
    teller = Teller(Service(url, keys["publisher"]), now)
    say(f"DEMO: a synthetic story plays in trial {DEMO_TRIAL}; its alerts as a receiver gets them:")
    for scene in story():
        say(click.style(f"  -- {scene.text}", dim=True))
        teller.publish(scene)
        time.sleep(PAUSE_S)
    say("DEMO: the story is told; the service goes on. Ctrl-C ends it.")
    threading.Event().wait()


def wait_until_ready(service: Service) -> None:
    """Return when a worker was seen."""
    until = time.monotonic() + READY_S
    while service.get("/readyz").status != 200 and time.monotonic() < until:
        time.sleep(0.2)


def say(text: str) -> None:
    """One line, at once."""
    click.echo(text)
    sys.stdout.flush()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
