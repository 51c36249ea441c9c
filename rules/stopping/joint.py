"""Several stopping rules over the same units and the same endpoint, taken together: exactly.

Who comes in: the check of a protocol. Who goes out: joint(). The trial stops when the first of them
is reached, so their least limit at each look is one rule more, with characteristics of its own.
Rules over different endpoints depend on each other in ways that no rate p tells: not answered here.
"""

from __future__ import annotations

from collections.abc import Sequence

from rules.stopping.bounds import Boundary, Joint, characteristics
from rules.stopping.design import Design, Method, Outcome


def joint(bounds: Sequence[Boundary], true_p: Sequence[float]) -> tuple[Joint, ...]:
    """How such rules behave together at each of the true rates, and each of them alone.

    Raises ValueError for rules that are not binary, or that accept at a lower limit.
    """
    if any(one.design.outcome is not Outcome.BINARY or one.go_at for one in bounds):
        raise ValueError("only one-sided binary rules are taken together")
    together = characteristics(_least(bounds), true_p)
    alone = [characteristics(one, true_p) for one in bounds]
    return tuple(
        Joint(
            p=row.p,
            reject=row.reject,
            alone=tuple(each[i].reject for each in alone),
            expected_events=row.expected_events,
            expected_evaluable=row.expected_evaluable,
        )
        for i, row in enumerate(together)
    )


def _least(bounds: Sequence[Boundary]) -> Boundary:
    """At every look of any of them the least limit that one has there."""
    limits: dict[int, int | None] = {}
    for one in bounds:
        for size, limit in zip(one.design.looks, one.stop_at, strict=True):
            known = limits.get(size)
            limits[size] = (
                limit if known is None or (limit is not None and limit < known) else known
            )
    looks = tuple(sorted(limits))
    design = Design(method=Method.TABLE, looks=looks)
    return Boundary(design=design, stop_at=tuple(limits[size] for size in looks))
