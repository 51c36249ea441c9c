"""What this machine can do with nothing around it: bare Flask, bulk insert, commits."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlsplit

from services.bench.ports import free_port, wait_for_http

BARE = """
from flask import Flask, request
app = Flask(__name__)
@app.post("/")
def echo():
    return {"accepted": len(request.get_json())}
"""
SECONDS = 2.0
# Enough that the service, and not its client, is what waits.
CLIENTS = 16
ROWS = 20_000


def measure(place: Path) -> dict[str, float]:
    """Requests, inserted rows and commits per second."""
    return {
        "bare_flask_per_s": round(_bare_flask(place)),
        "bulk_insert_rows_per_s": round(_bulk_insert(place)),
        "durable_commits_per_s": round(_commits(place)),
    }


def _bare_flask(place: Path) -> float:
    (place / "bare.py").write_text(BARE)
    port = free_port()
    command = [sys.executable, "-m", "gunicorn", "-k", "gthread", "--threads", "8"]
    command += ["-b", f"127.0.0.1:{port}", "--log-level", "error", "bare:app"]
    process = subprocess.Popen(command, cwd=place)
    try:
        wait_for_http(f"http://127.0.0.1:{port}/", seconds=20)
        return post_for_a_while(f"http://127.0.0.1:{port}/", lambda: b'{"value": 1}', {}).per_s
    finally:
        process.terminate()
        process.wait()


@dataclass(frozen=True)
class Posts:
    """How a round of requests went."""

    seconds: list[float]  # of each

    @property
    def per_s(self) -> float:
        """How many a second."""
        return len(self.seconds) / SECONDS


def post_for_a_while(url: str, body: Callable[[], bytes], headers: dict[str, str]) -> Posts:
    """Post what `body()` gives from `CLIENTS` connections for `SECONDS`; all must be taken."""
    place = urlsplit(url)
    sent = {"Content-Type": "application/json", **headers}
    end = time.perf_counter() + SECONDS

    def post(_: int) -> list[float]:
        line = HTTPConnection(place.hostname or "", place.port, timeout=60)
        taken: list[float] = []
        while (began := time.perf_counter()) < end:
            line.request("POST", place.path, body=body(), headers=sent)
            answer = line.getresponse()
            said = answer.read()
            if answer.status >= 300:
                raise RuntimeError(said[:300])
            taken.append(time.perf_counter() - began)
        line.close()
        return taken

    with ThreadPoolExecutor(CLIENTS) as threads:
        rounds = threads.map(post, range(CLIENTS))
        return Posts([one for taken in rounds for one in taken])


def _connection(file: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(file, isolation_level=None)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("CREATE TABLE IF NOT EXISTS row (n INTEGER PRIMARY KEY, body TEXT)")
    return connection


def _bulk_insert(place: Path) -> float:
    connection = _connection(place / "bulk.db")
    body = "x" * 300
    began = time.perf_counter()
    for start in range(0, ROWS, 1000):
        connection.execute("BEGIN IMMEDIATE")
        connection.executemany(
            "INSERT INTO row VALUES (?, ?)", ((n, body) for n in range(start, start + 1000))
        )
        connection.execute("COMMIT")
    spent = time.perf_counter() - began
    connection.close()
    return ROWS / spent


def _commits(place: Path) -> float:
    connection = _connection(place / "commits.db")
    began, done = time.perf_counter(), 0
    while time.perf_counter() - began < 1.0:
        connection.execute("INSERT INTO row (body) VALUES ('x')")
        done += 1
    connection.close()
    return done / (time.perf_counter() - began)
