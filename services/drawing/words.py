"""A stopping rule's standing in plain sentences: what a page says and what a figure's text says.

Who comes in: pages, figures. Who goes out: course.
"""

from __future__ import annotations

from services.drawing.course import Axis, Course, Rule, Tread


def outlook(rule: Rule) -> str:
    """What would stop it: "Stop if 1 more of the next 2 evaluable subjects has an event."."""
    if rule.get("crossed"):
        return "The boundary is reached."
    course = Course.of(rule)
    if course.now is None or not course.treads:
        return ""
    if course.axis is not Axis.EVALUABLE:
        return _by_exposure(course)
    if not course.targets:
        return "The boundary can no longer be reached."
    ways = [_way(target.more, target.of_next, course.unit) for target in course.targets[:2]]
    return f"Stop if {', or if '.join(ways)}."


def _way(more: int, of_next: int, unit: str) -> str:
    have = "has an event" if more == 1 else "have an event"
    if of_next == 1:
        return f"the next evaluable {unit} {have}"
    if more == of_next:
        return f"{more} more of the next {of_next} evaluable {unit}s ({_all(of_next)}) {have}"
    return f"{more} more of the next {of_next} evaluable {unit}s {have}"


def _all(number: int) -> str:
    return "both" if number == 2 else "all of them"


def _by_exposure(course: Course) -> str:
    """The nearest event that would stop, and until which exposure it would."""
    assert course.now is not None
    now, of = course.now, _amount(course)
    ahead = [step for step in course.treads if step.end >= now.at and step.stop_at > now.events]
    if not ahead:
        return "The boundary can no longer be reached."
    more = ahead[0].stop_at - now.events
    events = "1 more event comes" if more == 1 else f"{more} more events come"
    return f"Stop if {events} before {of} {_until(ahead[0])} (now {now.at:g})."


def _until(step: Tread) -> str:
    return f"exceeds {step.end:.1f}"


def _amount(course: Course) -> str:
    if course.axis is Axis.EFFECTIVE:
        return f"the effective number of {course.unit}s"
    return "the exposure in days"


def standing(rule: Rule) -> str:
    """How many events there are: "2 events in 4 evaluable subjects, 3 not yet evaluable."."""
    unit = rule.get("unit") or "subject"
    said = (
        f"{_counted(rule['events'], 'event')} in {_counted(rule['evaluable'], f'evaluable {unit}')}"
    )
    pending = rule.get("pending") or 0
    return f"{said}, {pending} not yet evaluable." if pending else f"{said}."


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def described(rule: Rule) -> str:
    """The figure for who does not see it."""
    parts = [_boundary_in_words(Course.of(rule))]
    if "events" in rule:
        parts += [standing(rule), outlook(rule)]
    return " ".join(part for part in parts if part)


def _boundary_in_words(course: Course) -> str:
    if not course.treads:
        return "The rule cannot stop the trial."
    if course.axis is not Axis.EVALUABLE:
        cuts = [f"event {step.stop_at} up to {step.end:.1f}" for step in course.treads]
        return f"The trial stops at {_listed(cuts)} by {_amount(course)}."
    levels: dict[int, list[Tread]] = {}
    for step in course.treads:
        levels.setdefault(step.stop_at, []).append(step)
    said = [f"{events} with {_sizes(steps)}" for events, steps in levels.items()]
    return f"Numbers of events that stop the trial: {_listed(said)} evaluable {course.unit}s."


def _sizes(steps: list[Tread]) -> str:
    first, last = int(steps[0].begin + 0.5), int(steps[-1].end - 0.5)
    return str(last) if first == last else f"{first} to {last}"


def _listed(parts: list[str]) -> str:
    shown = parts if len(parts) <= 12 else [*parts[:11], "and so on up to", parts[-1]]
    return ", ".join(shown)
