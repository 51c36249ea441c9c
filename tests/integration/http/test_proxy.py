"""Who is believed about https and the caller's address: as many proxies as VIGIL_PROXY_HOPS says."""

from __future__ import annotations

from pathlib import Path

import pytest
from flask import request

import api
from services.config import Settings

SAID = {"X-Forwarded-For": "6.6.6.6, 203.0.113.9", "X-Forwarded-Proto": "http, https"}


@pytest.mark.parametrize(
    ("hops", "address", "secure"),
    [("0", "127.0.0.1", False), ("1", "203.0.113.9", True), ("2", "6.6.6.6", False)],
)
def test_as_many_proxies_are_believed_as_there_are(
    tmp_path: Path, hops: str, address: str, secure: bool
) -> None:
    app = api.create_app(Settings.from_env({"VIGIL_DATA": str(tmp_path), "VIGIL_PROXY_HOPS": hops}))
    with app.test_client() as client:
        client.get("/healthz", headers=SAID)
        assert (request.remote_addr, request.is_secure) == (address, secure)
