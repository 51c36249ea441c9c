"""`vigil keys`: make, list and revoke API keys in the service's own store.

Who comes in: an administrator at the machine. Who goes out: services.keys.
"""

from __future__ import annotations

from collections.abc import Sequence

import click

from services import clock, keys
from services.cli.store import opened, table

BY = "vigil keys"


@click.group(name="keys")
def command() -> None:
    """API keys: shown once, stored hashed."""


@command.command()
@click.option("--role", required=True, type=click.Choice(keys.ROLES))
@click.option("--trial", "trials", multiple=True, help="Repeat for several; none: all trials.")
@click.option("--person", help="Whose it is; needed for a clinician's or an admin's.")
@click.option("--name", default="", help="What it is for.")
def create(role: str, trials: Sequence[str], person: str | None, name: str) -> None:
    """Make a key; it is printed once and cannot be shown again."""
    with opened() as services:
        made, secret = keys.create(
            services.database,
            role=role,
            trials=list(trials) or None,
            person=person,
            name=name,
            by=BY,
            now_us=clock.now_us(),
        )
    click.echo(secret)
    click.echo(f"{made.id}: shown this once, stored hashed", err=True)


@command.command(name="list")
def every() -> None:
    """All keys, revoked ones too; never the keys themselves."""
    with opened() as services:
        found = keys.every(services.database)
    rows = [
        (
            key.id,
            key.role,
            ", ".join(key.trials) if key.trials else "all",
            key.person or "",
            key.name,
            clock.iso(key.created_us),
            clock.iso(key.revoked_us) if key.revoked_us else "",
        )
        for key in found
    ]
    table(("id", "role", "trials", "person", "name", "created", "revoked"), rows)


@command.command()
@click.argument("key_id", metavar="ID")
def revoke(key_id: str) -> None:
    """Make a key useless from now on."""
    with opened() as services:
        keys.revoke(services.database, key_id, by=BY, now_us=clock.now_us())
    click.echo(f"{key_id} is revoked")
