"""A real study through a running service: what each subject's alerts are, and what a receiver got.

The CDISC pilot study's DM, EX, AE, VS and LB: 91,311 rows of 306 subjects, in a replay trial of
`vigil up`, by `vigil import`; compared with counts made from the tables alone.
"""

from __future__ import annotations

import subprocess
from collections import Counter, defaultdict
from collections.abc import Container, Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

import rules
from services.client import Service
from tests.support import cdisc, pilot_truth
from tests.support.processes import ROOT, python, wait_until
from tests.support.receiver import Receiver
from tests.support.service import Up

TRIAL = "pilot"
# A finding that is true again may be the same alert as before, which is then reopened.
BEGUN = {"alert.opened", "alert.reopened"}

pytestmark = pytest.mark.skipif(
    not cdisc.available(), reason="the pilot study's tables are not beside this checkout"
)
Counts = dict[str | None, dict[str, cdisc.Count]]


@pytest.mark.timeout(900)
def test_a_real_studys_alerts_and_webhooks_are_those_counted_from_its_tables(
    tmp_path: Path,
) -> None:
    expected = wanted()
    with Receiver() as receiver, Up(tmp_path / "data", VIGIL_WEBHOOK_ALLOW_PRIVATE="1") as up:
        service = up.service("admin")
        create(service)
        secret = subscribe(service, receiver.url)
        assert imported(up) == "92079 accepted"
        wait_until(lambda: settled(service), 600, "everything to be evaluated", every=0.5)
        # The trial's own stream folds last, when all subjects' streams have reached its clock.
        opened = sum(count.opened for told in expected.values() for count in told.values())
        wait_until(lambda: len(told_of(receiver, BEGUN)) >= opened, 120, "the webhooks", every=0.5)
        wait_until(lambda: not gaps(receiver), 120, "the webhooks between them", every=0.5)
        alerts = list(listed(service, f"/v1/alerts?trial={TRIAL}&limit=500"))
        owed = list(listed(service, f"/v1/trials/{TRIAL}/clocks?limit=500"))
        graded = {subject: grades(service, subject) for subject in ("01-705-1186", "01-701-1015")}

    assert_alerts(alerts, owed)
    assert graded == {subject: counted_grades(subject) for subject in graded}
    assert counted(alerts, told_of(receiver, BEGUN)) == expected
    told = told_of(receiver, {"alert.opened"})
    assert Counter((one["subject"], one["rule"]) for one in told.values()) == Counter(
        (alert["subject"], alert["rule"]) for alert in alerts
    )
    assert all(request.verify(secret) for request in receiver.received[:20])
    assert len({request.id for request in receiver.received}) == len(positions(receiver))


def assert_alerts(alerts: list[dict[str, Any]], owed: list[dict[str, Any]]) -> None:
    """Seriousness, deaths, due instants and livers, each against the tables."""
    told = {(alert["rule"], alert["subject"]) for alert in alerts}
    serious = list(pilot_truth.serious())
    conflicts = {("S-SAE-FLAG", event.subject) for event in serious if event.conflict}
    assert {one for one in told if one[0] == "S-SAE-FLAG"} == conflicts
    dead = {("S-DEATH", subject) for subject in pilot_truth.dead()}
    assert {one for one in told if one[0] == "S-DEATH"} == dead
    assert [one for one in told if one[0].startswith("HY-")] == [("HY-CHOLESTATIC", "01-705-1186")]
    due = {
        (event.subject, event.ae, clock): moment
        for event in serious
        for clock, moment in event.due.items()
    }
    assert {
        (one["subject"], one["ae"], one["clock"]): datetime.fromisoformat(one["due_at"])
        for one in owed
    } == due
    late = {(one["subject"], one["key"]): one["due_at"] for one in alerts if one["due_at"]}
    assert {
        (subject, f"clock:{clock}:{ae}"): moment for (subject, ae, clock), moment in due.items()
    } == {name: datetime.fromisoformat(moment) for name, moment in late.items()}


def grades(service: Service, subject: str) -> Counter[tuple[object, ...]]:
    """The grades of a subject's laboratory values, as the service shows them."""
    answer = service.get(f"/v1/trials/{TRIAL}/subjects/{subject}/laboratory")
    assert answer.status == 200, answer.body
    return Counter(
        (item["ctcae"], datetime.fromisoformat(value["time"]), value["min"], value["grade"])
        for item in answer.body["items"]
        for value in item["values"]
        if item["ctcae"]
    )


def counted_grades(subject: str) -> Counter[tuple[object, ...]]:
    """The same from the table, each test by its name in the dictionary."""
    names = rules.dictionary().names
    return Counter(
        (names[one.test.casefold()][0].analyte, cdisc.instant(one.when), *one.worst)
        for one in pilot_truth.results()
        if one.subject == subject
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


def counted(alerts: list[dict[str, Any]], told: Mapping[str, dict[str, Any]]) -> Counts:
    """Opened, the same alert again or not, and still open, per subject and rule."""
    counts: Counts = defaultdict(lambda: defaultdict(cdisc.Count))
    for one in told.values():
        counts[one["subject"]][one["rule"]].opened += 1
    for alert in alerts:
        counts[alert["subject"]][alert["rule"]].open += alert["status"] != "resolved"
    return {subject: dict(rules) for subject, rules in counts.items()}


def positions(receiver: Receiver) -> set[int]:
    """The places in the subscription's order that arrived."""
    return {request.json["position"] for request in list(receiver.received)}


def gaps(receiver: Receiver) -> bool:
    """Whether a place before the last that arrived has not arrived."""
    seen = positions(receiver)
    return seen != set(range(1, len(seen) + 1))


def told_of(receiver: Receiver, kinds: Container[str]) -> dict[str, dict[str, Any]]:
    """The alerts that the receiver was told of so, by webhook-id: twice is once."""
    bodies = {request.id: request.json for request in list(receiver.received)}
    return {name: body["data"] for name, body in bodies.items() if body["type"] in kinds}
