"""`vigil simulate` as a person calls it."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

from tests.support.processes import ROOT
from tests.support.small import SMALL

VIGIL = ROOT / ".venv" / "bin" / "vigil"


def simulate(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(VIGIL), "simulate", *arguments],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_it_prints_for_every_true_rate_how_often_the_trial_stopped_and_who_was_told(
    tmp_path: Path,
) -> None:
    file = tmp_path / "small.yaml"
    file.write_text(SMALL, encoding="utf-8")
    options = ("--subjects", "4", "--trials", "6", "--true-p", "0,1", "--seed", "3")
    found = json.loads(simulate(str(file), *options, "--json").stdout)
    assert [(rate["p"], rate["trials"], rate["stopped"]) for rate in found["rates"]] == [
        (0.0, 6, 0.0),
        (1.0, 6, 1.0),
    ]
    assert found["assumed"]["seed"] == 3
    assert {alert["rule"] for alert in found["rates"][1]["alerts"] if alert["trials"]} == {
        "ST-CROSSED"
    }
    told = simulate(str(file), *options).stdout
    assert "true rate 1: stopped 1.000" in told
    assert "ST-CROSSED" in told


def test_what_cannot_be_simulated_is_one_sentence(tmp_path: Path) -> None:
    file = tmp_path / "small.yaml"
    file.write_text(SMALL, encoding="utf-8")
    event = tmp_path / "event.json"
    event.write_text("[]", encoding="utf-8")
    for arguments, sentence in (
        (("--true-p", "1.2"), "must lie between 0 and 1"),
        (("--true-p", "a"), "must be numbers with commas"),
        (("--true-p", "0.1", "--rule", "ST-NONE"), "no stopping rule `ST-NONE`"),
        (("--true-p", "0.1", "--event", str(event)), "is no event"),
        (("--true-p", "0.1", "--trials", "0"), "--trials"),
    ):
        told = simulate(str(file), *arguments)
        assert told.returncode != 0
        assert sentence in told.stderr
        assert "Traceback" not in told.stderr
