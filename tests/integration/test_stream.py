"""GET /v1/alerts/stream through a real gunicorn: with a hub in its process, and with one beside it."""

from __future__ import annotations

import json
import shutil
import signal
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import urllib3
from sqlalchemy import select

from services import keys, models
from services.clock import now_us
from services.database import Database
from services.repositories import heartbeats
from tests.support import alert_rows as rows
from tests.support.processes import Child, free_port, python, wait_until
from tests.support.watching import Watcher, request

ADMIN = "an-administrators-key-for-tests"
GUNICORN = ("-m", "gunicorn", "-c", "python:services.supervisor.gunicorn_settings")
THREADS = 48


@dataclass
class House:
    """An API and, perhaps, a process for its streams."""

    url: str
    db: Database
    api: Child
    stream: Child | None

    def watch(self, key: str | None = ADMIN, query: str = "", last: str | None = None) -> Watcher:
        return Watcher(self.url, key, query, last)

    def get(self, path: str, key: str = ADMIN, **headers: str) -> urllib3.BaseHTTPResponse:
        headers = {"Authorization": f"Bearer {key}", **headers}
        return urllib3.request("GET", self.url + path, headers=headers, retries=False, timeout=60)

    def key(self, role: str, *trials: str) -> str:
        person = "the-investigator" if role in keys.PERSONAL_ROLES else None
        _, secret = keys.create(
            self.db, role=role, person=person, trials=trials or None, by="test", now_us=now_us()
        )
        return secret

    def answers(self) -> bool:
        try:
            return self.get("/healthz").status == 200
        except urllib3.exceptions.HTTPError:
            return False


def house(folder: Path, database_url: str, socket_path: Path | None) -> House:
    port = free_port()
    env = {
        "VIGIL_DATABASE_URL": database_url,
        "VIGIL_DATA": str(folder),
        "VIGIL_ADMIN_KEY": ADMIN,
        "VIGIL_LOG_LEVEL": "info",
    }
    if socket_path is not None:
        env["VIGIL_STREAM_SOCKET"] = str(socket_path)
    bind = ("--bind", f"127.0.0.1:{port}", "api:create_app()")
    api = Child(python(*GUNICORN, *bind), env, folder / "api.log")
    stream = Child(python("-m", "services.live"), env, folder / "stream.log")
    url = f"http://127.0.0.1:{port}"
    return House(url, Database(database_url), api, stream if socket_path else None)


@pytest.fixture(scope="module", params=["within", "beside"])
def inside(
    request: pytest.FixtureRequest,
    sqlite_template: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[House]:
    """The service on SQLite, its hub within the API's process or beside it, for all tests here."""
    folder = tmp_path_factory.mktemp("stream")
    shutil.copy(sqlite_template, folder / "vigil.db")
    beside = folder / "stream.sock" if request.param == "beside" else None
    yield from _running(house(folder, f"sqlite:///{folder}/vigil.db", beside))


@pytest.fixture
def beside(sqlite_url: str, tmp_path: Path) -> Iterator[House]:
    """One to break: its hub is beside it."""
    yield from _running(house(tmp_path, sqlite_url, tmp_path / "stream.sock"))


def _running(built: House) -> Iterator[House]:
    rows.trial(built.db, "one")
    rows.trial(built.db, "two")
    built.api.start()
    if built.stream is not None:
        built.stream.start()
        wait_until((Path(built.api.env["VIGIL_DATA"]) / "stream.sock").exists, 30, "the socket")
    try:
        wait_until(built.answers, 30, "the API")
        yield built
        log = built.api.log.read_text()
        assert "Traceback" not in log
        assert '"frames"' not in log
    finally:
        built.api.kill()
        if built.stream is not None:
            built.stream.kill()
        built.db.dispose()


def test_the_first_words_come_at_once_and_each_alert_a_moment_after_its_position(inside):
    start = rows.told(inside.db)
    with inside.watch() as watcher:
        assert watcher.status == 200
        assert watcher.headers["content-type"] == "text/event-stream"
        assert watcher.headers["cache-control"] == "no-store"
        assert watcher.headers["connection"] == "close"
        assert watcher.headers["x-accel-buffering"] == "no"
        assert watcher.headers["x-content-type-options"] == "nosniff"
        assert len(watcher.headers["x-request-id"]) == 32
        assert "transfer-encoding" not in watcher.headers
        assert watcher.parser.comments == ["hello"]
        assert watcher.parser.last_id == str(start)  # from now on
        rows.told(inside.db, 3)
        watcher.reaches(start + 3)
        shown = [(told.position, told.kind, told.data) for told in watcher.told]
        assert shown == rows.log(inside.db)[start:]


def test_it_goes_on_after_the_last_id_and_the_header_goes_before_the_query(inside):
    end = rows.told(inside.db, 5)
    with (
        inside.watch(last=str(end - 3)) as by_header,
        inside.watch(query=f"?last_event_id={end - 2}") as by_query,
        inside.watch(query=f"?last_event_id={end - 4}", last=str(end - 1)) as by_both,
        inside.watch(last=str(end + 1_000)) as beyond,
    ):
        assert beyond.parser.last_id == str(end)
        new = rows.told(inside.db)
        assert by_header.reaches(new).positions == [end - 2, end - 1, end, new]
        assert by_query.reaches(new).positions == [end - 1, end, new]
        assert by_both.reaches(new).positions == [end, new]
        assert beyond.reaches(new).positions == [new]


def test_what_cannot_be_answered_is_a_problem_document(inside):
    for query, last, status in (
        ("", "nonsense", 422),
        ("", "-1", 422),
        ("", "", 422),
        ("?last_event_id=x", None, 422),
        ("?severity=critical", None, 422),
        ("?min_severity=loud", None, 422),
        ("?category=none", None, 422),
    ):
        headers = {} if last is None else {"Last-Event-ID": last}
        answer = inside.get(f"/v1/alerts/stream{query}", **headers)
        assert answer.status == status, (query, last)
        assert answer.headers["content-type"] == "application/problem+json"
    assert inside.get("/v1/alerts/stream", "nobodys").status == 401
    assert inside.get("/v1/alerts/stream", inside.key("publisher")).status == 403
    narrow = inside.key("clinician", "two")
    assert inside.get("/v1/alerts/stream?trial=one", narrow).status == 403


def test_a_key_of_another_trial_sees_nothing_and_ops_no_value(inside):
    with (
        inside.watch(inside.key("clinician", "two")) as other,
        inside.watch(inside.key("ops")) as ops,
        inside.watch(inside.key("clinician", "one")) as own,
    ):
        one = rows.told(inside.db, trial="one")
        two = rows.told(inside.db, trial="two")
        assert ops.reaches(two).positions == [one, two]
        assert other.reaches(two).positions == [two]
        assert own.reaches(one).positions == [one]
        assert b"ECOG is 3" in own.body
        assert b"ECOG is 3" not in ops.body
        assert b'"value"' not in ops.body


def test_more_streams_than_threads_leave_the_api_its_threads(inside):
    watchers = [inside.watch(inside.key("ops")).opened() for _ in range(THREADS + 20)]
    for _ in range(5):
        assert inside.get("/v1/alerts").status == 200
    new = rows.told(inside.db)
    for watcher in watchers:
        watcher.reaches(new)
    for watcher in watchers:
        watcher.close()
    assert inside.get("/v1/alerts").status == 200


def test_a_kept_alive_connection_becomes_a_stream_and_later_bytes_are_ignored(inside):
    where = urlsplit(inside.url)
    with socket.create_connection((where.hostname or "", where.port or 0), 60) as line:
        line.sendall(request(ADMIN).replace("/stream", "?trial=none").encode())
        assert b'"items"' in read_until(line, b'"next":')
        line.sendall(request(ADMIN).encode() + request(ADMIN).encode())
        read_until(line, b": hello")
        line.sendall(b"GET / HTTP/1.1\r\n\r\n")
        rows.told(inside.db)
        assert b"HTTP/1.1" not in read_until(line, b"event: alert.opened")


def read_until(line: socket.socket, wanted: bytes) -> bytes:
    found = b""
    while wanted not in found:
        piece = line.recv(65_536)
        assert piece, found
        found += piece
    return found


def test_head_is_answered_and_ends(inside):
    where = urlsplit(inside.url)
    with socket.create_connection((where.hostname or "", where.port or 0), 60) as line:
        line.sendall(request(ADMIN, method="HEAD").encode())
        head = read_until(line, b"\r\n\r\n").decode()
        assert head.startswith("HTTP/1.1 200 OK")
        assert "Content-Type: text/event-stream" in head
        line.sendall(request(ADMIN).replace("/v1/alerts/stream", "/healthz").encode())
        assert b'"status":"ok"' in read_until(line, b"}")  # no body came in between


def test_a_client_that_speaks_http_1_0_gets_it_too(inside):
    where = urlsplit(inside.url)
    with socket.create_connection((where.hostname or "", where.port or 0), 60) as line:
        line.sendall(request(ADMIN).replace("HTTP/1.1", "HTTP/1.0").encode())
        read_until(line, b": hello")
        new = rows.told(inside.db)
        read_until(line, b"id: %d\nevent" % new)


def test_a_revoked_key_is_cut(inside):
    made, secret = keys.create(inside.db, role="ops", by="test", now_us=now_us())
    with inside.watch(secret) as watcher, inside.watch() as other:
        keys.revoke(inside.db, made.id, by="test", now_us=now_us())
        wait_until(watcher.over.is_set, 10, "the end of its stream")
        assert not other.over.is_set()


def test_it_shows_in_the_heartbeats_how_many_watch(inside):
    wait_until(lambda: not beat(inside.db), 10, "the end of others")
    with inside.watch(), inside.watch():
        wait_until(lambda: beat(inside.db) == 2, 10, "the heartbeat")


def beat(db: Database) -> int | None:
    with db.reading() as conn:
        row = conn.execute(
            select(models.heartbeats.c.detail).where(models.heartbeats.c.kind == "stream")
        ).first()
        assert row is None or heartbeats.last_of_kind(conn, "stream")
    return None if row is None else json.loads(row.detail)["clients"]


def test_the_log_names_no_subject_and_no_value(inside):
    with inside.watch(query="?subject=S-001"):
        rows.told(inside.db)
    wait_until(lambda: "stream_ended" in logs(inside), 10, "the line in the log")
    assert '"route":"/v1/alerts/stream","status":200' in logs(inside)
    assert "S-001" not in logs(inside)
    assert "ECOG" not in logs(inside)


def logs(inside: House) -> str:
    both = inside.api.log.read_text()
    return both + (inside.stream.log.read_text() if inside.stream else "")


def test_more_than_one_key_may_have_is_503_and_says_when_to_come_again(inside):
    watchers = [inside.watch().opened() for _ in range(50)]
    refused = inside.get("/v1/alerts/stream")
    assert refused.status == 503
    assert refused.headers["retry-after"]
    assert refused.json()["detail"].startswith("This key has as many streams")
    with inside.watch(inside.key("ops")):
        for watcher in watchers:
            watcher.close()

    def room() -> bool:
        last = inside.watch()
        wait_until(lambda: bool(last.head), 10, "an answer")
        last.close()
        return last.status == 200

    wait_until(room, 10, "a place")


def test_streams_outlive_the_api(beside):
    with beside.watch() as watcher:
        beside.api.kill()
        rows.told(beside.db, 2)
        watcher.reaches(2)
        beside.api.start()
        wait_until(beside.answers, 30, "the API")
        rows.told(beside.db)
        assert watcher.reaches(3).positions == [1, 2, 3]


def test_while_nobody_holds_streams_each_answer_ends_and_the_next_goes_on_where_it_was(beside):
    assert beside.stream is not None
    with beside.watch() as watcher:
        rows.told(beside.db)
        watcher.reaches(1)
        beside.stream.kill()
        wait_until(watcher.over.is_set, 10, "the end of the stream")
    rows.told(beside.db, 3)
    polled = beside.watch(last="1").opened()
    wait_until(lambda: polled_ends(polled), 10, "the end of the answer")
    assert polled.positions == [2, 3, 4]
    assert polled.parser.last_id == "4"
    assert polled.parser.retry_ms == 2000
    polled.close()
    beside.stream.start()
    wait_until(lambda: holds(beside), 30, "somebody who holds streams")
    with beside.watch(last="4") as again:
        rows.told(beside.db)
        assert again.reaches(5).positions == [5]


def polled_ends(polled: Watcher) -> bool:
    """The answer has a length, so that the connection may stay."""
    return int(polled.headers["content-length"]) == len(polled.body)


def holds(house: House) -> bool:
    probe = house.watch()
    wait_until(lambda: bool(probe.head), 10, "an answer")
    probe.close()
    return "content-length" not in probe.headers


@pytest.mark.parametrize("with_hub", [True, False])
def test_a_stopped_api_does_not_wait_for_its_streams(sqlite_url, tmp_path, with_hub):
    path = tmp_path / "stream.sock" if with_hub else None
    for stopped in _running(house(tmp_path, sqlite_url, path)):
        with stopped.watch() as watcher:
            assert stopped.api.process is not None
            stopped.api.process.send_signal(signal.SIGTERM)
            assert stopped.api.process.wait(60) == 0
            assert watcher.over.wait(1) == (not with_hub)
