"""Subscriptions made, shown, changed, ended.

Who comes in: the HTTP door with a wish of the contract's shape. Who goes out: the store, the
audit. A subscription belongs to its trials and not to the key that made it: it stands when that
key is revoked, and says by whom it was made.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection

from services import audit
from services.channels.address import Reach
from services.database import Database, retrying
from services.errors import Problem, Rejected
from services.matching import Wish, wish
from services.repositories import deliveries
from services.repositories import subscriptions as stored
from services.repositories.subscriptions import SubscriptionRow
from services.subscriptions.shapes import Json, as_wish, column, new_secret, shown
from services.subscriptions.wishes import (
    WEBHOOK,
    Owner,
    found,
    refuse,
    refuse_matching,
    theirs,
    trials_of,
    visible,
)

_CHANGEABLE = ("name", "channel", "filter", "events", "content", "digest", "status")


def create(
    db: Database, wanted: Mapping[str, Any], owner: Owner, reach: Reach, now_us: int
) -> Json:
    """Make one; the answer alone shows a webhook's `secret`. Raises Rejected, Forbidden."""
    merged = {"filter": {}, "events": [], "content": "minimal", "digest": None, **wanted}
    refuse(merged, owner, reach)
    secret = new_secret() if merged["channel"]["kind"] == WEBHOOK else None
    values = {
        "id": "su_" + secrets.token_hex(13),
        **{name: column(name, merged[name]) for name in _CHANGEABLE if name != "status"},
        "secret": secret,
        "status": "active",
        "trials": column("trials", owner.trials and sorted(owner.trials)),
        "created_us": now_us,
        "created_by": owner.by,
    }

    def write() -> SubscriptionRow:
        with db.writing() as conn:
            stored.add(conn, values)
            record(conn, owner, "subscription.created", values["id"], now_us, changed=[])
            return found(stored.get(conn, values["id"]))

    return {**shown(retrying(write)), **({"secret": secret} if secret else {})}


def every(db: Database, owner: Owner) -> list[Json]:
    """All that this key may see, oldest first."""
    with db.reading() as conn:
        return [shown(row) for row in stored.every(conn) if owner.covers(trials_of(row))]


def get(db: Database, subscription: str, owner: Owner) -> Json:
    """One of them. Raises NotFound, also for what the key may not see."""
    with db.reading() as conn:
        return shown(visible(stored.get(conn, subscription), owner))


def wish_of(db: Database, subscription: str, owner: Owner) -> tuple[Wish, str]:
    """What it wants to be told, for matching, and its content. Raises NotFound."""
    with db.reading() as conn:
        row = visible(stored.get(conn, subscription), owner)
    return wish(row.filter, row.events, row.trials), row.content


def wish_for(wanted: Mapping[str, Any], owner: Owner) -> Wish:
    """What a subscription of this filter and these events would want. Raises as create."""
    refuse_matching(wanted, owner)
    trials = column("trials", owner.trials and sorted(owner.trials))
    return wish(column("filter", wanted["filter"]), column("events", wanted["events"]), trials)


def change(
    db: Database,
    subscription: str,
    wanted: Mapping[str, Any],
    owner: Owner,
    reach: Reach,
    now_us: int,
) -> Json:
    """Change what `wanted` names and nothing else. Raises NotFound, Rejected, Forbidden."""
    values = {name: column(name, wanted[name]) for name in _CHANGEABLE if name in wanted}

    def write() -> SubscriptionRow:
        with db.writing() as conn:
            row = visible(stored.lock(conn, subscription), owner)
            refuse({**as_wish(row), **wanted}, owner, reach, channel="channel" in wanted)
            theirs(row, owner)
            _refuse_other_kind(as_wish(row), wanted)
            stored.change(conn, subscription, values)
            if values.get("content") == "minimal":
                deliveries.restrict(conn, subscription)
            names = sorted(values)
            record(conn, owner, "subscription.changed", subscription, now_us, changed=names)
            return found(stored.get(conn, subscription))

    return shown(retrying(write))


def _refuse_other_kind(row: Json, wanted: Mapping[str, Any]) -> None:
    """What waits was meant for receivers of this kind; one of them has a secret, one has none."""
    if "channel" in wanted and wanted["channel"]["kind"] != row["channel"]["kind"]:
        hint = "make a new subscription and remove this one"
        raise Rejected([Problem("/channel/kind", "cannot be changed", hint)])


def delete(db: Database, subscription: str, owner: Owner, now_us: int) -> None:
    """End it; what still waited for it is cancelled. Raises NotFound, Forbidden."""

    def write() -> None:
        with db.writing() as conn:
            theirs(stored.lock(conn, subscription), owner)
            ended = {"status": "deleted", "secret": None, "old_secrets": "[]"}
            stored.change(conn, subscription, ended)
            deliveries.cancel_waiting(conn, subscription)
            record(conn, owner, "subscription.removed", subscription, now_us, changed=[])

    retrying(write)


def record(
    conn: Connection, owner: Owner, action: str, subscription: str, now_us: int, **detail: Any
) -> None:
    """Who did it, and which parts; never what they now say (a header may hold a password)."""
    audit.append(conn, audit.ADMIN, now_us, owner.by, action, subscription, detail)
