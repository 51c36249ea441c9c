"""`vigil up`: the whole service in one command.

Who comes in: a person, or a service manager. Who goes out: the supervisor.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path

import click

from services.config import Settings
from services.supervisor.premises import DirectoryTaken, PortTaken, SignIn
from services.supervisor.watch import up

PORT_TAKEN, DIRECTORY_TAKEN = 3, 4


class Terminal:
    """Says what happens in lines that a person reads; the machines' log goes to standard error."""

    def __init__(self, *, show_keys: bool) -> None:
        """Keys are shown only where a person asked for a show."""
        self._show_keys = show_keys

    def serving(
        self, url: str, keys: Mapping[str, str], sign_in: SignIn, settings: Settings
    ) -> None:
        """The way in."""
        rows, files = [("", "", "")], "(run.json: all of this)"
        if self._show_keys:
            files = "(run.json: all of this; vigil.log: the machines' own words)"
            rows += [
                ("sign in", account["name"], f"password {account['password']}")
                for account in sign_in.values()
            ]
            rows += [("API key", role, key) for role, key in keys.items()]
        rows += [
            ("data", str(settings.data), files),
            ("stop", "Ctrl-C", "the data stay"),
            ("", "", ""),
        ]
        click.echo(f"Vigil serves {click.style(url, bold=True)}")
        before = ""
        for what, name, text in rows:
            click.echo(f"  {'' if what == before else what:<8} {name:<10} {text}".rstrip())
            before = what
        sys.stdout.flush()

    def died(self, name: str, status: int) -> None:
        """Which one, and how."""
        how = f"signal {-status}" if status < 0 else f"status {status}"
        click.echo(f"vigil: {name} ended ({how}) and is started again", err=True)

    def brokerless(self) -> None:
        """Slower, and nothing lost."""
        click.echo("vigil: no broker could be started; the sweep works without it", err=True)

    def stopping(self) -> None:
        """It takes a moment."""
        click.echo("Stopping; once more stops at once.")


@click.command(name="up")
@click.option("--data", type=click.Path(file_okay=False, path_type=Path), help="VIGIL_DATA")
@click.option("--host", help="VIGIL_HOST")
@click.option("--port", type=int, help="VIGIL_PORT; 0 takes any that is free")
@click.option("--workers", type=int, help="VIGIL_WORKERS: processes that evaluate")
@click.option("--demo", is_flag=True, help="Play a synthetic story into a trial of its own.")
def command(
    data: Path | None, host: str | None, port: int | None, workers: int | None, *, demo: bool
) -> int:
    """Run API, workers, scheduler, broker and database until Ctrl-C."""
    given = {"DATA": data, "HOST": host, "PORT": port, "WORKERS": workers}
    chosen = {f"VIGIL_{name}": str(value) for name, value in given.items() if value is not None}
    beside = {name for name in os.environ if name.removesuffix("_FILE") not in chosen}
    settings = Settings.from_env({name: os.environ[name] for name in beside} | chosen)
    try:
        return up(settings, Terminal(show_keys=demo), demo=demo)
    except PortTaken as error:
        click.echo(f"vigil: {error}", err=True)
        return PORT_TAKEN
    except DirectoryTaken as error:
        click.echo(f"vigil: {error}", err=True)
        return DIRECTORY_TAKEN
