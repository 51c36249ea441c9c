"""The ways out of the house: each channel carries one message to one receiver and says how it went.

Who comes in: delivery, with a message and where it goes. Who goes out: an `Answer`, never an
exception.
Adding a channel is one module here, one line in bootstrap's table and one test.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol


class Outcome(StrEnum):
    """How an attempt ended, by its reason."""

    SENDING = "sending"  # begun, and not ended yet
    DELIVERED = "delivered"
    REFUSED = "refused"  # an answer that is not 2xx; of a mail server: 4xx or 5xx for all
    PARTLY = "partly"  # a mail server took it for some of the recipients only
    REDIRECTED = "redirected"  # redirects are never followed
    GONE = "gone"  # 410: the receiver wants no more
    TIMED_OUT = "timed_out"
    UNREACHABLE = "unreachable"  # no such name, nobody listens
    BROKEN_OFF = "broken_off"  # the line broke before an answer
    FORBIDDEN_ADDRESS = "forbidden_address"  # the name leads into a private network
    TLS_FAILED = "tls_failed"
    ABANDONED = "abandoned"  # the worker died in the middle of it
    NO_CHANNEL = "no_channel"  # this service cannot send of that kind
    FAULT = "fault"  # ours: something broke that nobody foresaw


@dataclass(frozen=True, slots=True)
class Message:
    """One delivery: `id` and `body` are the same on every attempt, `at_us` is its time."""

    id: str
    body: bytes
    at_us: int


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of an attempt; `retry_after_s` is the receiver's wish, if it had one."""

    outcome: Outcome
    http_status: int | None = None
    retry_after_s: float | None = None


class Channel(Protocol):
    """One way to tell somebody."""

    def send(
        self, target: Mapping[str, object], secrets: Sequence[str], message: Message
    ) -> Answer:
        """Try once. `target` is the subscription's `channel`; `secrets` sign, newest first."""
        ...


Channels = Mapping[str, Channel]
