"""The flagship trial in a store, with subjects whose story its own fixtures tell."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import yaml
from sqlalchemy import select

from services import clock, evaluation, intake, models, protocols
from services.broker import Broker
from services.database import Database
from tests.support.trials import PUBLISHER

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "rules/protocols/msc-cgvhd.yaml").read_text(encoding="utf-8")
# Without its scenarios, which would be played at every activation.
PLAIN = TEXT.split("\nscenarios:")[0] + "\n"
FIXTURES = yaml.safe_load(TEXT)["fixtures"]
SILENT = Broker(None)
TRIAL = "msc"
_ids = itertools.count(1)


def us(text: str) -> int:
    """Microseconds of an ISO time."""
    return clock.to_us(datetime.fromisoformat(text))


NOW_US = us("2026-03-20T09:00:00+09:00")
SAE: dict[str, Any] = {
    "type": "adverse_event",
    "time": "2026-03-12T09:00:00+09:00",
    "data": {
        "ae": "a1",
        "term": "Vertigo",
        "grade": 3,  # of grade 4 it would pause the trial at once
        "causality": "related",
        "onset": "2026-03-12",
    },
}


def make(db: Database, *, mode: str = "live", trial: str = TRIAL) -> str:
    """The trial, its first version in force since long ago."""
    protocols.create_trial(db, trial, mode, PLAIN, "test", us("2026-01-01T00:00:00Z"))
    return trial


def told(*names: str) -> list[dict[str, Any]]:
    """The events of these fixtures of the protocol."""
    return [event for name in names for event in FIXTURES[name]]


ELIGIBLE = ("clinical", "man", "own_consent", "screened")
INFUSED = (*ELIGIBLE, "enrolled", "infused_1")


def events(
    subject: str, story: Iterable[dict[str, Any]], *, trial: str = TRIAL, **more: Any
) -> list[dict[str, Any]]:
    """CloudEvents of one subject with ids of their own."""
    return [
        {"specversion": "1.0", "id": f"f-{next(_ids)}", "source": "https://site.example/"}
        | {"trial": trial, "subject": subject, **event, **more}
        for event in story
    ]


def publish(db: Database, some: Sequence[dict[str, Any]], now_us: int = NOW_US) -> list[int]:
    """Take them in; the streams to ring for."""
    return list(intake.publish(db, some, PUBLISHER, now_us).dirty)


def evaluate(db: Database, ids: int | Collection[int], now_us: int = NOW_US) -> evaluation.Progress:
    """Evaluate without a broker."""
    return evaluation.evaluate(db, SILENT, ids, now_us)


def rows(db: Database, table: Any, *where: Any) -> list[Any]:
    """Rows of a table, read now."""
    with db.reading() as conn:
        return list(conn.execute(select(table).where(*where)))


def stream(db: Database, subject: str, trial: str = TRIAL) -> Any:
    """A subject's stream."""
    (row,) = rows(
        db, models.streams, models.streams.c.subject == subject, models.streams.c.trial == trial
    )
    return row


def open_rules(db: Database, subject: str | None = None) -> list[str]:
    """The rules of the alerts that are not resolved, of one subject or of the trial."""
    table = models.alerts
    found = rows(db, table, table.c.subject == subject, table.c.status != "resolved")
    return sorted(row.rule for row in found)
