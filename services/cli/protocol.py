"""`vigil protocol`: is this file a protocol, and what does it say?

Who comes in: whoever writes protocols. Who goes out: the rules' front door.
"""

from __future__ import annotations

from pathlib import Path

import click
import orjson

import rules
from rules import Complaint

FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.group(name="protocol")
def command() -> None:
    """Check or show a protocol file."""


@command.command()
@click.argument("files", nargs=-1, required=True, type=FILE)
@click.option("--json", "as_json", is_flag=True)
def check(files: tuple[Path, ...], *, as_json: bool) -> int:
    """Schema, types, compile, and the scenarios inside; exit 1 with FILE:LINE per complaint."""
    complaints = [complaint for file in files for complaint in complaints_of(file)]
    if as_json:
        found = [
            {"file": one.file, "line": one.line, "message": one.message, "hint": one.hint}
            for one in complaints
        ]
        click.echo(orjson.dumps({"ok": not complaints, "complaints": found}))
    else:
        for complaint in complaints:
            click.echo(str(complaint))
    return 1 if complaints else 0


@command.command()
@click.argument("file", type=FILE)
@click.option("--format", "form", type=click.Choice(["text", "html", "json"]), default="text")
@click.option("--json", "as_json", is_flag=True, help="The same as --format json.")
def show(file: Path, form: str, *, as_json: bool) -> int:
    """The protocol as a person reads it; json lists every code, fact, criterion and rule."""
    try:
        protocol = rules.load(file)
    except rules.ProtocolError as error:
        click.echo(str(error), err=True)
        return 1
    shown = rules.show(protocol, "json" if as_json else form)
    click.echo(shown if isinstance(shown, str) else orjson.dumps(shown))
    return 0


def complaints_of(file: Path) -> list[Complaint]:
    """What is wrong with one file."""
    try:
        return list(rules.check_scenarios(rules.load(file)))
    except rules.ProtocolError as error:
        return error.complaints
