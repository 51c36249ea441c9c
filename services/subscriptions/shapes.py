"""A subscription as a row and as JSON of the contract; its secrets.

Who comes in: the other modules here. Who goes out: nobody.
"""

from __future__ import annotations

import base64
import secrets
from typing import Any

import orjson

from services import clock
from services.repositories.subscriptions import SubscriptionRow
from services.subscriptions.wishes import HIDDEN, trials_of

Json = dict[str, Any]
_AS_JSON = frozenset({"channel", "filter", "events", "trials"})


def new_secret() -> str:
    """A secret as Standard Webhooks writes them: 256 random bits."""
    return "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode()


def signing(row: SubscriptionRow, now_us: int) -> list[str]:
    """What signs: the secret, and those before it while they are still valid."""
    return [*([row.secret] if row.secret else []), *(one["secret"] for one in retired(row, now_us))]


def retired(row: SubscriptionRow, now_us: int) -> list[Json]:
    """The secrets before this one that still sign: {"secret", "until_us"}, newest first."""
    return [one for one in orjson.loads(row.old_secrets) if one["until_us"] > now_us]


def shown(row: SubscriptionRow) -> Json:
    """The contract's JSON, without the secret and without the texts of the receiver's headers."""
    channel = orjson.loads(row.channel)
    if "headers" in channel:
        channel["headers"] = dict.fromkeys(channel["headers"], HIDDEN)
    return {
        "id": row.id,
        **as_wish(row),
        "channel": channel,
        "status": row.status,
        "trials": trials_of(row),
        "position": row.last_position,
        "failing_since": None if row.failing_since_us is None else clock.iso(row.failing_since_us),
        "created_at": clock.iso(row.created_us),
        "created_by": row.created_by,
    }


def as_wish(row: SubscriptionRow) -> Json:
    """The row as the wish it was made of."""
    return {
        "name": row.name,
        "channel": orjson.loads(row.channel),
        "filter": orjson.loads(row.filter),
        "events": orjson.loads(row.events),
        "content": row.content,
        "digest": row.digest,
    }


def column(name: str, value: Any) -> Any:
    """What stands in the column `name` for this part of a wish."""
    as_json = name in _AS_JSON and value is not None
    return orjson.dumps(value).decode() if as_json else value
