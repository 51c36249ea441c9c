"""`vigil import`: a file of events goes to a running service, in the order it must have.

Who comes in: a file, one CloudEvent a line, or a folder of SDTM tables. Who goes out: HTTP. Running
it again changes nothing: what the service has already is answered as a duplicate.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from pathlib import Path
from typing import Any

import click
import orjson
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn

from services import sdtm
from services.client import Answer, Service, running
from services.errors import ServiceError

BATCH = 1000
SHOWN = 20
_HEADERS = {"content-type": "application/x-ndjson", "prefer": "handling=lenient"}
_TAKEN = frozenset({200, 202, 207})


@dataclass(frozen=True)
class Line:
    """One event and where it stood."""

    place: str
    recorded: str | None
    raw: bytes


@click.command(name="import")
@click.argument("file", type=click.Path(exists=True, path_type=Path))
@click.option("--trial", required=True)
@click.option(
    "--format",
    "form",
    type=click.Choice(["ndjson", "sdtm"]),
    default="ndjson",
    help="ndjson: a CloudEvent a line; sdtm: a folder of CSV tables (DM, EX, AE, VS, LB).",
)
@click.option("--advance", is_flag=True, help="Run a replay trial's clock to the end of the data.")
@click.option("--url", help="Of the service; else that of VIGIL_DATA's run.json.")
@click.option("--key", envvar="VIGIL_KEY", help="An API key; else that of run.json.")
def command(
    file: Path, trial: str, form: str, url: str | None, key: str | None, *, advance: bool
) -> int:
    """Publish a file of events; safe to run again."""
    if file.is_dir() != (form == "sdtm"):
        kind = "a folder of tables" if form == "sdtm" else "one file, an event a line"
        raise ServiceError(f"{file}: --format {form} takes {kind}")
    service = running(url, key, "admin")
    faults: list[str] = []
    found = study(service, file, trial, faults) if form == "sdtm" else read(file, trial)
    lines = ordered(found)
    told = publish(service, lines, faults)
    for fault in faults[:SHOWN]:
        click.echo(fault, err=True)
    if len(faults) > SHOWN:
        click.echo(f"... and {len(faults) - SHOWN} more", err=True)
    click.echo(", ".join(f"{number} {status}" for status, number in told.items()) or "no events")
    if advance and lines:
        run_on(service, trial, lines)
    return 1 if faults else 0


def publish(service: Service, lines: Sequence[Line], faults: list[str]) -> Counter[str]:
    """Send all of them; how many were taken how. What is refused goes to `faults`."""
    told: Counter[str] = Counter()
    progress = Progress(
        "{task.description}",
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
    )
    with progress:
        task = progress.add_task("publishing", total=len(lines))
        for start in range(0, len(lines), BATCH):
            batch = lines[start : start + BATCH]
            for line, item in zip(batch, send(service, batch), strict=True):
                told[item["status"]] += 1
                if item["status"] in {"refused", "conflict"}:
                    faults.append(f"{line.place}: {reasons(item)}")
            progress.advance(task, len(batch))
    return told


def study(service: Service, folder: Path, trial: str, faults: list[str]) -> list[Line]:
    """The events of SDTM tables, in the codes and the zone of the trial's active protocol.

    What the protocol has no use for is counted by name on stderr. Raises ServiceError.
    """
    about = asked(service, f"/v1/trials/{trial}")
    version = about["active_version"]
    if version is None:
        raise ServiceError(f"{trial}: no protocol is in force yet; activate one, then import")
    protocol = asked(service, f"/v1/trials/{trial}/protocols/{version}")
    made = sdtm.convert(sdtm.folder_tables(folder), sdtm.Study.of(trial, protocol))
    faults += [f"{folder}: {fault}" for fault in made.faults]
    for name, number in sorted(made.ignored.items()):
        click.echo(f"ignored: {number} of {name}", err=True)
    return [Line(event["id"], event["recordedtime"], orjson.dumps(event)) for event in made.events]


def asked(service: Service, path: str) -> dict[str, Any]:
    """What the service answers there. Raises ServiceError for any other answer."""
    answer = service.get(path)
    if answer.status != HTTPStatus.OK or not isinstance(answer.body, dict):
        raise ServiceError(f"{path} answered {answer.status}: {problem(answer)}")
    return answer.body


def read(file: Path, trial: str) -> list[Line]:
    """The file's events, each with the trial it is for. Raises ServiceError for no JSON."""
    found = []
    with file.open("rb") as raw:
        for number, text in enumerate(raw, 1):
            if not text.strip():
                continue
            try:
                event = orjson.loads(text)
                event["trial"] = trial
            except (ValueError, TypeError) as error:
                raise ServiceError(f"{file}:{number}: not a JSON object") from error
            recorded = event.get("recordedtime") or event.get("time")
            found.append(Line(f"{file}:{number}", recorded, orjson.dumps(event)))
    return found


def ordered(lines: Sequence[Line]) -> list[Line]:
    """By when they were recorded, as a replay trial must receive them; else as in the file."""
    return sorted(lines, key=lambda line: instant(line.recorded))


def instant(text: str | None) -> float:
    """Seconds since 1970; what is no time comes first, for the service to refuse."""
    try:
        moment = datetime.fromisoformat(text or "")
    except (ValueError, TypeError):
        return float("-inf")
    return moment.timestamp() if moment.tzinfo is not None else float("-inf")


def send(service: Service, batch: Sequence[Line]) -> Iterator[dict[str, Any]]:
    """The service's word on each event of `batch`. Raises ServiceError if it took none."""
    answer = service.post("/v1/events", b"\n".join(line.raw for line in batch), _HEADERS)
    if answer.status not in _TAKEN:
        raise ServiceError(f"refused with {answer.status}: {problem(answer)}")
    yield from answer.body["events"]


def reasons(item: dict[str, Any]) -> str:
    """Why one event was refused."""
    errors = item.get("errors") or []
    texts = [f"{error.get('pointer', '')} {error.get('detail', '')}".strip() for error in errors]
    return "; ".join(texts) or str(item["status"])


def problem(answer: Answer) -> str:
    """What a problem+json says."""
    body = answer.body if isinstance(answer.body, dict) else {}
    texts = [str(error.get("detail")) for error in body.get("errors") or []]
    return "; ".join([str(body.get("detail") or body.get("title") or "no reason"), *texts[:3]])


def run_on(service: Service, trial: str, lines: Sequence[Line]) -> None:
    """Move the trial's clock to the last instant of the data."""
    last = max((line for line in lines), key=lambda line: instant(line.recorded))
    answer = service.post(f"/v1/trials/{trial}/advance", {"to": last.recorded})
    if answer.status not in _TAKEN:
        raise ServiceError(f"the clock was not moved ({answer.status}): {problem(answer)}")
    click.echo(f"clock of {trial} at {last.recorded}")
