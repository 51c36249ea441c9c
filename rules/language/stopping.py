"""The stopping rules of a file: whom they count, and what reaching their boundary does.

Who comes in: schema.py with the top of the file. Who goes out: StoppingRule, or complaints.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from rules.language.clauses import Clauses, expression, source
from rules.language.designs import design
from rules.language.parameters import resolve
from rules.language.reading import NAME, NAME_SHAPE, Section
from rules.language.vocabulary import FactType
from rules.model import Condition, Crossing, StoppingRule
from rules.stopping.design import Outcome
from rules.terms import Evaluable, Hold, Pending, Scope, Unit, WindowFrom

Names = Mapping[Scope, Mapping[str, FactType]]
RULE_ID = re.compile(r"[A-Z][A-Z0-9]*(?:-[A-Z0-9]+)*")
REQUIRED, NOT_REQUIRED, NONE = "required", "not_required", "none"
_ABOUT = (Scope.ADVERSE_EVENT, Scope.SUBJECT)


def stopping_rules(
    top: Section, clauses: Clauses, sources: Mapping[str, str], names: Names
) -> tuple[StoppingRule, ...]:
    """Everything under `stopping`; `names`: what conditions may name, by scope."""
    found = []
    for item in top.sections("stopping", "the stopping rule"):
        rule = _rule(item, clauses, sources, names)
        item.close()
        _fits(item, rule)
        found.append(rule)
    return tuple(found)


def _rule(
    item: Section, clauses: Clauses, sources: Mapping[str, str], names: Names
) -> StoppingRule:
    days = resolve(item, "window_days", clauses.params, "d")
    if days is None:
        item.raw("window_days", required=True)
    window_days = item.whole("window_days", days, 1, 36500) or 1
    on = Scope(item.choice("on", _ABOUT, required=False) or Scope.ADVERSE_EVENT)
    pending = item.enum("pending", Pending, required=False) or Pending.WAIT
    return StoppingRule(
        id=item.name("id", RULE_ID, "capital letters, digits and -, as ST-TOX"),
        title=item.text("title", required=True),
        endpoint=clauses.read(item, "endpoint", names[on]),
        window_days=window_days,
        design=design(item, clauses.params, window_days, partial=pending is Pending.PARTIAL),
        source=source(item, sources),
        expression=expression(item, "endpoint"),
        line=item.line(),
        lines=item.node.lines,
        among=_among(item, clauses, names),
        among_expression=expression(item, "among"),
        on=on,
        unit=item.enum("unit", Unit, required=False) or Unit.SUBJECT,
        window_from=item.enum("window_from", WindowFrom, required=False)
        or WindowFrom.FIRST_INFUSION,
        planned_infusions=_planned(item, clauses),
        evaluable=item.enum("evaluable", Evaluable, required=False) or Evaluable.AT_EVENT,
        pending=pending,
        crossing=_crossing(item),
    )


def _among(item: Section, clauses: Clauses, names: Names) -> Condition | None:
    if "among" not in item.node:
        item.note("among", "condition")
        item.raw("among")
        return None
    return clauses.read(item, "among", names[Scope.SUBJECT])


def _planned(item: Section, clauses: Clauses) -> int | None:
    found = resolve(item, "planned_infusions", clauses.params, "1")
    return item.whole("planned_infusions", found, 1, 1000)


def _crossing(item: Section) -> Crossing | None:
    """`{hold: trial, notify: [roles], safety_board: required}`."""
    part = item.section("crossing")
    if part is None:
        return None
    hold = part.choice("hold", (Hold.ENROLMENT, Hold.TRIAL, NONE))
    board = part.choice("safety_board", (REQUIRED, NOT_REQUIRED), required=False)
    roles = part.texts("notify")
    for role in roles:
        if not NAME.fullmatch(role):
            part.complain("notify", f"the role `{role}` must be {NAME_SHAPE}", "as safety_board")
    part.close()
    return Crossing(
        hold=Hold(hold) if hold not in ("", NONE) else None,
        notify=roles,
        safety_board=board == REQUIRED,
    )


def _fits(item: Section, rule: StoppingRule) -> None:
    """Complain of words that contradict each other."""
    last = rule.window_from is WindowFrom.LAST_INFUSION
    if rule.planned_infusions is not None and not last:
        message = "`planned_infusions` says when the last infusion is known"
        item.complain("planned_infusions", message, "add `window_from: last_infusion`")
    if rule.unit is Unit.INFUSION and "window_from" in item.node:
        message = "`window_from`: an infusion is watched from its own start"
        item.complain("window_from", message, "leave it out, or count subjects")
    if rule.design.outcome is Outcome.BINARY:
        if rule.pending is Pending.EVENT_FREE and rule.evaluable is Evaluable.AFTER_WINDOW:
            message = "`evaluable: after_window` and `pending: event_free` contradict each other"
            item.complain("pending", message, "leave one out")
        return
    word = "pending: partial" if rule.pending is Pending.PARTIAL else "outcome: time_to_event"
    if last:
        message = f"`window_from`: with `{word}` a unit is watched from one known start"
        item.complain("window_from", message, "first_infusion, or enrolment")
    if rule.evaluable is Evaluable.AFTER_WINDOW:
        message = f"`evaluable`: with `{word}` an event counts when it happens"
        item.complain("evaluable", message, "leave it out")
    if rule.pending is Pending.EVENT_FREE:
        message = f"`pending`: with `{word}` a unit counts by the time it was watched"
        item.complain("pending", message, "leave it out")
