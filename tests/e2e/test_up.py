"""`vigil up` as a user has it: serves, tells, heals, stops, and leaves nothing behind."""

from __future__ import annotations

import json
import signal
import socket
import stat
import subprocess
from datetime import UTC, datetime
from pathlib import Path

from services import clock
from services.client import Service
from tests.support.processes import ROOT, python, wait_until
from tests.support.receiver import Receiver
from tests.support.service import Up, alive, signal_quietly
from tests.support.valkey import ValkeyServer

TRIAL = "msc-cgvhd"
OPEN = {"VIGIL_WEBHOOK_ALLOW_PRIVATE": "1"}


def publish(service: Service, subject: str, kind: str, data: dict, own_id: str) -> str:
    """Publish one event of now; its server id."""
    event = {
        "specversion": "1.0",
        "id": own_id,
        "source": "https://site.example/",
        "type": kind,
        "trial": TRIAL,
        "subject": subject,
        "time": datetime.fromtimestamp(clock.now_us() / 1e6, tz=UTC).isoformat(),
        "data": data,
    }
    answer = service.post("/v1/events", event)
    assert answer.status == 202, answer
    return answer.body["events"][0]["event"]


def subscribe(service: Service, url: str) -> str:
    wish = {"name": "test", "channel": {"kind": "webhook", "url": url}}
    answer = service.post("/v1/subscriptions", wish)
    assert answer.status == 201, answer
    return answer.body["secret"]


def evaluated(service: Service, event: str) -> bool:
    return service.get(f"/v1/events/{event}").body["status"] == "evaluated"


def test_an_event_goes_in_and_a_signed_webhook_comes_out(tmp_path: Path) -> None:
    with Receiver() as receiver, Up(tmp_path / "data", VIGIL_PROTOCOLS="", **OPEN) as up:
        assert stat.S_IMODE((up.data / "run.json").stat().st_mode) == 0o600
        assert set(up.run["keys"]) == {"publisher", "clinician", "ops", "admin"}
        wait_until(lambda: up.service("ops").get("/readyz").status == 200, 60, "readiness")
        secret = subscribe(up.service("ops"), receiver.url)
        publish(up.service("publisher"), "S-001", "death", {"causality": "unrelated"}, "d-1")
        wait_until(lambda: bool(receiver.received), 10, "the webhook")
        told = receiver.received[0].verify(secret)
        assert (told["type"], told["data"]["rule"]) == ("alert.opened", "S-DEATH")
        assert told["data"]["subject"] == "S-001"
        assert "detail" not in told["data"]
        assert_a_file_is_imported_once(up, tmp_path)
        verified = vigil(up, "replay", "--trial", TRIAL, "--verify")
        assert verified.stdout.endswith("no difference\n"), verified.stdout
        took, left = up.stop(signal.SIGINT)
        assert took < 10
        assert left == {}
        assert up.process.returncode == 0
        assert not (up.data / "run.json").exists()
        assert not any("Traceback" in line for line in up.log.read_text().splitlines())


def vigil(up: Up, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Another command beside the running service."""
    command = python("-c", "from services.cli import main; main()", *arguments)
    env = {**up.child.env, "VIGIL_DATA": str(up.data)}
    return subprocess.run(command, env=env, text=True, capture_output=True, check=False, cwd=ROOT)


def assert_a_file_is_imported_once(up: Up, folder: Path) -> None:
    events = [
        {
            "specversion": "1.0",
            "id": f"t-{number}",
            "source": "https://site.example/",
            "type": "observation",
            "subject": "S-002",
            "time": f"2026-03-02T08:{number:02}:00+09:00",
            "data": {"code": "body_temperature", "value": 36.6, "unit": "Cel"},
        }
        for number in range(30)
    ]
    file = folder / "events.ndjson"
    file.write_text("".join(json.dumps(event) + "\n" for event in events))
    first = vigil(up, "import", str(file), "--trial", TRIAL)
    assert (first.returncode, first.stdout) == (0, "30 accepted\n"), first.stderr
    again = vigil(up, "import", str(file), "--trial", TRIAL)
    assert (again.returncode, again.stdout) == (0, "30 duplicate\n"), again.stderr
    with file.open("a") as more:
        more.write(json.dumps({**events[0], "data": {"code": "nonsense", "value": 1}}) + "\n")
    faulty = vigil(up, "import", str(file), "--trial", TRIAL)
    assert faulty.returncode == 1
    assert f"{file}:31: " in faulty.stderr


def test_without_a_broker_the_sweep_does_the_work(tmp_path: Path) -> None:
    (tmp_path / "data" / "broker" / "valkey.log").mkdir(parents=True)  # so that it cannot start
    with Receiver() as receiver, Up(tmp_path / "data", **OPEN) as up:
        wait_until(lambda: up.service("ops").get("/readyz").status == 200, 60, "readiness")
        ready = up.service("ops").get("/readyz").body
        assert (ready["status"], ready["broker"]) == ("degraded", "degraded")
        assert ready["queues"] == "ok"  # no broker, no canary: nobody is missed
        glance = up.service("ops").get("/v1/ops/queues").body
        assert (glance["broker"]["state"], glance["broker"]["mode"]) == ("none", "none")
        assert {queue["canary"]["state"] for queue in glance["queues"]} == {"not_expected"}
        subscribe(up.service("ops"), receiver.url)
        publish(up.service("publisher"), "S-001", "death", {"causality": "unrelated"}, "d-1")
        wait_until(lambda: bool(receiver.received), 5, "the webhook")
        assert "no broker could be started" in up.log.read_text()
        _, left = up.stop()
        assert left == {}


def test_it_heals_survives_kill_9_and_knows_its_files_again(tmp_path: Path) -> None:
    protocols = tmp_path / "protocols"
    protocols.mkdir()
    good = (ROOT / "rules" / "protocols" / f"{TRIAL}.yaml").read_text()
    (protocols / f"{TRIAL}.yaml").write_text(good)
    up = Up(tmp_path / "data", VIGIL_PROTOCOLS=str(protocols))
    with up:
        keys = up.run["keys"]
        publisher = up.service("publisher")

        # Every child that is killed comes back.
        for name in (
            "worker evaluate",
            "worker deliver",
            "gunicorn",
            "valkey-server",
            "services.live",
        ):
            for pid, command in up.family().items():
                if name in command:
                    signal_quietly(pid, signal.SIGKILL)
        event = publish(publisher, "S-001", "demographics", {"sex": "male"}, "1")
        wait_until(lambda: evaluated(publisher, event), 20, "the evaluation")

        family = up.family()
        assert len(family) >= 5
        up.process.kill()
        up.process.wait()
        wait_until(lambda: not any(map(alive, family)), 3, f"the end of {family}")

        # Again on the same data: the same keys and events; a changed file is a draft.
        changed = good.replace('version: "1.0"', 'version: "1.1"', 1)
        (protocols / f"{TRIAL}.yaml").write_text(changed)
        (protocols / "broken.yaml").write_text("vigil: 1\nprotocol: {id: broken}\n")
        up.start()
        assert up.run["keys"] == keys
        admin = up.service("admin")
        assert evaluated(up.service("publisher"), event)
        trial = admin.get(f"/v1/trials/{TRIAL}").body
        assert trial["active_version"] == "1.0"
        versions = admin.get(f"/v1/trials/{TRIAL}/protocols").body["items"]
        told = {each["version"]: each["status"] for each in versions}
        assert told == {"1.0": "active", "1.1": "draft"}
        assert f"{protocols}/broken.yaml:" in up.log.read_text()
        assert admin.get("/v1/trials/broken").status == 404
        _, left = up.stop()
        assert left == {}


def test_a_taken_port_ends_the_start_in_one_sentence(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        up = Up(tmp_path / "data", "--port", str(port))
        up.child.start()
        assert up.process.wait(60) == 3
    assert up.log.read_text() == (
        f"vigil: port {port} of 127.0.0.1 is taken; "
        "stop what serves there or choose another --port\n"
    )


def test_a_wrong_setting_ends_the_start_in_one_sentence(tmp_path: Path) -> None:
    up = Up(tmp_path / "data", VIGIL_WORKERS="many")
    up.child.start()
    assert up.process.wait(60) == 1
    assert up.log.read_text() == "vigil: VIGIL_WORKERS: expected a whole number from 1 to 64\n"


def test_it_serves_as_well_on_postgresql_and_a_broker_of_its_own_address(
    tmp_path: Path, postgresql_url: str
) -> None:
    """The parts that docker-compose.yml starts, given by their addresses."""
    with ValkeyServer(tmp_path / "valkey") as broker, Receiver() as receiver:
        parts = {"VIGIL_DATABASE_URL": postgresql_url, "VIGIL_BROKER_URL": broker.url, **OPEN}
        with Up(tmp_path / "data", **parts) as up:
            wait_until(lambda: up.service("ops").get("/readyz").status == 200, 60, "readiness")
            subscribe(up.service("ops"), receiver.url)
            publish(up.service("publisher"), "S-001", "death", {"causality": "unrelated"}, "d-1")
            wait_until(lambda: bool(receiver.received), 20, "the webhook")
            assert not (up.data / "vigil.db").exists()
            assert not (up.data / "broker").exists()
            _, left = up.stop()
            assert left == {}
