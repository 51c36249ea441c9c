"""Servers that die with the tests, whatever ends them, also SIGKILL."""

from __future__ import annotations

import ctypes
import ctypes.util
import signal
from collections.abc import Callable

_PR_SET_PDEATHSIG = 1


def dies_with_parent(with_signal: signal.Signals) -> Callable[[], None]:
    """A `preexec_fn`: the kernel sends the child `with_signal` when its parent is gone.

    It runs after the child has changed its user: that change would forget the wish.
    """
    libc = ctypes.CDLL(ctypes.util.find_library("c"), use_errno=True)

    def ask_the_kernel() -> None:
        libc.prctl(_PR_SET_PDEATHSIG, int(with_signal), 0, 0, 0)

    return ask_the_kernel
