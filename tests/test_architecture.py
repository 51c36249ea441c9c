"""The shape of the house: who may import whom, and what may stand in the files everybody shares."""

import ast
import re
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]

# Doors are thin: they may know the corridor and the one framework whose door they are.
DOORS = {"api.py": {"services", "flask"}, "worker.py": {"services", "celery"}}


def imported_packages(source: str) -> set[str]:
    """Top-level names that a module imports, wherever in it; a relative import counts as ".name"."""
    packages = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            packages |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            name = "." * node.level + (node.module or "")
            packages.add(name if node.level else name.partition(".")[0])
    return packages


@pytest.mark.parametrize("door", DOORS)
def test_a_door_imports_only_services_and_its_own_framework(door):
    path = ROOT / door
    assert path.exists(), f"{door} is the door of its kind and must exist"
    foreign = imported_packages(path.read_text()) - DOORS[door] - sys.stdlib_module_names
    assert not foreign, f"{door} imports {sorted(foreign)}: what it needs belongs in services/"


def test_imports_run_in_the_direction_of_the_corridor():
    linter = Path(sysconfig.get_path("scripts")) / "lint-imports"
    run = subprocess.run(
        [linter, "--config", ".importlinter", "--no-cache"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stdout + run.stderr


def test_the_import_reader_sees_hidden_and_relative_imports():
    source = (
        "import a.b\ndef f():\n    from c.d import e\n    from . import g\n    from .h import i\n"
    )
    assert imported_packages(source) == {"a", "c", ".", ".h"}


@pytest.mark.parametrize("lock", sorted(path.name for path in ROOT.glob("requirements*.lock")))
def test_a_lock_file_names_no_address_and_no_folder(lock):
    odd = [
        line
        for line in (ROOT / lock).read_text().splitlines()
        if not re.fullmatch(
            r"    --hash=sha256:[0-9a-f]{64}( \\)?|[a-z0-9.-]+==[\w.]+( ; [^/]+?)? \\", line
        )
    ]
    assert odd == []


def pinned(lock: str) -> dict[str, str]:
    """Package -> version of one lock file."""
    return dict(re.findall(r"^([a-z0-9.-]+)==([\w.]+)", (ROOT / lock).read_text(), re.MULTILINE))


@pytest.mark.parametrize("lock", ["requirements.lock", "requirements-build.lock"])
def test_what_is_locked_twice_is_locked_alike(lock):
    everything = pinned("requirements-dev.lock")
    here = pinned(lock)
    assert {name: everything.get(name, version) for name, version in here.items()} == here


def test_all_that_the_service_runs_on_is_in_the_environment_that_tests_use():
    assert pinned("requirements.lock").keys() <= pinned("requirements-dev.lock").keys()
