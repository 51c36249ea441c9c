"""Which stopping rules the subject counts for: its cohort, its arm, as of its first infusion.

Who comes in: the fold. Who goes out: nothing; the state notes it. Reading may raise LogNeeded.
"""

from __future__ import annotations

from rules.anchors import Judged, known, read_span
from rules.facts.calendar import Span
from rules.folding import Dirty
from rules.subject import anchored
from rules.subject.context import Subject


def refresh(subject: Subject, dirty: Dirty) -> None:
    """Judge `among` of every stopping rule again where its moment may have been touched."""
    state, ranges = subject.state, subject.plan.ranges
    if not ranges.among:
        return
    if state.first_infusion is None:
        state.among = {}
        return
    span = Span(*state.first_infusion)
    touched = dirty.everything or dirty.first_infusion or dirty.earliest_us <= span.end
    if not touched and state.among:
        return

    def judged() -> Judged:
        return anchored.judged_at(subject, span.end)

    read = read_span(subject.plan, state, subject.timeline, span, judged)
    facts = known(read.all(ranges.among_names))
    among = {rule_id: when(facts) is True for rule_id, when in ranges.among.items()}
    if among != state.among:
        state.among, dirty.sums = among, True
