"""`vigil evaluate`: a file of events judged without a server, by a server's own corridor.

Who comes in: a protocol and a file of events. Who goes out: intake, evaluation and reading, on a
store that is made for the occasion and thrown away. The trial is a replay trial: receipt is each
event's `recordedtime`, or its `time`.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
import orjson

import rules
from services import clock, database, evaluation, intake, protocols, sweep, trials
from services.broker import Broker
from services.cli.protocol import FILE
from services.cli.publish import Line, instant, ordered, read
from services.cli.times import instant_us
from services.database import Database
from services.keys import ADMIN, Caller
from services.reading import alerts, eligibility, stopping
from services.repositories import streams

BATCH = 1000
_MOST_ALERTS = 1_000_000
CALLER = Caller("vigil evaluate", ADMIN, None, ADMIN)

Json = dict[str, Any]


@click.command(name="evaluate")
@click.argument("file", type=FILE)
@click.option("--events", required=True, type=FILE, help="One CloudEvent a line.")
@click.option("--as-of", help="What was known then, judged then (RFC 3339).")
@click.option("--json", "as_json", is_flag=True)
def command(file: Path, events: Path, as_of: str | None, *, as_json: bool) -> int:
    """Eligibility, findings and alerts of every subject in a file of events."""
    text = file.read_text(encoding="utf-8")
    try:
        trial = rules.load(file).id
    except rules.ProtocolError as error:
        click.echo(str(error), err=True)
        return 1
    lines = ordered(read(events, trial))
    with _store(trial, text) as db:
        refused = _publish(db, _known(lines, as_of))
        until_us = _until(lines, as_of)
        _judge(db, trial, until_us)
        answer = _answer(db, trial, until_us)
    for complaint in refused:
        click.echo(complaint, err=True)
    click.echo(orjson.dumps(answer) if as_json else _as_text(answer))
    return 1 if refused else 0


@contextmanager
def _store(trial: str, text: str) -> Iterator[Database]:
    """An empty store with the trial in force."""
    with tempfile.TemporaryDirectory(prefix="vigil-evaluate-") as folder:
        db = Database(f"sqlite:///{folder}/vigil.db")
        try:
            database.upgrade(db)
            protocols.create_trial(db, trial, "replay", text, CALLER.key_id, clock.now_us())
            yield db
        finally:
            db.dispose()


def _known(lines: Sequence[Line], as_of: str | None) -> Sequence[Line]:
    """What had been received by then."""
    if as_of is None:
        return lines
    seconds = instant_us("--as-of", as_of) / clock.SECOND_US
    return [line for line in lines if instant(line.recorded) <= seconds]


def _until(lines: Sequence[Line], as_of: str | None) -> int:
    """The instant of judgement: the one asked for, else the last receipt."""
    if as_of is not None:
        return instant_us("--as-of", as_of)
    last = max((instant(line.recorded) for line in lines), default=0.0)
    return round(max(last, 0.0) * clock.SECOND_US)


def _publish(db: Database, lines: Sequence[Line]) -> list[str]:
    """Take in what can be taken; complaints with FILE:LINE about the rest."""
    refused = []
    for start in range(0, len(lines), BATCH):
        batch = lines[start : start + BATCH]
        published = [orjson.loads(line.raw) for line in batch]
        receipt = intake.publish(db, published, CALLER, clock.now_us(), lenient=True)
        for item in receipt.items:
            if item.status in {"refused", "conflict"}:
                reasons = "; ".join(f"{one.pointer} {one.detail}" for one in item.errors)
                refused.append(f"{batch[item.index].place}: {reasons or item.status}")
    return refused


def _judge(db: Database, trial: str, until_us: int) -> None:
    """Evaluate until nothing is left to do, time up to `until_us` included."""
    trials.advance(db, trial, until_us, CALLER.key_id, clock.now_us())
    broker = Broker(None)
    steps = sweep.Steps(
        evaluate=lambda ids, now_us: evaluation.evaluate(db, broker, ids, now_us).events,
        release=lambda one, now_us: evaluation.release(db, one, now_us),
    )
    sweeping = sweep.Sweep(db, broker, steps, "evaluate", "vigil evaluate")
    before: tuple[int, int] | None = None
    while True:
        report = sweeping.once(clock.now_us())
        done = (report.streams, report.released)
        if done == before:
            return
        before = done


def _answer(db: Database, trial: str, until_us: int) -> Json:
    """What contract §3 and §4 say of every subject, and of the trial."""
    with db.reading() as conn:
        names = [row.subject for row in streams.of_trial(conn, trial)]
        told = alerts.listed(conn, alerts.Wanted(), None, _MOST_ALERTS, values=True)["items"]
        of: dict[str | None, list[Json]] = {}
        for alert in reversed(told):
            of.setdefault(alert["subject"], []).append(alert)
        return {
            "trial": trial,
            "as_of": clock.iso(until_us),
            "subjects": [
                {
                    "subject": name,
                    "eligibility": eligibility.of_subject(conn, trial, name, None, until_us),
                    "findings": _findings(of.get(name, [])),
                    "alerts": of.get(name, []),
                }
                for name in sorted(names)
                if name != streams.TRIAL_SUBJECT
            ],
            "findings": _findings(of.get(None, [])),
            "alerts": of.get(None, []),
            "stopping": (stopping.of_trial(conn, trial) or {}).get("items", []),
        }


def _findings(told: Sequence[Json]) -> list[Json]:
    """What is true at the end."""
    names = ("rule", "key", "category", "severity", "title")
    return [{name: one[name] for name in names} for one in told if one["still_true"]]


def _as_text(answer: Json) -> str:
    """The same for a person."""
    lines = [f"{answer['trial']} as of {answer['as_of']}"]
    for one in answer["subjects"]:
        checklist = one["eligibility"] or {}
        missing = ", ".join(each["label"] for each in checklist.get("missing", []))
        waits = f"; missing: {missing}" if missing else ""
        lines.append(f"{one['subject']}: {checklist.get('decision', 'not judged')}{waits}")
        lines += [_alert_line(alert) for alert in one["alerts"]]
    if answer["alerts"]:
        lines.append("trial:")
        lines += [_alert_line(alert) for alert in answer["alerts"]]
    return "\n".join(lines)


def _alert_line(alert: Json) -> str:
    parts = (alert["opened_at"], alert["severity"], alert["rule"], alert["status"], alert["title"])
    return "  " + "  ".join(str(part) for part in parts)
