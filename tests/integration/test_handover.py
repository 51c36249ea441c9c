"""A client's socket goes from one process to another: exactly one of both answers it."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from services.database import Database
from services.errors import Busy
from services.keys import BOOTSTRAP_KEY, Caller
from services.live import handover
from services.live import hub as live
from services.live.handover import Away, Doorway, hand_over
from services.live.hub import Hub
from services.live.ticket import Ticket
from tests.support import alert_rows as rows
from tests.support.processes import wait_until

ADMIN = Caller(BOOTSTRAP_KEY, "admin", None, "admin")
TICKET = Ticket(ADMIN, 0, "{}", True, "the first words\n\n")


@pytest.fixture
def db(sqlite_url: str) -> Iterator[Database]:
    db = Database(sqlite_url)
    rows.trial(db, "one")
    yield db
    db.dispose()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "stream.sock"


@contextlib.contextmanager
def behind(path: Path, db: Database) -> Iterator[Hub]:
    """A hub that listens there."""
    hub = Hub(db, None, Doorway(path))
    thread = threading.Thread(target=hub.run)
    thread.start()
    try:
        wait_until(path.exists, 10, "the socket")
        yield hub
    finally:
        hub.stop()
        thread.join(60)
    assert not thread.is_alive()


@pytest.fixture
def line() -> Iterator[tuple[socket.socket, socket.socket]]:
    """A client's connection: the API's end and the client's."""
    near, far = socket.socketpair()
    far.settimeout(60)
    with near, far:
        yield near, far


def read_until(far: socket.socket, wanted: bytes) -> bytes:
    found = b""
    while wanted not in found:
        piece = far.recv(65_536)
        assert piece, found
        found += piece
    return found


def test_the_line_lives_on_when_who_handed_it_over_has_closed_it(db, path, line):
    near, far = line
    with behind(path, db) as hub:
        hand_over(path, near.fileno(), TICKET)
        near.close()
        rows.told(db)
        assert read_until(far, b"\n\nid: 1\n").startswith(b"the first words\n\n")
        assert hub.clients() == 1
    assert far.recv(1) == b""  # the end, with the hub's


def test_the_socket_is_for_its_owner_alone(db, path):
    with behind(path, db):
        assert path.stat().st_mode & 0o777 == 0o600
        assert [entry for entry in path.parent.iterdir() if entry.name.startswith("stream")] == [
            path
        ]


def test_with_nobody_there_the_line_stays_who_had_it(db, path, line):
    near, far = line
    with pytest.raises(Away):
        hand_over(path, near.fileno(), TICKET)
    with behind(path, db):
        pass
    assert path.exists()  # as a process that was killed leaves it
    with pytest.raises(Away):
        hand_over(path, near.fileno(), TICKET)
    near.sendall(b"mine")
    assert far.recv(16) == b"mine"


def test_a_hub_that_starts_again_takes_the_place_of_one_that_was_killed(db, path, line):
    near, far = line
    with behind(path, db):
        pass
    before = path.stat().st_ino
    hub = Hub(db, None, Doorway(path))
    thread = threading.Thread(target=hub.run)
    thread.start()
    wait_until(lambda: path.stat().st_ino != before, 10, "another socket")
    hand_over(path, near.fileno(), TICKET)
    read_until(far, b"the first words")
    hub.stop()
    thread.join(60)


def test_a_full_hub_says_so_and_keeps_nothing(db, path, line, monkeypatch):
    monkeypatch.setattr(live, "MOST_EACH", 0)
    near, far = line
    with behind(path, db) as hub:
        with pytest.raises(Busy, match="one key may have"):
            hand_over(path, near.fileno(), TICKET)
        assert hub.clients() == 0
        near.sendall(b"mine")
        assert far.recv(16) == b"mine"


def test_without_the_last_word_the_hub_forgets_the_line_and_gives_the_place_back(db, path, line):
    near, far = line
    with behind(path, db) as hub:
        way = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        way.settimeout(60)
        way.connect(str(path))
        socket.send_fds(way, [TICKET.encode()], [near.fileno()])
        assert way.recv(16) == b"ready"
        assert hub._each[BOOTSTRAP_KEY] == 1
        way.close()  # the API died, or had no patience
        wait_until(lambda: hub._each[BOOTSTRAP_KEY] == 0, 10, "the place")
        assert hub.clients() == 0
        near.sendall(b"mine")
        assert far.recv(16) == b"mine"


def test_a_hub_that_does_not_answer_is_not_waited_for(path, line, monkeypatch):
    monkeypatch.setattr(handover, "PATIENCE_S", 0.1)
    near, _ = line
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as mute:
        mute.bind(str(path))
        mute.listen()
        with pytest.raises(Away):
            hand_over(path, near.fileno(), TICKET)


@pytest.mark.parametrize("message", [b"", b"nonsense", b"{}", b'{"caller": 3}', b"[1]"])
@pytest.mark.parametrize("with_line", [True, False])
def test_what_is_no_ticket_ends_only_its_own_conversation(db, path, line, message, with_line):
    near, far = line
    with behind(path, db):
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as way:
            way.settimeout(60)
            way.connect(str(path))
            if message:
                socket.send_fds(way, [message], [near.fileno()] if with_line else [])
                assert way.recv(16) == b""
        hand_over(path, near.fileno(), TICKET)
        read_until(far, b"the first words")
