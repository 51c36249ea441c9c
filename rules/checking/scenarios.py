"""The scenarios inside a protocol file, run through the very engine that will judge subjects.

Who comes in: `vigil protocol check`, the protocols' tests. Who goes out: complaints with lines.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import closing
from datetime import datetime
from typing import Any

from rules.checking.watching import Seen, Told
from rules.errors import Complaint, RuleError
from rules.events import Event
from rules.facts.calendar import to_us
from rules.model import Expected, Scalar, Scenario
from rules.protocol import Protocol
from rules.replay import Replayed, open_findings, replay_trial
from rules.step import Engine
from rules.terms import Change, EventType

Logs = dict[str, list[Event]]


def check_scenarios(protocol: Protocol) -> list[Complaint]:
    """Run every scenario; a complaint for each expectation that does not hold."""
    complaints: list[Complaint] = []
    with closing(Engine(protocol)) as engine:
        for scenario in protocol.definition.scenarios:
            complaints += check_scenario(engine, scenario)
    return complaints


def check_scenario(engine: Engine, scenario: Scenario, seen: Seen | None = None) -> list[Complaint]:
    """Run one scenario; a complaint for each expectation that does not hold.

    `seen` notes what each expectation rests on, where `engine` is one that is watched.
    """
    file = engine.protocol.definition.file
    what = f"the scenario `{scenario.name}`"
    logs, complaints = _logs(engine.protocol, scenario, file, what)
    if complaints:
        return complaints
    for expected in scenario.expect:
        if seen is not None:
            seen.told.append(Told(expected))
        try:
            complaints += [
                Complaint(file, expected.line, f"{what}: {message}")
                for message in _differences(engine, logs, expected)
            ]
        except RuleError as error:
            complaints.append(Complaint(file, expected.line, f"{what} cannot be run: {error}"))
            break
    return complaints


def _logs(
    protocol: Protocol, scenario: Scenario, file: str, what: str
) -> tuple[Logs, list[Complaint]]:
    """Each subject's events, numbered in order of receipt, and what the door would refuse."""
    complaints: list[Complaint] = []
    timed = []
    for row in scenario.events:
        try:
            timed.append((_received(row), row))
        except (TypeError, ValueError):
            line = getattr(row, "line", scenario.line)
            message = f"{what}: a time must be like 2026-03-02T08:15:00+09:00"
            complaints.append(Complaint(file, line, message))
    logs: Logs = {}
    sent: dict[tuple[str, str], Mapping[str, Any]] = {}
    for received_us, row in sorted(timed, key=lambda item: item[0]):
        sent[str(row["source"]), str(row["id"])] = row
        event, problems = _event(protocol, row, received_us, sent)
        line = getattr(row, "line", scenario.line)
        for pointer, detail, hint in problems:
            complaints.append(Complaint(file, line, f"{what}: {pointer} {detail}", hint))
        log = logs.setdefault(str(row["subject"]), [])
        log.append(Event(len(log) + 1, *event))
    return logs, complaints


def _event(
    protocol: Protocol,
    row: Mapping[str, Any],
    received_us: int,
    sent: Mapping[tuple[str, str], Mapping[str, Any]],
) -> tuple[tuple[Any, ...], Sequence[tuple[str, str, str]]]:
    """The fields of an event after its number, and the checker's problems with its data."""
    kind, time_us = str(row["type"]), to_us(datetime.fromisoformat(str(row["time"])))
    data: Any = row["data"]
    source, own = str(row["source"]), str(row["id"])
    data, problems = protocol.checker.check(kind, data, time_us, source)
    target = data.get("corrects") if kind == EventType.CORRECTION.value else None
    if isinstance(target, Mapping) and isinstance(data.get("data"), Mapping):
        original = sent.get((str(target.get("source")), str(target.get("id"))))
        if original is not None:
            checked, more = protocol.checker.check(
                str(original["type"]), data["data"], time_us, source
            )
            data, problems = {**data, "data": checked}, [*problems, *more]
    precision = str(row.get("timeprecision") or "second")
    return (f"{source}#{own}", source, own, kind, time_us, precision, received_us, data), problems


def _received(row: Mapping[str, Any]) -> int:
    moment = datetime.fromisoformat(str(row.get("recordedtime") or row["time"]))
    if moment.tzinfo is None:
        raise ValueError("no offset")
    return to_us(moment)


def _differences(engine: Engine, logs: Logs, expected: Expected) -> list[str]:
    """What is otherwise than expected, once everything received by `at` is judged at `at`."""
    received = [event.received_us for log in logs.values() for event in log]
    at_us = max(received, default=None)
    if expected.at is not None:
        at_us = to_us(datetime.fromisoformat(expected.at))
    known = {
        subject: [event for event in log if at_us is None or event.received_us <= at_us]
        for subject, log in logs.items()
    }
    replayed = replay_trial(engine, "scenario", known, at_us)
    messages: list[str] = []
    if expected.decision is not None or expected.verdicts or expected.missing is not None:
        for outcome in replayed.subjects.values():
            messages += _verdicts(engine.view(outcome.state), expected)
    for outcome in replayed.subjects.values() if expected.facts else ():
        messages += _facts(engine.facts(outcome.state, expected.facts), expected)
    if expected.alerts is not None:
        found = set(filter(expected.concerns, _open(replayed)))
        messages += _lists("open alerts", expected.alerts, found)
    if expected.opened is not None:
        found = set(filter(expected.concerns, _opened(replayed)))
        messages += _lists("alerts ever opened", expected.opened, found)
    return messages


def _verdicts(view: Mapping[str, Any], expected: Expected) -> list[str]:
    messages = []
    if expected.decision is not None and view["decision"] != expected.decision:
        messages.append(f"the decision is {view['decision']}, not {expected.decision}")
    found = {item["id"]: item["verdict"] for item in view["criteria"]}
    for criterion, verdict in expected.verdicts.items():
        if found.get(criterion) != verdict:
            messages.append(f"{criterion} is {found.get(criterion)}, not {verdict}")
    if expected.missing is not None:
        names = {item["fact"] for item in view["missing"]}
        messages += _lists("the facts that are missing", expected.missing, names)
    return messages


def _facts(found: Mapping[str, Scalar | None], expected: Expected) -> list[str]:
    """Numbers are the same at 12 significant digits, as everywhere."""
    return [
        f"{name} is {_said(found[name])}, not {_said(value)}"
        for name, value in expected.facts.items()
        if _said(found[name]) != _said(value)
    ]


def _said(value: Scalar | None) -> str:
    if value is None:
        return "unknown"
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if isinstance(value, str) else f"{value:.12g}"


def _open(replayed: Replayed) -> set[str]:
    outcomes = (*replayed.subjects.values(), replayed.trial)
    return {rule for outcome in outcomes for rule, _ in open_findings(outcome.results)}


def _opened(replayed: Replayed) -> set[str]:
    return {c.rule for _, _, c in replayed.changes() if c.change is Change.OPENED}


def _lists(what: str, expected: Sequence[str], found: set[str]) -> list[str]:
    if set(expected) == found:
        return []
    return [f"{what} are {_names(found)}, not {_names(set(expected))}"]


def _names(rules: set[str]) -> str:
    return ", ".join(sorted(rules)) or "none"
