"""A whole log folded from nothing: what was decided, what is open, what was known when.

Who comes in: scenarios, `vigil evaluate`, `vigil replay`, `?as_of`. Who goes out: Replayed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from rules.events import Contribution, Event, FindingChange, Outcome, StepResult
from rules.step import Engine
from rules.terms import Change, EventType

CONTRIBUTION_SOURCE = "vigil:contribution"
ENDED = frozenset({Change.CLEARED, Change.SUPERSEDED})


@dataclass(frozen=True)
class Replayed:
    """Every stream of a trial, folded as one would have been live, step by step."""

    subjects: Mapping[str, Outcome]
    trial: Outcome

    def changes(self) -> list[tuple[str | None, StepResult, FindingChange]]:
        """Every change of a finding with its subject (None: the trial), in order of time."""
        found = [
            (subject, result, change)
            for subject, outcome in (*self.subjects.items(), (None, self.trial))
            for result in outcome.results
            for change in result.changes
        ]
        return sorted(found, key=lambda item: (item[1].at_us, item[0] or "", item[1].n))


def open_findings(results: Iterable[StepResult]) -> dict[tuple[str, str], FindingChange]:
    """What is open after these steps, by (rule, key), each as last told."""
    held: dict[tuple[str, str], FindingChange] = {}
    for result in results:
        for change in result.changes:
            name = (change.rule, change.key)
            if change.change in ENDED:
                held.pop(name, None)
            else:
                held[name] = change
    return held


def replay_subject(
    engine: Engine,
    trial: str,
    subject: str,
    log: Sequence[Event],
    until_us: int | None = None,
) -> Outcome:
    """One subject from nothing: `log` is the whole stream, numbered from 1."""
    return engine.subject_steps(trial, subject, None, log, lambda n: log[:n], until_us)


def replay_trial(
    engine: Engine,
    trial: str,
    logs: Mapping[str, Sequence[Event]],
    until_us: int | None = None,
) -> Replayed:
    """Every subject, then the trial's stream over their contributions in order of `at`."""
    subjects = {
        subject: replay_subject(engine, trial, subject, log, until_us)
        for subject, log in sorted(logs.items())
    }
    told = sorted(
        (
            (result, contribution)
            for outcome in subjects.values()
            for result in outcome.results
            for contribution in result.contributions
        ),
        key=lambda item: (item[1].at_us, contribution_name(*item)),
    )
    events = [
        contribution_event(n, contribution, contribution_name(result, contribution))
        for n, (result, contribution) in enumerate(told, start=1)
    ]
    return Replayed(
        subjects, engine.trial_steps(trial, None, events, lambda n: events[:n], until_us)
    )


def contribution_name(result: StepResult, contribution: Contribution) -> str:
    """The id of a contribution's event within its trial; sorts by subject, number, due instant."""
    parts = f"{result.n:010d}:{result.due_us:020d}:{contribution.rule}:{contribution.unit}"
    return f"{contribution.subject}:{parts}"


def contribution_event(n: int, contribution: Contribution, name: str) -> Event:
    """A contribution as an event of the trial's stream."""
    return Event(
        n=n,
        event=name,
        source=CONTRIBUTION_SOURCE,
        id=name,
        type=EventType.CONTRIBUTION.value,
        time_us=contribution.since_us,
        timeprecision="second",
        received_us=contribution.at_us,
        data=contribution.as_data(),
    )
