"""What a receiver is sent: the body of the contract, and the secrets that sign it.

Who comes in: a claim. Who goes out: the same bytes on every attempt of one delivery.
"""

from __future__ import annotations

from collections.abc import Mapping

import orjson

from services import clock
from services.repositories.deliveries import Claim


def envelope(claim: Claim) -> bytes:
    """The body of the contract."""
    alert = orjson.loads(claim.body)
    return orjson.dumps(
        {
            "type": claim.event,
            "timestamp": clock.iso(claim.changed_us),
            "position": claim.position,
            "data": alert if claim.content == "full" else minimal(alert),
        }
    )


def minimal(alert: Mapping[str, object]) -> dict[str, object]:
    """The alert without what could tell a clinical value: no detail, no value and no unit.

    Nor a person's words: a note may hold anything, and content minimal is what ops may have.
    """
    evidence = alert.get("evidence")
    items = evidence if isinstance(evidence, list) else []
    said = {
        name: {**part, "note": None}
        for name in ("acknowledged", "resolution")
        if isinstance(part := alert.get(name), dict)
    }
    return {
        **{name: part for name, part in alert.items() if name != "detail"},
        **said,
        "evidence": [
            {name: part for name, part in item.items() if name in {"fact", "time", "event"}}
            for item in items
        ],
    }


def secrets(claim: Claim, now_us: int) -> list[str]:
    """What signs: the secret, and those before it while they are still valid."""
    retired = orjson.loads(claim.old_secrets)
    still = [old["secret"] for old in retired if old["until_us"] > now_us]
    return [*([claim.secret] if claim.secret else []), *still]
