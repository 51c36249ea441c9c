"""The commands as a person runs them: what they print, and their exit status."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.processes import ROOT, python

FLAGSHIP = ROOT / "rules" / "protocols" / "msc-cgvhd.yaml"
EVENT = {"specversion": "1.0", "source": "https://site.example/", "subject": "S-1"}
EVENTS = [
    ("2026-03-02T09:00:00+09:00", "enrolment", {"status": "screened"}),
    ("2026-03-03T09:00:00+09:00", "observation", {"code": "hiv_status", "value": "positive"}),
    ("2026-03-04T09:00:00+09:00", "death", {"causality": "unrelated"}),
]

Vigil = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def vigil(tmp_path: Path) -> Vigil:
    """Run a command on a data directory of its own."""

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        main = "from services.cli import main; main()"
        env = {**os.environ, "PYTHONPATH": str(ROOT), "VIGIL_DATA": str(tmp_path / "data")}
        return subprocess.run(
            python("-c", main, *arguments), env=env, text=True, capture_output=True, check=False
        )

    return run


@pytest.fixture
def events(tmp_path: Path) -> Path:
    file = tmp_path / "events.ndjson"
    lines = [
        {**EVENT, "id": str(number), "type": kind, "time": time, "data": data}
        for number, (time, kind, data) in enumerate(EVENTS)
    ]
    file.write_text("\n".join(map(json.dumps, reversed(lines))) + "\n")
    return file


def test_a_key_is_shown_once_and_can_be_revoked(vigil: Vigil) -> None:
    made = vigil("keys", "create", "--role", "publisher", "--trial", "t", "--name", "lab")
    assert made.returncode == 0, made.stderr
    secret, key_id = made.stdout.strip(), made.stderr.partition(":")[0]
    assert secret.startswith("vigil_")
    listed = vigil("keys", "list")
    assert key_id in listed.stdout
    assert secret not in listed.stdout
    assert vigil("keys", "revoke", key_id).returncode == 0
    assert vigil("keys", "revoke", "key_none").returncode == 1
    assert vigil("audit", "verify").stdout == "the audit's chains hold\n"


def test_a_clinicians_key_names_a_person(vigil: Vigil) -> None:
    refused = vigil("keys", "create", "--role", "clinician")
    assert refused.returncode == 1
    assert refused.stderr.startswith("vigil: a key of this role belongs to a person")
    assert "Traceback" not in refused.stderr


def test_a_protocol_that_holds_and_one_that_does_not(vigil: Vigil, tmp_path: Path) -> None:
    broken = tmp_path / "broken.yaml"
    broken.write_text("vigil: 1\nprotocol: {id: x}\n")
    found = vigil("protocol", "check", str(broken))
    assert found.returncode == 1
    assert found.stdout.startswith(f"{broken}:")
    told = json.loads(vigil("protocol", "check", str(broken), "--json").stdout)
    assert not told["ok"]
    assert told["complaints"][0]["file"] == str(broken)
    shown = vigil("protocol", "show", str(FLAGSHIP), "--format", "json")
    assert shown.returncode == 0
    assert json.loads(shown.stdout)


def test_a_check_shows_notes_coverage_and_cases(vigil: Vigil) -> None:
    file = str(FLAGSHIP.parent / "examples" / "cdisc-pilot.yaml")
    plain = vigil("protocol", "check", file)
    assert plain.returncode == 0
    assert f"{file} holds: 3 criteria, 25 rules, 18 scenarios" in plain.stderr
    assert ": note: the rule `ACC-HALFWAY`, `when`: no scenario shows" in plain.stdout
    full = vigil("protocol", "check", file, "--coverage", "--cases").stdout
    assert "A1 age_years >= 50: 49 -> not met, 50 -> met, 51 -> met, missing -> indetermin" in full
    assert "the criterion `A1`, `when`: age_years >= 50" in full
    told = json.loads(vigil("protocol", "check", file, "--json").stdout)
    assert told["ok"]
    assert {"notes", "coverage", "cases", "complaints"} <= told.keys()
    assert told["cases"][0]["cases"][0] == {"value": 49, "answer": "not_met"}


def test_a_file_of_events_is_judged_without_a_server(vigil: Vigil, events: Path) -> None:
    run = vigil("evaluate", str(FLAGSHIP), "--events", str(events), "--json")
    assert run.returncode == 0, run.stderr
    told = json.loads(run.stdout)
    (one,) = told["subjects"]
    assert one["eligibility"]["decision"] == "ineligible"
    assert [alert["rule"] for alert in one["alerts"]] == [
        "EL-NEEDS-DATA",
        "EL-INELIGIBLE",
        "S-DEATH",
    ]
    assert [finding["rule"] for finding in one["findings"]] == ["S-DEATH"]


def test_as_of_is_what_was_known_then(vigil: Vigil, events: Path) -> None:
    at = "2026-03-02T12:00:00+09:00"
    run = vigil("evaluate", str(FLAGSHIP), "--events", str(events), "--json", "--as-of", at)
    (one,) = json.loads(run.stdout)["subjects"]
    assert one["eligibility"]["decision"] == "indeterminate"
    assert [alert["rule"] for alert in one["alerts"]] == ["EL-NEEDS-DATA"]
    wrong = vigil("evaluate", str(FLAGSHIP), "--events", str(events), "--as-of", "yesterday")
    assert wrong.returncode == 1
    assert "--as-of: expected a time" in wrong.stderr


def test_a_refused_event_is_named_by_its_line(vigil: Vigil, events: Path) -> None:
    bad = {**EVENT, "id": "9", "type": "observation", "time": EVENTS[0][0]}
    with events.open("a") as file:
        file.write(json.dumps({**bad, "data": {"code": "nonsense", "value": 1}}) + "\n")
    run = vigil("evaluate", str(FLAGSHIP), "--events", str(events))
    assert run.returncode == 1
    assert run.stderr.startswith(f"{events}:4: ")
    assert "S-1: ineligible" in run.stdout


def test_an_unknown_trial_is_one_sentence(vigil: Vigil) -> None:
    run = vigil("replay", "--trial", "none", "--verify")
    assert (run.returncode, run.stdout) == (1, "")
    assert run.stderr == "vigil: There is no such trial.\n"


def test_an_account_gets_a_password_that_is_shown_once(vigil: Vigil) -> None:
    made = vigil(
        "accounts", "create", "clinic", "--role", "clinician", "--person", "the investigator"
    )
    assert made.returncode == 0, made.stderr
    password = made.stdout.strip()
    assert len(password) == 19
    assert vigil("accounts", "create", "clinic", "--role", "ops").returncode == 1
    assert vigil("accounts", "disable", "clinic").stdout == "clinic is disabled\n"
    listed = vigil("accounts", "list").stdout
    assert "the investigator" in listed
    assert password not in listed
    assert vigil("accounts", "enable", "clinic").returncode == 0
    assert vigil("accounts", "disable", "nobody").returncode == 1


def test_a_password_comes_from_a_file_and_must_not_be_easily_guessed(
    vigil: Vigil, tmp_path: Path
) -> None:
    file = tmp_path / "password"
    file.write_text("a long enough sentence\nwhatever stands below\n")
    made = vigil("accounts", "create", "night", "--role", "ops", "--password-file", str(file))
    assert (made.returncode, made.stdout) == (0, "")
    file.write_text("short\n")
    refused = vigil("accounts", "password", "night", "--password-file", str(file))
    assert refused.returncode == 1
    assert "12 to 256 characters" in refused.stderr
    assert vigil("accounts", "password", "night", "--generate").returncode == 0


@pytest.mark.parametrize(
    ("form", "wanted"), [("sdtm", "a folder of tables"), ("ndjson", "one file, an event a line")]
)
def test_an_import_of_a_folder_for_a_file_or_the_other_way_is_one_sentence(
    vigil: Vigil, tmp_path: Path, form: str, wanted: str
) -> None:
    place = FLAGSHIP if form == "sdtm" else tmp_path
    told = vigil("import", str(place), "--trial", "t", "--format", form)
    assert told.returncode != 0
    assert told.stderr == f"vigil: {place}: --format {form} takes {wanted}\n"
