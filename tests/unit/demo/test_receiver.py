"""What the demo's receiver shows of a webhook, and what it notices."""

from __future__ import annotations

import json
import os
import pty
import socket
import subprocess
from datetime import UTC, datetime

import click
import pytest
from standardwebhooks.webhooks import Webhook

from services.receiver import COLUMNS, MISSING_AFTER_S, Positions, Receiver, line
from tests.support.processes import ROOT, python

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
ALERT = {
    "severity": "critical",
    "subject": "D1-07",
    "rule": "EL-ENROLLED-NOT-ELIGIBLE",
    "title": "Subject was enrolled without being eligible",
}


def told(position: int = 7, **more: object) -> dict:
    return {"type": "alert.acknowledged", "position": position, "data": {**ALERT, **more}}


@pytest.fixture
def receiver():
    with socket.create_server(("127.0.0.1", 0)) as server:
        receiver = Receiver(server)
        receiver.secret = SECRET
        yield receiver


def signed(
    own_id: str, position: int, secret: str = SECRET, **more: object
) -> tuple[bytes, dict[str, str]]:
    body = json.dumps(told(position) | more)
    at = datetime.now(tz=UTC)  # noqa: TID251 - the public library looks at the clock itself
    return body.encode(), {
        "webhook-id": own_id,
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": Webhook(secret).sign(own_id, at, body),
    }


def test_a_line_fits_and_its_columns_stand_below_one_another():
    lines = [
        click.unstyle(line(told(), again=True)),
        click.unstyle(line(told(1234, severity="info", subject=None, rule="S-SAE", title="A"))),
    ]
    assert [len(each) <= COLUMNS for each in lines] == [True, True]
    assert lines[0].startswith(
        "   7 acknowledged critical D1-07   EL-ENROLLED-NOT-ELIGIBLE (again) "
    )
    assert lines[0].endswith("…")
    assert lines[1] == "1234 acknowledged info     trial   S-SAE                    A"


def test_only_what_the_secret_signed_is_taken_and_shown(receiver, capsys):
    assert receiver.take(*signed("msg_1", 1))
    assert not receiver.take(*signed("msg_2", 2, "whsec_" + "A" * 32))
    receiver.secret = None
    assert not receiver.take(*signed("msg_3", 3))
    assert [each[:4] for each in capsys.readouterr().out.splitlines()] == ["   1"]


def test_a_repetition_is_marked_as_one(receiver, capsys):
    for _ in range(2):
        assert receiver.take(*signed("msg_1", 1))
    assert ["(again)" in each for each in capsys.readouterr().out.splitlines()] == [False, True]


def test_a_test_of_the_subscription_is_shown_and_takes_no_position(receiver, capsys):
    assert receiver.take(*signed("te_1", 5, type="subscription.test", data={"name": "demo"}))
    assert receiver.take(*signed("msg_1", 1))
    assert [each[:22] for each in capsys.readouterr().out.splitlines()] == [
        "   - subscription.test",
        "   1 acknowledged crit",
    ]


def test_a_position_that_stays_away_is_told_once_and_one_that_was_overtaken_is_not():
    positions = Positions()
    assert positions.missing(1, 0.0) == []
    assert positions.missing(4, 1.0) == []  # 2 and 3 were overtaken
    assert positions.missing(3, 2.0) == []
    assert positions.missing(5, 1.5 + MISSING_AFTER_S) == [2]
    assert positions.missing(6, 9.0 + MISSING_AFTER_S) == []


@pytest.mark.parametrize(("env", "coloured"), [({}, True), ({"NO_COLOR": "1"}, False)])
def test_colours_are_for_a_terminal_whose_owner_wants_them(env, coloured):
    ours, theirs = pty.openpty()
    program = "import click; from services.receiver import say; say(click.style('hot', fg='red'))"
    surroundings = {name: text for name, text in os.environ.items() if name != "NO_COLOR"} | env
    subprocess.run(python("-c", program), env=surroundings, cwd=ROOT, stdout=theirs, check=True)
    os.close(theirs)
    shown = os.read(ours, 1000)
    os.close(ours)
    assert b"hot" in shown
    assert (b"\x1b[31m" in shown) is coloured


def test_without_a_terminal_there_are_no_colours(receiver, capsys):
    receiver.take(*signed("msg_1", 1))
    assert "\x1b" not in capsys.readouterr().out
