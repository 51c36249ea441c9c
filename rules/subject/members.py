"""Which stopping rules the subject counts for: its cohort, its arm, as of when it is watched.

Who comes in: the fold. Who goes out: nothing; the state notes it. Reading may raise LogNeeded.
"""

from __future__ import annotations

from rules.anchors import Judged, known, read_span
from rules.facts.calendar import Span
from rules.folding import Dirty
from rules.subject import anchored
from rules.subject.context import Subject
from rules.units import anchor


def refresh(subject: Subject, dirty: Dirty) -> None:
    """Judge `among` of every stopping rule again where its moment may have been touched."""
    state, ranges = subject.state, subject.plan.ranges
    if not ranges.among:
        return
    moments = {
        rule_id: span
        for rule_id in ranges.among
        if (span := anchor(subject.plan.stopping[rule_id], state)) is not None
    }
    last_us = max((span.end for span in moments.values()), default=-1)
    moved = dirty.first_infusion or dirty.enrolment or dirty.earliest_us <= last_us
    if not (dirty.everything or moved) and moments.keys() == state.among.keys():
        return
    among = {rule_id: _counts(subject, rule_id, span) for rule_id, span in moments.items()}
    if among != state.among:
        state.among, dirty.sums = among, True


def _counts(subject: Subject, rule_id: str, span: Span) -> bool:
    """Whether `among` definitely held as of that moment."""

    def judged() -> Judged:
        return anchored.judged_at(subject, span.end)

    read = read_span(subject.plan, subject.state, subject.timeline, span, judged)
    ranges = subject.plan.ranges
    return ranges.among[rule_id](known(read.all(ranges.among_names))) is True
