"""The pilot study's tables through the engine alone, against a count over the tables.

The same events through a running service are tests/e2e's; here a difference shows in seconds.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from datetime import datetime, time

import pytest

import rules
from rules.events import FindingChange
from rules.facts.calendar import to_us
from rules.replay import Replayed, replay_trial
from tests.support import cdisc

ENDED = {rules.Change.CLEARED, rules.Change.SUPERSEDED}

pytestmark = pytest.mark.skipif(
    not cdisc.available(), reason="the pilot study's tables are not beside this checkout"
)


def microseconds(moment: object) -> int:
    """Of a CloudEvent's time."""
    return to_us(datetime.fromisoformat(str(moment)))


@pytest.fixture(scope="module")
def replayed() -> Replayed:
    protocol = rules.load(cdisc.PILOT)
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
    end = datetime.combine(cdisc.last_day(), time(), cdisc.ZONE)
    return replay_trial(rules.Engine(protocol), "pilot", logs, to_us(end))


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
