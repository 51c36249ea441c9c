"""Test groups, one per folder under tests/: what may run beside what, and how long each took.

Comes in: pytest's items and reports, from this process or from xdist's workers.
Goes out: xdist groups for tests that share something costly, and a table at the end of the run.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from _pytest.terminal import TerminalReporter

SHOWN = 20  # files in the second table
# Their fixtures start servers, or load a protocol, once for a file: its tests stay on one worker.
WHOLE_FILES = frozenset({"e2e", "integration", "protocols"})


def group_of(nodeid: str) -> str:
    """The folder under tests/ that a test stands in, or its file's name when it stands at the top."""
    path = PurePosixPath(nodeid.partition("::")[0])
    inside = path.parts[1:] if path.parts[:1] == ("tests",) else path.parts
    return inside[0] if len(inside) > 1 else path.name


@dataclass
class Times:
    """What one group took, in seconds. Workers overlap, so the sum may exceed the span."""

    tests: int = 0
    skipped: int = 0
    failed: int = 0
    busy: float = 0.0
    started: list[float] = field(default_factory=list)
    stopped: list[float] = field(default_factory=list)

    def add(self, report: pytest.TestReport) -> None:
        """Count one phase (setup, call or teardown) of one test."""
        self.busy += report.duration
        self.started.append(report.start)
        self.stopped.append(report.stop)
        # A test counts once: by its call, or by the setup that kept it from being called.
        if report.when == "call" or (report.when == "setup" and not report.passed):
            self.tests += 1
            self.skipped += report.skipped
        self.failed += report.failed

    @property
    def span(self) -> float:
        """From the group's first start to its last end."""
        return max(self.stopped) - min(self.started)

    def line(self, name: str) -> str:
        """One row of the table."""
        return (
            f"{name:<44}{self.tests:>7}{self.skipped:>9}{self.failed:>8}"
            f"{self.busy:>10.1f}{self.span:>10.1f}"
        )


class GroupTimes:
    """Collects reports where they all arrive, and prints the table there."""

    def __init__(self) -> None:
        self.times: dict[str, Times] = defaultdict(Times)
        self.files: dict[str, Times] = defaultdict(Times)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Add one report to its group."""
        self.times[group_of(report.nodeid)].add(report)
        self.files[report.nodeid.partition("::")[0]].add(report)

    def pytest_terminal_summary(self, terminalreporter: TerminalReporter) -> None:
        """Print the table, the costliest group first."""
        if not self.times:
            return
        terminalreporter.section("time per test group")
        terminalreporter.write_line(_HEAD.format("group"))
        for name, took in _costliest(self.times):
            terminalreporter.write_line(took.line(name))
        terminalreporter.write_line(_HEAD.format("the costliest files"))
        for name, took in _costliest(self.files)[:SHOWN]:
            terminalreporter.write_line(took.line(name.removeprefix("tests/")))


_HEAD = f"{{:<44}}{'tests':>7}{'skipped':>9}{'failed':>8}{'seconds':>10}{'from-to':>10}"


def _costliest(times: dict[str, Times]) -> list[tuple[str, Times]]:
    return sorted(times.items(), key=lambda entry: -entry[1].busy)


def pytest_configure(config: pytest.Config) -> None:
    """Collect in the controlling process only: a worker sees its own share and nothing else."""
    if not hasattr(config, "workerinput"):
        config.pluginmanager.register(GroupTimes(), "vigil-group-times")


# Before xdist's own hook, which writes the group into each test's id.
@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep the files of the costly groups whole; a test's own xdist_group mark goes first."""
    for item in items:
        file = item.nodeid.partition("::")[0]
        if group_of(item.nodeid) in WHOLE_FILES and not item.get_closest_marker("xdist_group"):
            item.add_marker(pytest.mark.xdist_group(file))
