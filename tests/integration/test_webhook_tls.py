"""Webhooks over TLS: whose certificate is believed, and what becomes of the others."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import trustme

from services.channels import Answer, Message, Outcome
from services.channels.address import Reach
from services.channels.webhook import WebhookChannel
from services.clock import now_us
from services.subscriptions import new_secret
from tests.support.receiver import Receiver, hang


@pytest.fixture(scope="session")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as running:
        yield running


@pytest.fixture
def channel(
    authority: trustme.CA, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> WebhookChannel:
    """One that trusts our own authority, as docs/configuration.md says."""
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    return WebhookChannel(Reach(private=True), timeout_s=1.0)


def serve(
    stack: ExitStack, authority: trustme.CA, name: str, not_after: datetime | None = None
) -> Receiver:
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(name, not_after=not_after).configure_cert(tls)
    return stack.enter_context(Receiver(tls))


def send(channel: WebhookChannel, url: str, secret: str | None = None) -> Answer:
    message = Message("dl_1", b'{"type": "alert.opened"}', now_us())
    return channel.send({"kind": "webhook", "url": url}, [secret or new_secret()], message)


def test_an_authority_of_our_own_is_believed_and_the_line_is_kept(
    stack: ExitStack, authority: trustme.CA, channel: WebhookChannel
) -> None:
    receiver = serve(stack, authority, "localhost")
    receiver.keeps = True
    secret = new_secret()
    assert send(channel, receiver.url, secret) == Answer(Outcome.DELIVERED, 200)
    assert send(channel, receiver.url, secret) == Answer(Outcome.DELIVERED, 200)
    assert [got.verify(secret)["type"] for got in receiver.received] == ["alert.opened"] * 2
    assert receiver.lines == 1


def test_an_authority_that_nobody_knows_is_not_believed(
    stack: ExitStack, channel: WebhookChannel
) -> None:
    receiver = serve(stack, trustme.CA(), "localhost")
    assert send(channel, receiver.url) == Answer(Outcome.TLS_FAILED)
    assert receiver.received == []


def test_a_certificate_of_another_name_is_not_believed(
    stack: ExitStack, authority: trustme.CA, channel: WebhookChannel
) -> None:
    receiver = serve(stack, authority, "hooks.example")
    assert send(channel, receiver.url) == Answer(Outcome.TLS_FAILED)
    assert receiver.received == []


def test_a_certificate_that_has_run_out_is_not_believed(
    stack: ExitStack, authority: trustme.CA, channel: WebhookChannel
) -> None:
    yesterday = datetime.now(UTC) - timedelta(days=1)  # noqa: TID251 - certificates are of our time
    receiver = serve(stack, authority, "localhost", yesterday)
    assert send(channel, receiver.url) == Answer(Outcome.TLS_FAILED)
    assert receiver.received == []


def test_who_does_not_speak_tls_at_all_is_not_believed(
    stack: ExitStack, channel: WebhookChannel
) -> None:
    plain = stack.enter_context(socket.create_server(("127.0.0.1", 0)))

    def talk() -> None:
        line, _ = plain.accept()
        with line:
            line.sendall(b"HTTP/1.1 400 Plain HTTP was sent to an HTTPS port\r\n\r\n")
            line.recv(65536)

    threading.Thread(target=talk, daemon=True).start()
    url = f"https://localhost:{plain.getsockname()[1]}/hook"
    assert send(channel, url) == Answer(Outcome.TLS_FAILED)


def test_who_says_nothing_to_a_tls_greeting_is_left_when_time_is_up(
    stack: ExitStack, channel: WebhookChannel
) -> None:
    silent = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
    url = f"https://localhost:{silent.getsockname()[1]}/hook"
    assert send(channel, url) == Answer(Outcome.TIMED_OUT)


def test_who_hangs_after_the_greeting_is_left_when_time_is_up(
    stack: ExitStack, authority: trustme.CA, channel: WebhookChannel
) -> None:
    receiver = serve(stack, authority, "localhost")
    receiver.plan = [hang]
    assert send(channel, receiver.url) == Answer(Outcome.TIMED_OUT)
