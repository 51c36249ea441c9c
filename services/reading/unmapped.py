"""What publishers send and the protocol in force does not declare: the mapping worklist.

Who comes in: GET .../unmapped. Who goes out: repositories, the protocol in force.
"""

from __future__ import annotations

from sqlalchemy import Connection

from services.clock import iso
from services.reading import engines
from services.reading.pages import Json, everything
from services.reading.trials import exists
from services.repositories import unmapped


def of_trial(conn: Connection, trial: str) -> Json | None:
    """The codes still to be declared, the most frequent first; None: there is no such trial.

    One that the version in force declares by now is not told of any more.
    """
    if not exists(conn, trial):
        return None
    protocol = engines.active(conn, trial)
    rows = unmapped.of_trial(conn, trial)
    return everything(
        [
            {
                "type": row.type,
                "system": row.system or None,
                "code": row.code,
                "count": row.refusals,
                "first_seen": iso(row.first_us),
                "last_seen": iso(row.last_us),
            }
            for row in rows
            if protocol is None or not protocol.checker.declares(row.type, row.system, row.code)
        ]
    )
