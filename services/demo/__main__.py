"""The demo's process: a receiver that listens, a subscription, the story, then everyday life.

Who comes in: the supervisor, with the service's address and the receiver's socket. Who goes out:
lines on a person's terminal. `DEMO_PACE_S` (for tests; seconds from scene to scene) is the one
variable that is read here.
"""

from __future__ import annotations

import os
import socket
import sys
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

import click

from services import clock
from services.client import Service
from services.config import Settings
from services.demo import everyday, teller
from services.demo.scenes import Scene
from services.demo.story import CHILD, MIXED_UP, WAIVED, story
from services.errors import ServiceError
from services.receiver import HEAD, Receiver, say
from services.supervisor.premises import read_keys
from services.supervisor.preparation import DEMO_TRIAL

SUBSCRIPTION = "demo receiver"
PACE_S = 6.5
READY_S = 60.0


def main(url: str, descriptor: int) -> int:
    """Tell the story, and go on until the supervisor ends it; the exit status."""
    receiver = Receiver(socket.socket(fileno=descriptor))
    threading.Thread(target=receiver.serve_forever, daemon=True).start()
    try:
        _show(url, receiver)
    except ServiceError as error:
        say(f"DEMO: it ends here: {error}")
    return 1


def _show(url: str, receiver: Receiver) -> None:
    """The whole evening; never returns. Raises ServiceError."""
    keys = read_keys(Settings.from_env(os.environ).data)
    services = {role: Service(url, key) for role, key in keys.items()}
    wait_until_ready(services["admin"])
    receiver.secret = subscribe(services["admin"], receiver)
    evening = teller.look_around(services["clinician"], DEMO_TRIAL)
    telling = teller.Teller(services, DEMO_TRIAL, evening, _now)
    pace = timedelta(seconds=float(os.environ.get("DEMO_PACE_S") or PACE_S))
    scenes = list(story(evening, pace))
    say(f"DEMO: a synthetic story of {len(scenes)} scenes plays in trial {DEMO_TRIAL}.")
    say("Below each scene come its alerts, as a webhook receiver gets them.")
    say(click.style(HEAD, dim=True))
    _play(telling, numbered(scenes), pace)
    say("DEMO: the story is told; everyday life goes on. Ctrl-C ends it.")
    _play(telling, everyday.everyday(evening, (MIXED_UP, CHILD, WAIVED)), pace)


def numbered(scenes: Sequence[Scene]) -> Iterator[Scene]:
    """Which of how many."""
    for number, scene in enumerate(scenes, 1):
        yield replace(scene, text=f"{number:>2}/{len(scenes)} {scene.text}")


def _play(telling: teller.Teller, scenes: Iterable[Scene], pace: timedelta) -> None:
    """One scene after the other, each as long as the others."""
    for scene in scenes:
        began = time.monotonic()
        if scene.text:
            say(click.style(f"-- {scene.text}", fg="blue"))
        telling.tell(scene)
        time.sleep(max(0.0, began + pace.total_seconds() - time.monotonic()))


def _now() -> datetime:
    return clock.EPOCH + timedelta(microseconds=clock.now_us())


def wait_until_ready(service: Service) -> None:
    """Return when a worker was seen."""
    until = time.monotonic() + READY_S
    while service.get("/readyz").status != 200 and time.monotonic() < until:
        time.sleep(0.2)


def subscribe(service: Service, receiver: Receiver) -> str:
    """Tell the service where the receiver is tonight; the secret. Raises ServiceError."""
    for known in teller.every(service, "/v1/subscriptions"):
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


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], int(sys.argv[2])))
