"""How our own programs speak to a running service: its address, a key, patience.

Who comes in: commands and the demo. Who goes out: HTTP.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import urllib3
from urllib3.exceptions import HTTPError

from services.errors import ServiceError

# So often a service that is busy or starting is asked again, waiting longer each time.
TRIES = 8
FIRST_WAIT_S = 0.25
LONGEST_WAIT_S = 10.0
_AGAIN = frozenset({429, 502, 503, 504})


@dataclass(frozen=True)
class Answer:
    """A status and the JSON beside it."""

    status: int
    body: Any


class Service:
    """One running service."""

    def __init__(self, url: str, key: str) -> None:
        """Nothing connects yet."""
        self.url = url.rstrip("/")
        self._headers = {"authorization": f"Bearer {key}"}
        self._pool = urllib3.PoolManager(maxsize=2, retries=False)

    def get(self, path: str) -> Answer:
        """Read."""
        return self._patiently("GET", path, None, {})

    def post(self, path: str, body: object, headers: Mapping[str, str] | None = None) -> Answer:
        """Send `body`: bytes as they are, anything else as JSON. Safe to repeat by contract."""
        if isinstance(body, bytes):
            return self._patiently("POST", path, body, dict(headers or {}))
        typed = {"content-type": "application/json", **(headers or {})}
        return self._patiently("POST", path, orjson.dumps(body), typed)

    def delete(self, path: str) -> Answer:
        """Remove."""
        return self._patiently("DELETE", path, None, {})

    def _patiently(
        self, method: str, path: str, body: bytes | None, headers: dict[str, str]
    ) -> Answer:
        """Ask until it can answer. Raises ServiceError when it cannot for long."""
        wait_s, reason = FIRST_WAIT_S, ""
        for _ in range(TRIES):
            try:
                response = self._pool.request(
                    method, self.url + path, body=body, headers={**self._headers, **headers}
                )
            except HTTPError:
                reason, wish = "does not answer", None
            else:
                if response.status not in _AGAIN:
                    return Answer(response.status, _json(response.data))
                reason, wish = f"answers {response.status}", response.headers.get("retry-after")
            pause = float(wish) if wish and wish.isdecimal() else wait_s
            time.sleep(min(pause, LONGEST_WAIT_S))
            wait_s *= 2
        raise ServiceError(f"the service at {self.url} {reason}; is `vigil up` running there?")


def _json(raw: bytes) -> Any:
    try:
        return orjson.loads(raw) if raw else None
    except ValueError:
        return None


def running(url: str | None, key: str | None, role: str) -> Service:
    """The service of `url` and `key`, or the one whose run.json stands in the data directory."""
    if url and key:
        return Service(url, key)
    path = Path(os.environ.get("VIGIL_DATA") or ".vigil") / "run.json"
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ServiceError(f"give --url and --key: no service runs on {path.parent}") from error
    return Service(url or found["url"], key or found["keys"][role])
