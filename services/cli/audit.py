"""`vigil audit`: is the record what was written?

Who comes in: an auditor. Who goes out: services.audit.
"""

from __future__ import annotations

import click

from services import audit
from services.cli.store import opened


@click.group(name="audit")
def command() -> None:
    """The append-only, hash-chained record of who did what."""


@command.command()
def verify() -> int:
    """Recompute every chain; exit 1 and name the place where one does not hold."""
    with opened() as services:
        broken = list(audit.verify(services.database))
    for place in broken:
        click.echo(f"{place.chain} {place.n}: {place.reason}")
    click.echo("the audit's chains do not hold" if broken else "the audit's chains hold")
    return 1 if broken else 0
