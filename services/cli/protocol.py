"""`vigil protocol`: is this file a protocol, and what does it say?

Who comes in: whoever writes protocols. Who goes out: the rules' front door.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import click
import orjson

import rules
from rules import Report
from services.cli import boundary
from services.cli.boundary_text import lines as boundary_lines

FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.group(name="protocol")
def command() -> None:
    """Check, show or compare protocol files; the schema that editors use."""


@command.command()
@click.argument("files", nargs=-1, required=True, type=FILE)
@click.option(
    "--coverage",
    is_flag=True,
    help="What the scenarios exercise, and would miss.",
)
@click.option("--cases", is_flag=True, help="The cases made for every comparison.")
@click.option("--json", "as_json", is_flag=True)
def check(files: tuple[Path, ...], *, coverage: bool, cases: bool, as_json: bool) -> int:
    """Schema, types, sense, the scenarios inside and generated cases.

    Exit 1 with FILE:LINE per complaint. Notes say what a person should look at; they refuse
    nothing. Of a file that holds every stopping boundary is shown, and how it behaves. What holds
    is told on stderr.
    """
    found = {file: report_of(file, mutate=coverage) for file in files}
    reports = list(found.values())
    ok = not any(report.complaints for report in reports)
    if as_json:
        click.echo(orjson.dumps({"ok": ok, **_joined(reports)}))
    else:
        for file, report in found.items():
            for line in _lines(file, report, coverage=coverage, cases=cases):
                click.echo(line)
            if not report.complaints:
                click.echo(f"{file} holds: {report.size}", err=True)
    return 0 if ok else 1


def _joined(reports: list[Report]) -> dict[str, list[dict[str, Any]]]:
    """Every report as data, file by file."""
    return {
        "complaints": [asdict(one) for report in reports for one in report.complaints],
        "notes": [asdict(one) for report in reports for one in report.notes],
        "coverage": [asdict(one) for report in reports for one in report.coverage],
        "rules": [asdict(one) for report in reports for one in report.shown],
        "cases": [asdict(one) for report in reports for one in report.cases],
        "survivors": [asdict(one) for report in reports for one in report.survivors or ()],
        "boundaries": [_planned(one) for report in reports for one in report.boundaries],
    }


def _planned(one: rules.Planned) -> dict[str, Any]:
    told = boundary.told(one.bound.design.method, one.bound, one.behaviour)
    return {"rule": one.rule, "line": one.line, **told}


def _lines(file: Path, report: Report, *, coverage: bool, cases: bool) -> Iterator[str]:
    yield from map(str, report.complaints)
    for note in report.notes:
        yield str(replace(note, message=f"note: {note.message}"))
    if cases:
        yield from map(str, report.cases)
    if coverage:
        yield f"{'line':>5} {'true':>5} {'false':>5} {'unknown':>7}  clause"
        for row in report.coverage:
            unknown = "-" if row.unknown is None else row.unknown
            counts = f"{row.line:>5} {row.true:>5} {row.false:>5} {unknown:>7}"
            yield f"{counts}  {row.what}: {row.clause}"
        yield from _rule_lines(report)
        for one in report.survivors or ():
            slip = f"`{one.clause}` -> `{one.instead}`"
            yield f"{one.line:>5} no scenario would notice in {one.what}: {slip}"
    for planned in () if report.complaints else report.boundaries:
        yield f"{file}:{planned.line}: {planned.rule}"
        yield from (f"  {line}".rstrip() for line in boundary_lines(_planned(planned)))


def _rule_lines(report: Report) -> Iterator[str]:
    """Each alert rule as a whole."""
    yield f"{'line':>5} {'fires':>5} {'silent':>6} {'lacking':>7}  rule"
    for one in report.shown:
        silent = "-" if one.silent is None else one.silent
        lacking = "-" if one.lacking is None else one.lacking
        yield f"{one.line:>5} {one.fires:>5} {silent:>6} {lacking:>7}  {one.rule}"


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


@command.command()
def schema() -> int:
    """The JSON Schema (draft 2020-12) of protocol files, for editors."""
    click.echo(orjson.dumps(rules.json_schema(), option=orjson.OPT_INDENT_2))
    return 0


@command.command()
@click.argument("old", type=FILE)
@click.argument("new", type=FILE)
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text")
@click.option("--json", "as_json", is_flag=True, help="The same as --format json.")
def diff(old: Path, new: Path, form: str, *, as_json: bool) -> int:
    """What NEW changes of OLD, what each change is about, and what the amendment leaves unsaid."""
    try:
        found = rules.diff(rules.load(old), rules.load(new))
    except rules.ProtocolError as error:
        click.echo(str(error), err=True)
        return 1
    text = as_json or form == "json"
    click.echo(orjson.dumps(found) if text else rules.diff_text(found))
    return 0


def report_of(file: Path, *, mutate: bool = False) -> Report:
    """What is to be said of one file."""
    try:
        return rules.check(rules.load(file), mutate=mutate)
    except rules.ProtocolError as error:
        return Report(tuple(error.complaints))
