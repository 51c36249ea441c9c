"""Whether the subject counts in the trial's response rates, and as what.

Who comes in: the fold. Who goes out: nothing; the state notes it, sums tells it to the trial.
"""

from __future__ import annotations

from functools import partial

from rules.anchors import Reader, known
from rules.folding import Dirty
from rules.subject.context import Subject
from rules.subject.deciding import present
from rules.sums import RESPONSE


def refresh(subject: Subject, dirty: Dirty, changed: set[str], *, moved: bool) -> None:
    """Judge again each rate that the step may have touched.

    Evaluable is who definitely is; as long as it is unknown whether such a subject responded, it
    is pending.
    """
    plan, state = subject.plan, subject.state
    status = dirty.everything or dirty.status or dirty.first_infusion
    for rate_id, names in plan.response_names.items():
        judged = moved and not plan.judgements.isdisjoint(names)
        if not (status or judged) and changed.isdisjoint(names):
            continue
        evaluable, responder = plan.responses[rate_id]
        read = Reader(plan, state, subject.timeline, partial(present, subject))
        # The subject's facts as they are now have been read in this step.
        facts = known(read.all(name for name in names if name not in plan.specs))
        facts |= {name: state.live[name] for name in names if name in state.live}
        new = {}
        if evaluable(facts) is True:
            since_us = state.first_infusion[0] if state.first_infusion else 0
            answer = responder(facts)
            new = {RESPONSE: [since_us, int(answer is not None), int(answer is True)]}
        if new != state.endpoints.get(rate_id, {}):
            state.endpoints[rate_id], dirty.sums = new, True
