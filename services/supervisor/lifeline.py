"""What ties a process to its parent's life: when the parent is gone, also by `kill -9`, so is it.

Who comes in: the supervisor for its children, and our own processes for theirs. Who goes out: the
kernel. The kernel's promise (PR_SET_PDEATHSIG) survives exec but not fork, so each generation asks
for itself.
"""

from __future__ import annotations

import ctypes
import os
import signal
import threading
import time
from collections.abc import Callable

_PR_SET_PDEATHSIG = 1
_POLL_S = 0.25
# Loaded before any fork: between fork and exec nothing may be allocated that could lock.
_libc = ctypes.CDLL(None, use_errno=True)


def bound_to(parent: int) -> Callable[[], None]:
    """A `preexec_fn`: the child dies with `parent`, which must fork it from its main thread."""

    def ask() -> None:
        _libc.prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
        if os.getppid() != parent:  # it died between the fork and the asking
            os._exit(1)

    return ask


def bind(parent: int) -> None:
    """Tie this very process to `parent`: first thing in a process that was forked without exec."""
    bound_to(parent)()


def watch_parent() -> None:
    """The second string: a thread that ends this process when its parent has changed.

    For processes forked from a thread, where the kernel would take the thread's end for death.
    """
    parent = os.getppid()

    def poll() -> None:
        while os.getppid() == parent:
            time.sleep(_POLL_S)
        os._exit(1)

    threading.Thread(target=poll, name="lifeline", daemon=True).start()
