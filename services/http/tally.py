"""What this process answered: how many requests of each route, with which status, how long.

Who comes in: the end of every request, the pulse of the process. Who goes out: flat counters that
only grow, `http|METHOD|ROUTE|STATUS|LE` and `http_seconds|METHOD|ROUTE`: heartbeats add them up.
"""

from __future__ import annotations

import threading
from bisect import bisect_left
from collections import Counter

# Upper bounds of the histogram, in seconds.
BOUNDS = ("0.005", "0.01", "0.025", "0.05", "0.1", "0.25", "0.5", "1", "2.5", "5", "+Inf")
_LIMITS = [float(bound) for bound in BOUNDS[:-1]]
REQUESTS, SECONDS = "http", "http_seconds"
EXTENSION = "vigil-tally"


class Tally:
    """The requests of one process."""

    def __init__(self) -> None:
        """None yet."""
        self._lock = threading.Lock()
        self._requests: Counter[tuple[str, str, int, int]] = Counter()
        self._seconds: dict[tuple[str, str], float] = {}

    def count(self, method: str, route: str, status: int, seconds: float) -> None:
        """One request that was answered."""
        place, group = bisect_left(_LIMITS, seconds), (method, route)
        with self._lock:
            self._requests[method, route, status, place] += 1
            self._seconds[group] = self._seconds.get(group, 0.0) + seconds

    def read(self) -> dict[str, float]:
        """All counters, as they are added up over processes."""
        with self._lock:
            requests, seconds = dict(self._requests), dict(self._seconds)
        counts = {
            f"{REQUESTS}|{method}|{route}|{status}|{BOUNDS[place]}": float(count)
            for (method, route, status, place), count in requests.items()
        }
        sums = {f"{SECONDS}|{method}|{route}": total for (method, route), total in seconds.items()}
        return counts | sums
