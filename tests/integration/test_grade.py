"""`vigil grade` as a person calls it, and over every case of the CTCAE vectors."""

from __future__ import annotations

import json
import re
import subprocess
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

import rules
from services.cli import main
from tests.support.ctcae import FILE, cases, departs
from tests.support.processes import ROOT

VIGIL = ROOT / ".venv" / "bin" / "vigil"
DEPARTURES = {
    "GGT at its edge": 1,
    "triglycerides at their edge": 3,
    "INR needs no baseline": 2,
    "INR multiples of baseline": 5,
}


class Told(NamedTuple):
    """What a command printed, and its status."""

    stdout: str
    stderr: str
    returncode: int


Grade = Callable[..., Told]


@pytest.fixture
def grade(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Grade:
    """Run `vigil grade` in this process."""

    def run(*arguments: str) -> Told:
        monkeypatch.setattr("sys.argv", ["vigil", "grade", *arguments])
        with pytest.raises(SystemExit) as stopped:
            main()
        out, err = capfd.readouterr()
        return Told(out, err, int(stopped.value.code or 0))

    return run


@pytest.fixture(scope="module")
def answers() -> dict[str, dict[str, Any]]:
    told = subprocess.run(
        [str(VIGIL), "grade", "--batch", str(FILE)],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert told.returncode == 0, told.stderr
    return {line["id"]: line for line in map(json.loads, told.stdout.splitlines())}


def test_every_case_of_the_vectors_is_graded_as_it_expects_or_as_the_text_has_it(
    answers: dict[str, dict[str, Any]],
) -> None:
    assert len(answers) == len(cases()) == 1483
    other = [case for case in cases() if answers[case["id"]]["grade"] != case["grade"]]
    assert Counter(departs(case) for case in other) == DEPARTURES


def test_a_case_without_a_note_departs_only_at_the_edge_of_triglycerides(
    answers: dict[str, dict[str, Any]],
) -> None:
    other = {
        departs(case)
        for case in cases()
        if "note" not in case and answers[case["id"]]["grade"] != case["grade"]
    }
    assert other == {"triglycerides at their edge"}


def test_on_an_anticoagulant_the_inr_agrees_with_the_vectors_in_every_case(
    grade: Grade, tmp_path: Path
) -> None:
    inr = [case for case in cases() if case["term"] == "INR increased"]
    file = tmp_path / "inr.ndjson"
    lines = (json.dumps({**case, "anticoagulated": True}) for case in inr)
    file.write_text("\n".join(lines), encoding="utf-8")
    told = map(json.loads, grade("--batch", str(file)).stdout.splitlines())
    assert [one["grade"] for one in told] == [case["grade"] for case in inr]
    assert len(inr) == 45


def test_the_grade_is_the_worst_of_its_range_and_every_answer_has_a_reason(
    answers: dict[str, dict[str, Any]],
) -> None:
    for answer in answers.values():
        assert answer["grade"] == answer["max"]
        assert (answer["min"] is None) == (answer["max"] is None)
        assert answer["min"] is None or answer["min"] <= answer["max"]
        assert answer["reason"]


def test_every_departure_is_listed_in_the_document() -> None:
    document = (ROOT / "docs" / "ctcae.md").read_text(encoding="utf-8")
    listed = document.split("## Where this departs from admiral")[1]
    for words in (
        "GGT at exactly 2.0 x",
        "Triglycerides at exactly 1.71 mmol/L or 150 mg/dL",
        "INR, baseline multiples",
        "INR up to 1.2 without a baseline",
        "Hyponatremia above 129, below 130 mmol/L",
        "Hypokalemia, hyponatremia, lipase, amylase, hyperuricemia",
        "Leukocytosis",
    ):
        assert f"| {words}" in listed


def test_every_analyte_of_the_dictionary_is_listed_in_the_document() -> None:
    document = (ROOT / "docs" / "ctcae.md").read_text(encoding="utf-8")
    listed = document.partition("The analytes, as")[2].partition(". A unit-free")[0]
    assert re.findall(r"`([a-z0-9_]+)`", listed) == list(rules.dictionary().analytes)


def test_a_value_is_told_in_every_direction_that_has_a_term(grade: Grade) -> None:
    told = grade("--test", "hgb", "--value", "7", "--unit", "g/dL", "--uln", "16", "--json")
    answer = json.loads(told.stdout)
    assert [(one["term"], one["grade"]) for one in answer["grades"]] == [
        ("anemia", 3),
        ("hemoglobin_increased", 0),
    ]
    assert all(one["source"] and one["reason"] for one in answer["grades"])


def test_a_test_is_named_by_term_code_or_loinc(grade: Grade) -> None:
    terms = set()
    for name in ("Alanine aminotransferase increased", "ALT", "alt", "1742-6", "SGPT"):
        told = grade("--test", name, "--value", "210", "--unit", "U/L", "--uln", "40", "--json")
        terms.add(tuple(one["term"] for one in json.loads(told.stdout)["grades"]))
    assert terms == {("alt_increased",)}


def test_the_table_shows_a_range_with_what_decides(grade: Grade) -> None:
    told = grade("--test", "lipase", "--value", "130", "--uln", "60")
    assert "grade 2-3" in told.stdout
    assert "signs or symptoms" in told.stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--value", "1"), "--test is missing"),
        (("--test", "ALT"), "--value is missing"),
        (("--test", "hemoglobine", "--value", "1"), "did you mean hemoglobin?"),
        (
            ("--test", "Hyperglycemia", "--value", "1"),
            "by treatment or consequences, never by a value",
        ),
        (("--test", "nothing like it", "--value", "1"), "a LOINC code or one of hemoglobin"),
        (("--test", "ALT", "--value", "nan"), "must be a finite number"),
        (("--test", "ALT", "--value", "x"), "not a valid float"),
    ],
)
def test_bad_input_is_one_sentence(grade: Grade, arguments: tuple[str, ...], said: str) -> None:
    told = grade(*arguments)
    assert told.returncode == 2
    assert said in told.stderr
    assert "Traceback" not in told.stderr


def test_a_case_that_cannot_be_read_says_why_and_the_others_are_answered(
    grade: Grade, tmp_path: Path
) -> None:
    lines: list[tuple[dict[str, Any], str | None]] = [
        ({"id": "good", "term": "Anemia", "unit": "g/L", "value": 70}, None),
        ({"id": "a", "term": "Anaemic"}, "did you mean"),
        ({"id": "b"}, "`term` is missing"),
        ({"id": "c", "term": "Anemia", "value": "70"}, "`value` must be a number"),
        ({"id": "d", "term": "Anemia", "value": True}, "`value` must be a number"),
        ({"id": "e", "term": "potassium", "value": 3}, "names 2 terms: give `direction`"),
        ({"id": "f", "term": "Anemia", "unit": 5}, "`unit` must be text"),
        ({"id": "g", "term": "GGT increased", "baseline_flag": "UP"}, "`baseline_flag` must be"),
        ({"id": "h", "term": "INR increased", "anticoagulated": "yes"}, "`anticoagulated` must be"),
        ({"id": "i", "term": "Anemia", "direction": "X"}, "`direction` must be H, L or null"),
        ({"id": "j", "term": "Anemia", "direction": "H"}, "no term for a high `Anemia`"),
        ({"id": "k", "term": "Anemia", "value": -5}, "`value` must not be below 0"),
        ({"id": "l", "term": "GGT increased", "value": 5, "uln": 0}, "`uln` must be above 0"),
        ({"id": "m", "term": "Anemia", "direction": "lookup"}, "`direction` must be H, L or null"),
        ({"id": "n", "term": "Anemia", "lln": 9, "uln": 8}, "`lln` must not be above `uln`"),
        ({"id": "o", "term": "Anemia", "lln": -1}, "`lln` must not be below 0"),
        ({"id": "p", "term": ["Anemia"]}, "`term` is missing or no text"),
        ({"id": "q", "term": ""}, "nothing that CTCAE 5.0 grades by value"),
        ({"id": "r", "term": "Anemia", "baseline": {}}, "`baseline` must be a number"),
        ({"id": "s", "term": "Anemia", "baselin": 90}, "`baselin`: did you mean `baseline`?"),
        ({"id": "t", "term": "Anemia", "ULN": 160}, "`ULN`: did you mean `uln`?"),
        ({"id": "u", "term": "Anemia", "grade": 1, "values": "x", "value": 70}, None),
    ]
    file = tmp_path / "cases.ndjson"
    file.write_text("\n".join(json.dumps(case) for case, _ in lines), encoding="utf-8")
    told = grade("--batch", str(file))
    found = {line["id"]: line for line in map(json.loads, told.stdout.splitlines())}
    assert told.returncode == 1
    assert found["good"]["grade"] == 3
    for case, said in lines:
        assert said is None or said in found[case["id"]]["error"]


def test_units_are_read_as_the_vectors_spell_them(grade: Grade, tmp_path: Path) -> None:
    spelled = {
        "10^9/L": 0.4,
        "10^3/mL": 400,
        "10^3/uL": 0.4,
        "x10^9/L": 0.4,
        "10e9/L": 0.4,
        "/mm3": 400,
        "cells/uL": 400,
        "10*9/L": 0.4,
        "GI/L": 0.4,
        "cells/\u00b5L": 400,
    }
    file = tmp_path / "cases.ndjson"
    file.write_text(
        "\n".join(
            json.dumps({"id": unit, "term": "neutrophils", "unit": unit, "value": value})
            for unit, value in spelled.items()
        ),
        encoding="utf-8",
    )
    told = grade("--batch", str(file)).stdout.splitlines()
    assert {line["id"]: line["grade"] for line in map(json.loads, told)} == dict.fromkeys(
        spelled, 4
    )


def test_a_lower_limit_or_a_baseline_of_0_is_one(grade: Grade, tmp_path: Path) -> None:
    file = tmp_path / "cases.ndjson"
    lines = [
        {"id": 1, "term": "ALT", "direction": "H", "value": 130, "lln": 0, "uln": 40},
        {
            "id": 2,
            "term": "Eosinophilia",
            "unit": "10^9/L",
            "value": 0.6,
            "uln": 0.5,
            "baseline": 0,
        },
        {"id": 3, "term": "creatinine", "value": 1.0, "uln": 1.2, "baseline": 0},
        {"id": 4, "term": "ALT", "value": 1, "uln": 40, "baseline": 0, "baseline_flag": "HIGH"},
    ]
    file.write_text("\n".join(map(json.dumps, lines)), encoding="utf-8")
    told = [json.loads(line) for line in grade("--batch", str(file)).stdout.splitlines()]
    assert [one.get("grade") for one in told] == [2, 1, 0, None]
    assert "error" not in {key for one in told for key in one}


CASE = '{"id": 1, "term": "Anemia", "unit": "g/L", "value": 70}'


@pytest.mark.parametrize(
    "text",
    [
        CASE,
        f"[{CASE}]",
        f'{{"cases": [{CASE}]}}',
        json.dumps(json.loads(CASE), indent=2),
        f"\ufeff{CASE}\r\n",
        f"\n\n{CASE}\n\n",
    ],
)
def test_cases_come_one_a_line_as_a_list_or_as_one_document(
    grade: Grade, tmp_path: Path, text: str
) -> None:
    file = tmp_path / "cases"
    file.write_text(text, encoding="utf-8")
    told = grade("--batch", str(file))
    assert told.returncode == 0, told.stderr
    assert json.loads(told.stdout)["grade"] == 3


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (b"", "--batch holds no case"),
        (b" \n\n", "--batch holds no case"),
        (b"\xff\xfe[\x00]\x00", "line 1 is not JSON"),
        (f"{CASE}\nAnemia;70\n".encode(), "line 2 is not JSON"),
        (f'{CASE}\n{{"value": NaN}}\n'.encode(), "line 2 is not JSON"),
        (f'{CASE}\n{{"term": "\xc4"}}'.encode("latin-1"), "line 2 is not JSON"),
        (f'{{"cases": [\n{CASE},\n{CASE}\n{CASE}]}}'.encode(), "line 4 is not JSON"),
        (f"{CASE}\n5\n".encode(), "line 2 is no JSON object"),
        (f"[{CASE}, 5]".encode(), "case 2 is no JSON object"),
        (b'{"cases": 5}', "--batch takes one case a line"),
        (b'"text"', "--batch takes one case a line"),
        (b'{"id": 1,\n "value": 5, "value": 7}', "`value` comes twice"),
        (f'{CASE}\n{{"value": 5, "value": 7}}'.encode(), "line 2: `value` comes twice"),
        (f'[{CASE}, {{"value": 5, "value": 7}}]'.encode(), "`value` comes twice"),
        (b"[" * 5000 + b"]" * 5000, "line 1 is not JSON"),
    ],
)
def test_a_broken_file_is_one_sentence_with_its_place_and_nothing_is_answered(
    grade: Grade, tmp_path: Path, raw: bytes, said: str
) -> None:
    file = tmp_path / "cases"
    file.write_bytes(raw)
    told = grade("--batch", str(file))
    assert told.returncode == 2
    assert said in told.stderr
    assert "Traceback" not in told.stderr
    assert told.stdout == ""


def test_a_file_that_is_nested_too_deeply_is_said_to_be(tmp_path: Path) -> None:
    # In a process of its own: libraries of other tests let this one nest deeper.
    file = tmp_path / "cases"
    file.write_bytes(b'{"value": ' * 1010 + b"1" + b"}" * 1010)
    told = subprocess.run(
        [str(VIGIL), "grade", "--batch", str(file)],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert told.returncode == 2
    assert "nested too deeply" in told.stderr
    assert told.stdout == ""


@pytest.mark.parametrize(
    "unit", ["furlong", "10*999999999/L", "(" * 4000, "\u0000", "{", "10*9/L0"]
)
def test_a_unit_that_is_none_makes_no_grade_at_once(
    grade: Grade, tmp_path: Path, unit: str
) -> None:
    file = tmp_path / "cases.ndjson"
    case = {"id": 1, "term": "neutrophils", "unit": unit, "value": 0.4}
    file.write_text(json.dumps(case), encoding="utf-8")
    told = json.loads(grade("--batch", str(file)).stdout)
    assert told["grade"] is None
    assert "unit" in told["reason"]
