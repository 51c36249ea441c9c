"""Backtests: what another protocol version would have decided and alerted over the same log.

Who comes in: the doors (make one), the queue's door and the sweep (work off a part), the command
line (all at once). Who goes out: rows of backtests. Nothing of the trial itself is changed.
"""

from services.backtests.batch import Work, at_once, make, work_off
from services.backtests.comparing import Comparison

__all__ = ["Comparison", "Work", "at_once", "make", "work_off"]
