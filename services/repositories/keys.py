"""API keys as stored: a hash, what it may do and where.

Who comes in: services.keys. Who goes out: the store.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import orjson
from sqlalchemy import Connection, Row, bindparam, insert, select, update

from services.models import api_keys
from services.repositories.among import by_dialect, wanted

KeyRow = Row[*tuple[Any, ...]]

# Asked with every request: built once.
_BY_DIGEST = select(api_keys).where(
    api_keys.c.hash == bindparam("digest"), api_keys.c.revoked_us.is_(None)
)


def add(
    conn: Connection,
    key_id: str,
    *,
    digest: str,
    role: str,
    trials: Sequence[str] | None,
    person: str | None,
    name: str,
    now_us: int,
) -> None:
    """A new key by its sha256; `trials` None means all."""
    conn.execute(
        insert(api_keys).values(
            id=key_id,
            hash=digest,
            role=role,
            trials=None if trials is None else orjson.dumps(sorted(trials)).decode(),
            person=person,
            name=name,
            created_us=now_us,
        )
    )


def by_digest(conn: Connection, digest: str) -> KeyRow | None:
    """The key that is not revoked and has this sha256."""
    return conn.execute(_BY_DIGEST, {"digest": digest}).one_or_none()


def get(conn: Connection, key_id: str) -> KeyRow | None:
    """The key of that id, revoked or not."""
    return conn.execute(select(api_keys).where(api_keys.c.id == key_id)).one_or_none()


_UNREVOKED = by_dialect(
    lambda among: select(api_keys).where(among(api_keys.c.id), api_keys.c.revoked_us.is_(None))
)


def unrevoked(conn: Connection, ids: Collection[str]) -> list[KeyRow]:
    """Those of `ids` that are not revoked."""
    return list(conn.execute(_UNREVOKED[conn.dialect.name], wanted(conn, ids)))


def every(conn: Connection) -> list[KeyRow]:
    """All keys, oldest first, revoked ones too."""
    return list(conn.execute(select(api_keys).order_by(api_keys.c.created_us, api_keys.c.id)))


def revoke(conn: Connection, key_id: str, now_us: int) -> bool:
    """Make a key useless from now on; False if it was so already or does not exist."""
    live = (api_keys.c.id == key_id) & api_keys.c.revoked_us.is_(None)
    return conn.execute(update(api_keys).where(live).values(revoked_us=now_us)).rowcount == 1
