"""Broken protocols: each is told exactly what stands beside it, and by every door alike.

`broken/NAME.yaml` has one fault, `broken/NAME.txt` what must be said of it.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

import rules
from services.cli import protocol as cli
from tests.support.hostile import HOSTILE

FOLDER = Path(__file__).with_name("broken")
FILES = sorted(FOLDER.glob("*.yaml"))
MANY = 100


def complaints(load) -> list[str]:
    try:
        return [str(one) for one in rules.check(load()).complaints]
    except rules.ProtocolError as error:
        return [str(one) for one in error.complaints]


def test_there_are_enough_of_them_and_each_has_its_words() -> None:
    assert len(FILES) >= 60
    assert all(file.with_suffix(".txt").read_text(encoding="utf-8").strip() for file in FILES)


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_broken_file_is_told_exactly_what_is_wrong(file: Path, monkeypatch) -> None:
    monkeypatch.chdir(FOLDER)
    expected = file.with_suffix(".txt").read_text(encoding="utf-8").splitlines()
    assert complaints(lambda: rules.load(file.name)) == expected


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_the_command_says_the_same_and_exits_with_1(file: Path, monkeypatch) -> None:
    monkeypatch.chdir(FOLDER)
    run = CliRunner().invoke(cli.check, [file.name], standalone_mode=False)
    assert run.exception is None
    assert run.return_value == 1
    assert run.stderr == ""
    expected = file.with_suffix(".txt").read_text(encoding="utf-8").splitlines()
    told = [line for line in run.stdout.splitlines() if ": note: " not in line]
    assert told == expected


def test_many_files_are_told_of_at_once(monkeypatch) -> None:
    monkeypatch.chdir(FOLDER)
    names = [file.name for file in FILES[:5]]
    run = CliRunner().invoke(cli.check, [*names, "--json"], standalone_mode=False)
    told = json.loads(run.stdout)
    assert not told["ok"]
    assert {one["file"] for one in told["complaints"]} == set(names)


@pytest.mark.parametrize("name", HOSTILE)
def test_a_text_made_to_keep_the_house_busy_is_refused(name: str) -> None:
    found = complaints(lambda: rules.loads(HOSTILE[name], "p.yaml"))
    assert 1 <= len(found) <= MANY
    assert all(one.startswith("p.yaml:") for one in found)


def test_a_hostile_file_is_told_that_it_asks_for_too_much() -> None:
    told = {name: complaints(lambda: rules.loads(HOSTILE[name], "p"))[0] for name in BOUNDS}  # noqa: B023
    assert {name: words for name, words in BOUNDS.items() if words not in told[name]} == {}


BOUNDS = {
    "ten megabytes": "longer than 1048576 characters",
    "lists within lists": "nested deeper than 40",
    "a list without end": "`values` has more than 1000 entries",
    "long conditions": "the conditions, units and events of this file are too many",
    "units without end": "the conditions, units and events of this file are too many",
    "conditions that multiply": "alternatives (at most 2000",
    "a thousand expectations": "take more than 40000 steps",
}
