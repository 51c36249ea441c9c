"""Engines of versions that nobody asks any more give their memory back."""

from __future__ import annotations

import gc
import resource
from contextlib import closing
from pathlib import Path

import rules
from tests.support.small import SMALL
from tests.support.step_logs import START, event

PAGE = resource.getpagesize()
ENGINES = 120  # kept, they take about 0.3 MB each
LOG = [event(1, "enrolment", START, status="screened")]


def held_mb():
    gc.collect()
    return int(Path("/proc/self/statm").read_text().split()[1]) * PAGE / 2**20


def test_an_engine_that_is_closed_frees_its_knowledge_base_and_answers_when_asked_again():
    protocol = rules.loads(SMALL, "small")
    with closing(rules.Engine(protocol)) as engine:
        said = engine.subject_steps("t", "S-1", None, LOG, lambda n: LOG[:n])
    assert engine.subject_steps("t", "S-1", None, LOG, lambda n: LOG[:n]) == said
    engine.close()
    before = held_mb()
    for _ in range(ENGINES):
        with closing(rules.Engine(protocol)) as engine:
            engine.subject_steps("t", "S-1", None, LOG, lambda n: LOG[:n])
    assert held_mb() - before < 8
