"""The engine against an independent reading: random protocols, random logs, one answer.

The reading (tests/support/reference) was written from the manual's words: it keeps nothing, reads
the whole log again for each question, and decides a vague date by trying every extreme completion.
"""

from __future__ import annotations

from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from rules.replay import open_findings
from tests.support.random_trials import logs, trials
from tests.support.reference.facts import TooVague

INEXACT = " (exact time not recorded)"
MANY = settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))


@MANY
@given(st.data())
def test_the_engine_says_what_an_independent_reading_says(data):
    trial = data.draw(trials())
    log = data.draw(logs(trial))
    later = data.draw(st.sampled_from((0, 1, *trial.edges)))
    now = log[-1].received_us + later
    outcome = trial.run(log, now)
    subject = trial.reference(log, now)
    try:
        judged, expected = subject.judged, subject.open_rules()
    except TooVague:
        assume(False)
    view = trial.engine.view(outcome.state)
    verdicts = {one["id"]: one["verdict"] for one in view["criteria"]}
    assert (verdicts, view["decision"]) == (judged.verdicts, judged.decision)
    said = open_findings(outcome.results)
    found = {
        (rule, _entity(rule, key, trial)): one.detail.replace(INEXACT, "")
        for (rule, key), one in said.items()
    }
    found = {name: text for name, text in found.items() if name[0] != "OPS-CORRECTION-UNFIT"}
    assert found == expected


def _entity(rule: str, key: str, trial) -> str:
    """State rules are keyed by the episode; the others by their entity."""
    scopes = {one["id"]: one["on"] for one in trial.raw["rules"]}
    return "subject" if scopes.get(rule, "subject") == "subject" else key
