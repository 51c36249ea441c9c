"""Random plans of binary stopping rules, the same for the same seed."""

from __future__ import annotations

import random
from collections.abc import Iterator

from rules.stopping import Design, Method

CALIBRATED = (
    Method.POCOCK,
    Method.OBRIEN_FLEMING,
    Method.WANG_TSIATIS,
    Method.BETA_BINOMIAL,
    Method.CHEN_CHALONER,
    Method.SPRT,
    Method.MAX_SPRT,
    Method.TOXBDRY,
)
FIXED = (Method.BAYES_THRESHOLD, Method.BOIN, Method.BINOMIAL_SPRT, Method.THALL_SIMON)


def designs(
    number: int, seed: int, most: int = 60, methods: tuple[Method, ...] = CALIBRATED
) -> Iterator[Design]:
    """So many designs, the methods in turn: p0 .01 to .5, n 1 to `most`, alpha .01 to .2."""
    chance = random.Random(seed)
    for place in range(number):
        yield design(chance, methods[place % len(methods)], most)


def design(chance: random.Random, method: Method, most: int) -> Design:
    """One: half of them continuous, the others at some looks, some of them late or single."""
    n = chance.randint(1, most)
    p0 = round(chance.uniform(0.01, 0.5), chance.choice((1, 2, 6))) or 0.01
    p1 = min(0.99, p0 + round(chance.uniform(0.05, 0.4), 2))
    alpha = round(chance.uniform(0.01, 0.2), chance.choice((2, 6)))
    strength = chance.choice((1.0, 2.0, 5.0, 10.0))
    prior = (strength * p0, strength * (1 - p0))
    own = {
        Method.WANG_TSIATIS: {"delta": round(chance.uniform(0, 0.5), 2)},
        Method.TOXBDRY: {"delta": chance.choice((0.0, 0.1, 0.25, 0.5))},
        Method.BETA_BINOMIAL: {"prior": prior},
        Method.CHEN_CHALONER: {"prior": prior, "p1": p1, "nu": round(chance.uniform(0, 0.5), 2)},
        Method.SPRT: {"p1": p1},
        Method.BINOMIAL_SPRT: {"p1": p1, "beta": 0.2},
        Method.BAYES_THRESHOLD: {"prior": prior, "threshold": round(chance.uniform(0.8, 0.99), 2)},
        Method.BOIN: {"threshold": 0.95},
        Method.THALL_SIMON: {
            "prior": prior,
            "standard_prior": (20 * p0, 20 * (1 - p0)),
            "delta": chance.choice((0.0, 0.05)),
            "threshold": 0.9,
        },
    }.get(method, {})
    return Design(method=method, looks=_looks(chance, n), p0=p0, alpha=alpha, **own)  # type: ignore[arg-type]


def _looks(chance: random.Random, n: int) -> tuple[int, ...]:
    if chance.random() < 0.5:
        return tuple(range(chance.choice((1, min(3, n))), n + 1))
    return tuple(sorted({n, *chance.choices(range(1, n + 1), k=chance.randint(0, 5))}))
