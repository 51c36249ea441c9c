"""A channel that counts how its attempts ended, for the figures of the process.

Who comes in: the worker, which wraps each channel. Who goes out: the channel itself.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Mapping, Sequence

from services.channels import Answer, Channel, Channels, Message, Outcome


class Outcomes:
    """How attempts of this process ended."""

    def __init__(self) -> None:
        """None yet."""
        self._lock = threading.Lock()
        self._counts: Counter[Outcome] = Counter()

    def counting(self, channels: Channels) -> Channels:
        """The same channels, counted."""
        return {kind: _Counted(channel, self) for kind, channel in channels.items()}

    def count(self, outcome: Outcome) -> None:
        """One attempt that ended so."""
        with self._lock:
            self._counts[outcome] += 1

    def read(self) -> dict[str, float]:
        """`attempts|OUTCOME`, which only grow."""
        with self._lock:
            return {f"attempts|{outcome}": float(count) for outcome, count in self._counts.items()}


class _Counted:
    """A channel, and whom it tells how it went."""

    def __init__(self, channel: Channel, outcomes: Outcomes) -> None:
        self._channel = channel
        self._outcomes = outcomes

    def send(
        self, target: Mapping[str, object], secrets: Sequence[str], message: Message
    ) -> Answer:
        """As the channel itself."""
        try:
            answer = self._channel.send(target, secrets, message)
        except Exception:
            self._outcomes.count(Outcome.FAULT)
            raise
        self._outcomes.count(answer.outcome)
        return answer
