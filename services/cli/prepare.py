"""`vigil prepare`: the schema and the trials, before or beside whoever serves.

Who comes in: the one-off service `prepare` of docker-compose.yml, an administrator before an
upgrade. Who goes out: services.supervisor.preparation. It makes no keys: nobody would see them.
"""

from __future__ import annotations

import logging
import os

import click
from sqlalchemy.exc import OperationalError

from services import database, logs
from services.bootstrap import Services
from services.config import Settings
from services.errors import ServiceError
from services.supervisor import preparation

BY = "vigil prepare"


@click.command(name="prepare")
@click.option("--schema-only", is_flag=True, help="Leave the trials as they are.")
def command(*, schema_only: bool) -> None:
    """Bring the schema up to date and make the trials of VIGIL_PROTOCOLS.

    Safe to run again and by several at once: what is done already is left alone, a protocol file
    that does not hold is named by file and line and leaves in force what was.
    """
    settings = Settings.from_env(os.environ)
    logs.configure(settings.log_level)
    logging.getLogger("alembic").setLevel(logging.WARNING)
    services = Services.build(settings)
    try:
        database.upgrade(services.database)
        if not schema_only:
            preparation.bring_all(services.database, settings.protocols, BY)
    except OperationalError as error:
        raise ServiceError("VIGIL_DATABASE_URL: the database does not answer") from error
    finally:
        services.dispose()
    click.echo(
        "the schema is current" if schema_only else "the schema is current, the trials stand"
    )
