"""A trial's course: the clock of a replay trial.

Who comes in: the HTTP door with a person. Who goes out: trials and the audit. Trials are made and
their protocols put in force by services.protocols, held and resumed by services.holding.
"""

from __future__ import annotations

from sqlalchemy import Connection, case, update

from services import audit, models
from services.clock import iso
from services.database import Database, retrying
from services.errors import Conflict, NotFound
from services.repositories import trials
from services.repositories.trials import TrialRow


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


def _locked(conn: Connection, trial: str) -> TrialRow:
    """The trial's row, locked. Raises NotFound."""
    if trials.get(conn, trial) is None:
        raise NotFound("There is no such trial.")
    return trials.lock(conn, trial)
