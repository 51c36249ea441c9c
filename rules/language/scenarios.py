"""The scenarios inside a file: fixtures expanded, defaults filled in, expectations typed.

Who comes in: schema.py. Who goes out: rules.model.Scenario, its events as CloudEvents.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from rules.language.events import EventChecker
from rules.language.loader import Map, Seq
from rules.language.reading import WORK_OF_EVENT, Book, Section
from rules.language.syntax import did_you_mean
from rules.model import Definition, Expected, Scalar, Scenario
from rules.terms import Decision, EventType, Verdict

_EVENT_KEYS = (
    *("specversion", "id", "source", "type", "time", "subject", "trial", "data"),
    *("timeprecision", "recordedtime"),
)
MAX_EVENTS = 1000  # of one fixture, and of all that a scenario begins with
_TOO_MANY = f"has more than {MAX_EVENTS} events"
_WITHOUT = ("code", "document", "type")


class EventMap(dict[str, object]):
    """One event of a scenario; remembers its line for later complaints."""

    line: int = 0


def scenarios(top: Section, book: Book) -> tuple[Scenario, ...]:
    """All scenarios of the file."""
    fixtures = _fixtures(top, book)
    return tuple(
        _scenario(item, fixtures, book) for item in top.sections("scenarios", "the scenario")
    )


def _fixtures(top: Section, book: Book) -> Mapping[str, list[Map]]:
    node = top.mapping("fixtures")
    result: dict[str, list[Map]] = {}
    for name, value in node.items():
        if not isinstance(value, Seq) or not all(isinstance(item, Map) for item in value):
            book.complain(node.lines[name], f"the fixture `{name}` must be a list of events")
        elif len(value) > MAX_EVENTS:
            book.complain(node.lines[name], f"the fixture `{name}` {_TOO_MANY}", "divide it")
        else:
            result[name] = list(value)
    return result


def _scenario(item: Section, fixtures: Mapping[str, list[Map]], book: Book) -> Scenario:
    name = item.text("name", required=True)
    names = _given(item, fixtures)
    if sum(len(fixtures[fixture]) for fixture in names) > MAX_EVENTS:
        item.complain("given", _TOO_MANY, "divide it")
        names = []
    given = [event for fixture in names for event in fixtures[fixture]]
    without = item.texts("without")
    dropped = [event for event in given if _words(event) & set(without)]
    for word in without:
        if not any(word in _words(event) for event in dropped):
            near = did_you_mean(word, {known for event in given for known in _words(event)})
            item.complain("without", f"`without`: nothing given is `{word}`", near)
    kept = [event for event in given if event not in dropped]
    own = item.items("events")
    book.spend(item.line(), WORK_OF_EVENT * (len(kept) + len(own)))
    events = _events([*kept, *(event for event in own if isinstance(event, Map))], book)
    if len(own) != sum(isinstance(event, Map) for event in own):
        item.complain("events", "each event must be a mapping", "{type: .., time: .., data: {..}}")
    about = item.texts("about")
    expect = tuple(replace(one, about=about) for one in _expectations(item))
    item.close()
    return Scenario(name, tuple(events), expect, item.line())


def _given(item: Section, fixtures: Mapping[str, list[Map]]) -> list[str]:
    known = []
    for name in item.texts("given"):
        if name in fixtures:
            known.append(name)
        else:
            item.complain("given", f"unknown fixture `{name}`", did_you_mean(name, fixtures))
    return known


def _words(event: Map) -> set[str]:
    data = event.get("data")
    words = [event.get("type")]
    if isinstance(data, Map):
        words += [data.get(key) for key in _WITHOUT]
    return {word for word in words if isinstance(word, str)}


def _events(nodes: list[Map], book: Book) -> list[EventMap]:
    """CloudEvents with what a scenario may leave out filled in: s-1, s-2... of subject S-1."""
    result = []
    for number, node in enumerate(nodes, start=1):
        section = Section(book, node, f"event {number}")
        section.asked.update(_EVENT_KEYS)
        section.close()
        section.text("type", required=True)
        section.text("time", required=True)
        event = EventMap(
            specversion="1.0", id=f"s-{number}", source="scenario", subject="S-1", trial="scenario"
        )
        event.update({key: plain(value) for key, value in node.items()})
        event.setdefault("data", {})
        event.line = node.line
        result.append(event)
    return result


def plain(node: Any) -> Any:
    """The tree without its lines: dicts, lists and scalars."""
    if isinstance(node, Map):
        return {key: plain(value) for key, value in node.items()}
    return [plain(value) for value in node] if isinstance(node, Seq) else node


def _expectations(item: Section) -> tuple[Expected, ...]:
    value = item.raw("expect", required=True)
    if isinstance(value, Map):
        return (_expected(Section(item.book, value, f"{item.what}, `expect`"), item),)
    if not isinstance(value, Seq):
        if value is not None:
            item.complain("expect", "`expect` must be a mapping or a list of them")
        return ()
    parts = list(item.sections("expect", f"{item.what}, `expect`"))
    return tuple(_expected(part, item) for part in parts)


def _expected(part: Section, item: Section) -> Expected:
    verdicts = part.mapping("verdicts")
    for criterion, verdict in verdicts.items():
        if verdict not in [known.value for known in Verdict]:
            message = f"{item.what}: `{criterion}` must be one of {', '.join(Verdict)}"
            part.book.complain(
                verdicts.lines[criterion], message, did_you_mean(str(verdict), list(Verdict))
            )
    result = Expected(
        at=part.text("at") or None,
        decision=part.choice("decision", [known.value for known in Decision], required=False)
        or None,
        verdicts={name: verdict for name, verdict in verdicts.items() if isinstance(verdict, str)},
        alerts=part.texts("alerts") if "alerts" in part.node else None,
        opened=part.texts("opened") if "opened" in part.node else None,
        line=part.line(),
        facts=_facts(part),
        missing=part.texts("missing") if "missing" in part.node else None,
    )
    part.asked |= {"alerts", "opened", "missing"}
    part.close()
    return result


def _facts(part: Section) -> dict[str, Scalar | None]:
    """`fact: value`, null where it is unknown."""
    node = part.mapping("facts")
    odd = [name for name, value in node.items() if isinstance(value, Map | Seq)]
    for name in odd:
        message = f"{part.what}: `{name}` must be a number, a text, true, false or null"
        part.book.complain(node.lines[name], message)
    return {name: value for name, value in node.items() if name not in odd}


PRECISIONS = ("second", "day", "month", "year")


def judge(definition: Definition, book: Book) -> None:
    """Every event of every scenario must pass the door; a fixture's faults are told once."""
    checker = EventChecker(definition)
    told: set[tuple[int, str]] = set()
    for scenario in definition.scenarios:
        for expected in scenario.expect:
            fault = None if expected.at is None else checker.dates.instant(expected.at)
            if fault is not None:
                message = f"the scenario `{scenario.name}`: `at` {fault[0]}"
                book.complain(expected.line, message, fault[1])
        types = {str(event.get("id")): str(event.get("type")) for event in scenario.events}
        for event in scenario.events:
            line = event.line if isinstance(event, EventMap) else scenario.line
            for pointer, detail, hint in _problems(checker, event, types):
                message = f"an event of the scenario `{scenario.name}`: {pointer} {detail}"
                if (line, pointer + detail) not in told:
                    told.add((line, pointer + detail))
                    book.complain(line, message, hint)


def _problems(
    checker: EventChecker, event: Mapping[str, Any], types: Mapping[str, str]
) -> list[tuple[str, str, str]]:
    problems = []
    if event.get("timeprecision", "second") not in PRECISIONS:
        problems.append(("/timeprecision", f"must be one of {', '.join(PRECISIONS)}", ""))
    problems += [
        (f"/{key}", *fault)
        for key in ("time", "recordedtime")
        if key in event and (fault := checker.dates.instant(event[key]))
    ]
    if problems:
        return problems
    time_us = checker.dates.calendar.parse(event["time"]).start
    if not checker.begins(time_us, event.get("timeprecision", "second")):
        return [("/time", "begins no such span in the site's zone", "the first instant of it")]
    kind, data = str(event["type"]), event["data"]
    found = checker.check(kind, data, time_us, str(event["source"]))[1]
    if kind == EventType.CORRECTION and not found and "data" in data:
        target = types.get(data["corrects"]["id"])
        if target is not None:
            found = checker.check(target, data["data"], time_us, str(event["source"]))[1]
    return found
