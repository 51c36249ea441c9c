"""Who wants to be told of which alerts, and where: made, shown, changed, ended.

Who comes in: the HTTP door with a wish of the contract's shape. Who goes out: the subscription as
JSON of the contract. A wish for what cannot be is refused here with every reason at once.
"""

from __future__ import annotations

import base64
import re
import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import orjson
from sqlalchemy import Connection

from services import audit, clock
from services.channels.address import AddressError, Reach, check
from services.channels.webhook import OWN_HEADERS
from services.database import Database, retrying
from services.errors import Forbidden, NotFound, Problem, Rejected
from services.repositories import deliveries
from services.repositories import subscriptions as stored
from services.repositories.subscriptions import SubscriptionRow

EVENTS = frozenset(
    f"alert.{kind}"
    for kind in (
        *("opened", "updated", "acknowledged", "snoozed", "escalated"),
        *("reopened", "resolved", "superseded"),
    )
)
FULL_ROLES = frozenset({"clinician", "admin"})
_CHANGEABLE = ("name", "channel", "filter", "events", "content", "digest", "status")
_AS_JSON = frozenset({"channel", "filter", "events", "trials"})
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,100}")
_HEADER_TEXT = re.compile(r"[\t\x20-\x7e]{0,2000}")
_HIDDEN = "hidden"

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Owner:
    """On whose behalf: the key's role, its trials (None: all), and the name on record."""

    role: str
    trials: tuple[str, ...] | None
    by: str

    def covers(self, trials: list[str] | None) -> bool:
        """Whether this key reaches all that a subscription of `trials` would show."""
        return self.trials is None or (trials is not None and set(trials) <= set(self.trials))


def create(db: Database, wish: Mapping[str, Any], owner: Owner, reach: Reach, now_us: int) -> Json:
    """Make a subscription; the answer alone shows its `secret`. Raises Rejected, Forbidden."""
    merged = {"filter": {}, "events": [], "content": "minimal", "digest": None, **wish}
    _refuse(merged, owner, reach)
    values = {
        "id": "su_" + secrets.token_hex(13),
        **{name: _column(name, merged[name]) for name in _CHANGEABLE if name != "status"},
        "secret": new_secret(),
        "status": "active",
        "trials": _column("trials", owner.trials and sorted(owner.trials)),
        "created_us": now_us,
        "created_by": owner.by,
    }

    def write() -> SubscriptionRow:
        with db.writing() as conn:
            stored.add(conn, values)
            _audit(conn, owner, "subscription.created", values["id"], [], now_us)
            return _found(stored.get(conn, values["id"]))

    return {**shown(retrying(write)), "secret": values["secret"]}


def every(db: Database, owner: Owner) -> list[Json]:
    """All that this key may see, oldest first."""
    with db.reading() as conn:
        return [shown(row) for row in stored.every(conn) if owner.covers(_trials(row))]


def get(db: Database, subscription: str, owner: Owner) -> Json:
    """One of them. Raises NotFound, also for what the key may not see."""
    with db.reading() as conn:
        return shown(_visible(stored.get(conn, subscription), owner))


def change(
    db: Database,
    subscription: str,
    wish: Mapping[str, Any],
    owner: Owner,
    reach: Reach,
    now_us: int,
) -> Json:
    """Change what `wish` names, nothing else; `status` is active or disabled. Raises as create."""
    values = {name: _column(name, wish[name]) for name in _CHANGEABLE if name in wish}

    def write() -> SubscriptionRow:
        with db.writing() as conn:
            row = _visible(stored.get(conn, subscription), owner)
            _refuse({**_wish(row), **wish}, owner, reach)
            # What shows values goes where those who may see them have said, and nowhere else.
            if row.content == "full" and owner.role not in FULL_ROLES:
                raise Forbidden("content full is changed by a clinician's or an admin's key")
            stored.change(conn, subscription, values)
            _audit(conn, owner, "subscription.changed", subscription, sorted(values), now_us)
            return _found(stored.get(conn, subscription))

    return shown(retrying(write))


def delete(db: Database, subscription: str, owner: Owner, now_us: int) -> None:
    """End it; what still waited for it is cancelled. Raises NotFound."""

    def write() -> None:
        with db.writing() as conn:
            _visible(stored.get(conn, subscription), owner)
            stored.change(conn, subscription, {"status": "deleted", "secret": None})
            deliveries.cancel_waiting(conn, subscription)
            _audit(conn, owner, "subscription.removed", subscription, [], now_us)

    retrying(write)


def new_secret() -> str:
    """A secret as Standard Webhooks writes them: 256 random bits."""
    return "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode()


def shown(row: SubscriptionRow) -> Json:
    """The contract's JSON, without the secret and without the texts of the receiver's headers."""
    channel = orjson.loads(row.channel)
    if "headers" in channel:  # they often hold a password of the receiver's
        channel["headers"] = dict.fromkeys(channel["headers"], _HIDDEN)
    return {
        "id": row.id,
        **_wish(row),
        "channel": channel,
        "status": row.status,
        "created_at": clock.iso(row.created_us),
        "created_by": row.created_by,
    }


def _wish(row: SubscriptionRow) -> Json:
    """The row as the wish it was made of."""
    return {
        "name": row.name,
        "channel": orjson.loads(row.channel),
        "filter": orjson.loads(row.filter),
        "events": orjson.loads(row.events),
        "content": row.content,
        "digest": row.digest,
    }


def _column(name: str, value: Any) -> Any:
    as_json = name in _AS_JSON and value is not None
    return orjson.dumps(value).decode() if as_json else value


def _audit(
    conn: Connection, owner: Owner, action: str, subscription: str, names: list[str], now_us: int
) -> None:
    """Who did it, and which parts; never what they now say (a header may hold a password)."""
    audit.append(conn, audit.ADMIN, now_us, owner.by, action, subscription, {"changed": names})


def _trials(row: SubscriptionRow) -> list[str] | None:
    trials: list[str] | None = orjson.loads(row.trials) if row.trials else None
    return trials


def _found(row: SubscriptionRow | None) -> SubscriptionRow:
    if row is None:
        raise NotFound("there is no such subscription")
    return row


def _visible(row: SubscriptionRow | None, owner: Owner) -> SubscriptionRow:
    found = _found(row)
    if not owner.covers(_trials(found)):
        raise NotFound("there is no such subscription")
    return found


def _refuse(wish: Mapping[str, Any], owner: Owner, reach: Reach) -> None:
    """Raise Forbidden for what the key may not have, Rejected for what nobody can."""
    if wish["content"] == "full" and owner.role not in FULL_ROLES:
        raise Forbidden("content full needs a clinician's or an admin's key")
    trials = wish["filter"].get("trials") or []
    if owner.trials is not None and not set(trials) <= set(owner.trials):
        raise Forbidden("the filter names a trial that the key does not reach")
    problems = [*_wrong_channel(wish["channel"], reach), *_wrong_rest(wish)]
    if problems:
        raise Rejected(problems)


def _wrong_channel(channel: Mapping[str, Any], reach: Reach) -> Iterator[Problem]:
    if channel.get("kind") != "webhook":
        yield Problem("/channel/kind", "this service sends webhooks only", "use kind webhook")
        return
    if not isinstance(channel.get("url"), str):
        yield Problem("/channel/url", "a webhook needs a URL", "https://receiver.example/path")
        return
    try:
        check(channel["url"], reach)
    except AddressError as error:
        hint = "http or https, at a public address (VIGIL_WEBHOOK_ALLOW_PRIVATE=1 lifts that)"
        yield Problem("/channel/url", str(error), hint)
    for name, text in (channel.get("headers") or {}).items():
        if not _HEADER_NAME.fullmatch(name) or not _HEADER_TEXT.fullmatch(str(text)):
            yield Problem("/channel/headers", "a header that HTTP does not allow")
        elif name.lower() in OWN_HEADERS:
            yield Problem("/channel/headers", f"{name.lower()} is set by the service")


def _wrong_rest(wish: Mapping[str, Any]) -> Iterator[Problem]:
    if wish["content"] not in {"minimal", "full"}:
        yield Problem("/content", "neither minimal nor full")
    unknown = sorted(set(wish["events"]) - EVENTS)
    if unknown:
        yield Problem("/events", "an event that there is not", ", ".join(sorted(EVENTS)))
    if wish["digest"] is not None:
        yield Problem("/digest", "webhooks are sent at once", "leave digest out")
    if wish.get("status") not in {None, "active", "disabled"}:
        yield Problem("/status", "neither active nor disabled")
