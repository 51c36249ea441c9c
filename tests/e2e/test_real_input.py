"""A real study through a running service: what each subject's alerts are, and what a receiver got.

The CDISC pilot study's DM, EX, AE, VS and LB: 91,311 rows of 306 subjects, in a replay trial of
`vigil up`, by `vigil import`; compared with counts made from the tables alone.
"""

from __future__ import annotations

import subprocess
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from services.client import Service
from tests.support import cdisc
from tests.support.processes import ROOT, python, wait_until
from tests.support.receiver import Receiver
from tests.support.service import Up

TRIAL = "pilot"

pytestmark = pytest.mark.skipif(
    not cdisc.available(), reason="the pilot study's tables are not beside this checkout"
)
Counts = dict[str | None, dict[str, cdisc.Count]]


@pytest.mark.timeout(900)
def test_a_real_studys_alerts_and_webhooks_are_those_counted_from_its_tables(
    tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    expected = wanted()
    with Receiver() as receiver, Up(tmp_path / "data", VIGIL_WEBHOOK_ALLOW_PRIVATE="1") as up:
        service = up.service("admin")
        create(service)
        secret = subscribe(service, receiver.url)
        began = time.monotonic()
        assert imported(up) == "92079 accepted"
        wait_until(lambda: settled(service), 600, "everything to be evaluated", every=0.5)
        record_property("seconds", round(time.monotonic() - began))
        # The trial's own stream folds last, when all subjects' streams have reached its clock.
        opened = sum(count.opened for rules in expected.values() for count in rules.values())
        wait_until(lambda: len(openings(receiver)) >= opened, 120, "the webhooks", every=0.5)
        alerts = list(listed(service, f"/v1/alerts?trial={TRIAL}&limit=500"))

    assert counted(alerts) == expected
    told = openings(receiver)
    assert Counter((one["subject"], one["rule"]) for one in told.values()) == Counter(
        (alert["subject"], alert["rule"]) for alert in alerts
    )
    assert all(request.verify(secret) for request in receiver.received[:20])
    assert sorted({request.json["position"] for request in receiver.received}) == list(
        range(1, len({request.id for request in receiver.received}) + 1)
    )


def create(service: Service) -> None:
    """The replay trial with the pilot's protocol in force."""
    protocol = cdisc.PILOT.read_text(encoding="utf-8")
    answer = service.post("/v1/trials", {"id": TRIAL, "mode": "replay", "protocol": protocol})
    assert answer.status == 201, answer.body


def subscribe(service: Service, url: str) -> str:
    """A replay trial tells nobody outside unless a subscription names it; the secret."""
    wish = {
        "name": "e2e",
        "channel": {"kind": "webhook", "url": url},
        "filter": {"trials": [TRIAL]},
    }
    answer = service.post("/v1/subscriptions", wish)
    assert answer.status == 201, answer.body
    return str(answer.body["secret"])


def imported(up: Up) -> str:
    """What `vigil import` says of the tables, once the trial's clock stands at their end."""
    command = python("-c", "from services.cli import main; main()", "import", str(cdisc.REALDATA))
    options = ["--trial", TRIAL, "--format", "sdtm", "--advance"]
    env = {**up.child.env, "VIGIL_DATA": str(up.data)}
    done = subprocess.run(
        command + options, env=env, cwd=ROOT, text=True, capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()[0]


def settled(service: Service) -> bool:
    """Whether no stream of the service has anything left to evaluate."""
    answer = service.get("/v1/ops/streams?state=dirty")
    assert answer.status == 200, answer.body
    return not answer.body["items"]


def listed(service: Service, path: str) -> Iterator[dict[str, Any]]:
    """All items of a list, page by page."""
    cursor: str | None = ""
    while cursor is not None:
        answer = service.get(path + (f"&cursor={cursor}" if cursor else ""))
        assert answer.status == 200, answer.body
        yield from answer.body["items"]
        cursor = answer.body["next"]


def wanted() -> Counts:
    """What the tables say, the trial's own alerts under no subject."""
    counts: Counts = {}
    counts.update(cdisc.expected().items())
    counts[None] = cdisc.expected_of_the_trial()
    return counts


def counted(alerts: list[dict[str, Any]]) -> Counts:
    """Opened and still open, per subject and rule."""
    counts: Counts = defaultdict(lambda: defaultdict(cdisc.Count))
    for alert in alerts:
        count = counts[alert["subject"]][alert["rule"]]
        count.opened += 1
        count.open += alert["status"] != "resolved"
    return {subject: dict(rules) for subject, rules in counts.items()}


def openings(receiver: Receiver) -> dict[str, dict[str, Any]]:
    """The alerts that the receiver was told of as opened, by webhook-id: twice is once."""
    bodies = {request.id: request.json for request in list(receiver.received)}
    return {name: body["data"] for name, body in bodies.items() if body["type"] == "alert.opened"}
