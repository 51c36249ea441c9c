"""The real worker, which cannot evaluate one event until a file says that it is mended."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import rules
from worker import app

MENDED = Path(os.environ["VIGIL_TEST_MENDED"])
POISON = "poison"
steps: Callable[..., Any] = rules.Engine.subject_steps


def poisoned_steps(
    self: rules.Engine,
    trial: str,
    subject: str,
    state: bytes | None,
    events: Sequence[Any],
    *rest: Any,
    **named: Any,
) -> Any:
    """As the engine does, but one id fails as a fault in the rules would."""
    if not MENDED.exists() and any(event.id == POISON for event in events):
        message = "the poisonous event cannot be evaluated"
        raise rules.EvaluationError(message)
    return steps(self, trial, subject, state, events, *rest, **named)


rules.Engine.subject_steps = poisoned_steps  # type: ignore[method-assign]
__all__ = ["app"]
