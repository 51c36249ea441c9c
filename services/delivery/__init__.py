"""The last step: what alerting wrote down is told, and told again until it was heard.

Who comes in: the deliver worker, woken by the doorbell or the sweep. Who goes out: channels, and
the attempts' rows. An attempt is committed before the call and finished after it; the call itself
stands outside any transaction. A worker that dies leaves a lease behind, which runs out.
ADR 8 says why there is one dispatcher, and who is given room.
"""

from services.delivery.dispatcher import Crew, deliver
from services.delivery.envelope import envelope, minimal
from services.delivery.schedule import CRITICAL_WAITS_S, WAITS_S, wait_s
from services.delivery.sharing import PER_ENDPOINT

__all__ = [
    "CRITICAL_WAITS_S",
    "PER_ENDPOINT",
    "WAITS_S",
    "Crew",
    "deliver",
    "envelope",
    "minimal",
    "wait_s",
]
