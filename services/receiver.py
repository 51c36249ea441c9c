"""The demo's webhook receiver: verifies each signature and prints each alert in one line.

Who comes in: deliveries of the demo's subscription. Who goes out: a person's terminal. It does what
every receiver should: check before believing, answer at once, know a repetition by its id.
"""

from __future__ import annotations

import socket
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import click
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

LONGEST_BODY = 1_000_000
COLOURS = {"info": "cyan", "warning": "yellow", "serious": "magenta", "critical": "red"}


class Receiver(ThreadingHTTPServer):
    """Serves on a socket that listens already."""

    daemon_threads = True

    def __init__(self, server: socket.socket) -> None:
        """Until `secret` is set nothing can be verified, and nothing is taken."""
        super().__init__(server.getsockname()[:2], _Request, bind_and_activate=False)
        self.socket.close()
        self.socket = server
        self.secret: str | None = None
        self._known: set[str] = set()
        self._lock = threading.Lock()

    def take(self, body: bytes, headers: dict[str, str]) -> bool:
        """Whether this is ours; printed the first time that its id comes."""
        if self.secret is None:
            return False
        try:
            told = Webhook(self.secret).verify(body, headers)
        except WebhookVerificationError:
            return False
        with self._lock:
            if headers["webhook-id"] not in self._known:
                self._known.add(headers["webhook-id"])
                click.echo(line(told))
                sys.stdout.flush()
        return True


def line(told: dict[str, Any]) -> str:
    """One delivery for a person's eyes."""
    alert = told["data"]
    severity = str(alert["severity"])
    parts = (
        f"{told['position']:>4}",
        f"{told['type'].removeprefix('alert.'):<12}",
        click.style(f"{severity:<8}", fg=COLOURS.get(severity), bold=True),
        f"{alert['subject'] or 'trial':<14}",
        f"{alert['rule']:<24}",
        str(alert["title"]),
    )
    return " ".join(parts)


class _Request(BaseHTTPRequestHandler):
    """One POST."""

    server: Receiver

    def do_POST(self) -> None:
        """204 for what is verified, 401 for anything else."""
        length = int(self.headers.get("content-length") or 0)
        body = self.rfile.read(min(length, LONGEST_BODY))
        headers = {name.lower(): text for name, text in self.headers.items()}
        self.send_response(204 if self.server.take(body, headers) else 401)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """The alerts are the log."""
