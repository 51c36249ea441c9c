"""Pages of lists: opaque cursors that stay right while rows are added.

Who comes in: the other modules of reading. Who goes out: nobody. A cursor holds the sort key of
the last item shown, so a row that was shown is never shown again and none after it is skipped.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Sequence
from typing import Any

import orjson

from services.clock import iso
from services.errors import Problem, Rejected

Json = dict[str, Any]
Key = Sequence[str | int]


def page(
    rows: Sequence[Any], limit: int, shape: Callable[[Any], Json], key: Callable[[Any], Key]
) -> Json:
    """The contract's list; ask for `limit + 1` rows, so that the last page is known as such."""
    shown = rows[:limit]
    more = len(rows) > limit
    return {
        "items": [shape(row) for row in shown],
        "next": pack(key(shown[-1])) if more and shown else None,
    }


def everything(items: Sequence[Json]) -> Json:
    """A list that is never long."""
    return {"items": list(items), "next": None}


def pack(key: Key) -> str:
    """A sort key as a cursor."""
    return base64.urlsafe_b64encode(orjson.dumps(list(key))).decode().rstrip("=")


def unpack(cursor: str | None, *kinds: type) -> list[Any] | None:
    """The sort key in `cursor`, of exactly these types. Raises Rejected for anything else."""
    if cursor is None:
        return None
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        key = orjson.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
    except (binascii.Error, ValueError):
        key = None
    if (
        not isinstance(key, list)
        or [type(part) for part in key] != list(kinds)
        or not _storable(key)
    ):
        raise Rejected(
            [Problem("/query/cursor", "is not a cursor of this list", "use `next` as it came")]
        )
    return key


def _storable(key: list[Any]) -> bool:
    """Whether a database can compare with it."""
    return all(abs(part) < 2**63 if isinstance(part, int) else "\x00" not in part for part in key)


def iso_or_none(instant_us: int | None) -> str | None:
    """RFC 3339, or null where there is none."""
    return None if instant_us is None else iso(instant_us)
