"""A mail server on loopback that can refuse, hang and hang up as a test asks for."""

from __future__ import annotations

import asyncio
import email
import email.policy
import ssl
from dataclasses import dataclass, field
from email.message import EmailMessage
from typing import Any, Self

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, Session

from tests.support.processes import PATIENCE_S, free_port

SILENT = "silent"  # as an answer: say nothing until the caller gives up
HANG_UP = "hang up"  # as an answer: break off


@dataclass(frozen=True)
class Mail:
    """One message as the server took it."""

    sender: str
    recipients: tuple[str, ...]
    text: bytes
    encrypted: bool
    user: str | None

    @property
    def message(self) -> EmailMessage:
        return email.message_from_bytes(self.text, policy=email.policy.default)


@dataclass
class Mailbox:
    """Takes all mail unless `answers` has something else for a recipient or for `DATA`.

    `answers` maps a recipient, or "DATA", to the line that the server says, SILENT or HANG_UP.
    """

    tls: ssl.SSLContext | None = None
    implicit: bool = False
    host: str = "127.0.0.1"
    users: dict[str, str] = field(default_factory=dict)
    answers: dict[str, str] = field(default_factory=dict)
    received: list[Mail] = field(default_factory=list)

    def __enter__(self) -> Self:
        offered = None if self.implicit else self.tls
        extra: dict[str, Any] = {"authenticator": self._sign_in} if self.users else {}
        self._controller = Controller(
            _Handler(self),
            hostname=self.host,
            port=free_port(),
            ssl_context=self.tls if self.implicit else None,
            tls_context=offered,
            auth_require_tls=False,
            ready_timeout=PATIENCE_S,
            **extra,
        )
        self._controller.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._controller.stop(no_assert=True)

    @property
    def port(self) -> int:
        return int(self._controller.port)

    def _sign_in(
        self, server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: Any
    ) -> AuthResult:
        user, password = data.login.decode(), data.password.decode()
        session.user = user  # type: ignore[attr-defined]
        known = self.users.get(user) == password
        return AuthResult(success=known, handled=False)


class _Handler:
    def __init__(self, mailbox: Mailbox) -> None:
        self._mailbox = mailbox

    async def handle_RCPT(  # noqa: N802 - aiosmtpd calls it so
        self,
        server: SMTP,
        session: Session,
        envelope: Envelope,
        address: str,
        rcpt_options: list[str],
    ) -> str:
        said = await self._said(server, address)
        if said.startswith("250"):
            envelope.rcpt_tos.append(address)
        return said

    async def handle_DATA(  # noqa: N802 - aiosmtpd calls it so
        self, server: SMTP, session: Session, envelope: Envelope
    ) -> str:
        said = await self._said(server, "DATA")
        if said.startswith("250"):
            content = envelope.content
            assert isinstance(content, bytes)
            self._mailbox.received.append(
                Mail(
                    str(envelope.mail_from),
                    tuple(envelope.rcpt_tos),
                    content,
                    encrypted=session.ssl is not None or self._mailbox.implicit,
                    user=getattr(session, "user", None),
                )
            )
        return said

    async def _said(self, server: SMTP, what: str) -> str:
        said = self._mailbox.answers.get(what, "250 OK")
        if said == SILENT:
            await asyncio.sleep(3600)
        if said == HANG_UP:
            assert server.transport is not None
            server.transport.close()
        return said
