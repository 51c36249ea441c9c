"""When a failed attempt is made again: the contract's tables.

Who comes in: the turn, with how often it failed. Who goes out: seconds, or that it is given up.
"""

from __future__ import annotations

MINUTE_S, HOUR_S = 60, 3600
# Seconds from a failed attempt to the next one; after the last there is no next one.
WAITS_S = (
    *(5, 5 * MINUTE_S, 30 * MINUTE_S),
    *(2 * HOUR_S, 5 * HOUR_S, 10 * HOUR_S, 14 * HOUR_S, 20 * HOUR_S, 24 * HOUR_S),
)
# A critical alert is not left waiting for five minutes at once; from 30 min on both are the same.
CRITICAL_WAITS_S = (5, 15, MINUTE_S, 2 * MINUTE_S, 5 * MINUTE_S, *WAITS_S[2:])
JITTER = 0.1


def wait_s(critical: bool, failed: int, wish_s: float | None, spread: float) -> float | None:
    """Seconds until the next attempt after `failed` ones; None: there is none.

    `spread` in [0, 1) lengthens it by up to a tenth; a receiver's wish is never cut short.
    """
    waits = CRITICAL_WAITS_S if critical else WAITS_S
    if failed > len(waits):
        return None
    return max(waits[failed - 1] * (1 + JITTER * spread), wish_s or 0.0)
