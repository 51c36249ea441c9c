"""The engine against an independent reading: random protocols, random logs, one answer.

The reading (tests/support/reference) was written from the manual's words: it keeps nothing, reads
the whole log again for each question, and decides a vague date by trying every extreme completion.
"""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from tests.support.random_trials import UNFIT, Said, logs, trials
from tests.support.reference.facts import TooVague

MANY = settings(max_examples=120, deadline=None, suppress_health_check=list(HealthCheck))


def agree(data):
    trial = data.draw(trials())
    log = data.draw(logs(trial))
    now = log[-1].received_us + data.draw(st.sampled_from((0, 1, *trial.edges)))
    subject = trial.reference(log, now)
    try:
        judged, expected = subject.judged, subject.open_rules()
    except TooVague:
        assume(False)
    said = trial.said(trial.run(log, now))
    found = {name: detail for name, detail in said.open.items() if name[0] != UNFIT}
    assert said._replace(open=found) == Said(judged.verdicts, judged.decision, expected)


@MANY
@given(st.data())
def test_the_engine_says_what_an_independent_reading_says(data):
    agree(data)


@pytest.mark.soak
@settings(MANY, max_examples=30_000)
@given(st.data())
def test_the_engine_says_what_an_independent_reading_says_for_long(data):
    agree(data)
