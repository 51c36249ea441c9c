"""The real worker with faults in its rules, which some events meet until a file says it is mended.

By the event's id: `poison` cannot be evaluated, `abort` ends the process, and `hang` never ends
with the interpreter held, as a loop in a C engine would.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import rules
import worker
from services import clock, working
from services.evaluation import loop, work

MENDED = Path(os.environ["VIGIL_TEST_MENDED"])
POISON = "poison"
app = worker.app
steps: Callable[..., Any] = rules.Engine.subject_steps


def refuse() -> None:
    """As a fault in the rules would."""
    message = "the poisonous event cannot be evaluated"
    raise rules.EvaluationError(message)


def hold_the_interpreter() -> None:
    """For ages within one call of C, which lets nobody else run."""
    re.match(r"(a+)+$", "a" * 60 + "b")


FAULTS = {POISON: refuse, "abort": os.abort, "hang": hold_the_interpreter}


def faulty_steps(
    self: rules.Engine,
    trial: str,
    subject: str,
    state: bytes | None,
    events: Sequence[Any],
    *rest: Any,
    **named: Any,
) -> Any:
    """As the engine does, but for the events that meet a fault."""
    for event in () if MENDED.exists() else events:
        if event.id in FAULTS:
            FAULTS[event.id]()
    return steps(self, trial, subject, state, events, *rest, **named)


rules.Engine.subject_steps = faulty_steps  # type: ignore[method-assign]
if os.environ.get("VIGIL_TEST_QUICK"):
    # The same waits, shorter: until attempts are counted, of a claim, and of a thought.
    work.GRACE_US = clock.SECOND_US
    loop._CLAIM_US = 2 * clock.SECOND_US
    working.LONGEST_THOUGHT_S = 1.0
__all__ = ["app"]

if __name__ == "__main__":
    worker.main(sys.argv[1])
