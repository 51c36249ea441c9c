"""The rules alone: decisions a core can make, and the same events with nothing around them."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any

import rules
from services import clock, ids, stories
from services.bench import handwritten

FLAGSHIP = Path(rules.__file__).parent / "protocols" / "msc-cgvhd.yaml"
START = datetime(2026, 1, 5, 8, tzinfo=UTC)
SUBJECTS = 40
EVENTS_PER_SUBJECT = 50


def measure() -> dict[str, float]:
    """Figures of one core, each over about a second; `raw_engine_per_s` over two.

    `decisions_per_core_s`: verdict vectors with the list of what is missing read of each;
    `decisions_without_missing_per_core_s`: without it; `handwritten_per_core_s`: the vectors of a
    plain Python function, without it too; `explanations_per_core_s`: the clause trees of all
    criteria over one subject's facts.
    """
    protocol = rules.load(FLAGSHIP)
    facts = [_fact_set(protocol, Random(seed)) for seed in range(500)]  # noqa: S311
    assess = protocol.assess
    return {
        "decisions_per_core_s": _rate(facts, lambda one: assess(one).missing),
        "decisions_without_missing_per_core_s": _rate(facts, assess),
        "handwritten_per_core_s": _rate(facts, handwritten.verdicts),
        "explanations_per_core_s": _rate(facts, protocol.explain),
        "raw_engine_per_s": round(_raw_engine(protocol)),
    }


def _rate(facts: list[dict[str, Any]], work: Callable[[dict[str, Any]], Any]) -> int:
    began, made = time.perf_counter(), 0
    while time.perf_counter() - began < 1.0:
        for one in facts:
            work(one)
        made += len(facts)
    return round(made / (time.perf_counter() - began))


def _fact_set(protocol: rules.Protocol, chance: Random) -> dict[str, Any]:
    values: dict[str, Any] = {"age_years": chance.randint(0, 85), "sex": "female"}
    for name, spec in protocol.definition.facts.items():
        if spec.value == "boolean" and chance.random() < 0.9:
            values[name] = chance.random() < 0.1
    return values


def stream_events(
    protocol: rules.Protocol, published: Sequence[dict[str, Any]]
) -> list[rules.Event]:
    """Published CloudEvents as the engine sees them: checked, numbered, received in order."""
    events = []
    for n, one in enumerate(published, start=1):
        time_us = clock.to_us(datetime.fromisoformat(one["time"]))
        data, problems = protocol.checker.check(one["type"], one["data"], time_us, one["source"])
        if problems:
            message = f"the synthetic event {one['type']} is refused: {problems}"
            raise ValueError(message)
        server_id = ids.event_id(one["trial"], one["source"], one["id"])
        events.append(
            rules.Event(
                n,
                server_id,
                one["source"],
                one["id"],
                one["type"],
                time_us,
                "second",
                time_us,
                data,
            )
        )
    return events


def _raw_engine(protocol: rules.Protocol) -> float:
    engine = rules.Engine(protocol)
    streams = [_published(subject) for subject in range(SUBJECTS)]
    began = time.perf_counter()
    for subject, published in enumerate(streams):
        events = stream_events(protocol, published)
        _fold(engine, f"S-{subject}", events)
    return SUBJECTS * EVENTS_PER_SUBJECT / (time.perf_counter() - began)


def _fold(engine: rules.Engine, subject: str, events: list[rules.Event]) -> None:
    def log(n: int) -> list[rules.Event]:
        return events[:n]

    engine.subject_steps("bench", subject, None, events, log, until_us=None)


def _published(subject: int) -> list[dict[str, Any]]:
    return stories.subject_events("bench", f"S-{subject}", EVENTS_PER_SUBJECT, 1, START)
