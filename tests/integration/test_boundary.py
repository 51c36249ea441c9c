"""`vigil boundary` as a person calls it, and over every case of the stopping vectors."""

from __future__ import annotations

import json
import subprocess
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from services.cli import main
from services.cli.families import FAMILIES
from tests.support.processes import ROOT
from tests.support.vectors import cases, differences

VIGIL = ROOT / ".venv" / "bin" / "vigil"
BINARY = {
    "binary_calibrated": 554,
    "bayes_fixed_threshold": 72,
    "boin_elimination": 10,
    "thall_simon": 42,
    "repeated_significance_toxbdry": 128,
    "published": 2,
}
TIMED = {"survival_calibrated": 199, "tite_from_cval": 43}


class Told(NamedTuple):
    """What a command printed, and its status."""

    stdout: str
    stderr: str
    returncode: int


Boundary = Callable[..., Told]


@pytest.fixture
def boundary(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Boundary:
    """Run `vigil boundary` in this process: two dozen of its own would take a minute."""

    def run(*arguments: str) -> Told:
        monkeypatch.setattr("sys.argv", ["vigil", "boundary", *arguments])
        with pytest.raises(SystemExit) as stopped:
            main()
        out, err = capfd.readouterr()
        return Told(out, err, int(stopped.value.code or 0))

    return run


def batch(lines: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(VIGIL), "boundary", "--batch", "-"],
        input=lines,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def test_every_case_of_the_vectors_is_answered_as_it_expects() -> None:
    wanted = cases()
    assert Counter(case["family"] for case in wanted.values()) == BINARY | TIMED
    lines = "\n".join(json.dumps(case) for case in wanted.values())
    told = batch(lines)
    assert told.returncode == 0, told.stderr
    answers = {line["id"]: line["result"] for line in map(json.loads, told.stdout.splitlines())}
    assert answers.keys() == wanted.keys()
    wrong = {key: differences(case, answers[key]) for key, case in wanted.items()}
    assert {key: said for key, said in wrong.items() if said} == {}


def test_an_answer_has_every_key_that_any_case_of_its_family_expects() -> None:
    keys: dict[str, set[str]] = {family: set() for family in FAMILIES}
    some: dict[str, dict[str, Any]] = {}
    for case in cases().values():
        keys[case["family"]] |= case["expect"].keys() - {"oc_monte_carlo"}
        some.setdefault(case["family"], case)
    for family, case in some.items():
        assert keys[family] <= FAMILIES[family](case).keys(), family


def test_a_file_of_cases_reads_as_its_cases_do(boundary: Boundary, tmp_path: Path) -> None:
    case = next(case for case in cases().values() if case["family"] == "boin_elimination")
    whole, lines = tmp_path / "whole.json", tmp_path / "lines.ndjson"
    whole.write_text(json.dumps({"cases": [case]}), encoding="utf-8")
    lines.write_text(json.dumps(case) + "\n\n", encoding="utf-8")
    first = boundary("--batch", str(whole)).stdout
    assert first == boundary("--batch", str(lines)).stdout
    assert json.loads(first)["id"] == case["id"]


def test_a_case_without_an_answer_says_why_and_the_others_are_answered() -> None:
    cohort = {"target": 0.2, "ncohort": 3, "cohortsize": 1, "cutoff_eli": 0.95}
    good = {"id": "good", "family": "boin_elimination", "method": "BOIN", "input": cohort}
    calibrated = {"family": "binary_calibrated", "method": "Pocock"}
    bad: list[tuple[dict[str, Any], str]] = [
        ({"id": "a", "family": "no_such"}, "family no_such is not one of"),
        ({"id": "b", **calibrated, "input": {"p0": 0.2}}, "'looks' is missing"),
        ({"id": "c", **calibrated, "input": {"p0": 2, "looks": [5], "alpha": 0.1}}, "p0 must lie"),
        ({"id": "f", **calibrated, "input": {"p0": 0.2, "looks": [1.5], "alpha": 0.1}}, "whole"),
        ({"id": "d", **calibrated, "input": 5}, "cannot be read"),
        ({"id": "e", **calibrated, "input": {"p0": "x", "looks": [5], "alpha": 0.1}}, "cannot be"),
    ]
    lines = [json.dumps(case) for case in (*(case for case, _ in bad), good)]
    told = batch("\n".join(lines))
    assert told.returncode == 1
    answers = [json.loads(line) for line in told.stdout.splitlines()]
    for answer, (_, sentence) in zip(answers, bad, strict=False):
        assert sentence in answer["error"]
    assert answers[-1]["result"]["eliminate_if_ge"] == [None, None, 2]


def test_what_is_no_case_is_refused_with_its_line() -> None:
    told = batch('{"id": 1, "family": "x"}\nnonsense\n')
    assert told.returncode == 2
    assert "line 2 is not JSON" in told.stderr
    assert "Traceback" not in told.stderr


def test_json_has_the_keys_of_the_contract(boundary: Boundary) -> None:
    found = json.loads(
        boundary(
            *("--method", "beta_binomial", "--n", "10", "--p0", "0.2", "--alpha", "0.05"),
            *("--prior", "0.4,1.6", "--true-p", "0.2,0.4", "--json"),
        ).stdout
    )
    assert found["method"] == "beta_binomial"
    assert found["parameters"]["prior"] == [0.4, 1.6]
    assert found["boundary"][0] == {"evaluable": 1, "stop_at": None}
    assert found["boundary"][-1] == {"evaluable": 10, "stop_at": 6}
    assert found["type_1_error"] == found["operating_characteristics"][0]["reject"] <= 0.05
    assert [row["p"] for row in found["operating_characteristics"]] == [0.2, 0.4]
    assert {"p", "reject", "expected_events", "expected_evaluable"} <= set(
        found["operating_characteristics"][0]
    )
    assert found["notes"] == []


def test_without_json_it_prints_the_table_in_spans(boundary: Boundary) -> None:
    told = boundary("--method", "pocock", "--n", "10", "--p0", "0.2", "--alpha", "0.05").stdout
    assert "type I error 0.042126" in told
    assert "1-2        -" in told
    assert "7-9        5" in told


def test_looks_may_be_a_span_and_begin_late(boundary: Boundary) -> None:
    told = boundary(
        *("--method", "pocock", "--looks", "4-6,10", "--p0", "0.2", "--alpha", "0.05", "--json")
    )
    assert [row["evaluable"] for row in json.loads(told.stdout)["boundary"]] == [4, 5, 6, 10]


def test_accrual_adds_who_is_enrolled_and_pending(boundary: Boundary) -> None:
    told = boundary(
        *("--method", "pocock", "--n", "10", "--p0", "0.2", "--alpha", "0.05", "--json"),
        *("--window", "30", "--accrual-days", "300"),
    )
    row = json.loads(told.stdout)["operating_characteristics"][0]
    assert row["expected_enrolled"] == pytest.approx(
        row["expected_evaluable"] + row["expected_pending"]
    )
    assert row["expected_calendar_days"] > 30


PLAN = ("--n", "10", "--p0", "0.05", "--alpha", "0.05", "--window", "30")


@pytest.mark.parametrize(
    ("method", "outcome", "last", "said"),
    [
        (("pocock", "--time-to-event"), "time_to_event", 300, "total exposure in days is at most"),
        (("gamma_poisson", "--prior", "0.15,90"), "time_to_event", 300, "total exposure in days"),
        (("gamma_poisson", "--prior", "0.15"), "time_to_event", 300, "total exposure in days"),
        (("tite", "--delta", "0.25"), "tite", 10, "effective sample is at most"),
    ],
)
def test_boundaries_over_time_are_cuts_in_exposure(
    boundary: Boundary, method: tuple[str, ...], outcome: str, last: float, said: str
) -> None:
    asked = ("--method", *method, *PLAN)
    answer = json.loads(boundary(*asked, "--json").stdout)
    assert answer["parameters"]["outcome"] == outcome
    assert answer["boundary"][-1]["max_exposure"] == last
    assert answer["type_1_error"] <= 0.05 + 1e-12
    assert all(row["reject"] <= 1 for row in answer["operating_characteristics"])
    assert said in boundary(*asked).stdout


def test_exposure_is_counted_up_to_the_most_that_is_asked_for(boundary: Boundary) -> None:
    asked = ("--method", "obrien_fleming", "--time-to-event", *PLAN, "--json", "--max-info")
    cuts = [
        json.loads(boundary(*asked, one).stdout)["boundary"][0] for one in ("expected", "maximum")
    ]
    assert [round(cut["max_exposure"], 4) for cut in cuts] == [200.4239, 198.8729]


def test_all_boundaries_of_a_small_trial_are_weighed_and_the_best_are_named(
    boundary: Boundary,
) -> None:
    asked = ("--admissible", "--n", "10", "--p0", "0.2", "--p1", "0.4", "--alpha", "0.1")
    found = json.loads(boundary(*asked, "--json").stdout)["admissible"]
    assert [round(one["power"], 4) for one in found] == [0.5293, 0.4923, 0.4914, 0.4848]
    assert found[0]["boundary"][0] == {"evaluable": 3, "stop_at": 3}
    assert "3/3 3/4 4/5 4/6 4/7 4/8 4/9 5/10" in boundary(*asked).stdout


POCOCK = ("--method", "pocock", "--p0", "0.2", "--alpha", "0.05")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--n", "10"), "--method is missing"),
        (("--method", "guess", "--n", "10"), "'guess' is not one of"),
        ((*POCOCK, "--n", "0"), "n must be 1 or more, not 0"),
        (POCOCK, "there is no look at which to stop"),
        ((*POCOCK, "--looks", "5,5"), "looks must increase"),
        ((*POCOCK, "--looks", "5,x"), "numbers such as 5,10,15"),
        ((*POCOCK, "--looks", "5,10", "--n", "12"), "the last look is at 10, but n is 12"),
        ((*POCOCK, "--n", "10", "--p0", "1"), "p0 must lie between 0 and 1, not 1"),
        ((*POCOCK, "--n", "10", "--p0", "nan"), "p0 must lie between 0 and 1, not nan"),
        ((*POCOCK, "--n", "10", "--alpha", "0"), "alpha must lie between 0 and 1, not 0"),
        ((*POCOCK, "--n", "10", "--true-p", "1.5"), "--true-p lies between 0 and 1"),
        ((*POCOCK, "--n", "10", "--prior", "1,2"), "method pocock does not use prior"),
        ((*POCOCK, "--n", "10", "--accrual-days", "300"), "needs --window"),
        ((*POCOCK, "--n", "9000"), "too many"),
        (("--admissible", "--n", "10", "--p0", "0.2", "--alpha", "0.1"), "needs --p1"),
        (("--admissible", *POCOCK, "--n", "10"), "takes no --method"),
        (("--admissible", *POCOCK[2:], "--p1", "0.4", "--n", "40"), "more than 131072"),
        ((*POCOCK, "--n", "10", "--at-threshold"), "pocock does not use --at-threshold"),
        ((*POCOCK, "--n", "10", "--max-info", "maximum"), "is for the time to an event"),
        ((*POCOCK, "--time-to-event", "--n", "10", "--window", "0"), "more than 0 days, not 0"),
        ((*POCOCK, "--time-to-event", "--looks", "5,10"), "has no looks of its own"),
        (("--method", "boin", "--time-to-event", "--n", "9", "--p0", "0.2"), "does not exist for"),
        (("--method", "sprt", *POCOCK[2:], "--n", "10", "--p1", "0.2"), "p1 must be greater"),
        (("--method", "beta_binomial", *POCOCK[2:], "--n", "10", "--prior", "1"), "two numbers"),
        (
            ("--method", "beta_binomial", *POCOCK[2:], "--n", "10", "--prior", "0,1"),
            "prior must be two positive numbers, not 0,1",
        ),
    ],
)
def test_a_bad_parameter_is_one_sentence_and_status_2(
    boundary: Boundary, arguments: tuple[str, ...], sentence: str
) -> None:
    told = boundary(*arguments)
    assert told.returncode == 2
    assert told.stdout == ""
    assert sentence in told.stderr
    assert sum(line.startswith(("vigil:", "Error:")) for line in told.stderr.splitlines()) == 1
    assert "Traceback" not in told.stderr


@pytest.mark.parametrize(("ending", "first"), [("svg", b"<?xml"), ("png", b"\x89PNG")])
def test_a_boundary_is_drawn_into_a_file(
    boundary: Boundary, tmp_path: Path, ending: str, first: bytes
) -> None:
    file = tmp_path / f"boundary.{ending}"
    asked = ("--method", "pocock", "--n", "10", "--p0", "0.2", "--alpha", "0.05")
    told = boundary(*asked, "--plot", str(file))
    assert told.returncode == 0, told.stderr
    assert file.read_bytes().startswith(first)


@pytest.mark.parametrize("file", ["boundary.gif", "nowhere/boundary.svg"])
def test_a_figure_that_cannot_be_written_is_one_sentence(
    boundary: Boundary, tmp_path: Path, file: str
) -> None:
    asked = ("--method", "pocock", "--n", "10", "--p0", "0.2", "--alpha", "0.05")
    told = boundary(*asked, "--plot", str(tmp_path / file))
    assert told.returncode == 2
    assert "--plot" in told.stderr
    assert "Traceback" not in told.stderr
