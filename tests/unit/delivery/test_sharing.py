"""Who gets the next attempts: tables of receivers that are well, slow or failing."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from services.clock import SECOND_US
from services.delivery.sharing import (
    FAILING_PER_ENDPOINT,
    MOST,
    PER_ENDPOINT,
    PER_SUBSCRIPTION,
    POOL,
    SLOW_PER_ENDPOINT,
    UNWELL,
    Flight,
    Room,
    Wanting,
    room,
    share,
)

NOW_US = 1000 * SECOND_US
ALL = Room(POOL, UNWELL)


def wants(name: str, host: str | None = None, *, failing: bool = False) -> Wanting:
    return Wanting(name, host or f"https://{name}:443", failing)


def flies(
    name: str,
    host: str | None = None,
    *,
    seconds: float = 0.0,
    failing: bool = False,
    mine: bool = True,
) -> Flight:
    since_us = NOW_US - round(seconds * SECOND_US)
    return Flight(name, host or f"https://{name}:443", failing, since_us, mine)


def test_one_receiver_that_is_well_gets_its_share_and_not_the_whole_pool() -> None:
    assert share([wants("a")], [], ALL, NOW_US) == {"a": PER_SUBSCRIPTION}
    assert PER_SUBSCRIPTION < PER_ENDPOINT < POOL


def test_what_is_under_way_by_any_worker_counts() -> None:
    flights = [flies("a", mine=False)] * (PER_SUBSCRIPTION - 2)
    assert share([wants("a")], flights, ALL, NOW_US) == {"a": 2}


def test_subscriptions_of_one_host_share_its_limit_and_none_gets_it_all() -> None:
    host = "https://hooks.example:443"
    given_ = share([wants(name, host) for name in "abcdefgh"], [], ALL, NOW_US)
    assert given_ == dict.fromkeys("abcdefgh", PER_ENDPOINT // 8)


def test_who_fails_is_tried_one_at_a_time() -> None:
    assert share([wants("a", failing=True)], [], ALL, NOW_US) == {"a": FAILING_PER_ENDPOINT}
    assert share([wants("a", failing=True)], [flies("a", failing=True)], ALL, NOW_US) == {}


def test_who_is_slow_but_takes_it_gets_a_few() -> None:
    flights = [flies("a", seconds=1.5)]
    assert share([wants("a")], flights, ALL, NOW_US) == {"a": SLOW_PER_ENDPOINT - 1}


def test_a_path_that_hangs_leaves_room_for_another_of_the_same_host() -> None:
    host = "https://hooks.example:443"
    flights = [flies("hangs", host, seconds=5, failing=True)]
    asking = [wants("hangs", host, failing=True), wants("well", host)]
    assert share(asking, flights, ALL, NOW_US) == {"well": PER_SUBSCRIPTION}


def test_a_slow_one_does_not_take_the_place_of_a_failing_one_of_the_same_host() -> None:
    host = "https://hooks.example:443"
    flights = [flies("slow", host, seconds=5)] * SLOW_PER_ENDPOINT
    assert share([wants("fails", host, failing=True)], flights, ALL, NOW_US) == {"fails": 1}


def test_however_many_fail_half_of_the_pool_is_for_those_that_are_well() -> None:
    asking = [wants(f"bad-{number}", failing=True) for number in range(500)] + [wants("well")]
    given_ = share(asking, [], ALL, NOW_US)
    assert given_.pop("well") == PER_SUBSCRIPTION
    assert sum(given_.values()) == UNWELL


def test_what_hangs_no_longer_fills_the_pool() -> None:
    hanging = [flies(f"bad-{number}", seconds=3) for number in range(POOL)]
    left = room(hanging, len(hanging), NOW_US)
    assert (left.any, left.unwell) == (POOL, UNWELL - POOL)
    asking = [wants("slow"), wants("well")]
    flights = [*hanging, flies("slow", seconds=2)]
    assert share(asking, flights, left, NOW_US) == {"well": PER_SUBSCRIPTION}


def test_threads_have_an_end() -> None:
    assert room([], MOST, NOW_US).any == 0
    assert room([flies("a")] * POOL, POOL, NOW_US).any == 0
    assert room([flies("a", mine=False)] * POOL, 0, NOW_US).any == POOL


def test_they_take_turns_and_who_has_fewest_under_way_begins() -> None:
    asking = [wants("a"), wants("b"), wants("c")]
    assert share(asking, [], Room(2, 2), NOW_US) == {"a": 1, "b": 1}
    assert share(asking, [flies("a"), flies("b")], Room(1, 1), NOW_US) == {"c": 1}
    assert share(asking, [], Room(7, 7), NOW_US) == {"a": 3, "b": 2, "c": 2}


NAMES = st.sampled_from([f"s{number}" for number in range(12)])
HOSTS = st.sampled_from(["h1", "h2", "h3"])


@st.composite
def situations(draw: st.DrawFn) -> tuple[list[Wanting], list[Flight], Room]:
    host = {f"s{number}": draw(HOSTS) for number in range(12)}
    failing = {f"s{number}": draw(st.booleans()) for number in range(12)}
    asking = [
        wants(name, host[name], failing=failing[name])
        for name in sorted(draw(st.sets(NAMES)), key=lambda _: draw(st.integers()))
    ]
    flights = [
        flies(name, host[name], seconds=draw(st.sampled_from([0, 5])), failing=failing[name])
        for name in draw(st.lists(NAMES, max_size=30))
    ]
    return asking, flights, Room(draw(st.integers(-3, POOL)), draw(st.integers(-9, UNWELL)))


@given(situations())
def test_no_limit_is_ever_passed_and_no_room_is_left_to_who_may_have_it(
    situation: tuple[list[Wanting], list[Flight], Room],
) -> None:
    asking, flights, left = situation
    given_ = share(asking, flights, left, NOW_US)
    slow = {one.subscription for one in flights if one.slow(NOW_US)}
    ill = {one.subscription for one in asking if one.failing or one.subscription in slow}
    assert sum(given_.values()) <= max(left.any, 0)
    assert sum(count for name, count in given_.items() if name in ill) <= max(left.unwell, 0)
    busy = Counter(one.endpoint for one in flights)
    before = Counter(one.subscription for one in flights)
    for one in asking:
        busy[one.endpoint] += given_.get(one.subscription, 0)
    for one in asking:
        count = given_.get(one.subscription, 0)
        if count:
            assert busy[one.endpoint] <= PER_ENDPOINT
            assert before[one.subscription] + count <= PER_SUBSCRIPTION
        elif one.subscription not in ill and sum(given_.values()) < left.any:
            full = busy[one.endpoint] >= PER_ENDPOINT
            assert full or before[one.subscription] >= PER_SUBSCRIPTION
