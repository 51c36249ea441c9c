"""A trial's course: its replay clock, and the hold on enrolment that two persons set and lift.

Who comes in: the HTTP door with a person. Who goes out: trials and the audit. Trials are made and
their protocols put in force by services.protocols.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any

import orjson
from sqlalchemy import Connection, case, update

from services import audit, models
from services.clock import iso
from services.database import Database, retrying
from services.errors import Conflict, NotFound
from services.repositories import trials
from services.repositories.trials import TrialRow

# How long the first person's wish waits for a second person (contract §3).
WITHIN_US = 24 * 3600 * 1_000_000


class Wish(StrEnum):
    """What needs two persons; the values are the paths of contract §3."""

    SUSPEND = "suspend"
    RESUME = "resume"


# The status that each of them leads to.
_LEADS_TO = {Wish.SUSPEND: "suspended", Wish.RESUME: trials.OPEN}


def advance(db: Database, trial: str, to_us: int, by: str, now_us: int) -> None:
    """Move a replay trial's clock on to `to_us`: nothing more will come up to then.

    Earlier than where it stands changes nothing. The sweep takes every stream there. Raises
    NotFound, and Conflict for a live trial, whose clock is the wall's.
    """

    def store() -> None:
        with db.writing() as conn:
            row = _locked(conn, trial)
            if row.mode != trials.REPLAY:
                raise Conflict("A live trial's clock is the wall clock; only a replay's is moved.")
            if row.advanced_us >= to_us:
                return
            clock = models.trials.c.clock_us
            conn.execute(
                update(models.trials)
                .where(models.trials.c.id == trial)
                .values(
                    clock_us=case((clock < to_us, to_us), else_=clock),
                    advanced_us=to_us,
                )
            )
            audit.append(conn, audit.ADMIN, now_us, by, "trial.advanced", trial, {"to": iso(to_us)})

    retrying(store)


def by_two(db: Database, trial: str, wish: Wish, by: str, reason: str, now_us: int) -> int | None:
    """Hold enrolment or let it go on. None: it is so now; else until when the wish waits.

    The second of two different persons makes it happen. Raises NotFound, and Conflict for the same
    person again and for a closed trial.
    """

    def store() -> int | None:
        with db.writing() as conn:
            return _one_more(conn, _locked(conn, trial), wish, by, reason, now_us)

    return retrying(store)


def _one_more(
    conn: Connection, row: TrialRow, wish: Wish, by: str, reason: str, now_us: int
) -> int | None:
    """One person's word on `wish`."""
    if row.status == _LEADS_TO[wish]:
        return None
    if row.status == "closed":
        raise Conflict("The trial is closed.")
    first = _standing(row, wish, now_us)
    said = {"reason": reason}
    if first is None:
        asked = {"action": wish, "by": by, "reason": reason, "at_us": now_us}
        trials.change(conn, row.id, awaiting_second=orjson.dumps(asked).decode())
        audit.append(conn, audit.ADMIN, now_us, by, f"trial.{wish}.asked", row.id, said)
        return now_us + WITHIN_US
    if first["by"] == by:
        raise Conflict("A different person must ask the same; you have asked already.")
    hold = _hold(row, first, by, now_us) if wish is Wish.SUSPEND else None
    trials.change(conn, row.id, status=_LEADS_TO[wish], hold=hold, awaiting_second=None)
    both = {"reason": reason or first["reason"], "first": first["by"]}
    audit.append(conn, audit.ADMIN, now_us, by, f"trial.{wish}.done", row.id, both)
    return None


def _standing(row: TrialRow, wish: Wish, now_us: int) -> dict[str, Any] | None:
    """The first person's wish, if it is this one and still counts."""
    first: dict[str, Any] | None = orjson.loads(row.awaiting_second or "null")
    if first is None or first["action"] != wish or now_us >= first["at_us"] + WITHIN_US:
        return None
    return first


def _hold(row: TrialRow, first: dict[str, Any], by: str, now_us: int) -> str:
    """The hold as it is stored; in a replay trial it begins at the trial's own time."""
    since_us = row.clock_us if row.mode == trials.REPLAY else now_us
    hold = {"since_us": since_us, "by": f"{first['by']}, {by}", "reason": first["reason"]}
    return orjson.dumps(hold).decode()


def _locked(conn: Connection, trial: str) -> TrialRow:
    """The trial's row, locked. Raises NotFound."""
    if trials.get(conn, trial) is None:
        raise NotFound("There is no such trial.")
    return trials.lock(conn, trial)
