"""Before the first request: the schema, the trials of the protocols' folder, and the first keys.

Who comes in: the supervisor, as a short process of its own, so that it stays small itself; and
`vigil prepare`, which makes no keys. Who goes out: rows, keys.json, and complaints on standard
error. Nothing here is done twice, however many do it at once.
"""

from __future__ import annotations

import hashlib
import logging
import os
import sys
from pathlib import Path

from sqlalchemy.exc import OperationalError

import rules
from services import clock, database, keys, logs, protocols
from services.accounts import passwords, people
from services.config import Settings
from services.database import Database
from services.errors import Conflict, Rejected, ServiceError
from services.repositories import protocols as versions
from services.repositories import trials
from services.supervisor import premises

BY = "vigil up"
DEMO_TRIAL, DEMO_OF, DEMO_BANNER = "demo-msc-cgvhd", "msc-cgvhd", "DEMO"


def main(arguments: list[str]) -> int:
    """Prepare everything; the exit status of the process."""
    settings, ready = Settings.from_env(os.environ), int(arguments[0])
    logs.configure(settings.log_level)
    logging.getLogger("alembic").setLevel(logging.WARNING)
    db = Database(settings.database_url)
    try:
        database.upgrade(db)
        make_keys(db, settings.data)
        make_accounts(db, settings.data)
        os.write(ready, b"!")  # now the others can start; they need no trial for that
        bring_all(db, settings.protocols, BY)
        if "--demo" in arguments:
            bring(db, settings.protocols / f"{DEMO_OF}.yaml", DEMO_TRIAL, BY, DEMO_BANNER)
    except ServiceError as error:
        complain(f"vigil: {error}")
        return 1
    except OperationalError:
        complain("vigil: VIGIL_DATABASE_URL: the database does not answer")
        return 1
    finally:
        db.dispose()
    return 0


def bring_all(db: Database, folder: Path, by: str) -> None:
    """Each protocol of `folder` as a live trial of its file's name."""
    for path in sorted(folder.glob("*.yaml")):
        bring(db, path, path.stem, by)


def bring(db: Database, path: Path, trial: str, by: str, banner: str | None = None) -> None:
    """A new trial in force, or a draft where the file has changed; else nothing, or complaints."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        complain(f"{path}:1: cannot be read ({type(error).__name__})")
        return
    if _known(db, trial, text):
        return
    try:
        if _exists(db, trial):
            protocols.add_version(db, trial, text, by, clock.now_us())
            complain(f"{path}:1: changed: stored as a draft (activate it to put it in force)")
        else:
            protocols.create_trial(
                db, trial, trials.LIVE, text, by, clock.now_us(), activate=True, banner=banner
            )
    except Conflict as error:
        complain(f"{path}:1: {error}")
    except Rejected as error:
        complain_of(path, error)


def _exists(db: Database, trial: str) -> bool:
    with db.reading() as conn:
        return trials.get(conn, trial) is not None


def _known(db: Database, trial: str, text: str) -> bool:
    """Whether this very text is stored already: then nothing need be parsed."""
    digest = hashlib.sha256(text.encode()).hexdigest()
    with db.reading() as conn:
        return any(version.digest == digest for version in versions.of_trial(conn, trial))


def complain_of(path: Path, refused: Rejected) -> None:
    """Say FILE:LINE of each complaint; what was in force before stays in force."""
    try:
        protocol = rules.load(path)
        complaints = list(rules.check(protocol).complaints)
    except rules.ProtocolError as error:
        complaints = error.complaints
    for complaint in complaints:
        complain(str(complaint))
    if not complaints:
        for problem in refused.problems:
            complain(f"{path}:1: {problem.detail} ({problem.hint})")


def complain(text: str) -> None:
    """One line for whoever started us."""
    sys.stderr.write(text + "\n")


def make_keys(db: Database, data: Path) -> None:
    """One key a role, made once for a data directory; revoked ones are not made again."""
    if premises.read_keys(data):
        return
    made = {
        role: keys.create(
            db, role=role, person=role, name=f"{role} of {BY}", by=BY, now_us=clock.now_us()
        )[1]
        for role in keys.ROLES
    }
    premises.write_keys(data, made, {})


def make_accounts(db: Database, data: Path) -> None:
    """One account a role for the page, made once; who has one of that name keeps it as it is.

    Written down before they are made: a start that ends in between makes them the next time.
    """
    sign_in = premises.read_sign_in(data)
    there = {account.name for account in people.every(db)}
    if not sign_in:
        sign_in = {
            role: {"name": role, "password": passwords.generate()}
            for role in people.ROLES
            if role not in there
        }
        premises.write_keys(data, premises.read_keys(data), sign_in)
    for role, account in sign_in.items():
        if account["name"] not in there:
            people.create(db, **account, role=role, by=BY, now_us=clock.now_us())


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
