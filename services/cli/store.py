"""What the commands share that look into the store: opening it, and tables for a person.

Who comes in: commands. Who goes out: bootstrap, rich.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import click
from rich import box
from rich.console import Console
from rich.table import Table
from sqlalchemy.exc import OperationalError

from services import database
from services.bootstrap import Services
from services.config import Settings
from services.errors import ServiceError


@contextmanager
def opened() -> Iterator[Services]:
    """The store of the settings, with its schema. Raises ServiceError where there is none."""
    settings = Settings.from_env(os.environ)
    services = Services.build(settings)
    try:
        settings.data.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not database.is_current(services.database):
            database.upgrade(services.database)
        yield services
    except OperationalError as error:
        raise ServiceError("VIGIL_DATABASE_URL: the database does not answer") from error
    finally:
        services.dispose()


def table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Rows under headings; for another program, a line each with tabs between."""
    console = Console()
    if not console.is_terminal:
        for row in (headings, *rows):
            click.echo("\t".join(row))
        return
    shown = Table(*headings, box=box.SIMPLE_HEAD)
    for row in rows:
        shown.add_row(*row)
    console.print(shown)
