"""One attempt: a call through a channel, outside any transaction.

Who comes in: a claim. Who goes out: an `Answer`, never an exception.
"""

from __future__ import annotations

import orjson

from services import clock, logs
from services.channels import Answer, Channels, Message, Outcome
from services.channels.deadline import TIMEOUT_S
from services.delivery.envelope import envelope, secrets
from services.repositories.deliveries import Claim

# Who has less of its lease left than an attempt may take does not begin one.
_ATTEMPT_US = round(TIMEOUT_S * clock.SECOND_US)

log = logs.get(__name__)


def send(channels: Channels, claim: Claim, now_us: int) -> Answer:
    """Make the attempt; what breaks in it is an attempt that failed."""
    if now_us + _ATTEMPT_US > claim.lease_until_us:
        # We slept, or waited long for the store: somebody else may be at it by then, or past it.
        return Answer(Outcome.ABANDONED)
    try:
        return _call(channels, claim, now_us)
    except Exception:  # told, and tried again by the schedule
        log.exception("channel_failed", delivery=claim.delivery)
        return Answer(Outcome.FAULT)


def _call(channels: Channels, claim: Claim, now_us: int) -> Answer:
    target = orjson.loads(claim.channel)
    channel = channels.get(target.get("kind"))
    if channel is None:
        return Answer(Outcome.NO_CHANNEL)
    message = Message(claim.delivery, envelope(claim), now_us)
    return channel.send(target, secrets(claim, now_us), message)
