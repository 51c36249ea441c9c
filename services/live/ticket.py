"""A ticket: who watches, from which position on, and what; it travels with the socket.

Who comes in: the view, after the guard. Who goes out: the hub, also over a unix socket.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import orjson

from services.keys import Caller
from services.matching import Wish, wish
from services.reading.pages import Json


@dataclass(frozen=True)
class Ticket:
    """One open stream; `asked` is a subscription's filter as JSON, `opening` the bytes it gets."""

    caller: Caller
    position: int
    asked: str
    values: bool  # whether clinical values may be shown
    opening: str
    session: str | None = None  # of who came with a cookie; None: with a key

    @property
    def wish(self) -> Wish:
        """What to send; a replay trial's alerts only where it is named, as to subscriptions."""
        trials = self.caller.trials
        within = None if trials is None else orjson.dumps(sorted(trials)).decode()
        return wish(self.asked, "[]", within)

    def encode(self) -> bytes:
        """For the way between two processes."""
        return orjson.dumps(asdict(self), default=sorted)


def asked(query: Json) -> str:
    """The filter of a subscription that wants what this query asks for."""
    found: Json = {
        f"{many}s" if many != "category" else "categories": [query[many]]
        for many in ("trial", "subject", "category")
        if query.get(many) is not None
    }
    if query.get("min_severity") is not None:
        found["min_severity"] = query["min_severity"]
    return orjson.dumps(found, option=orjson.OPT_SORT_KEYS).decode()


def decode(raw: bytes) -> Ticket:
    """The ticket that `encode` wrote. Raises ValueError for one of another version of this code."""
    try:
        found: dict[str, Any] = orjson.loads(raw)
        who = found.pop("caller")
        trials = who.pop("trials")
        caller = Caller(**who, trials=None if trials is None else frozenset(trials))
        return Ticket(caller=caller, **found)
    except (AttributeError, KeyError, TypeError) as error:
        raise ValueError("not a ticket of this version") from error
