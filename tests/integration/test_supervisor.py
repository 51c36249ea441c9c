"""The supervisor's parts with real processes: restarts, ends, `kill -9`, the premises."""

from __future__ import annotations

import os
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from services.errors import ServiceError
from services.supervisor import premises
from services.supervisor.children import Child, Plan, stop
from services.supervisor.embedded import EmbeddedBroker
from tests.support.processes import ROOT, wait_until

SLEEPER = "import time; time.sleep(600)"
STUBBORN = """
import os, signal, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
child = os.fork()
open(sys.argv[1], "a").write(f"{os.getpid()}\\n")
time.sleep(600)
"""
# A supervisor in small: the real broker, and a process of ours that forks one of its own.
SMALL = """
import os, sys, time
from pathlib import Path
from services.supervisor.children import Child, Plan
from services.supervisor.embedded import EmbeddedBroker
data = Path(sys.argv[1])
broker = EmbeddedBroker(data)
FORKER = '''
import os, sys, time
from services.supervisor import lifeline
parent = os.getpid()
if os.fork() == 0:
    lifeline.bind(parent)
open(sys.argv[1], "a").write(f"{os.getpid()}\\\\n")
time.sleep(600)
'''
forker = Plan("forker", [sys.executable, "-c", FORKER, str(data / "pids")], dict(os.environ), data)
children = [Child(broker.plan()), Child(forker)]
for child in children:
    child.start()
while not broker.answers():
    time.sleep(0.01)
with (data / "pids").open("a") as file:
    file.writelines(f"{child.process.pid}\\n" for child in children)
time.sleep(600)
"""


def plan(*command: str, keep: bool = True) -> Plan:
    return Plan("sleeper", [sys.executable, "-c", *command], dict(os.environ), ROOT, keep=keep)


def alive(pid: int) -> bool:
    """Whether it runs; a zombie that nobody has waited for does not."""
    try:
        status = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return status.rpartition(")")[2].split()[0] != "Z"


def pids(file: Path, number: int) -> set[int]:
    wait_until(lambda: file.exists() and len(file.read_text().split()) >= number, 20, "processes")
    return {int(word) for word in file.read_text().split()}


@pytest.fixture
def sleeper() -> Iterator[Child]:
    child = Child(plan(SLEEPER))
    child.start()
    yield child
    child.kill()


def test_a_killed_child_is_started_again_after_a_pause_that_grows(sleeper: Child) -> None:
    pauses = []
    for _ in range(3):
        assert sleeper.process is not None
        os.kill(sleeper.process.pid, signal.SIGKILL)
        sleeper.process.wait()
        assert sleeper.look_after() == -signal.SIGKILL
        died = time.monotonic()

        def again() -> bool:
            sleeper.look_after()
            return sleeper.running

        wait_until(again, 5, "the child to run again", every=0.01)
        pauses.append(time.monotonic() - died)
    assert sleeper.restarts == 3
    assert 0.15 < pauses[0] < pauses[1] < pauses[2] < 2


def test_a_child_that_was_to_run_once_is_left_in_peace() -> None:
    child = Child(plan("pass", keep=False))
    child.start()
    wait_until(lambda: child.look_after() == 0, 10, "its end")
    time.sleep(0.3)
    assert child.look_after() is None
    assert not child.running


def test_stopping_ends_a_child_that_will_not_and_what_it_forked(tmp_path: Path) -> None:
    child = Child(plan(STUBBORN, str(tmp_path / "pids")))
    child.start()
    family = pids(tmp_path / "pids", 2)
    started = time.monotonic()
    stop([child], 0.5, hurry=lambda: False)
    assert time.monotonic() - started < 2
    wait_until(lambda: not any(map(alive, family)), 5, "the family's end")


def test_kill_9_of_the_supervisor_leaves_no_process(tmp_path: Path) -> None:
    supervisor = subprocess.Popen([sys.executable, "-c", SMALL, str(tmp_path)], cwd=ROOT)
    family = pids(tmp_path / "pids", 4)
    assert len(family) == 3
    assert all(map(alive, family))
    supervisor.kill()
    supervisor.wait()
    wait_until(lambda: not any(map(alive, family)), 3, "everybody's end")


def test_a_port_that_is_taken_is_named() -> None:
    with (
        premises.listen("127.0.0.1", 0) as first,
        pytest.raises(premises.PortTaken, match=f"port {first.getsockname()[1]} .* is taken"),
    ):
        premises.listen("127.0.0.1", first.getsockname()[1])


def test_the_url_is_one_that_a_browser_takes() -> None:
    with premises.listen("127.0.0.1", 0) as server:
        assert premises.url_of(server) == f"http://127.0.0.1:{server.getsockname()[1]}"
    with premises.listen("0.0.0.0", 0) as server:
        assert premises.url_of(server).startswith("http://127.0.0.1:")


def test_one_service_for_a_data_directory(tmp_path: Path) -> None:
    lock = premises.take(tmp_path)
    with pytest.raises(premises.DirectoryTaken, match=f"process {os.getpid()} runs"):
        premises.take(tmp_path)
    os.close(lock)
    os.close(premises.take(tmp_path))


@pytest.mark.parametrize("text", ["{bro", "[]", '"x"', "", '{"admin": 5}'])
def test_keys_that_cannot_be_read_are_named_and_not_made_anew(tmp_path: Path, text: str) -> None:
    (tmp_path / "keys.json").write_text(text)
    with pytest.raises(ServiceError, match=r"keys\.json .*; mend or remove it"):
        premises.read_keys(tmp_path)


def test_run_json_is_for_the_owner_alone_and_goes_with_the_service(tmp_path: Path) -> None:
    premises.describe(tmp_path, "http://127.0.0.1:1", {"admin": "secret"}, {})
    path = tmp_path / "run.json"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert '"admin": "secret"' in path.read_text()
    premises.forget(tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("length", [pytest.param(0, id="short"), pytest.param(150, id="too long")])
def test_the_embedded_broker_answers_wherever_its_data_stand(tmp_path: Path, length: int) -> None:
    data = tmp_path / ("x" * length)
    broker = EmbeddedBroker(data)
    plan = broker.plan()
    assert plan is not None
    child = Child(plan)
    child.start()
    wait_until(broker.answers, 5, "the broker")
    with socket.socket(socket.AF_UNIX) as line:
        line.connect(str(broker.socket))
        line.sendall(b"CONFIG GET maxmemory-policy\r\nCONFIG GET port\r\nINFO persistence\r\n")
        time.sleep(0.2)
        told = line.recv(65536)
    assert b"noeviction" in told
    assert b"aof_enabled:1" in told
    assert (data / "broker" / "appendonlydir").is_dir()
    stop([child], 3, hurry=lambda: False)
    broker.clean_up()
    assert not broker.socket.exists()
    assert broker.socket.parent == data / "broker" or not broker.socket.parent.exists()
