"""What a monitor reads: parsed by its own parser, bounded, without a clinical value, cheap."""

from __future__ import annotations

import dataclasses
import re
import sys
from itertools import pairwise
from pathlib import Path

import orjson
import pytest
import yaml
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics
from sqlalchemy import insert

from services import canaries, delivery, models
from services.broker import Broker
from services.channels.address import Reach
from services.channels.counting import Outcomes
from services.channels.webhook import WebhookChannel
from services.clock import now_us
from services.evaluation import poison, work
from services.http import HEART
from services.pulse import Heart, Pulse
from services.reading import figures
from services.repositories import streams
from tests.support.receiver import Receiver
from tests.support.scrape import counters, fallen, families, samples

ROOT = Path(__file__).parents[3]
RULES = yaml.safe_load((ROOT / "deploy" / "prometheus-rules.yaml").read_text())
TEMPERATURE = {"code": "body_temperature", "value": 36.9187, "unit": "Cel"}
DEATH = {"cause": "secretcause", "causality": "related"}
# What names a metric in a rule or in the page of operations.
NAMED = re.compile(r"\bvigil_[a-z_]+")


def scrape(house, role="ops"):
    answer = house.door(role).get("/metrics")
    assert answer.status_code == 200, answer.text
    return answer.text


def one(text, name, **labels):
    return samples(text).get((name, tuple(sorted(labels.items()))))


def beat(house):
    """What the process of the API counted, told at once."""
    heart: Heart = house.app.extensions[HEART]
    heart._pulse.beat(now_us(), heart._counters())


def with_part(house, name, part):
    object.__setattr__(house.services, name, part)


@pytest.fixture
def lived_in(house, make_event, valkey):
    """Alerts, deliveries that arrived and one that did not, a held stream, canaries, workers."""
    wish = {"name": "s", "channel": {"kind": "webhook", "url": "http://hooks.example/hook"}}
    made = house.door("clinician").post("/v1/subscriptions", json=wish)
    outcomes = Outcomes()
    channels = outcomes.counting({"webhook": WebhookChannel(Reach(private=True))})
    with Receiver() as receiver:
        there = orjson.dumps({"kind": "webhook", "url": f"{receiver.url}?t=hush"}).decode()
        with house.services.database.writing() as conn:
            conn.execute(models.subscriptions.update().values(channel=there))
        house.publish(make_event(1, "death", DEATH))
        house.evaluate()
        delivery.deliver(house.services.database, channels)
    house.publish(make_event(2, "death", DEATH, subject="S-002"))
    house.evaluate()
    delivery.deliver(house.services.database, channels)  # nobody listens any more
    house.publish(make_event(3, "observation", TEMPERATURE))
    hold(house)
    worker = Pulse(house.services.database, "deliver", "deliver:h:7", 1)
    swept = {"sweep_events": 2, "sweep_streams": 3, "rings": 9, "missed_rings": 1}
    worker.beat(now_us(), {**swept, **outcomes.read()})
    Pulse(house.services.database, "evaluate", "evaluate:h:8", 1).beat(now_us(), {"rings": 1})
    with_part(house, "broker", Broker(valkey.url))
    for queue in ("evaluate", "deliver"):
        who = {"sent_by": "scheduler:h:1", "heard_by": "evaluate:h:8"}
        canaries.heard(
            house.services.database, queue, sent_us=now_us() - 4000, now_us=now_us(), **who
        )
    beat(house)
    return made.json["id"]


def hold(house):
    database = house.services.database
    with database.reading() as conn:
        stream = streams.find(conn, "msc-cgvhd", "S-001")
    assert stream is not None
    (waiting,) = work.read(database, [stream.id], now_us()).works
    assert poison.hold(database, waiting, "EvaluationError", now_us())


def test_a_monitor_reads_what_happened(house, lived_in):
    text = scrape(house)
    assert one(text, "vigil_events_received_total", stream="subject") == 3
    assert one(text, "vigil_evaluations_total", stream="subject") == 2
    assert one(text, "vigil_events_pending") == 1
    assert one(text, "vigil_streams_held") == 1
    assert one(text, "vigil_oldest_pending_seconds") == 0
    labels = {"trial": "msc-cgvhd", "category": "safety", "severity": "critical"}
    assert one(text, "vigil_alerts_open", **labels) >= 2
    assert one(text, "vigil_alert_log_position") >= 2
    arrived = one(text, "vigil_deliveries", status="delivered")
    assert arrived >= 1
    assert one(text, "vigil_deliveries", status="pending") >= 1
    assert one(text, "vigil_delivery_attempts_total", outcome="delivered") == arrived
    assert one(text, "vigil_delivery_attempts_total", outcome="unreachable") >= 1
    assert one(text, "vigil_endpoints_failing") == 1
    assert one(text, "vigil_dead_letters_open", kind="event") == 1
    assert one(text, "vigil_dead_letters_open", kind="delivery") == 0
    assert one(text, "vigil_sweep_found_total", what="events") == 2
    assert one(text, "vigil_missed_rings_total") == 1
    assert one(text, "vigil_broker_up", mode="external") == 1
    assert one(text, "vigil_queue_messages", queue="deliver") == 0
    assert one(text, "vigil_canary_age_seconds", queue="deliver") < 600
    assert one(text, "vigil_canary_age_seconds", queue="maintenance") == float("inf")
    assert one(text, "vigil_canary_took_seconds", queue="evaluate") >= 0.004
    assert one(text, "vigil_heartbeat_age_seconds", kind="deliver") < 600
    assert one(text, "vigil_processes", kind="evaluate", state="ok") == 1
    assert one(text, "vigil_process_peak_memory_bytes", kind="api") > 1e6
    route = {"method": "POST", "route": "/v1/events"}
    assert one(text, "vigil_http_requests_total", status="202", **route) == 3
    assert one(text, "vigil_http_request_seconds_count", **route) == 3
    assert one(text, "vigil_http_request_seconds_bucket", le="+Inf", **route) == 3
    assert one(text, "vigil_http_request_seconds_sum", **route) > 0
    for name in ("vigil_event_to_alert_seconds", "vigil_event_to_delivery_seconds"):
        assert one(text, name, quantile="0.5") > 0, name
    assert families(text)["vigil_build_info"].samples[0].labels["version"]


def test_every_metric_says_what_it_is_and_names_its_unit(house, lived_in):
    for name, family in families(scrape(house)).items():
        assert name.startswith("vigil_")
        assert len(family.documentation) > 10, name
        assert not re.search(r"_(ms|us|mb|min)$", name), name
        assert family.samples, name


def test_a_monitor_that_prefers_openmetrics_gets_it(house, lived_in):
    wish = {"Accept": "application/openmetrics-text; version=1.0.0"}
    answer = house.door("ops").get("/metrics", headers=wish)
    assert answer.content_type.startswith("application/openmetrics-text")
    assert {family.name for family in openmetrics(answer.text)} == set(families(scrape(house)))


def test_no_label_names_a_person_an_id_or_a_value(house, lived_in):
    text = scrape(house)
    for secret in ("S-001", "S-002", "36.9187", "secretcause", "hush", "hooks.example", lived_in):
        assert secret not in text
    labels = {key for family in families(text).values() for s in family.samples for key in s.labels}
    assert labels <= {
        *("stream", "trial", "category", "severity", "status", "outcome", "kind", "what", "state"),
        *("type", "mode", "queue", "route", "method", "le", "quantile"),
        *("version", "engine_version", "python"),
    }


def test_a_path_that_nobody_knows_makes_no_label_of_its_own(house):
    for path in ("/S-001", "/v1/trials/other/subjects/S-001", "/v1/%00"):
        house.door("clinician").get(path)
    beat(house)
    text = scrape(house)
    assert one(text, "vigil_http_requests_total", method="GET", route="none", status="404") == 2
    assert "S-001" not in text


def test_trials_beyond_the_bound_are_one(house, lived_in, monkeypatch):
    monkeypatch.setattr(figures, "MOST_TRIALS", 0)
    found = families(scrape(house))["vigil_alerts_open"].samples
    assert {sample.labels["trial"] for sample in found} == {"other"}


def test_no_counter_falls_when_a_process_ends_is_killed_or_takes_a_name_over(house, lived_in):
    database = house.services.database
    seen = [scrape(house)]
    Pulse(database, "deliver", "deliver:h:7", 2).beat(now_us(), {"rings": 0, "attempts|fault": 1})
    seen.append(scrape(house))
    house.door("ops").get("/v1/ops/queues")
    beat(house)
    house.app.extensions[HEART]._pulse.end(now_us())
    seen.append(scrape(house))
    Pulse(database, "evaluate", "evaluate:h:9", 3).beat(now_us() + 7200 * 10**6, {"rings": 1})
    seen.append(scrape(house))
    for before, after in pairwise(seen):
        assert fallen(before, after) == {}
    assert one(seen[0], "vigil_rings_total") == 10
    assert one(seen[-1], "vigil_rings_total") == 11
    assert counters(seen[-1])
    assert fallen(seen[-1], seen[0])  # or the test could not see one that falls


def test_metrics_are_for_keys_of_all_trials_unless_they_are_open(house):
    assert house.key("ops", trials=("msc-cgvhd",)).get("/metrics").status_code == 403
    assert house.door(None).get("/metrics").status_code == 401
    with_part(house, "settings", dataclasses.replace(house.services.settings, metrics_open=True))
    assert house.door(None).get("/metrics").status_code == 200
    assert house.door(None).get("/v1/ops/queues").status_code == 401


def exist(text):
    """Every name that a rule may use, also of families without samples just now."""
    found = families(text)
    suffixes = {"counter": ("_total",), "histogram": ("_bucket", "_count", "_sum")}
    return {
        name + suffix
        for name, family in found.items()
        for suffix in suffixes.get(family.type, ("",))
    }


def test_every_alarm_and_the_page_of_operations_name_metrics_that_exist(house, lived_in):
    there = exist(scrape(house))
    rules = [rule for group in RULES["groups"] for rule in group["rules"]]
    assert len(rules) >= 10
    for rule in rules:
        used = set(NAMED.findall(rule["expr"]))
        assert used, rule
        assert used <= there, rule
        assert rule["labels"]["severity"] in {"page", "ticket"}
        assert rule["annotations"]["summary"]
        assert rule["annotations"]["description"]
    names = [rule["alert"] for rule in rules]
    assert len(set(names)) == len(names)
    page = (ROOT / "docs" / "operations.md").read_text()
    assert set(NAMED.findall(page)) <= there
    for name in names:
        assert name in page, name
    in_page = set(NAMED.findall(page))
    assert {name for name in there if not name.endswith(("_count", "_sum"))} <= in_page


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_scrape_of_a_large_store_is_read_in_one_look(house, capsys):
    """100,000 events, 50,000 deliveries; the time is printed, not judged.

    PostgreSQL takes as long, but half a minute to fill.
    """
    fill(house.services.database)
    with house.services.database.writing() as conn:
        conn.exec_driver_sql("ANALYZE")  # as a database does by itself in time
    scrape(house)
    took_us = now_us()
    text = scrape(house)
    took_us = now_us() - took_us
    with capsys.disabled():
        sys.stdout.write(
            f"\na scrape: {took_us / 1000:.0f} ms on {house.services.database.dialect}\n"
        )
    assert one(text, "vigil_events_received_total", stream="subject") == 100_000
    assert one(text, "vigil_deliveries", status="delivered") == 49_000
    assert one(text, "vigil_deliveries_due") == 1_000


def fill(db):
    """Rows as they are after a long time; a sender of 25 to each alert."""
    now, per = now_us(), 50
    with db.writing() as conn:
        streams_ = [
            {
                "trial": "msc-cgvhd",
                "subject": f"L-{n}",
                "next_n": per,
                "done_n": per,
                "state": b"s" * 3000,
            }
            for n in range(2000)
        ]
        conn.execute(insert(models.streams), streams_)
        ids = [row.id for row in streams.of_trial(conn, "msc-cgvhd") if row.subject != "*"]
        for stream in ids:
            common = {"stream_id": stream, "trial": "msc-cgvhd", "subject": f"L-{stream}"}
            common |= {"source": "https://l.example/", "type": "observation", "time_us": now}
            common |= {"timeprecision": "second", "received_us": now, "stored_us": now - 10**6}
            some = [
                {
                    **common,
                    "n": n,
                    "event": f"ev_{stream}_{n}",
                    "id": f"{stream}-{n}",
                    "content": "c" * 64,
                }
                | {"data": "{}"}
                for n in range(1, per + 1)
            ]
            conn.execute(insert(models.events), some)
            conn.execute(
                insert(models.decisions),
                [
                    {
                        "stream_id": stream,
                        "n": n,
                        "due_us": 0,
                        "at_us": now,
                        "protocol_version": "1.0",
                    }
                    | {"engine_version": 1, "digest": "d" * 64, "changes": "[]" if n % 9 else "[1]"}
                    | {"evaluated_us": now - (stream * per + n) * 9000}
                    for n in range(1, per + 1)
                ],
            )
        fill_deliveries(conn, ids, now)


def fill_deliveries(conn, stream_ids, now):
    texts = dict.fromkeys(("title", "detail", "action", "source_text"), "t" * 200)
    conn.execute(
        insert(models.alerts),
        [
            {
                "id": f"al_{n}",
                "stream_id": stream_ids[n % 2000],
                "trial": "msc-cgvhd",
                "subject": "L",
            }
            | {"rule": "R", "key": str(n), "protocol_version": "1.0", "category": "safety", **texts}
            | {
                "severity": "serious",
                "severity_rank": 2,
                "status": "open" if n % 9 == 0 else "resolved",
            }
            | {
                "still_true": True,
                "evidence": "[]",
                "occurred_us": now,
                "opened_us": now,
                "sequence": n,
            }
            for n in range(10_000)
        ],
    )
    log = {"change": 1, "kind": "opened", "body": "b" * 1500}
    conn.execute(
        insert(models.alert_log),
        [
            {**log, "alert": f"al_{n}", "at_us": now - n * 60_000, "position": n + 1}
            for n in range(10_000)
        ],
    )
    channel = {
        "channel": '{"kind":"webhook","url":"http://h.example/"}',
        "filter": "{}",
        "events": "[]",
    }
    conn.execute(
        insert(models.subscriptions),
        [
            {"id": f"su_{n}", "name": "n", **channel, "content": "minimal", "status": "active"}
            | {"created_us": now, "created_by": "test"}
            for n in range(25)
        ],
    )
    common = {
        "change": 1,
        "event": "alert.opened",
        "critical": False,
        "created_us": now,
        "attempts": 1,
    }
    conn.execute(
        insert(models.deliveries),
        [
            {**common, "id": f"dl_{n}", "subscription": f"su_{n % 25}", "alert": f"al_{n // 5}"}
            | {
                "status": "delivered" if n % 50 else "pending",
                "position": n,
                "next_attempt_us": now - 10**6,
            }
            | {"delivered_us": now - n * 8000 if n % 50 else None}
            for n in range(50_000)
        ],
    )
    attempt = {"number": 1, "started_us": now, "finished_us": now}
    conn.execute(
        insert(models.attempts),
        [
            {**attempt, "delivery": f"dl_{n}", "outcome": "delivered" if n % 50 else "refused"}
            for n in range(50_000)
        ],
    )
