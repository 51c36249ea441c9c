"""E-mail to a real mail server: what is written, who may read it, and every way it can fail."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Iterator

import orjson
import pytest
import trustme
from sqlalchemy import select, update

from services import delivery
from services.channels import Message, Outcome
from services.channels.mail import MailChannel, Relay, subject_line
from services.clock import SECOND_US, now_us
from services.database import Database
from services.models import alerts, subscriptions
from tests.integration.test_delivery import ALERT, Store
from tests.support.mailbox import HANG_UP, SILENT, Mail, Mailbox
from tests.support.processes import free_port

TO = ["the.investigator@hospital.example", "monitor@sponsor.example"]
SENDER = "vigil@trials.example"
SHOWN = {
    **ALERT,
    "trial": "t",
    "protocol_version": "1.0",
    "subject": "S-001",
    "rule": "S-FEVER",
    "category": "safety",
    "severity": "critical",
    "status": "open",
    "resolution": None,
    "action": "Hold the infusion",
    "source_text": "Section 5",
    "occurred_at": "2026-03-02T08:15:00Z",
    "due_at": None,
}


def told(content: str = "minimal", kind: str = "alert.opened") -> Message:
    alert = SHOWN if content == "full" else delivery.minimal(SHOWN)
    body = {"type": kind, "timestamp": "2026-03-02T08:15:00Z", "position": 12, "data": alert}
    return Message("dl_1", orjson.dumps(body), 1_772_438_400 * SECOND_US)


def channel(
    port: int,
    scheme: str = "smtp",
    *,
    host: str = "127.0.0.1",
    user: str | None = None,
    password: str = "",
    timeout_s: float = 60.0,
    tls: ssl.SSLContext | None = None,
) -> MailChannel:
    relay = Relay(scheme, host, port, user, password)
    return MailChannel(relay, SENDER, "https://vigil.example", timeout_s=timeout_s, tls=tls)


def sent(mailbox: Mailbox, message: Message, to: list[str] = TO) -> Mail:
    answer = channel(mailbox.port).send({"kind": "email", "to": to}, [], message)
    assert (answer.outcome, answer.http_status) == (Outcome.DELIVERED, 250)
    return mailbox.received[-1]


@pytest.fixture(scope="module")
def running() -> Iterator[Mailbox]:
    with Mailbox() as mailbox:
        yield mailbox


@pytest.fixture
def mailbox(running: Mailbox) -> Mailbox:
    running.answers.clear()
    running.received.clear()
    return running


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


def server_side(authority: trustme.CA, name: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(name).configure_cert(context)
    return context


def client_side(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return context


def test_one_mail_reaches_all_recipients_and_shows_none_of_them_to_another(mailbox):
    mail = sent(mailbox, told())
    assert mail.sender == SENDER
    assert mail.recipients == tuple(TO)
    assert not any(one.encode() in mail.text for one in TO)
    assert mail.message["To"] == "undisclosed-recipients:;"


def test_a_mail_says_what_happened_what_to_do_and_where_to_see_it(mailbox):
    text = sent(mailbox, told()).message.get_content()
    for part in ("Fever before an infusion", "Hold the infusion", "S-001", "body_temperature"):
        assert part in text
    assert "https://vigil.example/alerts/al" in text
    assert "Message 12" in text


@pytest.mark.parametrize("content", ["minimal", "full"])
def test_a_mail_of_a_report_that_is_owed_says_until_when(mailbox, monkeypatch, content):
    assert "Due:" not in sent(mailbox, told(content)).message.get_content()
    monkeypatch.setitem(SHOWN, "due_at", "2026-03-12T14:59:59Z")
    text = sent(mailbox, told(content)).message.get_content()
    assert "Due:      2026-03-12T14:59:59Z" in text.splitlines()


@pytest.mark.parametrize("content", ["minimal", "full"])
def test_the_headers_hold_no_value_no_title_and_no_subject(mailbox, content):
    mail = sent(mailbox, told(content)).message
    assert mail["Subject"] == "[Vigil] t: critical safety alert opened"
    headers = str(mail.items())
    assert not any(part in headers for part in ("38.4", "Fever", "S-001", "body_temperature"))


def test_values_stand_in_the_text_only_where_the_content_is_full(mailbox):
    assert "38.4" not in sent(mailbox, told()).text.decode()
    assert "body_temperature 38.4 Cel" in sent(mailbox, told("full")).message.get_content()


def test_every_attempt_bears_the_same_message_id_and_no_answer_is_wanted(mailbox):
    first, second = (sent(mailbox, told()).message for _ in range(2))
    assert first["Message-ID"] == second["Message-ID"] == "<dl_1@trials.example>"
    assert first["Auto-Submitted"] == "auto-generated"
    assert first["List-Id"] == "<t.alerts.trials.example>"
    assert first["References"] == "<al@trials.example>"


def test_a_test_says_which_subscription_it_is_of(mailbox):
    body = {"type": "subscription.test", "data": {"subscription": "su_1", "name": "night shift"}}
    mail = sent(mailbox, Message("te_1", orjson.dumps(body), now_us())).message
    assert mail["Subject"] == "[Vigil] test of a subscription"
    assert "night shift" in mail.get_content()


@pytest.mark.parametrize(
    ("answers", "outcome", "code"),
    [
        pytest.param(dict.fromkeys(TO, "450 later"), Outcome.REFUSED, 450, id="4xx for all"),
        pytest.param(dict.fromkeys(TO, "550 unknown"), Outcome.REFUSED, 550, id="5xx for all"),
        pytest.param({TO[1]: "550 unknown"}, Outcome.PARTLY, 550, id="5xx for one"),
        pytest.param({"DATA": "451 later"}, Outcome.REFUSED, 451, id="4xx after the text"),
        pytest.param({"DATA": "554 spam"}, Outcome.REFUSED, 554, id="5xx after the text"),
        pytest.param({TO[0]: HANG_UP}, Outcome.BROKEN_OFF, None, id="hangs up"),
        pytest.param({"DATA": HANG_UP}, Outcome.BROKEN_OFF, None, id="hangs up after the text"),
    ],
)
def test_what_the_server_answers_is_the_outcome(mailbox, answers, outcome, code):
    mailbox.answers.update(answers)
    answer = channel(mailbox.port).send({"to": TO}, [], told())
    assert (answer.outcome, answer.http_status) == (outcome, code)


def test_who_was_not_refused_is_told_where_somebody_else_is(mailbox):
    mailbox.answers[TO[1]] = "550 unknown"
    channel(mailbox.port).send({"to": TO}, [], told())
    assert [mail.recipients for mail in mailbox.received] == [(TO[0],)]


@pytest.mark.parametrize("where", [TO[0], "DATA"])
def test_a_server_that_falls_silent_ends_the_attempt_by_its_time(mailbox, where):
    mailbox.answers[where] = SILENT
    answer = channel(mailbox.port, timeout_s=2.0).send({"to": TO}, [], told())
    assert answer.outcome is Outcome.TIMED_OUT


def test_a_greeting_that_comes_a_letter_at_a_time_ends_by_its_time():
    with socket.create_server(("127.0.0.1", 0)) as server:

        def drip() -> None:
            line, _ = server.accept()
            with line:
                while True:
                    try:
                        line.sendall(b"2")
                    except OSError:
                        return
                    threading.Event().wait(0.02)

        threading.Thread(target=drip, daemon=True).start()
        answer = channel(server.getsockname()[1], timeout_s=1.0).send({"to": TO}, [], told())
    assert answer.outcome is Outcome.TIMED_OUT


def test_nobody_listens_is_unreachable():
    assert channel(free_port()).send({"to": TO}, [], told()).outcome is Outcome.UNREACHABLE


@pytest.mark.parametrize(("scheme", "implicit"), [("smtps", True), ("smtp+starttls", False)])
def test_over_tls_it_signs_in_where_the_certificate_is_the_servers(authority, scheme, implicit):
    tls = server_side(authority, "127.0.0.1")
    with Mailbox(tls=tls, implicit=implicit, users={"vigil": "hunter2"}) as mailbox:
        trusting = channel(
            mailbox.port, scheme, user="vigil", password="hunter2", tls=client_side(authority)
        )
        assert trusting.send({"to": TO}, [], told()).outcome is Outcome.DELIVERED
        assert [(mail.encrypted, mail.user) for mail in mailbox.received] == [(True, "vigil")]
        wrong = channel(
            mailbox.port, scheme, user="vigil", password="x", tls=client_side(authority)
        )
        answer = wrong.send({"to": TO}, [], told())
        assert (answer.outcome, answer.http_status) == (Outcome.REFUSED, 535)
        stranger = channel(mailbox.port, scheme)
        assert stranger.send({"to": TO}, [], told()).outcome is Outcome.TLS_FAILED
        assert len(mailbox.received) == 1


def test_starttls_that_is_demanded_and_not_offered_sends_nothing(mailbox):
    answer = channel(mailbox.port, "smtp+starttls").send({"to": TO}, [], told())
    assert answer.outcome is Outcome.REFUSED
    assert mailbox.received == []


def test_a_password_does_not_leave_the_machine_without_tls(mailbox):
    elsewhere = channel(mailbox.port, host="127.0.0.2", user="vigil", password="hunter2")
    with Mailbox(users={"vigil": "hunter2"}, host="127.0.0.2") as open_server:
        elsewhere = channel(open_server.port, host="127.0.0.2", user="vigil", password="hunter2")
        assert elsewhere.send({"to": TO}, [], told()).outcome is Outcome.TLS_FAILED
        assert open_server.received == []


def test_the_url_of_the_settings_is_taken_apart_and_its_password_decoded():
    relay = Relay.parse("smtp+starttls://vigil%40x:p%2Fw@mail.example.org")
    assert relay == Relay("smtp+starttls", "mail.example.org", 587, "vigil@x", "p/w")
    assert Relay.parse("smtps://mail.example.org:1465").port == 1465


def test_the_subject_line_has_nothing_that_is_a_persons():
    shown = {**SHOWN, "trial": "msc-cgvhd", "severity": "warning"}
    assert subject_line("alert.superseded", shown) == (
        "[Vigil] msc-cgvhd: warning safety alert superseded"
    )


@pytest.fixture
def store(database: Database) -> Store:
    """A subscription by e-mail and one alert that waits for it."""
    store = Store(database)
    store.subscribe("unused")
    target = orjson.dumps({"kind": "email", "to": TO}).decode()
    with database.writing() as conn:
        conn.execute(update(subscriptions).values(channel=target, secret=None))
    return store


def test_a_delivery_goes_out_by_mail_and_a_refused_one_waits(database, mailbox, store, monkeypatch):
    monkeypatch.setitem(ALERT, "trial", "t")
    for name in ("severity", "category", "action", "source_text", "rule", "protocol_version"):
        monkeypatch.setitem(ALERT, name, "x")
    for name in ("subject", "status", "occurred_at", "due_at"):
        monkeypatch.setitem(ALERT, name, None)
    channels = {"email": channel(mailbox.port)}
    (first,) = store.alert("a")
    assert delivery.deliver(database, channels) == 1
    assert store.delivery(first).status == "delivered"
    mailbox.answers.update(dict.fromkeys(TO, "450 later"))
    (second,) = store.alert("b")
    delivery.deliver(database, channels)
    assert store.delivery(second).status == "pending"
    assert store.outcomes(second) == [("refused", 450)]


def test_a_mail_that_some_refused_is_given_up_aloud_and_not_sent_again(
    database, mailbox, store, monkeypatch
):
    for name in ("trial", "severity", "category", "action", "source_text", "rule"):
        monkeypatch.setitem(ALERT, name, "x")
    for name in ("subject", "status", "occurred_at", "due_at", "protocol_version"):
        monkeypatch.setitem(ALERT, name, None)
    mailbox.answers[TO[1]] = "550 unknown"
    (name,) = store.alert("a")
    delivery.deliver(database, {"email": channel(mailbox.port)})
    assert store.delivery(name).status == "dead"
    assert store.outcomes(name) == [("partly", 550)]
    with database.reading() as conn:
        told_operations = conn.scalars(select(alerts.c.rule).where(alerts.c.rule != "x")).all()
        status = conn.scalar(select(subscriptions.c.status))
    assert (list(told_operations), status) == (["OPS-UNDELIVERED"], "active")
