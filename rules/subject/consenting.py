"""Consent to an amended protocol: what is owed, and since when it is overdue.

Who comes in: the fold, once a step. Who goes out: the engine's own finding about it.
"""

from __future__ import annotations

from rules.facts import entities
from rules.facts.calendar import iso
from rules.facts.projections import UNKNOWN, Reading
from rules.findings import Step
from rules.ownrules import RECONSENT_OVERDUE
from rules.pinning import Owed
from rules.subject.context import Subject

RECONSENT = "@reconsent"  # when it falls due, among the state's due instants
_ENTITY = "reconsent"


def owed(subject: Subject) -> Owed | None:
    """What the subject owes while it is in the trial: in screening or on study."""
    state = subject.state
    if not state.owed:
        return None
    screening = entities.screened_at(state.enrolment, None).value is True
    screening = screening and entities.enrolled_part(state.enrolment) is None
    on_study = entities.on_study_at(state.enrolment, state.deaths, None).value is True
    dead = entities.dead_at(state.deaths, None).value is True
    return Owed(*state.owed) if (screening or on_study) and not dead else None


def overdue(subject: Subject, step: Step) -> None:
    """Raise, keep or end the finding that a consent is overdue; note when it falls due."""
    state = subject.state
    wanted = owed(subject)
    due_us = None if wanted is None else wanted.due_us
    state.until.pop(RECONSENT, None)
    if due_us is not None and due_us > step.at_us:
        state.until[RECONSENT] = due_us
    if wanted is None or due_us is None or due_us > step.at_us:
        if _ENTITY in state.findings:
            subject.findings.differ(step, _ENTITY, (), lambda _name: UNKNOWN)
        return
    readings = {
        "amended_version": Reading(wanted.version, wanted.since_us, wanted.event),
        "consent_due": Reading(iso(due_us), due_us),
    }
    subject.findings.differ(
        step,
        _ENTITY,
        {RECONSENT_OVERDUE.id},
        readings.__getitem__,
        key=f"{_ENTITY}:{wanted.version}",
        occurred_us=due_us,
    )
