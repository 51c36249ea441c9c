"""E-mail: one plain text to all recipients of a subscription, hidden from one another.

Who comes in: delivery, and the test of a subscription. Who goes out: the mail server, and an
`Answer`. Every attempt has the same Message-ID, so that a mail program may show a repeated one
once. The subject line is read on locked screens and by servers in between: it names no subject,
no title and no value, whatever the subscription's content.
"""

from __future__ import annotations

import contextlib
import smtplib
import socket
import ssl
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from typing import Any
from urllib.parse import unquote, urlsplit

import orjson

from services import clock
from services.channels import Answer, Message, Outcome
from services.channels.deadline import CONNECT_S, TIMEOUT_S, Deadline

PORTS = {"smtp": 25, "smtp+starttls": 587, "smtps": 465}
TEST = "subscription.test"
_THIS_MACHINE = frozenset({"localhost", "127.0.0.1", "::1"})
_GREETING = 220
_MANNERS_S = 1.0

Json = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Relay:
    """The mail server of VIGIL_SMTP_URL, taken apart. Holds a password: never log it."""

    scheme: str
    host: str
    port: int
    user: str | None = None
    password: str = ""

    @staticmethod
    def parse(url: str) -> Relay:
        """Of a URL that the settings have checked."""
        parts = urlsplit(url)
        return Relay(
            parts.scheme,
            parts.hostname or "",
            parts.port or PORTS[parts.scheme],
            unquote(parts.username) if parts.username else None,
            unquote(parts.password or ""),
        )


class MailChannel:
    """The channel of kind `email`."""

    def __init__(
        self,
        relay: Relay,
        sender: str,
        public_url: str | None = None,
        *,
        timeout_s: float = TIMEOUT_S,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        """`sender` is the address it comes from; `public_url` is where the page is."""
        self._relay = relay
        self._sender = sender
        self._public_url = public_url
        self._timeout_s = timeout_s
        self._tls = tls or ssl.create_default_context()

    def send(
        self, target: Mapping[str, object], secrets: Sequence[str], message: Message
    ) -> Answer:
        """Hand `message` to the mail server for everybody in `target["to"]`; nothing signs it."""
        to = target.get("to")
        recipients = [str(one) for one in to] if isinstance(to, list) else []
        text = compose(message, self._sender, self._public_url).as_bytes()
        with closing(Deadline(self._timeout_s)) as deadline:
            try:
                with self._line(deadline) as line:
                    refused = line.sendmail(self._sender, recipients, text)
            except (smtplib.SMTPException, OSError) as error:
                return _failed(error, deadline)
        if refused:
            return Answer(Outcome.PARTLY, next(iter(refused.values()))[0])
        return Answer(Outcome.DELIVERED, 250)

    @contextlib.contextmanager
    def _line(self, deadline: Deadline) -> Iterator[smtplib.SMTP]:
        """A line to the server, greeted, over TLS where it has to be, and signed in."""
        relay = self._relay
        try:
            raw = socket.create_connection(
                (relay.host, relay.port), min(CONNECT_S, deadline.left_s())
            )
        except TimeoutError:
            raise
        except OSError as error:
            raise _NobodyThere from error
        with closing(smtplib.SMTP(local_hostname=_domain(self._sender))) as line:
            line.sock = raw
            deadline.watch(raw)
            if relay.scheme == "smtps":
                self._encrypt(line, deadline)
            _expect_greeting(line.getreply())
            self._secure(line, deadline)
            if relay.user is not None:
                line.login(relay.user, relay.password)
            yield line
            if line.sock is not None:  # it was taken; the rest is manners
                line.sock.settimeout(_MANNERS_S)
                with suppress(smtplib.SMTPException, OSError):
                    line.quit()

    def _secure(self, line: smtplib.SMTP, deadline: Deadline) -> None:
        """Say hello, and go over to TLS if it is wanted or offered."""
        relay = self._relay
        line.ehlo_or_helo_if_needed()
        if relay.scheme == "smtps":
            return
        here = relay.host in _THIS_MACHINE
        if relay.scheme == "smtp+starttls" or (line.has_extn("starttls") and not here):
            _expect_greeting(line.docmd("STARTTLS"))
            self._encrypt(line, deadline)
            line.ehlo()
        elif relay.user is not None and not here:
            raise ssl.SSLError("no TLS is offered, and a password is not sent without")

    def _encrypt(self, line: smtplib.SMTP, deadline: Deadline) -> None:
        """TLS on the line, with a certificate for the server's name."""
        assert line.sock is not None
        wrapped = self._tls.wrap_socket(
            line.sock, server_hostname=self._relay.host, do_handshake_on_connect=False
        )
        line.sock, line.file = wrapped, None  # what came before TLS is not to be read
        deadline.watch(wrapped)
        wrapped.do_handshake()


class _NobodyThere(OSError):
    """No such name, or nobody listens."""


def _expect_greeting(reply: tuple[int, bytes]) -> None:
    code, text = reply
    if code != _GREETING:
        raise smtplib.SMTPResponseException(code, text)


def _failed(error: Exception, deadline: Deadline) -> Answer:
    """The answer that an exception of the line stands for; a code is the mail server's reply."""
    if deadline.passed:  # the cut line looks like the end of a reply
        return Answer(Outcome.TIMED_OUT)
    code = _code(error)
    if code is not None:
        return Answer(Outcome.REFUSED, code)
    if deadline.over():
        return Answer(Outcome.TIMED_OUT)
    return Answer(
        next((reason for kind, reason in _REASONS if isinstance(error, kind)), Outcome.BROKEN_OFF)
    )


# The first that fits: the later ones are wider.
_REASONS = (
    (TimeoutError, Outcome.TIMED_OUT),
    (_NobodyThere, Outcome.UNREACHABLE),
    (ssl.SSLError, Outcome.TLS_FAILED),
    (smtplib.SMTPNotSupportedError, Outcome.REFUSED),
)


def _code(error: Exception) -> int | None:
    """What the server replied, if it was that."""
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        return int(next(iter(error.recipients.values()))[0])
    if isinstance(error, smtplib.SMTPResponseException) and error.smtp_code > 0:
        return error.smtp_code
    return None


def compose(message: Message, sender: str, public_url: str | None) -> EmailMessage:
    """The mail of one delivery; the same but for its date on every attempt."""
    told: Json = orjson.loads(message.body)
    domain = _domain(sender)
    mail = EmailMessage(policy=SMTP)
    mail["From"] = sender
    mail["To"] = "undisclosed-recipients:;"
    mail["Date"] = format_datetime(datetime.fromtimestamp(message.at_us // clock.SECOND_US, tz=UTC))
    mail["Message-ID"] = f"<{message.id}@{domain}>"
    mail["Auto-Submitted"] = "auto-generated"
    mail["X-Auto-Response-Suppress"] = "All"
    alert: Json = told["data"]
    if told["type"] == TEST:
        mail["Subject"] = "[Vigil] test of a subscription"
        lines = _test_text(alert)
    else:
        mail["Subject"] = subject_line(told["type"], alert)
        mail["List-Id"] = f"<{alert['trial']}.alerts.{domain}>"
        mail["References"] = f"<{alert['id']}@{domain}>"  # the mails of one alert, together
        if alert["severity"] == "critical":
            mail["Importance"] = "high"
        lines = _alert_text(told, public_url)
    mail.set_content("\n".join(lines) + "\n", cte="quoted-printable")
    return mail


def subject_line(event: str, alert: Json) -> str:
    """Trial, severity, category, and what happened to the alert; nothing else."""
    what = event.removeprefix("alert.")
    return f"[Vigil] {alert['trial']}: {alert['severity']} {alert['category']} alert {what}"


def _test_text(about: Json) -> list[str]:
    return [
        f"This is a test of the subscription {about['subscription']} ({about['name']}).",
        "Whoever reads it will be told of this subscription's alerts here.",
        *_FOOT,
    ]


def _alert_text(told: Json, public_url: str | None) -> list[str]:
    """What happened, what to do, and where to see it all."""
    alert: Json = told["data"]
    what = str(told["type"]).removeprefix("alert.")
    link = [] if public_url is None else ["", f"See it: {public_url}/alerts/{alert['id']}"]
    return [
        f"{str(alert['severity']).capitalize()} {alert['category']} alert, {what}",
        "",
        str(alert["title"]),
        *([str(alert["detail"])] if alert.get("detail") else []),
        "",
        f"What to do: {alert['action']}",
        "",
        *_particulars(alert),
        *_evidence(alert),
        *link,
        "",
        f"Message {told['position']} of this subscription: a missing number is a missing mail.",
        *_FOOT,
    ]


_FOOT = ("", "-- ", "Sent by Vigil. Nobody reads answers to this address.")


def _particulars(alert: Json) -> Iterator[str]:
    resolution = alert.get("resolution") or {}
    rows = (
        ("Trial", alert["trial"]),
        ("Subject", alert["subject"] or "the trial as a whole"),
        ("Rule", f"{alert['rule']} of protocol version {alert['protocol_version']}"),
        ("Status", alert["status"]),
        ("Resolved", resolution.get("reason")),
        ("Happened", alert["occurred_at"]),
        ("Due", alert["due_at"]),
        ("Source", alert["source_text"]),
    )
    for name, text in rows:
        if text:
            yield f"{name + ':':<10}{text}"


def _evidence(alert: Json) -> Iterator[str]:
    """What it rests on; values only where the subscription's content has them."""
    for item in alert["evidence"]:
        value = f" {item['value']} {item.get('unit') or ''}".rstrip() if "value" in item else ""
        at = f", {item['time']}" if item.get("time") else ""
        yield f"{'Evidence:':<10}{item['fact']}{value}{at}"


def _domain(sender: str) -> str:
    return sender.rpartition("@")[2]
