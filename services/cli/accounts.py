"""`vigil accounts`: who may sign in to the page.

Who comes in: an administrator at the machine. Who goes out: services.accounts.people.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import IO

import click

from services import clock
from services.accounts import passwords, people
from services.cli.store import opened, table

BY = "vigil accounts"
_FROM = click.option(
    "--password-file",
    "file",
    type=click.File(encoding="utf-8"),
    help="Its first line is the password; - reads standard input.",
)
_GENERATE = click.option("--generate", is_flag=True, help="Make a password and show it once.")


@click.group(name="accounts")
def command() -> None:
    """Accounts of the page: people who sign in with a name and a password."""


@command.command()
@click.argument("name")
@click.option("--role", required=True, type=click.Choice(people.ROLES))
@click.option("--trial", "trials", multiple=True, help="Repeat for several; none: all trials.")
@click.option("--person", help="Who it is, as alerts and the audit show; else the name.")
@_FROM
@_GENERATE
def create(
    name: str,
    role: str,
    trials: Sequence[str],
    person: str | None,
    file: IO[str] | None,
    *,
    generate: bool,
) -> None:
    """Make an account; the password is asked for, or comes from a file, or is made here."""
    password, made = _password(file, generate=generate)
    with opened() as services:
        people.create(
            services.database,
            name,
            role=role,
            password=password,
            person=person,
            trials=list(trials) or None,
            by=BY,
            now_us=clock.now_us(),
        )
    _tell(password, made=made)
    click.echo(f"{name} may sign in", err=True)


@command.command(name="list")
def every() -> None:
    """All accounts, disabled ones too."""
    with opened() as services:
        found = people.every(services.database)
    rows = [
        (
            account.name,
            account.role,
            ", ".join(account.trials) if account.trials else "all",
            account.person,
            clock.iso(account.created_us),
            clock.iso(account.disabled_us) if account.disabled_us else "",
        )
        for account in found
    ]
    table(("name", "role", "trials", "person", "created", "disabled"), rows)


@command.command()
@click.argument("name")
def disable(name: str) -> None:
    """End its sessions at once and let nobody in with it any more."""
    with opened() as services:
        people.disable(services.database, name, by=BY, now_us=clock.now_us())
    click.echo(f"{name} is disabled")


@command.command()
@click.argument("name")
def enable(name: str) -> None:
    """Let its holder sign in again."""
    with opened() as services:
        people.enable(services.database, name, by=BY, now_us=clock.now_us())
    click.echo(f"{name} may sign in")


@command.command()
@click.argument("name")
@_FROM
@_GENERATE
def password(name: str, file: IO[str] | None, *, generate: bool) -> None:
    """Give it another password; whoever is signed in with the old one is out."""
    chosen, made = _password(file, generate=generate)
    with opened() as services:
        people.set_password(services.database, name, chosen, by=BY, now_us=clock.now_us())
    _tell(chosen, made=made)
    click.echo(f"{name} has another password", err=True)


def _password(file: IO[str] | None, *, generate: bool) -> tuple[str, bool]:
    """The password, and whether it was made here: also where there is nobody to ask."""
    if file is not None:
        return file.readline().rstrip("\r\n"), False
    if generate or not sys.stdin.isatty():
        return passwords.generate(), True
    asked: str = click.prompt("Password", hide_input=True, confirmation_prompt=True)
    return asked, False


def _tell(password: str, *, made: bool) -> None:
    """Show what nobody has typed; it cannot be shown again."""
    if made:
        click.echo(password)
        click.echo("shown this once, stored hashed", err=True)
