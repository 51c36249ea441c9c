"""`vigil replay`: what does the log alone say, and does the store say the same?

Who comes in: an auditor, beside a live service or without one. Who goes out: services.replay.
"""

from __future__ import annotations

import hashlib

import click

from services import replay
from services.cli.store import opened, table
from services.cli.times import instant_us
from services.replay import Difference


@click.command(name="replay")
@click.option("--trial", required=True)
@click.option("--as-of", help="Fold what was received by then (RFC 3339).")
@click.option("--verify", is_flag=True, help="Compare with what is stored; exit 1 if it differs.")
def command(trial: str, as_of: str | None, *, verify: bool) -> int:
    """Rebuild every subject's state and alerts from the event log alone."""
    if verify and as_of is not None:
        raise click.UsageError("--verify compares up to what was evaluated; leave --as-of out")
    return _verify(trial) if verify else _show(trial, as_of)


def _verify(trial: str) -> int:
    with opened() as services:
        report = replay.verify(services.database, trial)
    for difference in report.differences:
        click.echo(_line(difference))
    if report.of_other_engines:
        click.echo(f"made by another engine version ({len(report.of_other_engines)}):")
        for difference in report.of_other_engines:
            click.echo(f"  {_line(difference)}")
    found = len(report.differences)
    click.echo(
        f"{report.streams} streams, {report.decisions} decisions, {report.alerts} alerts compared: "
        + (f"{found} differences" if found else "no difference")
    )
    return 1 if found else 0


def _line(one: Difference) -> str:
    engine = "" if one.engine_version is None else f" (engine version {one.engine_version})"
    return f"{one.subject} {one.what} {one.which}: {one.reason}{engine}"


def _show(trial: str, as_of: str | None) -> int:
    rows = []
    as_of_us = None if as_of is None else instant_us("--as-of", as_of)
    with opened() as services:
        for one in replay.rebuild(services.database, trial, as_of_us):
            outcome = one.outcome
            state = b"" if outcome is None else outcome.state
            rows.append(
                (
                    one.stream.subject,
                    str(len({result.n for result in one.results})),
                    (outcome.decision if outcome else None) or "",
                    (outcome.status if outcome else None) or "",
                    str(sum(alert["status"] != "resolved" for alert in one.alerts.values())),
                    hashlib.sha256(state).hexdigest()[:16],
                )
            )
    table(("subject", "events", "decision", "status", "open alerts", "state"), rows)
    return 0
