"""`vigil backtest`: what would have fired, and would no longer fire, had another version held?

Who comes in: whoever amends a protocol, beside a live service or without one. Who goes out:
services.backtests, in this process; nothing is stored.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
import orjson
from rich.progress import Progress

import rules
from services import backtests
from services.cli.store import opened, table

_HEADINGS = ("subject", "what", "rule or criterion", "before", "after", "because of")


@click.command(name="backtest")
@click.option("--trial", required=True)
@click.option(
    "--protocol",
    "file",
    required=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="The version that is compared with those that were in force.",
)
@click.option("--json", "as_json", is_flag=True)
def command(trial: str, file: Path, *, as_json: bool) -> int:
    """Compare the log as it was decided with the same log under another protocol version."""
    try:
        proposed = rules.load(file)
    except rules.ProtocolError as error:
        click.echo(str(error), err=True)
        return 1
    with opened() as services, Progress(transient=True, disable=as_json) as progress:
        task = progress.add_task("subjects", total=None)
        found = backtests.at_once(
            services.database,
            trial,
            proposed,
            lambda done, total: progress.update(task, completed=done, total=total),
        )
    if as_json:
        told = {"trial": trial, "version": proposed.version, "digest": proposed.digest, **found}
        click.echo(orjson.dumps(told))
    else:
        _show(found)
    return 1 if found["totals"]["errors"] else 0


def _show(found: dict[str, Any]) -> None:
    every = [*found["subjects"], *([found["trial"]] if found["trial"] else [])]
    rows = [row for one in every for row in _rows(one)]
    if rows:
        table(_HEADINGS, rows)
    totals = found["totals"]
    click.echo(
        f"{totals['subjects']} subjects compared: {totals['decisions']} decisions change, "
        f"{totals['would_fire']} alerts would have fired, "
        f"{totals['would_not_fire']} would not have, {totals['changed']} would read otherwise"
        + (f"; {totals['errors']} could not be folded" if totals["errors"] else "")
    )


def _rows(one: dict[str, Any]) -> list[tuple[str, ...]]:
    name = one["subject"] or "(trial)"
    if "error" in one:
        return [(name, "cannot be folded", "", "", one["error"], "")]
    rows: list[tuple[str, ...]] = []
    decision = one["decision"]
    if decision is not None:
        if decision["before"] != decision["after"]:
            rows.append((name, "decision", "", decision["before"], decision["after"], ""))
        rows += [
            (name, "criterion", item["id"], item["before"] or "", item["after"] or "", _why(item))
            for item in decision["criteria"]
        ]
    rows += [(name, "would fire", a["rule"], "", a["title"], _why(a)) for a in one["would_fire"]]
    rows += [
        (name, "would not fire", a["rule"], a["title"], "", _why(a)) for a in one["would_not_fire"]
    ]
    for alert in one["changed"]:
        for item in alert["changes"]:
            both = (str(item["from"]), str(item["to"]))
            rows.append((name, item["key"], alert["rule"], *both, _why(alert)))
    return rows


def _why(item: dict[str, Any]) -> str:
    """The declarations that changed behind it."""
    return ", ".join(f"{one['id']} {one['what']}" for one in item["why"])
