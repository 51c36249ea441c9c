"""The pilot study's tables through the engine alone, against a count over the tables.

The same events through a running service are tests/e2e's; here a difference shows in seconds.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from datetime import datetime, time

import pytest

import rules
from rules.events import FindingChange
from rules.facts.calendar import to_us
from rules.replay import Replayed, replay_trial
from tests.support import cdisc, pilot_truth

ENDED = {rules.Change.CLEARED, rules.Change.SUPERSEDED}

pytestmark = pytest.mark.skipif(
    not cdisc.available(), reason="the pilot study's tables are not beside this checkout"
)


def microseconds(moment: object) -> int:
    """Of a CloudEvent's time."""
    return to_us(datetime.fromisoformat(str(moment)))


@pytest.fixture(scope="module")
def engine() -> rules.Engine:
    return rules.Engine(rules.load(cdisc.PILOT))


@pytest.fixture(scope="module")
def logs(engine: rules.Engine) -> Mapping[str, list[rules.Event]]:
    protocol = engine.protocol
    logs: dict[str, list[rules.Event]] = defaultdict(list)
    for made in cdisc.events("pilot"):
        kind, when = str(made["type"]), microseconds(made["time"])
        data, problems = protocol.checker.check(kind, made["data"], when)
        assert problems == []
        log = logs[str(made["subject"])]
        received, name = microseconds(made["recordedtime"]), str(made["id"])
        log.append(
            rules.Event(
                n=len(log) + 1,
                event=name,
                source=str(made["source"]),
                id=name,
                type=kind,
                time_us=when,
                timeprecision=str(made["timeprecision"]),
                received_us=received,
                data=data,
            )
        )
    return logs


@pytest.fixture(scope="module")
def replayed(engine: rules.Engine, logs: Mapping[str, list[rules.Event]]) -> Replayed:
    end = datetime.combine(cdisc.last_day(), time(), cdisc.ZONE)
    return replay_trial(engine, "pilot", logs, to_us(end))


def counted(changes: Iterable[FindingChange]) -> dict[str, cdisc.Count]:
    """Opened and still open, by rule."""
    opened: Counter[str] = Counter()
    ended: Counter[str] = Counter()
    for change in changes:
        opened[change.rule] += change.change is rules.Change.OPENED
        ended[change.rule] += change.change in ENDED
    return {rule: cdisc.Count(opened[rule], opened[rule] - ended[rule]) for rule in opened}


def test_every_subjects_alerts_are_those_counted_from_the_tables(replayed: Replayed) -> None:
    expected = cdisc.expected()
    assert len(replayed.subjects) == 306
    for subject, outcome in replayed.subjects.items():
        changes = [change for result in outcome.results for change in result.changes]
        assert counted(changes) == expected.get(subject, {}), subject


def test_the_trials_own_alerts_are_those_counted_from_the_tables(replayed: Replayed) -> None:
    changes = [change for result in replayed.trial.results for change in result.changes]
    assert counted(changes) == cdisc.expected_of_the_trial()


def test_most_serious_events_of_the_real_data_bear_a_flag_that_says_not_serious() -> None:
    counts = cdisc.expected().values()
    serious = sum(rules["S-SAE"].opened for rules in counts if "S-SAE" in rules)
    mistaken = sum(rules["S-SAE-FLAG"].opened for rules in counts if "S-SAE-FLAG" in rules)
    assert (serious, mistaken) == (39, 36)


def test_every_laboratory_value_is_shown_with_the_grade_counted_from_the_table(
    engine: rules.Engine, logs: Mapping[str, list[rules.Event]], replayed: Replayed
) -> None:
    shown = {
        value["event"]: (value["min"], value["grade"], value["baseline"])
        for subject, outcome in replayed.subjects.items()
        for item in engine.laboratory_view(outcome.state, logs[subject])["items"]
        for value in item["values"]
        if item["ctcae"]
    }
    counted_values = {one.event: (*one.worst, one.is_baseline) for one in pilot_truth.results()}
    assert shown == counted_values
    assert Counter(grade for _, grade, _ in shown.values()) == {0: 31_638, 1: 799, 2: 106, 3: 75}


def test_every_report_is_due_when_the_day_of_collection_says(replayed: Replayed) -> None:
    due = {
        (subject, change.key): change.due_us
        for subject, outcome in replayed.subjects.items()
        for result in outcome.results
        for change in result.changes
        if change.rule == "CL-OVERDUE"
    }
    assert due == {
        (event.subject, f"clock:{clock}:{event.ae}"): to_us(moment)
        for event in pilot_truth.serious()
        for clock, moment in event.due.items()
    }
    assert len(due) == 75


def test_the_one_subject_with_raised_bilirubin_and_transaminase_is_cholestatic_not_hys_law(
    replayed: Replayed,
) -> None:
    told = {
        subject: change
        for subject, outcome in replayed.subjects.items()
        for result in outcome.results
        for change in result.changes
        if change.rule.startswith("HY-")
    }
    assert {subject: change.rule for subject, change in told.items()} == {
        "01-705-1186": "HY-CHOLESTATIC"
    }
    assert set(pilot_truth.dead()) == {
        subject
        for subject, outcome in replayed.subjects.items()
        for result in outcome.results
        for change in result.changes
        if change.rule == "S-DEATH"
    }
