"""The subject's visits: each judged when it, its anchor, or what its rules ask of now changes.

Who comes in: the fold, after everything that may need the log. Who goes out: findings that differ.
"""

from __future__ import annotations

from rules.facts import entities, entity_records, visits
from rules.facts.calendar import FOREVER, Span
from rules.facts.projections import Reading
from rules.findings import Step
from rules.folding import Dirty
from rules.model import Visit
from rules.subject.anchored import spans
from rules.subject.context import Subject
from rules.subject.ranging import judge_now, touched_now
from rules.subject.relating import moved, relate
from rules.terms import EventType, Scope

_DUE = "@visit:"  # beside which the state notes when time alone changes a visit
_ENTITY = "visit:"
_LAST = "last_infusion"  # an anchor that each infusion moves


def all_visits(subject: Subject, step: Step, dirty: Dirty, changed: set[str]) -> None:
    """Judge every visit again where the step may have touched any: they are few, and cheap."""
    ranges = subject.plan.ranges
    if not ranges.visits or not _touched(subject, dirty, changed):
        return
    expected, treated = _expected(subject, entities.LEFT), _expected(subject, entities.STOPPED)
    for visit in ranges.visits:
        anchor, until_us = _anchor(subject, step, visit)
        applies = _applies(subject, visit)
        _wait(subject, step, visit, until_us)
        if anchor is not None and applies is not False:
            comes = expected if visit.administration is None else treated
            _visit(subject, step, visit, anchor, until_us, expected=comes)
        else:
            subject.forget(step, _ENTITY + visit.id, wrong=anchor is None)


def _touched(subject: Subject, dirty: Dirty, changed: set[str]) -> bool:
    ranges = subject.plan.ranges
    if dirty.visits or dirty.status or dirty.everything:
        return True
    if any(name.startswith(_DUE) or name in ranges.anchors for name in dirty.facts):
        return True
    if any(source.origin is EventType.CONSENT for source in dirty.sources):
        return True
    applying = not changed.isdisjoint(ranges.applicable_names)
    related = moved(subject, dirty, Scope.VISIT) < FOREVER
    return applying or related or touched_now(subject, Scope.VISIT, dirty, changed)


def _expected(subject: Subject, left: frozenset[str]) -> bool:
    """Whether the subject is still to come: neither dead nor gone since it was last enrolled.

    `left`: the words of its status that say so; treatment may end before the visits do.
    """
    if subject.state.deaths:
        return False
    gone = False
    for item in subject.state.enrolment:
        status = item[entities.FIELDS].get("status")
        if status in left:
            gone = True
        elif status in ("screened", "enrolled"):
            gone = False
    return not gone


def _applies(subject: Subject, visit: Visit) -> bool | None:
    condition = subject.plan.ranges.applicable.get(visit.id)
    return True if condition is None else condition(subject.state.live)


def _anchor(subject: Subject, step: Step, visit: Visit) -> tuple[Span | None, int]:
    """When the visit's anchor was, if it has happened; and when time alone may move it."""
    found = subject.plan.moment(visit.anchor)(subject.timeline, None, step.at_us)
    if found.lo_us is None or found.hi_us is None:
        return None, found.until_us
    return Span(found.lo_us, found.hi_us), found.until_us


def _wait(subject: Subject, step: Step, visit: Visit, until_us: int) -> None:
    """Note when time alone changes a visit; nothing where it never does."""
    if step.at_us < until_us < FOREVER:
        subject.state.until[_DUE + visit.id] = until_us
    else:
        subject.state.until.pop(_DUE + visit.id, None)


def _visit(
    subject: Subject, step: Step, visit: Visit, anchor: Span, until_us: int, *, expected: bool
) -> None:
    plan, state = subject.plan, subject.state
    held, interrupted = _held(subject, visit)
    stands = visits.stand(
        visit,
        anchor,
        held,
        step.at_us,
        plan.calendar,
        expected=expected,
        daily=plan.ranges.daily,
        interrupted=interrupted,
    )
    _wait(subject, step, visit, min(until_us, stands.next_us))
    took_place = held if visits.counts(visit, anchor, held) else None
    entity, key = _ENTITY + visit.id, _key(subject, visit)
    if any(one[0] != key for one in state.findings.get(entity, {}).values()):
        subject.forget(step, entity, wrong=False)
    judge_now(
        subject,
        step,
        Scope.VISIT,
        entity,
        _readings(subject, visit, stands, _time(subject, visit, anchor, took_place)),
        occurred_us=stands.occurred_us,
        untrue_from_us=took_place[visits.START] if took_place and took_place[visits.DONE] else None,
        key=key,
    )


def _held(subject: Subject, visit: Visit) -> tuple[visits.Told | None, bool]:
    """What was last told of a visit, and whether it was broken off; of an infusion that itself."""
    state = subject.state
    if visit.administration is None:
        return state.visits.get(visit.id), False
    parts = state.infusions.get(str(visit.administration))
    if not parts:
        return None, False
    merged = entities.merge(parts)
    event = entity_records.told(merged, "start")
    held = visits.administered(merged, event, subject.plan.calendar)
    return held, merged.values.get("status") == "interrupted"


def _key(subject: Subject, visit: Visit) -> str:
    """Of its findings: what is after the last infusion is another visit after each."""
    name = _ENTITY + visit.id
    if visit.anchor != _LAST:
        return name
    last = max((span, number) for number, span in spans(subject).items())
    return f"{name}:{last[1]}"


def _time(subject: Subject, visit: Visit, anchor: Span, held: visits.Told | None) -> Span:
    """When the visit took place, else the day on which it is due."""
    if held is not None and held[visits.DONE]:
        return Span(held[visits.START], held[visits.END])
    return visits.due_span(visit, anchor, subject.plan.calendar)


def _readings(
    subject: Subject, visit: Visit, stands: visits.Standing, span: Span
) -> dict[str, Reading]:
    told_us, event = stands.occurred_us, stands.event
    found = {
        "visit": Reading(visit.id),
        "visit_status": Reading(stands.status, told_us, event),
        "visit_day": Reading(visit.day),
        "visit_off_days": Reading(stands.off_days, told_us, event),
        "visit_label": Reading(visit.label),
        "visit_due": Reading(stands.due),
        "visit_is_infusion": Reading(visit.administration is not None),
        "visit_owner": Reading(visit.owner or None),
    }
    return found | relate(subject, Scope.VISIT, visit.id, span)
