"""A whole service under watch: a monitor sees it live and heal, and no log tells what was told it.

One story through `vigil up` at the chattiest level, with a mark in every field that may hold something
clinical, a person's words or a secret; then every file that it logged into and all that it shows to
those who run it is searched for the marks.
"""

from __future__ import annotations

import signal
import socket
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any
from urllib.parse import urlsplit

import pytest
import urllib3

from services import clock
from tests.support.processes import wait_until
from tests.support.receiver import Receiver, answer, reset
from tests.support.scrape import counters, fallen, samples
from tests.support.service import Up, signal_quietly

TRIAL = "msc-cgvhd"
SUBJECT = "ZQ7-KESTREL-4471"
MARKS = {
    "subject": SUBJECT,
    "another subject": "ZQ7-WREN-5582",
    "value": "39.14159265",
    "birth date": "1953-11-17",
    "term": "Plumbago reaction",
    "cause": "plover syndrome",
    "dose": "3.72914",
    "note": "the lapwing was told",
    "unknown code": "oystercatcher_level",
    "event id": "lis-dunlin-90417",
    "source": "turnstone.example",
    "path of a hook": "whimbrel-way",
    "query of a hook": "godwit-token",
    "header of a hook": "sanderling-header",
    "name of a subscription": "curlew ward",
    "query of a request": "phalarope-query",
    "broken request": "dotterel-line",
    "wrong key": "vigil_notakey-ruff-8812",
    "password": "avocet-password-3",
}
OPEN = {"VIGIL_WEBHOOK_ALLOW_PRIVATE": "1", "VIGIL_LOG_LEVEL": "debug"}
STARTED: tuple[str, dict[str, Any]] = (
    "demographics",
    {"birth_date": MARKS["birth date"], "sex": "male"},
)
INFUSION = {"product": "msc", "number": 1, "dose": 3.72914, "unit": "10*6/kg"} | {
    "status": "completed",
    "start": "2026-03-02T08:30:00+09:00",
    "end": "2026-03-02T08:40:00+09:00",
}
STORY: tuple[tuple[str, dict[str, Any]], ...] = (
    STARTED,
    ("observation", {"code": "body_temperature", "value": 39.14159265, "unit": "Cel"}),
    ("enrolment", {"status": "screened"}),
    ("enrolment", {"status": "enrolled"}),
    ("administration", INFUSION),
    ("adverse_event", {"ae": "a1", "term": MARKS["term"], "grade": 4, "causality": "related"}),
    ("death", {"cause": MARKS["cause"], "causality": "related"}),
)


def event(number: int, kind: str, data: dict[str, Any], subject: str = SUBJECT) -> dict[str, Any]:
    return {
        "specversion": "1.0",
        "id": f"{MARKS['event id']}-{subject}-{number}",
        "source": f"https://{MARKS['source']}/",
        "type": kind,
        "trial": TRIAL,
        "subject": subject,
        "time": datetime.fromtimestamp(clock.now_us() / 1e6, tz=UTC).isoformat(),
        "data": data,
    }


class Watched:
    """A running service, and a client of each role that keeps whatever it is answered."""

    def __init__(self, up: Up) -> None:
        self.up = up
        self.http = urllib3.PoolManager(retries=False, timeout=30)

    def ask(
        self, role: str | None, method: str, path: str, body: Any = None, **headers: str
    ) -> urllib3.BaseHTTPResponse:
        run = self.up.run
        key = {} if role is None else {"authorization": f"Bearer {run['keys'][role]}"}
        return self.http.request(method, run["url"] + path, json=body, headers={**key, **headers})

    def scrape(self) -> str:
        answered = self.ask("ops", "GET", "/metrics")
        assert answered.status == 200
        return answered.data.decode()

    def glance(self) -> Any:
        return self.ask("ops", "GET", "/v1/ops/queues").json()

    def whole(self) -> bool:
        """Everything is there and heard."""
        return bool(self.ask(None, "GET", "/readyz").json()["status"] == "ok")

    def publish(self, *events: dict[str, Any]) -> None:
        answered = self.ask("publisher", "POST", "/v1/events", list(events))
        assert answered.status == 202, answered.data

    def done(self) -> bool:
        """Nothing waits to be evaluated."""
        return samples(self.scrape())["vigil_events_pending", ()] == 0


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    folder = tmp_path_factory.mktemp("watched")
    with Up(folder / "data", **OPEN) as up:
        yield Watched(up)


def test_every_part_is_seen_and_heard(watched: Watched) -> None:
    wait_until(watched.whole, 60, "every part to be ok")
    wait_until(lambda: all(map(hears, watched.glance()["workers"])), 60, "who was heard to say so")
    seen = watched.glance()
    assert {one["kind"] for one in seen["workers"] if one["state"] == "ok"} >= {
        *("api", "stream", "evaluate", "deliver", "scheduler")
    }
    assert (seen["broker"]["state"], seen["broker"]["mode"]) == ("ok", "embedded")
    assert (seen["broker"]["policy"], seen["broker"]["aof"]) == ("noeviction", True)
    for queue in seen["queues"]:
        assert queue["canary"]["state"] == "ok"
        assert queue["workers"] == 1


def hears(process: dict[str, Any]) -> bool:
    """Whether a message came to a worker; who has no queue hears nothing."""
    return process["kind"] not in {"evaluate", "deliver"} or process["heard_at"] is not None


def test_no_counter_falls_while_processes_are_killed_and_come_back(watched: Watched) -> None:
    watched.publish(*(event(900 + n, *STARTED, subject=MARKS["another subject"]) for n in range(5)))
    wait_until(watched.done, 60, "the evaluation")
    wait_until(lambda: told(watched) > 0, 30, "what the API counted")
    seen = [watched.scrape()]
    before = told(watched)
    for name in ("gunicorn", "worker evaluate", "worker deliver", "services.live"):
        for pid, command in watched.up.family().items():
            if name in command:
                signal_quietly(pid, signal.SIGKILL)
        wait_until(lambda: answers(watched), 60, f"the API after {name} was killed")
        seen.append(watched.scrape())
    watched.publish(event(950, *STARTED, subject=MARKS["another subject"]))
    wait_until(watched.done, 60, "the evaluation after all that")
    wait_until(lambda: told(watched) > before, 60, "what the new API counted")
    wait_until(watched.whole, 60, "every part to be ok again")
    seen.append(watched.scrape())
    for earlier, later in pairwise(seen):
        assert fallen(earlier, later) == {}
    assert counters(seen[-1])


def told(watched: Watched) -> float:
    """Requests to publish that the API's processes have told of."""
    found = counters(watched.scrape())
    return sum(
        value
        for (name, labels), value in found.items()
        if name == "vigil_http_requests_total" and ("route", "/v1/events") in labels
    )


def answers(watched: Watched) -> bool:
    try:
        return watched.ask("ops", "GET", "/metrics").status == 200
    except urllib3.exceptions.HTTPError:
        return False


def tell_the_story(watched: Watched, receiver: Receiver) -> None:
    """Everything that may go wrong with a mark in it, and everything that goes well."""
    hook = f"{receiver.url}/{MARKS['path of a hook']}?t={MARKS['query of a hook']}"
    nobody = f"http://127.0.0.1:1/{MARKS['path of a hook']}?t={MARKS['query of a hook']}"
    for url in (hook, nobody):
        channel = {"kind": "webhook", "url": url, "headers": {"X-Ward": MARKS["header of a hook"]}}
        wish = {"name": MARKS["name of a subscription"], "channel": channel, "content": "full"}
        made = watched.ask("clinician", "POST", "/v1/subscriptions", wish)
        assert made.status == 201, made.data
    watched.publish(*(event(n, kind, data) for n, (kind, data) in enumerate(STORY)))
    wait_until(watched.done, 60, "the evaluation")
    wait_until(lambda: len(receiver.received) > 2, 60, "webhooks")
    for alert in watched.ask("clinician", "GET", "/v1/alerts").json()["items"]:
        for action in ("acknowledge", "comment", "resolve"):
            path = f"/v1/alerts/{alert['id']}/{action}"
            answered = watched.ask("clinician", "POST", path, {"note": MARKS["note"]})
            assert answered.status == 200, answered.data
    ask_amiss(watched)
    speak_amiss(watched)


def ask_amiss(watched: Watched) -> None:
    """Requests that are refused, each for what is marked in it."""
    here = f"/v1/trials/{TRIAL}/subjects/{SUBJECT}"
    unknown = event(70, "observation", {"code": MARKS["unknown code"], "value": 1, "unit": "1"})
    changed = event(1, "observation", {"code": "body_temperature", "value": 36.0, "unit": "Cel"})
    for role in ("publisher", "clinician", "ops", "admin"):
        for path in (here, f"{here}/timeline", f"{here}/eligibility", f"/{SUBJECT}"):
            watched.ask(role, "GET", f"{path}?x={MARKS['query of a request'].replace(' ', '+')}")
        watched.ask(role, "POST", "/v1/events", unknown)
        watched.ask(role, "POST", "/v1/events", changed)
        watched.ask(role, "POST", "/v1/subscriptions", {"name": MARKS["note"], "channel": {}})
        watched.ask(
            role, "GET", f"/v1/alerts?subject={SUBJECT}&cursor={MARKS['query of a request']}"
        )
        watched.ask(role, "POST", f"/v1/trials/{TRIAL}/suspend", {"reason": {"no": MARKS["note"]}})
    watched.ask(None, "GET", here, authorization=f"Bearer {MARKS['wrong key']}")
    sign_in = {"name": "investigator", "password": MARKS["password"]}
    watched.http.request("POST", watched.up.run["url"] + "/", fields=sign_in)


def speak_amiss(watched: Watched) -> None:
    """What is no HTTP, or ends in the middle."""
    place = urlsplit(watched.up.run["url"])
    for text in (
        f"{MARKS['broken request']} / nonsense\r\n\r\n",
        f"GET /{SUBJECT} HTTP/1.1\r\nbroken {MARKS['broken request']}\r\n\r\n",
        f"POST /v1/events HTTP/1.1\r\nHost: x\r\nContent-Length: 900\r\n\r\n{SUBJECT}",
        f"GET /{SUBJECT} HTTP/9.9\r\n\r\n",
    ):
        with socket.create_connection((place.hostname, place.port or 80), timeout=5) as line:
            line.sendall(text.encode())


def written(watched: Watched) -> dict[str, str]:
    """Every log of the service, and what its broker keeps on disk."""
    files = [watched.up.log, *watched.up.data.glob("*.log")]
    files += [path for path in (watched.up.data / "broker").rglob("*") if path.is_file()]
    return {str(path): path.read_bytes().decode(errors="replace") for path in files}


def shown(watched: Watched) -> dict[str, str]:
    """What those who run the service see, and what others are told when they ask for more."""
    here = f"/v1/trials/{TRIAL}/subjects/{SUBJECT}"
    asked = [
        *(
            ("ops", path)
            for path in ("/metrics", "/v1/ops/queues", "/readyz", "/v1/ops/dead-letters")
        ),
        *((role, path) for role in ("ops", "publisher") for path in (here, f"{here}/timeline")),
        (None, here),
        ("publisher", f"/v1/alerts?subject={SUBJECT}"),
    ]
    return {f"{role} {path}": watched.ask(role, "GET", path).data.decode() for role, path in asked}


def test_no_log_and_nothing_shown_to_operators_tells_what_was_told_it(watched: Watched) -> None:
    with Receiver() as receiver:
        receiver.plan = [answer(500), reset, answer(302)]
        tell_the_story(watched, receiver)
        wanted = {"delivered", "unreachable", "refused", "broken_off"}
        wait_until(lambda: outcomes(watched) >= wanted, 60, "attempts of every kind")
        secrets = [watched.up.run["keys"][role] for role in watched.up.run["keys"]]
        files, pages = written(watched), shown(watched)
        timeline = f"/v1/trials/{TRIAL}/subjects/{SUBJECT}/timeline"
        known = watched.ask("clinician", "GET", timeline).data.decode()
    log = files[str(watched.up.log)]
    assert '"level":"debug"' in log
    assert '"status":422' in log
    for name in ("value", "birth date", "term", "cause", "dose"):  # or nothing was told it
        assert MARKS[name] in known, name
    for what, mark in MARKS.items():
        for name, text in files.items():
            assert mark not in text, (what, name, line_with(text, mark))
        for name, text in pages.items():
            assert mark not in text, (what, name)
    for secret in secrets:
        assert not [name for name, text in (files | pages).items() if secret in text]
    assert "Traceback" not in log


def outcomes(watched: Watched) -> set[str]:
    """How attempts ended, as far as the deliver worker has told."""
    found = counters(watched.scrape())
    return {
        dict(labels)["outcome"] for name, labels in found if name == "vigil_delivery_attempts_total"
    }


def line_with(text: str, mark: str) -> str:
    return next((line for line in text.splitlines() if mark in line), "")[:400]
