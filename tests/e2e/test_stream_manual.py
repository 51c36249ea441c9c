"""docs/stream.md: its samples run against a whole service, and its numbers are the code's.

The sample for a page runs in tests/browser/test_stream_sample.py.
"""

from __future__ import annotations

import re
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from services.live import hub, sse
from services.responses import KINDS
from services.subscriptions import EVENTS
from tests.e2e.test_stream import death
from tests.support.processes import ROOT, Child, python, wait_until
from tests.support.service import Up, signal_quietly

MANUAL = (ROOT / "docs" / "stream.md").read_text(encoding="utf-8")
SAMPLES = dict(re.findall(r"^```(\w+)\n(.*?)^```$", MANUAL, re.MULTILINE | re.DOTALL))


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    with Up(tmp_path_factory.mktemp("manual") / "data") as up:
        wait_until(lambda: up.service("ops").get("/readyz").status == 200, 60, "readiness")
        death(up.service("publisher"), "S-001")
        yield up


def test_curl_shows_what_the_manual_shows(up: Up, tmp_path: Path) -> None:
    run = up.run
    env = {"URL": run["url"], "KEY": run["keys"]["clinician"]}
    with_log = tmp_path / "curl.log"
    curl = Child(["bash", "-c", SAMPLES["sh"]], env, with_log).start()
    try:
        wait_until(lambda: "S-DEATH" in with_log.read_text(), 60, "the alert")
    finally:
        curl.kill()
    shown = with_log.read_text()
    assert shown.startswith(": hello\nretry: 2000\nid: 0\n\nid: 1\nevent: alert.opened\ndata: {")
    assert ": hello\n    retry: 2000\n    id: 0\n\n    id: 1\n    event: alert.opened\n" in MANUAL


def test_the_program_prints_each_alert_once_whoever_is_killed(up: Up, tmp_path: Path) -> None:
    (tmp_path / "watch.py").write_text(SAMPLES["python"])
    log = tmp_path / "watch.log"
    arguments = (str(tmp_path / "watch.py"), up.run["url"], up.run["keys"]["clinician"])
    program = Child(python(*arguments), {}, log).start()
    subjects = [f"P-{number}" for number in range(6)]
    try:
        wait_for_first(up, log)
        for number, subject in enumerate(subjects):
            if number == 2:
                kill(up, "services.live")
            if number == 4:
                kill(up, "services.live", "gunicorn")
            death(up.service("publisher"), subject)
        wait_until(lambda: seen(log) >= set(subjects), 60, "all alerts")
    finally:
        program.kill()
    told = [line.split() for line in lines(log)]
    positions = [int(position) for position, *_ in told]
    assert positions == list(range(positions[0], positions[0] + len(told)))
    assert {(kind, rule) for _, kind, rule, _ in told} == {("alert.opened", "S-DEATH")}


def seen(log: Path) -> set[str]:
    return {line.split()[-1] for line in lines(log)}


def wait_for_first(up: Up, log: Path) -> None:
    """Publish until the program prints one: then it watches."""
    names = (f"W-{number}" for number in range(1_000))

    def printed() -> bool:
        if not lines(log):
            death(up.service("publisher"), next(names))
        return bool(lines(log))

    wait_until(printed, 60, "the program to watch", every=0.5)


def kill(up: Up, *names: str) -> None:
    for pid, command in up.family().items():
        if any(name in command for name in names):
            signal_quietly(pid, signal.SIGKILL)


def lines(log: Path) -> list[str]:
    return log.read_text().splitlines() if log.exists() else []


def test_the_manuals_numbers_are_the_codes() -> None:
    assert (
        f"up to {hub.MOST_LINES:,} streams, one key or account up to {hub.MOST_EACH} of" in MANUAL
    )
    assert f"takes nothing for {hub.STALLED_S:g} seconds" in MANUAL
    assert f"retry: {sse.RETRY_MS}" in MANUAL
    kinds = re.search(r"`event` is (.*?)\.\n", MANUAL, re.DOTALL)
    assert kinds is not None
    named = {word.removeprefix("alert").lstrip(".") for word in re.findall(r"`(.*?)`", kinds[1])}
    assert named == {event.removeprefix("alert.") for event in EVENTS} | set(KINDS.values())
