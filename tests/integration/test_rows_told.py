"""Rows D11 and D12 where they are about people and workers: who is told, and what the store holds."""

from __future__ import annotations

import threading
from typing import Any

import orjson
from sqlalchemy import select

from services import replay, subscriptions
from services.channels.address import Reach
from services.database import Database
from services.models import alerts, decisions, deliveries
from services.subscriptions import Owner
from tests.support import flagship as f
from tests.support.flagship import INFUSED, SAE, told

ADMIN = Owner("admin", None, "admin")


def subscribe(db: Database, name: str, **how: Any) -> str:
    channel = {"kind": "webhook", "url": f"https://hooks.example.org/{name}"}
    made = subscriptions.create(db, {"name": name, "channel": channel, **how}, ADMIN, Reach(), 1)
    return str(made["id"])


def sent_to(db: Database, subscription: str) -> list[str]:
    with db.reading() as conn:
        mine = select(deliveries.c.event).where(deliveries.c.subscription == subscription)
        return sorted(conn.scalars(mine))


def test_d12_whoever_was_told_of_the_error_is_told_that_it_was_one(database):
    f.make(database)
    of_the_rule = subscribe(database, "rule", filter={"rules": ["S-RELATED-G3"]})
    opened_only = subscribe(database, "opened", events=["alert.opened"], filter={"rules": ["S-RELATED-G3"]})  # fmt: skip
    of_another = subscribe(database, "another", filter={"rules": ["EL-INELIGIBLE"]})
    sae = f.events("S-1", [SAE])
    f.evaluate(database, f.publish(database, [*f.events("S-1", told(*INFUSED)), *sae]))
    assert sent_to(database, of_the_rule) == sent_to(database, opened_only) == ["alert.opened"]
    target = {"source": sae[0]["source"], "id": sae[0]["id"]}
    data = {"corrects": target, "entered_in_error": True, "reason": "another subject"}
    wrong = f.events("S-1", [{"type": "correction", "time": SAE["time"], "data": data}])
    f.evaluate(database, f.publish(database, wrong))
    both = ["alert.opened", "alert.superseded"]
    assert sent_to(database, of_the_rule) == sent_to(database, opened_only) == both
    assert sent_to(database, of_another) == []
    (alert,) = f.rows(database, alerts, alerts.c.rule == "S-RELATED-G3")
    assert orjson.loads(alert.resolution)["reason"] == "superseded"


def test_d11_one_worker_or_four_write_the_same_to_the_byte(database):
    """Ids are said, so that both trials have the same log; the trials differ in their names alone."""
    for trial in ("one", "four"):
        f.make(database, trial=trial)
        batch = [
            {**event, "id": f"{subject}-{n}"}
            for subject in ("S-1", "S-2", "S-3")
            for n, event in enumerate(f.events(subject, [*told(*INFUSED), SAE], trial=trial))
        ]
        dirty = f.publish(database, batch)
        workers = [
            threading.Thread(target=f.evaluate, args=(database, dirty))
            for _ in range(1 if trial == "one" else 4)
        ]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
    assert written(database, "one") == written(database, "four")
    for trial in ("one", "four"):
        assert replay.verify(database, trial).differences == []


def written(db: Database, trial: str) -> list[tuple[Any, ...]]:
    """Every decision of the trial's subjects, and the open alerts."""
    found: list[tuple[Any, ...]] = []
    for subject in ("S-1", "S-2", "S-3"):
        stream = f.stream(db, subject, trial).id
        rows = f.rows(db, decisions, decisions.c.stream_id == stream)
        found += sorted((subject, row.n, row.due_us, row.decision, row.digest) for row in rows)
    table = alerts
    rows = f.rows(db, table, table.c.trial == trial, table.c.subject.is_not(None))
    return found + sorted((row.subject, row.rule, row.key, row.status) for row in rows)
