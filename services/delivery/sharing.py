"""Who gets the next attempts: a slow receiver starves nobody, however many are slow.

Who comes in: the turn, with who has something due and what is under way. Who goes out: how many
attempts each subscription may begin now. No store, no clock: a function of what it is given.

Health is a subscription's own: one whose last attempt failed is `failing`, one with an attempt
under way for a second is `slow`; either is unwell. Many subscriptions may share a receiver's host
(the `endpoint`): what is under way to it is limited for all of them together, and its unwell ones
are limited further, so that a path that hangs leaves room for one that does not.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from enum import Enum

from services import clock

# Attempts under way at a time, by all workers together: to one endpoint, of one subscription; and
# to one endpoint's subscriptions that are slow but take what they are sent, and to those that fail.
PER_ENDPOINT = 16
PER_SUBSCRIPTION = 12
SLOW_PER_ENDPOINT = 4
FAILING_PER_ENDPOINT = 1
SLOW_US = clock.SECOND_US
# Of one process: attempts under way that are not slow yet, all unwell ones, and threads at most.
POOL = 64
UNWELL = POOL // 2
MOST = 4 * POOL


@dataclass(frozen=True, slots=True)
class Wanting:
    """An active subscription that something is due for."""

    subscription: str
    endpoint: str
    failing: bool


@dataclass(frozen=True, slots=True)
class Flight:
    """An attempt under way, by whichever worker; `mine`: by this one."""

    subscription: str
    endpoint: str
    failing: bool
    since_us: int
    mine: bool

    def slow(self, now_us: int) -> bool:
        """Whether it takes longer than a receiver that is well."""
        return now_us - self.since_us >= SLOW_US


@dataclass(frozen=True, slots=True)
class Room:
    """How many attempts this process may begin, and how many of them for who is unwell."""

    any: int
    unwell: int


def room(flights: Iterable[Flight], held: int, now_us: int) -> Room:
    """What is left in this process; `held` is how many of its threads are at work.

    An attempt that has become slow no longer fills the pool: a thread that waits costs nothing,
    and a hundred receivers that begin to hang in the same second must not stop the others.
    """
    quick = [one for one in flights if one.mine and not one.slow(now_us)]
    well = sum(not one.failing for one in quick)
    return Room(any=min(POOL - len(quick), MOST - held), unwell=UNWELL - (held - well))


class Health(Enum):
    """How a subscription's receiver does; the value is how many attempts it may have at a time."""

    WELL = PER_ENDPOINT
    SLOW = SLOW_PER_ENDPOINT
    FAILING = FAILING_PER_ENDPOINT


@dataclass(slots=True)
class _Tally:
    """What is under way, and what is given, while it is being given."""

    left: int
    left_unwell: int
    endpoints: Counter[str]
    subscriptions: Counter[str]
    unwell: Counter[tuple[str, Health]]

    def gives(self, one: Wanting, health: Health) -> bool:
        """Whether `one` may begin another attempt; counted, if so."""
        if (
            self.left <= 0
            or self.endpoints[one.endpoint] >= PER_ENDPOINT
            or self.subscriptions[one.subscription] >= PER_SUBSCRIPTION
        ):
            return False
        if health is not Health.WELL:
            if self.left_unwell <= 0 or self.unwell[one.endpoint, health] >= health.value:
                return False
            self.unwell[one.endpoint, health] += 1
            self.left_unwell -= 1
        self.left -= 1
        self.endpoints[one.endpoint] += 1
        self.subscriptions[one.subscription] += 1
        return True


def share(
    wanting: Sequence[Wanting], flights: Sequence[Flight], left: Room, now_us: int
) -> dict[str, int]:
    """Attempts that each subscription may begin: one each in turn until nobody may have more.

    Whoever has fewest under way begins; among equals the order of `wanting` counts.
    """
    slow = {one.subscription for one in flights if one.slow(now_us)}
    tally = _Tally(
        left.any,
        left.unwell,
        Counter(one.endpoint for one in flights),
        Counter(one.subscription for one in flights),
        Counter((one.endpoint, _health(one, slow)) for one in flights),
    )
    given: Counter[str] = Counter()
    asking = sorted(wanting, key=lambda one: tally.subscriptions[one.subscription])
    while asking:
        asking = [one for one in asking if tally.gives(one, _health(one, slow))]
        given.update(one.subscription for one in asking)
    return dict(given)


def _health(one: Wanting | Flight, slow: Collection[str]) -> Health:
    if one.failing:
        return Health.FAILING
    return Health.SLOW if one.subscription in slow else Health.WELL
