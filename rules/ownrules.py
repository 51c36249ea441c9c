"""The engine's own alert rules: raised by the engine itself, not by a condition of a protocol.

Who comes in: findings, which says them like any other; the rooms that raise them. Nothing here
computes.
"""

from __future__ import annotations

from rules.model import AlertRule, Const, Definition, Source
from rules.terms import Category, Deviation, Scope, Severity

_NEVER = Const(value=False)
OPS_DISAGREE = AlertRule(
    id="OPS-ENGINES-DISAGREE",
    scope=Scope.SUBJECT,
    category=Category.OPERATIONS,
    severity=Severity.CRITICAL,
    when=_NEVER,
    title="The two engines disagree about a rule",
    detail="Alerts were raised for what either of them says.",
    action="Tell the developers; check the subject's alerts by hand until it is understood.",
    source=Source("engine", "cross-check"),
)
# A correction may come before what it corrects, or beside it; then no door could judge it.
OPS_UNFIT = AlertRule(
    id="OPS-CORRECTION-UNFIT",
    scope=Scope.SUBJECT,
    category=Category.OPERATIONS,
    severity=Severity.SERIOUS,
    when=_NEVER,
    title="A correction cannot be applied",
    detail="It does not fit the event that it corrects. "
    "That event counts as it was published, or as an earlier correction has it.",
    action="Compare both with the source, and send a correction that fits.",
    source=Source("engine", "corrections"),
)
RECONSENT_OVERDUE = AlertRule(
    id="CO-RECONSENT-OVERDUE",
    scope=Scope.SUBJECT,
    category=Category.CONDUCT,
    severity=Severity.WARNING,
    when=_NEVER,
    title="Consent to the amended protocol is overdue",
    detail="No consent to protocol version {amended_version} is recorded; "
    "it was due by {consent_due}.",
    action="Obtain the consent before any further procedure that the amendment asks for, "
    "or record why the subject leaves the trial.",
    source=Source("engine", "re-consent after a major amendment"),
    deviation=Deviation.MAJOR,
)
ENROLLED_DURING_HOLD = AlertRule(
    id="TR-ENROLLED-DURING-HOLD",
    scope=Scope.TRIAL,
    category=Category.STOPPING,
    severity=Severity.CRITICAL,
    when=_NEVER,
    title="Enrolled while the trial was held",
    detail="{held_subject} was enrolled at {held_at}; the hold stands since {hold_since} "
    "({hold_by}).",
    action="Give nothing to this subject; tell the safety board and whoever enrolled; "
    "correct the entry if its time is wrong.",
    source=Source("engine", "entries during a hold"),
    deviation=Deviation.MAJOR,
)
INFUSED_DURING_HOLD = AlertRule(
    id="TR-INFUSED-DURING-HOLD",
    scope=Scope.TRIAL,
    category=Category.STOPPING,
    severity=Severity.CRITICAL,
    when=_NEVER,
    title="Infused while the trial was held",
    detail="{held_subject} got {held_unit} at {held_at}; the hold stands since {hold_since} "
    "({hold_by}).",
    action="Watch this subject closely; tell the safety board and whoever gave it; "
    "correct the entry if its time is wrong.",
    source=Source("engine", "entries during a hold"),
    deviation=Deviation.MAJOR,
)
STOPPING_REACHED = AlertRule(
    id="TR-STOPPING-REACHED",
    scope=Scope.TRIAL,
    category=Category.STOPPING,
    severity=Severity.CRITICAL,
    when=_NEVER,
    title="A stopping boundary was reached while an earlier alert of it is open",
    detail="{reached_rule}: {reached_events} events, {reached_evaluable} evaluable.",
    action="Look whether the trial is held; tell the safety board as for the first time.",
    source=Source("engine", "boundaries that no newly opened alert tells of"),
)
_EVERY = (
    OPS_DISAGREE,
    OPS_UNFIT,
    RECONSENT_OVERDUE,
    ENROLLED_DURING_HOLD,
    INFUSED_DURING_HOLD,
    STOPPING_REACHED,
)
OWN_RULES = {rule.id: rule for rule in _EVERY}


def deviations(definition: Definition) -> dict[str, Deviation]:
    """Which rules tell of a departure from the protocol, and how grave; the engine's own too."""
    every = (*OWN_RULES.values(), *definition.rules)
    return {rule.id: rule.deviation for rule in every if rule.deviation is not None}


_HELD = ("held_subject", "held_unit", "held_at", "hold_since", "hold_by")
_REACHED = ("reached_rule", "reached_events", "reached_evaluable")
OWN_EVIDENCE = {
    OPS_UNFIT.id: ("correction",),
    RECONSENT_OVERDUE.id: ("amended_version", "consent_due"),
    ENROLLED_DURING_HOLD.id: _HELD,
    INFUSED_DURING_HOLD.id: _HELD,
    STOPPING_REACHED.id: _REACHED,
}
OWN_MENTIONED = {
    RECONSENT_OVERDUE.id: ("amended_version", "consent_due"),
    ENROLLED_DURING_HOLD.id: _HELD,
    INFUSED_DURING_HOLD.id: _HELD,
    STOPPING_REACHED.id: _REACHED,
}
