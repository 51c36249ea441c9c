"""The README's commands, typed one after the other as a newcomer types them."""

from __future__ import annotations

import re
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support import manual
from tests.support.processes import ROOT, Child, free_port, wait_until
from tests.support.service import Up

README = (ROOT / "README.md").read_text(encoding="utf-8")
_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\]\(([^)#:]+)\)")


class Reader:
    """A shell in a checkout, into which one block after the other is typed."""

    def __init__(self, folder: Path) -> None:
        self.log = folder / "terminal.log"
        self.shell = Child(["bash"], {}, self.log)
        self._typed = 0

    def start(self, folder: Path) -> None:
        with self.log.open("wb") as output:
            self.shell.process = subprocess.Popen(
                ["bash"],
                cwd=folder,
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )

    def type(self, block: str) -> str:
        """What is shown until the shell asks for the next one."""
        before = len(self.shown)
        self._typed += 1
        done = f"-- typed {self._typed}"
        assert self.shell.process is not None
        assert self.shell.process.stdin is not None
        self.shell.process.stdin.write(f"{block}\necho; echo '{done}'\n".encode())
        self.shell.process.stdin.flush()
        wait_until(lambda: done in self.shown, 60, "the commands to end")
        return self.shown[before:]

    def end(self) -> None:
        """Also of what it left in the background."""
        if self.shell.process is not None and self.shell.process.stdin is not None:
            self.shell.process.stdin.close()
        self.shell.kill()

    @property
    def shown(self) -> str:
        return self.log.read_text()


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """Where a newcomer stands: the environment under its usual name, a service of its own."""
    (tmp_path / ".venv").symlink_to(sys.prefix)
    return tmp_path


def test_a_newcomer_publishes_and_is_told(checkout: Path) -> None:
    port = free_port()
    blocks = [
        (kind, text.replace("9000", str(port)))
        for kind, text in _BLOCK.findall(README)
        if kind in {"sh", "python"}
    ]
    shells = [text for kind, text in blocks if kind == "sh"]
    (program,) = [text for kind, text in blocks if kind == "python"]
    (checkout / "receiver.py").write_text(program)
    reader = Reader(checkout)
    with Up(checkout / ".vigil", VIGIL_WEBHOOK_ALLOW_PRIVATE="1", VIGIL_PROTOCOLS="") as up:
        reader.start(checkout)
        try:
            shells[0] = shells[0].replace("http://127.0.0.1:8080", up.run["url"])
            address, event, ask, subscription, receiver, stream, screened = shells
            reader.type(address)
            reader.type(event)
            assert '"accepted":1' in reader.shown
            wait_until(lambda: '"decision":"ineligible"' in reader.type(ask), 60, "the decision")
            reader.type(subscription)
            reader.type(receiver)
            wait_until(lambda: listens(port), 60, "the receiver")
            reader.type(stream)
            wait_until(lambda: ": hello" in reader.shown, 60, "the stream")
            reader.type(screened)
            told = "1 alert.opened EL-INELIGIBLE S-001"
            wait_until(lambda: told in reader.shown, 60, "the webhook")
            wait_until(lambda: "event: alert.opened" in reader.shown, 60, "the stream's event")
            assert open_alerts(up) == [("EL-INELIGIBLE", "S-001")]
        finally:
            reader.end()


def test_a_newcomer_makes_the_trial_of_the_protocols_tutorial(checkout: Path) -> None:
    for _ in manual.Reader(checkout).follow():
        pass  # writes first.yaml as the tutorial does
    address, trial, event, ask = (block.body for block in manual.blocks("sh"))
    reader = Reader(checkout)
    with Up(checkout / ".vigil", VIGIL_PROTOCOLS="") as up:
        reader.start(checkout)
        try:
            reader.type(address.replace("http://127.0.0.1:8080", up.run["url"]))
            assert '"active_version":"1.0"' in reader.type(trial)
            assert '"accepted":1' in reader.type(event)
            wait_until(lambda: '"decision":"ineligible"' in reader.type(ask), 60, "the decision")
        finally:
            reader.end()


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def open_alerts(up: Up) -> list[tuple[str, str]]:
    found = up.service("clinician").get("/v1/alerts").body["items"]
    return [(each["rule"], each["subject"]) for each in found]


def test_every_file_that_the_readme_names_is_there() -> None:
    named = {*_LINK.findall(README), *re.findall(r"^\| `([^`]+)`", README, re.MULTILINE)}
    files = {name for name in named if "/" in name or "." in name}
    assert files > {"docs/operations.md", "docker-compose.yml"}
    assert [name for name in sorted(files) if not (ROOT / name).exists()] == []


def test_every_make_target_that_the_readme_names_is_there() -> None:
    listed = subprocess.run(["make", "help"], cwd=ROOT, text=True, capture_output=True, check=True)
    there = set(re.findall(r"make (\w+) ", listed.stdout))
    (named,) = re.findall(r"every target: `([^`]+)`", README)
    assert set(named.split()) | {"help", "lock"} == there | {"lock"}


def test_the_picture_is_one_and_small() -> None:
    """tests/support/picture.py takes it again when the page has changed."""
    picture = (ROOT / "docs" / "inbox.png").read_bytes()
    assert picture.startswith(b"\x89PNG")
    assert len(picture) < 200_000
