"""The same event in several subjects: what is counted equals the sets that it says it counts."""

from __future__ import annotations

from functools import cache

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import rules
from rules.facts import entities, timeline
from rules.replay import replay_trial
from rules.trial import state as trials
from tests.support.small import SMALL
from tests.support.step_logs import event

FEW = settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
NEEDED = 2
REPEAT = """\
repeats:
  - {id: RP-SAME, title: Same, when: grade >= 3 && is_suspected, subjects: 2, source: {document: record}}
rules:
  - {id: PAUSE-SAME, on: trial, category: stopping, severity: critical, when: rp_same_reached, title: T, detail: "{rp_same_terms} {rp_same_most}", action: A, hold: trial, source: {document: record}}
  - {id: ANY-SAME, on: trial, category: stopping, severity: info, when: rp_same_most >= 1 && has(facts.rp_same_terms), title: T, action: A, source: {document: record}}
"""


@cache
def engine() -> rules.Engine:
    text = SMALL.replace("rules:\n", REPEAT, 1).partition("\nscenarios:")[0]
    return rules.Engine(rules.loads(text + "\n", "repeats.yaml"))


@pytest.fixture(params=["roomy", "tight"], autouse=True)
def room(request, monkeypatch):
    """Once as in service, once keeping as little as can be, so that re-folds happen often."""
    if request.param == "tight":
        monkeypatch.setattr(timeline, "KEEP", 1)
        monkeypatch.setattr(timeline, "PRUNE_EVERY", 2)
        monkeypatch.setattr(entities, "MOST_PARTS", 2)


reports = st.fixed_dictionaries(
    {"ae": st.sampled_from(["x", "y"])},
    optional={
        "term": st.sampled_from(["Sepsis", " SEPSIS", "Fatigue", None]),
        "grade": st.sampled_from([2, 3, 4, None]),
        "causality": st.sampled_from(["related", "unrelated", None]),
        "status": st.sampled_from(["valid", "withdrawn"]),
    },
)
SUBJECTS = ("S-1", "S-2", "S-3")
told = st.lists(
    st.tuples(st.sampled_from(SUBJECTS), st.integers(0, 20), reports), min_size=1, max_size=14
)


def logs(rows):
    """Each subject's log in order of receipt; clinical times in any order."""
    made: dict[str, list[rules.Event]] = {}
    for n, (subject, day, data) in enumerate(rows):
        log = made.setdefault(subject, [])
        time, received = f"2026-01-{1 + day:02d}T09:00", f"2026-02-01T09:{n:02d}"
        log.append(event(len(log) + 1, "adverse_event", time, received, **data))
    return made


def counts(known):
    suspected = known.get("causality") != "unrelated"
    severe = known.get("grade") is not None and known["grade"] >= 3
    valid = known.get("status") != "withdrawn"
    return severe and suspected and valid and known.get("term") is not None


def by_hand(rows):
    """Which subjects have each term: reports merged by time, then receipt."""
    merged: dict[tuple[str, str], dict[str, object]] = {}
    for subject, _, data in sorted(rows, key=lambda row: row[1]):
        merged.setdefault((subject, data["ae"]), {}).update(data)
    subjects: dict[str, set[str]] = {}
    for (subject, _), known in merged.items():
        if counts(known):
            subjects.setdefault(str(known["term"]).strip().lower(), set()).add(subject)
    return subjects


def found(log_of):
    replayed = replay_trial(engine(), "t", log_of, None)
    return trials.loads("1.0", replayed.trial.state).snapshot


@FEW
@given(told)
def test_what_is_counted_is_how_many_subjects_have_each_term(rows):
    subjects, snapshot = by_hand(rows), found(logs(rows))
    reached = sorted(term for term, those in subjects.items() if len(those) >= NEEDED)
    assert snapshot.get("rp_same_most", 0) == max(map(len, subjects.values()), default=0)
    assert snapshot.get("rp_same_reached", False) is bool(reached)
    assert snapshot.get("rp_same_terms") == (", ".join(reached) or None)


@FEW
@given(told, st.data())
def test_telling_it_twice_or_in_another_order_of_subjects_changes_nothing(rows, data):
    order = data.draw(st.permutations(SUBJECTS))
    made = logs(rows)
    again = logs([row for subject in order for row in rows if row[0] == subject] * 2)
    assert found(again) == found(made)
