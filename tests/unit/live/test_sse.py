"""The stream's bytes, read back as the HTML standard says that a browser reads them."""

import pytest

from services.keys import Caller
from services.live import sse
from services.live.ticket import Ticket, asked, decode
from tests.support.watching import Parser


def read(*pieces: bytes) -> Parser:
    parser = Parser()
    for piece in pieces:
        parser.feed(piece)
    return parser


def test_an_event_has_its_position_its_kind_and_its_data():
    parser = read(sse.event(7, "opened", b'{"a":1}'))
    assert [(one.id, one.kind, one.data) for one in parser.told] == [
        ("7", "alert.opened", '{"a":1}')
    ]


def test_the_first_words_make_no_event_and_give_a_place_to_go_on_from():
    parser = read(sse.hello(41))
    assert parser.told == []
    assert (parser.last_id, parser.retry_ms, parser.comments) == ("41", 2000, ["hello"])


def test_a_heartbeat_is_a_comment_and_moves_the_place_on_where_it_has_one():
    parser = read(sse.hello(41), sse.heartbeat(None))
    assert parser.last_id == "41"
    parser.feed(sse.heartbeat(50))
    assert (parser.told, parser.last_id) == ([], "50")
    assert parser.comments == ["hello", "heartbeat", "heartbeat"]


def test_it_does_not_matter_where_the_network_cuts_the_bytes():
    whole = sse.hello(1) + sse.event(2, "opened", "{'ä': 1}".encode()) + sse.heartbeat(3)
    pieces = [whole[at : at + 1] for at in range(len(whole))]
    assert [one.data for one in read(*pieces).told] == ["{'ä': 1}"]


def test_the_head_says_that_it_is_a_stream_which_nobody_keeps_or_collects():
    head = sse.head({"X-Request-Id": "abc"}).decode()
    assert head.startswith("HTTP/1.1 200 OK\r\n")
    assert head.endswith("\r\n\r\n")
    for line in (
        "Content-Type: text/event-stream",
        "Cache-Control: no-store",
        "X-Accel-Buffering: no",
        "Connection: close",
        "X-Content-Type-Options: nosniff",
        "X-Request-Id: abc",
    ):
        assert f"\r\n{line}\r\n" in head


@pytest.mark.parametrize("trials", [None, frozenset(), frozenset({"b", "a"})])
def test_a_ticket_survives_its_journey(trials):
    who = Caller("key_1", "clinician", trials, "the-investigator")
    ticket = Ticket(who, 12, asked({"trial": "a", "min_severity": "serious"}), True, "HTTP/1.1 ...")
    assert decode(ticket.encode()) == ticket


def test_a_ticket_wishes_what_the_query_asked_for_within_the_keys_trials():
    query = {"trial": "a", "subject": "S-1", "category": "safety", "min_severity": "serious"}
    who = Caller("key_1", "ops", frozenset({"a", "b"}), None)
    wish = Ticket(who, 0, asked(query), False, "").wish
    for found, expected in (
        (wish.trials, {"a"}),
        (wish.subjects, {"S-1"}),
        (wish.categories, {"safety"}),
        (wish.within, {"a", "b"}),
        (wish.min_rank, 2),
    ):
        assert found == expected
