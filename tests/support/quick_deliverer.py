"""The real deliver worker with the same waits, shorter: an attempt, its lease, the schedule."""

from __future__ import annotations

import worker
from services import bootstrap, clock
from services.channels import Channels
from services.channels.webhook import WebhookChannel
from services.config import Settings
from services.delivery import schedule, sending, turn

TIMEOUT_S = 1.5
turn.LEASE_US = 4 * clock.SECOND_US
sending._ATTEMPT_US = round(TIMEOUT_S * clock.SECOND_US)
# Many more of them too: nobody is to be given up.
schedule.WAITS_S = schedule.CRITICAL_WAITS_S = (0.2,) * 200  # type: ignore[assignment]
app = worker.app


def channels(settings: Settings) -> Channels:
    """As bootstrap builds them, but less patient."""
    return {"webhook": WebhookChannel(bootstrap.reach(settings), TIMEOUT_S)}


bootstrap.channels = channels
__all__ = ["app"]
