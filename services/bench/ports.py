"""Loopback ports and waiting for a server, for the benchmark's own children."""

from __future__ import annotations

import socket
import time

import urllib3


def free_port() -> int:
    """A loopback port that nobody listens on just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def wait_for_http(url: str, seconds: float) -> None:
    """Return once anything answers at `url`; raise TimeoutError after `seconds`."""
    end = time.monotonic() + seconds
    pool = urllib3.PoolManager(retries=False)
    while True:
        try:
            pool.request("GET", url, timeout=1.0)
        except urllib3.exceptions.HTTPError:
            if time.monotonic() > end:
                message = f"nothing answers at {url} after {seconds:g} s"
                raise TimeoutError(message) from None
            time.sleep(0.05)
        else:
            return
