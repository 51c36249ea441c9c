"""The demo's webhook receiver: verifies each signature and prints each alert in one line.

Who comes in: deliveries of the demo's subscription. Who goes out: a person's terminal. It does what
every receiver should: check before believing, answer at once, know a repetition by its id, and see
by the positions whether something is missing.
"""

from __future__ import annotations

import os
import socket
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import click
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

LONGEST_BODY = 1_000_000
COLUMNS = 100
# Deliveries of different alerts may overtake each other; what is missing longer is worth a word.
MISSING_AFTER_S = 10.0
COLOURS = {"info": "cyan", "warning": "yellow", "serious": "magenta", "critical": "red"}
HEAD = f"   # {'':<12} {'severity':<8} {'subject':<7} {'rule':<24} title"


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
        self._positions = Positions()
        self._lock = threading.Lock()

    def take(self, body: bytes, headers: dict[str, str]) -> bool:
        """Whether this is ours; printed, and marked where its id came before."""
        if self.secret is None:
            return False
        try:
            told = Webhook(self.secret).verify(body, headers)
        except WebhookVerificationError:
            return False
        with self._lock:
            self._show(told, headers["webhook-id"])
        return True

    def _show(self, told: dict[str, Any], own_id: str) -> None:
        """Print it. A test of the subscription has no place of its own among the positions."""
        if not str(told["type"]).startswith("alert."):
            say(f"   - {told['type']}: the receiver is reached")
            return
        again = own_id in self._known
        self._known.add(own_id)
        say(line(told, again=again))
        for missing in self._positions.missing(told["position"], time.monotonic()):
            say(f"{missing:>4} has not come yet")

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A sender that ends in the middle of a request, as it does at the end of the show."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class Positions:
    """Which numbers of the one subscription have come, and which are missing."""

    def __init__(self) -> None:
        """The first number is 1."""
        self._highest = 0
        self._missing: dict[int, float] = {}  # since when

    def missing(self, position: int, now_s: float) -> list[int]:
        """Note that `position` came; which ones are missing too long, each told once."""
        for skipped in range(self._highest + 1, position):
            self._missing[skipped] = now_s
        self._highest = max(self._highest, position)
        self._missing.pop(position, None)
        late = [one for one, since in self._missing.items() if now_s - since > MISSING_AFTER_S]
        for one in late:
            del self._missing[one]
        return late


def line(told: dict[str, Any], *, again: bool = False) -> str:
    """One delivery for a person's eyes, at most COLUMNS wide."""
    alert = told["data"]
    severity, kind = str(alert["severity"]), str(told["type"]).removeprefix("alert.")
    before = f"{told['position']:>4} {kind:<12} "
    after = f" {alert['subject'] or 'trial':<7} {alert['rule']:<24} "
    title = ("(again) " if again else "") + str(alert["title"])
    room = COLUMNS - len(before) - max(8, len(severity)) - len(after)
    short = title if len(title) <= room else title[: max(0, room - 1)] + "…"
    colour = None if kind in {"resolved", "superseded"} else COLOURS.get(severity)
    shown = click.style(f"{severity:<8}", fg=colour, bold=colour is not None)
    return before + shown + after + short


def say(text: str) -> None:
    """One line, at once; in colours only on a terminal whose owner wants them."""
    click.echo(text, color=False if os.environ.get("NO_COLOR") else None)
    sys.stdout.flush()


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
