"""Tells scenes to the service: events with their publishers' keys, persons' deeds with their own.

Who comes in: scenes. Who goes out: HTTP, as anybody would send it.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from itertools import groupby
from typing import Any
from urllib.parse import urlencode

from services.client import Service
from services.demo.scenes import Answer, Data, Fact, Resumption, Scene, Target
from services.demo.story import Evening
from services.errors import ServiceError

SOURCE = "https://demo.example/edc"
# How long a person waits for the alert that is to be answered.
PATIENCE_S = 20.0
_NAME = re.compile(r"D(\d+)-\d+")


class Writer:
    """Facts as CloudEvents of one trial; it knows what it wrote, for corrections."""

    def __init__(self, trial: str, evening: Evening) -> None:
        """Nothing is written yet."""
        self._trial = trial
        self._evening = evening
        self._number = 0
        self._ids: dict[Target, str] = {}

    def event(self, fact: Fact, now: datetime) -> Data:
        """A CloudEvent with an id of its own; moments become instants before `now`."""
        self._number += 1
        own_id = f"{self._evening.number}-{self._number}"
        data = {name: self._placed(value, now) for name, value in fact.data.items()}
        self._ids[Target(fact.who, str(fact.data.get("code")))] = own_id
        return {
            "specversion": "1.0",
            "id": own_id,
            "source": SOURCE,
            "type": fact.kind,
            "trial": self._trial,
            "subject": self._evening.name(fact.who),
            "time": fact.when.at(now),
            "data": data,
        }

    def _placed(self, value: Any, now: datetime) -> Any:
        if isinstance(value, Target):
            return {"source": SOURCE, "id": self._ids[value]}
        return value.at(now) if hasattr(value, "at") else value


class Teller:
    """Publishes the scenes of one evening, and acts for the persons in them."""

    def __init__(
        self,
        services: Mapping[str, Service],
        trial: str,
        evening: Evening,
        now: Callable[[], datetime],
    ) -> None:
        """`services` by role."""
        self._services, self._trial, self._evening, self._now = services, trial, evening, now
        self._writer = Writer(trial, evening)

    def tell(self, scene: Scene) -> None:
        """Publish, then do. Raises ServiceError where the service takes no event."""
        for role, facts in groupby(scene.facts, key=lambda fact: fact.role):
            events = [self._writer.event(fact, self._now()) for fact in facts]
            answer = self._services[role].post("/v1/events", events)
            if answer.status != 202:
                raise ServiceError(f"the demo's events were refused with {answer.status}")
        for deed in scene.deeds:
            self._do(deed)

    def _do(self, deed: Answer | Resumption) -> None:
        if isinstance(deed, Resumption):
            path, wish = f"/v1/trials/{self._trial}/resume", {"reason": deed.reason}
            self._services[deed.role].post(path, wish)
            return
        alert = self._open_alert(deed)
        if alert is not None:  # else somebody at the page was quicker
            path = f"/v1/alerts/{alert}/{deed.verb}"
            self._services["clinician"].post(path, {"note": deed.note})

    def _open_alert(self, deed: Answer) -> str | None:
        until = time.monotonic() + PATIENCE_S
        while time.monotonic() < until:
            for alert in self._alerts(deed):
                if alert["rule"] == deed.rule:
                    return None if alert["status"] == "resolved" else str(alert["id"])
            time.sleep(0.2)
        return None

    def _alerts(self, deed: Answer) -> Iterable[Data]:
        """The newest first."""
        asked = {"trial": self._trial}
        if deed.who is not None:
            asked["subject"] = self._evening.name(deed.who)
        path = f"/v1/alerts?{urlencode(asked)}"
        return every(self._services["clinician"], path)


def every(service: Service, path: str) -> Iterator[Data]:
    """Every item of a list, page by page. Raises ServiceError."""
    cursor = ""
    while True:
        answer = service.get(f"{path}{cursor}")
        if answer.status != 200:
            raise ServiceError(f"the demo was refused a list with {answer.status}")
        yield from answer.body["items"]
        if answer.body["next"] is None:
            return
        cursor = f"{'&' if '?' in path else '?'}{urlencode({'cursor': answer.body['next']})}"


def look_around(clinician: Service, trial: str) -> Evening:
    """Which evening it is, from what earlier ones left in the trial. Raises ServiceError."""
    names = (item["subject"] for item in every(clinician, f"/v1/trials/{trial}/subjects"))
    numbers = [int(found[1]) for name in names if (found := _NAME.fullmatch(name))]
    (table,) = every(clinician, f"/v1/trials/{trial}/stopping")
    found = clinician.get(f"/v1/trials/{trial}").body
    enrolment = found["enrolment"]
    return Evening(
        number=max(numbers, default=0) + 1,
        suspended=found["status"] == "suspended",
        crossed=table["crossed"],
        evaluable=table["evaluable"],
        full=enrolment["enrolled"] >= enrolment["target"],
    )
