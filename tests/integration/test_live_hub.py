"""The hub with real lines and a real store: what each watcher is told, and what delays nobody."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import orjson
import pytest

from services import keys, sequencer
from services.accounts import people, sessions
from services.clock import now_us
from services.database import Database
from services.errors import Busy
from services.keys import Caller
from services.live import hub as live
from services.live import sse
from services.live.client import ENOUGH_BYTES
from services.live.hub import Hub
from services.live.ticket import Ticket, asked
from tests.support import alert_rows as rows
from tests.support.processes import wait_until
from tests.support.watching import Parser

ADMIN = Caller(keys.BOOTSTRAP_KEY, "admin", None, "admin")


@dataclass
class Line:
    """The far end of a line, read when a test wants to."""

    far: socket.socket
    parser: Parser = field(default_factory=Parser)
    ended: bool = False

    def read(self) -> Line:
        """Take what has come."""
        self.far.setblocking(False)
        try:
            while piece := self.far.recv(65_536):
                self.parser.feed(piece)
            self.ended = True
        except BlockingIOError:
            pass
        except ConnectionError:
            self.ended = True
        return self

    @property
    def positions(self) -> list[int]:
        return [told.position for told in self.read().parser.told]

    def reaches(self, position: int) -> list[int]:
        wait_until(lambda: position in self.positions, 10, f"position {position}")
        return self.positions


@dataclass
class Stand:
    """A hub that runs, and lines into it."""

    hub: Hub
    db: Database
    lines: list[Line] = field(default_factory=list)

    def watch(
        self,
        who: Caller = ADMIN,
        position: int = 0,
        values: bool = True,
        session: str | None = None,
        **query: str,
    ) -> Line:
        hello = sse.hello(position).decode()
        ticket = Ticket(who, position, asked(query), values, hello, session)
        self.hub.promise(who.key_id)
        near, far = pair()
        self.hub.admit(near, ticket)
        line = Line(far)
        self.lines.append(line)
        return line


def pair() -> tuple[socket.socket, socket.socket]:
    """Two ends of a connection over loopback, with small buffers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        far = socket.socket()
        far.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8_192)
        far.connect(server.getsockname())
        near, _ = server.accept()
    near.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 8_192)
    return near, far


@contextmanager
def running(db: Database) -> Iterator[Stand]:
    stand = Stand(Hub(db, None), db)
    thread = threading.Thread(target=stand.hub.run)
    thread.start()
    try:
        yield stand
    finally:
        stand.hub.stop()
        thread.join(60)
        for line in stand.lines:
            line.far.close()
    assert not thread.is_alive()


@pytest.fixture
def stand(database: Database) -> Iterator[Stand]:
    rows.trial(database, "one")
    with running(database) as stand:
        yield stand


@pytest.fixture
def quick(sqlite_url: str) -> Iterator[Stand]:
    """Where the kind of store does not matter."""
    db = Database(sqlite_url)
    rows.trial(db, "one")
    with running(db) as stand:
        yield stand
    db.dispose()


def everything(line: Line) -> list[tuple[int, str, str]]:
    return [(told.position, told.kind, told.data) for told in line.parser.told]


def test_each_change_comes_once_in_order_as_the_log_has_it(stand):
    line = stand.watch()
    for kind in ("opened", "updated", "acknowledged", "resolved", "superseded"):
        rows.told(stand.db, 3, kind)
    line.reaches(15)
    assert everything(line) == rows.log(stand.db)


def test_what_has_no_position_yet_is_not_shown_and_then_not_passed_over(stand):
    line = stand.watch()
    rows.told(stand.db)
    rows.change(stand.db, 5)
    assert line.reaches(1) == [1]
    sequencer.number(stand.db)
    assert line.reaches(6) == [1, 2, 3, 4, 5, 6]


def test_watchers_far_behind_and_at_the_end_each_get_what_comes_after_their_place(stand):
    last = rows.told(stand.db, 3 * live.PAGE + 100)
    lines = {place: stand.watch(position=place) for place in (0, 1, 300, live.PAGE, last - 1, last)}
    for place, line in lines.items():
        if place < last:
            line.reaches(last)
    rows.told(stand.db, 2)
    for place, line in lines.items():
        assert line.reaches(last + 2) == list(range(place + 1, last + 3))


ALERTS: dict[int, dict[str, Any]] = {
    1: {"trial": "one", "subject": "S-1", "category": "safety", "severity": "critical"},
    2: {"trial": "one", "subject": "S-2", "category": "eligibility", "severity": "info"},
    3: {"trial": "two", "subject": "S-1", "category": "safety", "severity": "warning"},
    4: {"trial": "past", "subject": "S-1", "category": "safety", "severity": "critical"},
    5: {"trial": "one", "subject": None, "category": "operations", "rule": "OPS-HELD"},
    6: {"trial": "one", "subject": None, "category": "operations", "rule": "OPS-OTHER"},
    7: {"trial": "two", "subject": "S-9", "category": "safety", "severity": "critical"},
    8: {
        "trial": "one",
        "subject": "S-3",
        "category": "conduct",
        "severity": "info",
        "kind": "superseded",
    },
}
ONE, PAST = frozenset({"one"}), frozenset({"past", "two"})


@pytest.mark.parametrize(
    ("trials", "query", "shown"),
    [
        (None, {}, [1, 2, 3, 5, 6, 7, 8]),  # a replay trial is shown only where it is named
        (None, {"trial": "past"}, [4]),
        (None, {"trial": "one"}, [1, 2, 5, 6, 8]),
        (ONE, {}, [1, 2, 5, 6, 8]),
        (PAST, {}, [3, 7]),
        (PAST, {"trial": "past"}, [4]),
        (ONE, {"trial": "two"}, []),  # the view refuses it already
        (None, {"subject": "S-1"}, [1, 3]),
        (None, {"category": "eligibility"}, [2]),
        (None, {"category": "safety"}, [1, 3, 5, 7]),  # a held stream watches nobody
        (None, {"min_severity": "serious"}, [1, 5, 6, 7, 8]),  # that 8 was wrong, all hear
        (None, {"trial": "two", "subject": "S-9", "min_severity": "critical"}, [7]),
    ],
)
def test_a_watcher_is_told_what_it_asked_for_and_its_key_reaches(quick, trials, query, shown):
    rows.trial(quick.db, "two")
    rows.trial(quick.db, "past", "replay")
    made, _ = keys.create(
        quick.db,
        role="clinician",
        person="the-investigator",
        trials=None if trials is None else sorted(trials),
        by="test",
        now_us=now_us(),
    )
    who = Caller(made.id, "clinician", trials, "the-investigator")
    line, whole = quick.watch(who, **query), quick.watch(trial="one")
    for columns in ALERTS.values():
        rows.told(quick.db, **columns)
    rows.told(quick.db, trial="one", subject="S-0", category="conduct", severity="info")
    whole.reaches(9)
    if shown:
        line.reaches(shown[-1])
    assert [told for told in line.positions if told < 9] == shown


def test_ops_sees_the_alert_and_no_clinical_value(quick):
    made, _ = keys.create(quick.db, role="ops", by="test", now_us=now_us())
    bare = quick.watch(Caller(made.id, "ops", None, None), values=False)
    full = quick.watch()
    words = {"by": "the-investigator", "at": "2026-01-01T00:00:00Z", "note": "he coughs"}
    rows.told(quick.db, acknowledged=orjson.dumps(words).decode())
    bare.reaches(1)
    full.reaches(1)
    shown, whole = bare.parser.told[0].alert, full.parser.told[0].alert
    assert "detail" not in shown
    assert [sorted(item) for item in shown["evidence"]] == [["event", "fact", "time"]]
    assert shown["acknowledged"]["note"] is None
    assert shown["id"] == whole["id"]
    assert whole["detail"] == "ECOG is 3"
    assert whole["evidence"] == [rows.EVIDENCE]
    assert whole["acknowledged"]["note"] == "he coughs"


def test_who_does_not_read_delays_nobody_and_later_gets_all_in_order(quick):
    slow, fast = quick.watch(), quick.watch()
    wait_until(lambda: quick.hub.clients() == 2, 10, "both")
    long = "x" * 4_000
    last = 0
    for _ in range(6):
        last = rows.told(quick.db, 20, detail=long)
        assert fast.reaches(last) == list(range(1, last + 1))
    (waiting,) = [one for one in quick.hub._clients if one.waits]
    assert len(waiting._waiting) < ENOUGH_BYTES + 10_000
    assert waiting.position < last
    assert slow.reaches(last) == list(range(1, last + 1))
    assert everything(slow) == rows.log(quick.db)


def test_who_takes_nothing_for_long_is_cut_and_may_come_back(quick, monkeypatch):
    monkeypatch.setattr(live, "STALLED_S", 0.5)
    monkeypatch.setattr(live, "TEND_S", 0.1)
    stalled = quick.watch()
    last = rows.told(quick.db, 150, detail="x" * 4_000)
    wait_until(lambda: quick.hub.counters().get("stream_clients_ended|stalled") == 1, 10, "the cut")
    wait_until(lambda: stalled.read().ended, 10, "the end of the line")
    seen = stalled.positions
    assert seen == list(range(1, len(seen) + 1))
    assert len(seen) < last
    again = quick.watch(position=seen[-1])
    assert seen + again.reaches(last) == list(range(1, last + 1))


def test_a_revoked_key_is_cut_and_another_is_not(stand, monkeypatch):
    monkeypatch.setattr(live, "ASK_S", 0.1)
    made = [keys.create(stand.db, role="ops", by="test", now_us=now_us())[0].id for _ in range(2)]
    bad, good = (stand.watch(Caller(one, "ops", None, None), values=False) for one in made)
    unknown = stand.watch(Caller("key_nobodys", "ops", None, None), values=False)
    wait_until(lambda: unknown.read().ended, 10, "the end of the unknown key's line")
    assert not bad.read().ended
    keys.revoke(stand.db, made[0], by="test", now_us=now_us())
    wait_until(lambda: bad.read().ended, 10, "the end of the revoked key's line")
    rows.told(stand.db)
    good.reaches(1)
    assert bad.positions == []
    assert stand.hub.counters()["stream_clients_ended|revoked"] == 2


def test_a_key_that_is_good_for_something_else_by_now_is_cut(quick, monkeypatch):
    monkeypatch.setattr(live, "ASK_S", 0.1)
    made, _ = keys.create(quick.db, role="ops", trials=["one"], by="test", now_us=now_us())
    wider = quick.watch(Caller(made.id, "ops", None, None), values=False)
    wait_until(lambda: wider.read().ended, 10, "the end of the line")


def test_who_signed_out_or_whose_account_ended_is_cut_and_another_is_not(stand, monkeypatch):
    monkeypatch.setattr(live, "ASK_S", 0.1)
    lines, signed_in = {}, {}
    for name in ("leaves", "ended", "stays"):
        word = "a long enough password"
        people.create(stand.db, name, role="ops", password=word, by="test", now_us=now_us())
        cookie = sessions.sign_in(stand.db, name, word, "127.0.0.1", now_us())
        found = signed_in[name] = sessions.recognise(stand.db, cookie, None, now_us())
        lines[name] = stand.watch(found.caller, values=False, session=found.id)
    other = stand.watch(signed_in["stays"].caller, values=False, session="nobodys")
    wait_until(lambda: other.read().ended, 10, "the end of what is no session")
    sessions.sign_out(stand.db, signed_in["leaves"], now_us())
    people.disable(stand.db, "ended", by="test", now_us=now_us())
    gone = [lines["leaves"], lines["ended"]]
    wait_until(lambda: all(line.read().ended for line in gone), 10, "the end of both")
    rows.told(stand.db)
    assert lines["stays"].reaches(1) == [1]


def test_a_heartbeat_moves_the_place_past_what_was_not_for_this_watcher(quick, monkeypatch):
    monkeypatch.setattr(live, "HEARTBEAT_S", 0.2)
    monkeypatch.setattr(live, "TEND_S", 0.1)
    line = quick.watch(subject="S-9")
    rows.told(quick.db, 4)
    wait_until(lambda: line.read().parser.last_id == "4", 10, "the heartbeat")
    assert line.positions == []
    assert set(line.parser.comments) == {"hello", "heartbeat"}


def test_who_goes_or_will_not_stop_talking_is_forgotten(quick, monkeypatch):
    gone, loud = quick.watch(), quick.watch()
    wait_until(lambda: quick.hub.clients() == 2, 10, "both")
    gone.far.close()
    wait_until(lambda: quick.hub.clients() == 1, 10, "its end")
    try:
        for _ in range(1_000):
            loud.far.sendall(b"x" * 1_024)
    except OSError:
        pass
    wait_until(lambda: quick.hub.clients() == 0, 10, "its end too")


def test_who_is_gone_before_it_begins_is_no_trouble(quick):
    near, far = pair()
    far.close()
    quick.hub.promise(ADMIN.key_id)
    quick.hub.admit(near, Ticket(ADMIN, 0, "{}", True, "x" * 100_000))
    quick.watch()
    rows.told(quick.db)
    assert quick.lines[0].reaches(1) == [1]


def test_places_are_counted_for_a_key_and_for_all_and_given_back(quick, monkeypatch):
    monkeypatch.setattr(live, "MOST_EACH", 2)
    monkeypatch.setattr(live, "MOST_LINES", 3)
    other = Caller("key_other", "ops", None, None)
    first = quick.watch()
    quick.watch()
    with pytest.raises(Busy, match="one key"):
        quick.watch()
    quick.watch(other)
    with pytest.raises(Busy, match="this process"):
        quick.watch(other)
    first.far.close()
    wait_until(lambda: quick.hub._each[ADMIN.key_id] == 1, 10, "a place")
    quick.watch()


def test_the_end_of_the_hub_ends_every_line_and_lets_nobody_in(quick):
    line = quick.watch()
    wait_until(lambda: line.read().parser.last_id == "0", 10, "the first words")
    quick.hub.stop()
    wait_until(lambda: line.read().ended, 10, "the end of the line")
    with pytest.raises(Busy):
        quick.hub.promise("anybody")


def test_while_the_store_is_away_lines_stay_open_and_nothing_is_passed_over(
    postgresql_url, postgres
):
    db = Database(postgresql_url)
    rows.trial(db, "one")
    name = postgresql_url.rpartition("/")[2]
    with running(db) as stand:
        line = stand.watch()
        rows.told(db)
        line.reaches(1)
        postgres._execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS false')
        postgres._execute(
            f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'"
        )
        wait_until(lambda: stand.hub._away, 10, "the hub to see it")
        postgres._execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS true')
        rows.told(db, 3)
        assert line.reaches(4) == [1, 2, 3, 4]
        assert not line.ended
    db.dispose()
