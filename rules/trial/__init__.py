"""The trial's own stream: what counts subjects, the stopping rules on their path, and the holds.

Who comes in: Engine, with contributions and what persons decided. Who goes out: outcomes, views.
Counts and paths follow from the set of latest contributions, whatever their arrival; holds are what
was found and done, in the order of the stream.
"""

from rules.trial.accrual import accrual_view
from rules.trial.fold import TrialFold
from rules.trial.holds import EVERY_HOLD, holds_of
from rules.trial.responding import response_view
from rules.trial.view import counts_view, hold_view, stopping_events, stopping_view

__all__ = [
    "EVERY_HOLD",
    "TrialFold",
    "accrual_view",
    "counts_view",
    "hold_view",
    "holds_of",
    "response_view",
    "stopping_events",
    "stopping_view",
]
