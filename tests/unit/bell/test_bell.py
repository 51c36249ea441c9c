"""The API's bell: rung at once when all is quiet, for many at once when it is not."""

from __future__ import annotations

import threading
from collections.abc import Sequence

from services.bell import Bell
from tests.support.processes import wait_until


def test_what_comes_while_it_rings_is_rung_for_together_and_nothing_is_forgotten() -> None:
    rung: list[Sequence[int]] = []
    ringing, go_on = threading.Semaphore(0), threading.Event()

    def ring(streams: Sequence[int]) -> None:
        rung.append(streams)
        ringing.release()
        assert go_on.wait(60)

    bell = Bell(ring)
    bell.ring([7])
    assert ringing.acquire(timeout=90)
    for stream in (3, 1, 2, 3):
        bell.ring([stream])
    bell.ring([])
    go_on.set()
    assert ringing.acquire(timeout=90)
    assert rung == [[7], [1, 2, 3]]


def test_a_ring_that_fails_ends_no_bell() -> None:
    rung: list[Sequence[int]] = []

    def ring(streams: Sequence[int]) -> None:
        rung.append(streams)
        raise ZeroDivisionError

    bell = Bell(ring)
    for stream in (1, 2):
        bell.ring([stream])
        wait_until(lambda: len(rung) == stream, 90, "the bell to ring")  # noqa: B023 - at once
    assert rung == [[1], [2]]
