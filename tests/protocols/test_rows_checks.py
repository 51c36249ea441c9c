"""Rows D7 and D8 of what is promised: tests inside the file, and checks before it is trusted."""

from functools import lru_cache
from pathlib import Path

import pytest

import rules
from tests.support.small import SMALL

FILES = sorted((Path(__file__).resolve().parents[2] / "rules" / "protocols").rglob("*.yaml"))


@lru_cache
def report(file: Path) -> rules.Report:
    """A file checked once for all rows."""
    return rules.check(rules.load(file))


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_d7_a_protocols_scenarios_and_generated_cases_hold(file: Path) -> None:
    assert report(file).complaints == ()
    assert report(file).cases
    assert report(file).coverage


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_d7_every_comparison_of_a_criterion_has_boundary_and_missing_cases(file: Path) -> None:
    cases = report(file).cases
    for criterion in rules.load(file).definition.criteria:
        rows = [row for row in cases if row.what == criterion.id]
        assert rows
        for row in rows:
            assert row.cases[-1].value is None
            assert row.cases[-1].answer == "indeterminate" or "has(" in criterion.expression
            assert {case.answer for case in row.cases} >= {"met", "not_met"}


def test_d7_a_red_scenario_refuses_the_file_and_clauses_shown_one_way_are_told() -> None:
    red = SMALL.replace("decision: indeterminate", "decision: eligible")
    assert [complaint.message for complaint in rules.check(rules.loads(red)).complaints] == [
        "the scenario `an adult is judged`: the decision is indeterminate, not eligible"
    ]
    notes = [note.message for note in rules.check(rules.loads(SMALL)).notes]
    assert (
        "the criterion `I1`, `when`: no scenario shows `age_years >= 1`, `age_years <= 80` false"
        in notes
    )


D8 = [
    ("types", "ecog in [0, 1, 2]", "hiv > 2", "`hiv` is a code and has no order", "use ==, != or in"),
    ("units", "unit: Cel", "unit: Celcius", "`Celcius` is no UCUM unit", "as Cel"),
    ("unknown codes", "code: infarction, take", "code: infraction, take", "no condition `infraction` is declared", "did you mean infarction?"),
    ("values", 'hiv == "positive"', 'hiv == "postive"', '`hiv` is never "postive"', "did you mean positive?"),
    ("contradictions", "ecog in [0, 1, 2]", "ecog < 1 && ecog > 3", "can never hold: `ecog < 1 && ecog > 3`", "no value meets all of it"),
    ("tautologies", "ecog in [0, 1, 2]", "ecog <= 5", "always holds where it is known", "`ecog` lies from 0 to 5"),
    ("unreachable", "ecog in [0, 1, 2]", "ecog <= 2 || ecog > 5", "can never hold: `ecog > 5`", "`ecog` lies from 0 to 5"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("old", "new", "message", "hint"), [d[1:] for d in D8], ids=[d[0] for d in D8]
)
def test_d8_a_fault_is_told_with_file_line_and_hint(old, new, message, hint) -> None:
    assert SMALL.count(old) >= 1
    with pytest.raises(rules.ProtocolError) as caught:
        rules.loads(SMALL.replace(old, new, 1), "p.yaml")
    line = SMALL[: SMALL.index(old)].count("\n") + 1
    assert [
        complaint
        for complaint in caught.value.complaints
        if message in complaint.message and hint in complaint.hint and complaint.line == line
    ], [str(complaint) for complaint in caught.value.complaints]
