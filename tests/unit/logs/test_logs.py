"""What reaches the log of a process: places and class names, whoever writes, never a value."""

from __future__ import annotations

import subprocess
import sys

import orjson
import pytest

from tests.support.processes import ROOT

SECRET = "4711"
PROGRAMS = {
    "a thread that ends": """
        import threading
        thread = threading.Thread(target=broken, name="sweep")
        thread.start()
        thread.join()
    """,
    "a process that ends": "broken()",
    "a library that quotes an exception": """
        import logging
        try:
            broken()
        except ValueError as error:
            said = {"name": "vigil.evaluate", "exc": repr(error)}
            logging.getLogger("celery.app.trace").error("Task %(name)s: %(exc)s", said, exc_info=error)
    """,
    "a room of ours": """
        try:
            broken()
        except ValueError:
            logs.get("room").exception("it failed", subject="4711", value=4711)
    """,
}
HEAD = """
from services import logs
logs.configure("info")
logs.catch_strays()
def broken():
    raise ValueError("the value 4711 of S-1")
"""


@pytest.mark.parametrize("name", PROGRAMS)
def test_no_text_of_an_exception_is_written(name: str) -> None:
    lines = PROGRAMS[name].splitlines()
    indent = min((len(line) - len(line.lstrip()) for line in lines if line.strip()), default=0)
    program = HEAD + "\n".join(line[indent:] for line in lines)
    ran = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert SECRET not in ran.stdout + ran.stderr
    (line,) = ran.stderr.splitlines()
    written = orjson.loads(line)
    assert written["error"] == ["builtins.ValueError"]
    assert any("broken" in frame for frame in written["frames"])
    assert ran.returncode == (1 if name == "a process that ends" else 0)
