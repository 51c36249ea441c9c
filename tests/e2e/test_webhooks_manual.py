"""docs/webhooks.md: every sample of it is typed, run and held against what the service does."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from services.delivery import CRITICAL_WAITS_S, WAITS_S
from services.subscriptions import EVENTS
from tests.e2e.test_readme import Reader, listens
from tests.support.processes import ROOT, free_port, wait_until
from tests.support.service import Up

MANUAL = (ROOT / "docs" / "webhooks.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```$", MANUAL, re.MULTILINE | re.DOTALL)
UNITS_S = {"s": 1, "min": 60, "h": 3600}
EVENT: dict[str, Any] = {
    "specversion": "1.0",
    "id": "1",
    "source": "https://ae.example/",
    "type": "adverse_event",
    "trial": "msc-cgvhd",
    "subject": "S-001",
    "time": "2026-03-02T08:15:00+09:00",
    "data": {
        "ae": "AE-1",
        "grade": 4,
        "serious": True,
        "causality": "related",
        "status": "valid",
    },
}


def blocks(kind: str) -> list[str]:
    return [text for found, text in BLOCKS if found == kind]


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Reader, Up, Path]]:
    """A service, a shell in which the manual was read up to the receiver, and one alert told."""
    folder = tmp_path_factory.mktemp("manual")
    port = free_port()
    program = blocks("python")[0].replace("9000", str(port))
    (folder / "receiver.py").write_text(program)
    reader = Reader(folder)
    with Up(folder / ".vigil", VIGIL_WEBHOOK_ALLOW_PRIVATE="1") as up:
        (folder / ".venv").symlink_to(ROOT / ".venv")
        address, preview, subscription, receiver, *_ = blocks("sh")
        reader.start(folder)
        try:
            reader.type(address.replace("http://127.0.0.1:8080", up.run["url"]))
            assert '"deliveries":0' in reader.type(preview)
            reader.type(subscription.replace("9000", str(port)))
            reader.type(receiver)
            wait_until(lambda: listens(port), 60, "the receiver")
            raise_alert(up)
            wait_until(lambda: "1 alert.opened" in reader.shown, 60, "the webhook")
            yield reader, up, folder
        finally:
            reader.end()


def raise_alert(up: Up) -> None:
    assert up.service("admin").post("/v1/events", EVENT).status == 202


def command(part: str) -> str:
    (found,) = [text for text in blocks("sh") if part in text]
    return found


def last(folder: Path) -> tuple[dict[str, str], str]:
    """What the receiver took last; it may be about to write down the next."""
    read: list[Any] = []

    def whole() -> bool:
        try:
            read[:] = json.loads((folder / "last.json").read_text())
        except json.JSONDecodeError:
            return False
        return True

    wait_until(whole, 60, "what was received")
    return read[0], read[1]


def recipe() -> Callable[[str, dict[str, str], bytes], bool]:
    room: dict[str, Any] = {}
    exec(blocks("python")[1], room)
    verify: Callable[[str, dict[str, str], bytes], bool] = room["verify"]
    return verify


def secret(folder: Path) -> str:
    made = json.loads((folder / "subscription.json").read_text())
    return str(made["secret"])


def test_the_recipe_without_a_library_accepts_ours_and_nobody_elses(told):
    _, _, folder = told
    headers, body = last(folder)
    verify = recipe()
    assert verify(secret(folder), headers, body.encode())
    assert not verify(secret(folder), headers, body.encode() + b" ")
    assert not verify("whsec_" + "A" * 44, headers, body.encode())
    assert not verify(secret(folder), {**headers, "webhook-timestamp": "1"}, body.encode())


def test_the_body_has_the_keys_that_the_manual_shows(told):
    _, _, folder = told
    shown = json.loads(blocks("json")[0])
    sent = json.loads(last(folder)[1])
    assert shown.keys() == sent.keys()
    assert shown["data"].keys() == sent["data"].keys()


def test_a_test_is_told_as_the_manual_says(told):
    reader, _, _ = told
    assert '"outcome":"delivered"' in reader.type(command("/test"))
    wait_until(lambda: "test of safety desk" in reader.shown, 60, "the test")


def test_a_retry_and_a_replay_come_as_repetitions(told):
    reader, _, _ = told
    assert '"attempts":[{"number":1' in reader.type(command("deliveries?limit"))
    before = reader.shown.count(" again\n")
    reader.type(command("/retry"))
    wait_until(lambda: reader.shown.count(" again\n") > before, 60, "the retried delivery")
    assert '"replayed":' in reader.type(command("replay"))
    wait_until(lambda: "\n1 again" in reader.shown, 60, "the replayed deliveries")


def test_after_a_rotation_the_old_secret_verifies_on(told):
    reader, _, folder = told
    new = re.search(r'"secret":"(whsec_[^"]+)"', reader.type(command("rotate-secret")))
    assert new is not None
    reader.type(command("/test"))  # then `last.json` is of after the rotation
    headers, body = last(folder)
    assert len(headers["webhook-signature"].split()) == 2
    for one in (secret(folder), new[1]):
        assert recipe()(one, headers, body.encode())


def test_the_waits_are_those_of_the_code():
    def waits(row: str) -> list[int]:
        (cells,) = re.findall(rf"^\| {row} \| (.*) \|$", MANUAL, re.MULTILINE)
        parts = [part.split() for part in cells.split(", ")]
        return [int(number) * UNITS_S[unit] for number, unit in parts]

    assert waits("critical alerts") == list(CRITICAL_WAITS_S)
    assert waits("all others") == list(WAITS_S)


def test_the_events_are_those_of_the_code():
    (row,) = [line for line in MANUAL.splitlines() if line.startswith("| `events` |")]
    named = re.findall(r"`(?:alert)?(\.\w+)`", row)
    assert {f"alert{name}" for name in named} == EVENTS


def test_every_page_that_the_manual_names_is_there():
    named = re.findall(r"\]\(([^)#:]+)\)", MANUAL)
    assert [name for name in named if not (ROOT / "docs" / name).exists()] == []
