"""How likely the trial is to reach its boundary by the last look, given what it has seen.

Who comes in: the live trial's view. Who goes out: crossing_probability(). Exact: with a Beta(a, b)
prior and s events among n evaluable units, the next unit has the event with probability
(a + s)/(a + b + n), and so on, unit by unit (the beta-binomial predictive distribution).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def crossing_probability(
    rows: Sequence[tuple[int, int]], evaluable: int, events: int, prior: tuple[float, float]
) -> float:
    """The probability that the path, from here on, reaches a row at or before the last one.

    rows: (evaluable, stop_at) of the boundary, in any order; units to come are alike and judged at
    the rows only. 1 where it is certain, 0 beyond the last row. That an earlier row was reached
    already cannot be seen here: the caller knows its path. Raises ValueError for a prior that is
    not positive or more events than units.
    """
    if not min(prior) > 0:
        raise ValueError("the prior's two numbers must be positive")
    if not 0 <= events <= evaluable:
        raise ValueError("events lie from 0 to the number of evaluable units")
    limits = dict(rows)
    crossed = 0.0
    going = np.ones(1)  # of events, events + 1, .. without a crossing so far
    counts = events + np.arange(1)
    for size in range(evaluable, max(limits, default=0) + 1):
        if size > evaluable:
            chance = (prior[0] + counts) / (prior[0] + prior[1] + size - 1)
            going = np.append(going * (1 - chance), 0.0) + np.append(0.0, going * chance)
            counts = events + np.arange(len(going))
        stopping = counts >= limits.get(size, size + 1)
        crossed += float(going[stopping].sum())
        going, counts = going[~stopping], counts[~stopping]
    return min(crossed, 1.0)
