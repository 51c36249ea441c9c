"""What a subscription may be, and whose it is: every reason against a wish, at once.

Who comes in: the other modules here. Who goes out: nobody; nothing is read or written.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from services.channels.address import AddressError, Reach, check
from services.channels.webhook import OWN_HEADERS
from services.config import MAILBOX
from services.errors import Forbidden, NotFound, Problem, Rejected
from services.repositories.subscriptions import SubscriptionRow

EVENTS = frozenset(
    f"alert.{kind}"
    for kind in (
        *("opened", "updated", "acknowledged", "snoozed", "escalated"),
        *("reopened", "resolved", "superseded"),
    )
)
FULL_ROLES = frozenset({"clinician", "admin"})
WEBHOOK, EMAIL = "webhook", "email"
# Stands for a receiver's header, which often holds a password.
HIDDEN = "hidden"
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,100}")
_HEADER_TEXT = re.compile(r"[\t\x20-\x7e]{0,2000}")

Wish = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Owner:
    """On whose behalf: the key's role, its trials (None: all), and the name on record."""

    role: str
    trials: tuple[str, ...] | None
    by: str

    def covers(self, trials: list[str] | None) -> bool:
        """Whether this key reaches all that a subscription of `trials` would show."""
        return self.trials is None or (trials is not None and set(trials) <= set(self.trials))


def trials_of(row: SubscriptionRow) -> list[str] | None:
    """The trials of the key that made it; None: all."""
    trials: list[str] | None = orjson.loads(row.trials) if row.trials else None
    return trials


def found(row: SubscriptionRow | None) -> SubscriptionRow:
    """The row. Raises NotFound where there is none."""
    if row is None:
        raise NotFound("there is no such subscription")
    return row


def visible(row: SubscriptionRow | None, owner: Owner) -> SubscriptionRow:
    """The row, if the key reaches its trials. Raises NotFound."""
    if not owner.covers(trials_of(found(row))):
        raise NotFound("there is no such subscription")
    return found(row)


def theirs(row: SubscriptionRow | None, owner: Owner) -> SubscriptionRow:
    """The row, if the key may act on it. Raises NotFound; Forbidden where it shows values.

    What shows values goes where those who may see them have said, and nowhere else: whoever could
    change its address, or learn its secret, could have them.
    """
    row = visible(row, owner)
    if row.content == "full" and owner.role not in FULL_ROLES:
        raise Forbidden("content full is for a clinician's or an admin's key")
    return row


def refuse(wish: Wish, owner: Owner, reach: Reach, *, channel: bool = True) -> None:
    """Raise Forbidden for what the key may not have, Rejected for what nobody can.

    A `channel` that stays as it is is not judged again: who may no longer be reached can be
    disabled all the same, and each attempt judges the address anyway.
    """
    _forbid(wish, owner)
    problems = [*_wrong_channel(wish["channel"], reach)] if channel else []
    problems += [*_wrong_events(wish), *_wrong_rest(wish)]
    if problems:
        raise Rejected(problems)


def refuse_matching(wish: Wish, owner: Owner) -> None:
    """The same for a wish of which only what is matched is known."""
    _forbid(wish, owner)
    problems = list(_wrong_events(wish))
    if problems:
        raise Rejected(problems)


def _forbid(wish: Wish, owner: Owner) -> None:
    if wish["content"] == "full" and owner.role not in FULL_ROLES:
        raise Forbidden("content full needs a clinician's or an admin's key")
    trials = wish["filter"].get("trials") or []
    if owner.trials is not None and not set(trials) <= set(owner.trials):
        raise Forbidden("the filter names a trial that the key does not reach")


def _wrong_channel(channel: Wish, reach: Reach) -> Iterator[Problem]:
    if channel["kind"] == EMAIL:
        return _wrong_mail(channel, reach)
    return _wrong_webhook(channel, reach)


def _wrong_mail(channel: Wish, reach: Reach) -> Iterator[Problem]:
    if not reach.mail:
        hint = "use kind webhook, or have VIGIL_SMTP_URL set"
        yield Problem("/channel/kind", "this service has no mail server", hint)
    recipients = channel.get("to") or []
    if not recipients:
        yield Problem("/channel/to", "an e-mail needs recipients", '["safety@hospital.example"]')
    if not all(re.fullmatch(MAILBOX, one) for one in recipients):
        hint = "name@host in ASCII, without a display name"
        yield Problem("/channel/to", "holds what is no e-mail address", hint)
    if len({one.lower() for one in recipients}) < len(recipients):
        yield Problem("/channel/to", "names a recipient twice")
    for name in sorted({"url", "headers"} & channel.keys()):
        yield Problem(f"/channel/{name}", "belongs to a webhook")


def _wrong_webhook(channel: Wish, reach: Reach) -> Iterator[Problem]:
    if "to" in channel:
        yield Problem("/channel/to", "belongs to an e-mail")
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
        elif text == HIDDEN:
            hint = "send the header's own text, which is not shown again"
            yield Problem("/channel/headers", f"{HIDDEN} stands for a text, it is none", hint)


def _wrong_events(wish: Wish) -> Iterator[Problem]:
    if set(wish["events"]) - EVENTS:
        yield Problem("/events", "an event that there is not", ", ".join(sorted(EVENTS)))


def _wrong_rest(wish: Wish) -> Iterator[Problem]:
    if wish["content"] not in {"minimal", "full"}:
        yield Problem("/content", "neither minimal nor full")
    if wish["digest"] is not None:
        yield Problem("/digest", "every alert is told at once", "leave digest out")
    if wish.get("status") not in {None, "active", "disabled"}:
        yield Problem("/status", "neither active nor disabled")
