"""`vigil simulate`: how often would this protocol stop a trial, and whom would it tell?

Who comes in: whoever writes a protocol. Who goes out: the rules' virtual trials, in processes of
their own, one a core; the same seed gives the same answer on any number of them.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict
from itertools import product
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import click
import orjson
from rich.progress import Progress

import rules
from services.cli.protocol import FILE

Json = dict[str, Any]

_ONCE = 8  # trials that one process is handed at a time
# Of one process: set up once, for every trial that it runs.
_own: dict[str, rules.VirtualTrials] = {}


class _Rates(click.ParamType):  # type: ignore[type-arg]
    """Comma-separated probabilities."""

    name = "P,P,..."

    def convert(self, value: Any, param: Any, ctx: Any) -> tuple[float, ...]:
        try:
            rates = tuple(float(part) for part in str(value).split(","))
        except ValueError:
            self.fail("must be numbers with commas between them, as 0.1,0.2", param, ctx)
        if not all(0 <= rate <= 1 for rate in rates):
            self.fail("must lie between 0 and 1", param, ctx)
        return rates


@click.command(name="simulate")
@click.argument("file", type=FILE)
@click.option("--subjects", type=click.IntRange(1, 10_000), help="Default: the trial's target.")
@click.option("--trials", default=100, show_default=True, type=click.IntRange(1, 1_000_000))
@click.option("--true-p", "rates", required=True, type=_Rates(), help="Of an event, per subject.")
@click.option("--seed", default=1, show_default=True, type=int)
@click.option("--rule", help="The stopping rule whose events happen. Default: the first.")
@click.option("--event", type=FILE, help='What counts for it, as {"type": ..., "data": {...}}.')
@click.option("--every-days", default=14.0, show_default=True, type=click.FloatRange(0, 3650))
@click.option("--infusions", default=1, show_default=True, type=click.IntRange(0, 100))
@click.option("--infusions-every-days", default=7.0, show_default=True, type=float)
@click.option("--json", "as_json", is_flag=True)
def command(file: Path, rates: tuple[float, ...], *, as_json: bool, **asked: Any) -> int:
    """Virtual trials through the same engine that judges real ones.

    Virtual subjects are the file's own eligible subject. One is enrolled every so many days; the
    event happens with the true probability, at any instant of the time that counts; nobody is
    enrolled or infused while the trial is held.
    """
    try:
        protocol = rules.load(file)
        found = _simulated(file, protocol, rates, asked, quiet=as_json)
    except rules.ProtocolError as error:
        click.echo(str(error), err=True)
        return 1
    except rules.SimulationError as error:
        click.echo(f"vigil: {error} ({error.hint})", err=True)
        return 1
    click.echo(orjson.dumps(found) if as_json else _as_text(found))
    return 0


def _simulated(
    file: Path, protocol: rules.Protocol, rates: tuple[float, ...], asked: Json, *, quiet: bool
) -> Json:
    setting = rules.Setting(
        subjects=asked["subjects"] or protocol.definition.target,
        every_days=asked["every_days"],
        infusions=asked["infusions"],
        infusions_every_days=asked["infusions_every_days"],
    )
    event = None if asked["event"] is None else _event(asked["event"])
    trials = rules.VirtualTrials(protocol, setting, asked["rule"], event)  # or it says why not
    arguments = (str(file), setting, trials.rule.id, trials.event)
    happened = _all(arguments, rates, asked["trials"], asked["seed"], quiet=quiet)
    return {
        "protocol": {"id": protocol.id, "version": protocol.version, "digest": protocol.digest},
        "rule": trials.rule.id,
        "assumed": {
            **asdict(setting),
            "seed": asked["seed"],
            "subject": trials.pattern.scenario or None,
            "event": trials.event,
        },
        "rates": [rules.summed(protocol.definition, rate, happened[rate]) for rate in rates],
    }


def _event(file: Path) -> Mapping[str, Any]:
    try:
        event = orjson.loads(file.read_bytes())
    except orjson.JSONDecodeError as error:
        raise rules.SimulationError(f"{file} is not JSON: {error}", "write {type, data}") from None
    if not isinstance(event, dict) or not isinstance(event.get("data"), dict):
        raise rules.SimulationError(f"{file} is no event", 'write {"type": "...", "data": {...}}')
    if event.get("type") not in tuple(rules.EventType):
        raise rules.SimulationError(f"{file} names no type of event", "as adverse_event or death")
    return event


def _all(
    arguments: tuple[Any, ...], rates: tuple[float, ...], trials: int, seed: int, *, quiet: bool
) -> dict[float, list[rules.Happened]]:
    """Every trial at every rate, in as many processes as there are cores."""
    found: dict[float, list[rules.Happened]] = {rate: [] for rate in rates}
    wanted = list(product(rates, range(trials), (seed,)))
    with (
        ProcessPoolExecutor(os.cpu_count(), get_context("spawn"), _ready, arguments) as pool,
        Progress(transient=True, disable=quiet) as progress,
    ):
        made = pool.map(_one, wanted, chunksize=_ONCE)
        for (rate, _, _), one in progress.track(zip(wanted, made, strict=True), len(wanted)):
            found[rate].append(one)
    return found


def _ready(file: str, setting: rules.Setting, rule: str, event: Mapping[str, Any]) -> None:
    """Set this process up; the engine is built in the process that uses it."""
    _own["trials"] = rules.VirtualTrials(rules.load(file), setting, rule, event)


def _one(wanted: tuple[float, int, int]) -> rules.Happened:
    return _own["trials"].run(*wanted)


def _as_text(found: Json) -> str:
    return "\n".join(_lines(found))


def _lines(found: Json) -> Iterator[str]:
    assumed = found["assumed"]
    yield (
        f"{found['protocol']['id']} {found['protocol']['version']}, stopping rule {found['rule']}: "
        f"{assumed['subjects']} subjects, one every {assumed['every_days']:g} days"
    )
    for rate in found["rates"]:
        yield (
            f"true rate {rate['p']:g}: stopped {rate['stopped']:.3f} "
            f"(+- {rate['standard_error']:.3f}) of {rate['trials']} trials, "
            f"{rate['mean_enrolled']:.2f} enrolled, {rate['mean_evaluable']:.2f} evaluable, "
            f"{rate['mean_events']:.2f} events"
        )
        yield from (_alert(one) for one in rate["alerts"] if one["trials"])


def _alert(one: Json) -> str:
    share = f"in {one['trials']:.3f} of trials, {one['mean_opened']:.2f} a trial"
    return f"  {one['severity']:<8} {one['rule']:<26} {share}"
