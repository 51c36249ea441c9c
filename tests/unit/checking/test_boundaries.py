"""The check computes every boundary of a file, shows how it behaves, and refuses what fails."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

import rules
from rules.stopping import continuous
from services.cli import protocol as cli
from tests.support.every_path import counted
from tests.support.small import SMALL, line_of

TABLE = "method: table, endpoint: grade >= 3, window_days: 28, table: [[3, 2], [6, 3]]"
BAYES = (
    "method: bayes_threshold, endpoint: grade >= 3, window_days: 28, n: 10, p0: 0.2, "
    "prior: [0.4, 1.6], threshold: 0.95"
)


def checked(design: str):
    text = SMALL.replace(TABLE, design)
    report = rules.check(rules.loads(text, "p.yaml"))
    return text, report


def said(report) -> list[str]:
    return [str(one) for one in (*report.complaints, *report.notes) if "ST-TOX" in str(one)]


def test_a_boundary_is_tried_around_p0_and_at_p1():
    _, report = checked(f"{BAYES}, alpha: 0.1")
    (planned,) = report.boundaries
    rates = [row.p for row in planned.behaviour]
    assert rates == [0.1, 0.2, 0.3, 0.4, 0.6]
    at_p0 = planned.behaviour[1]
    assert at_p0.reject == pytest.approx(planned.bound.type_1_error, abs=1e-15)
    assert at_p0.reject == pytest.approx(0.092772, abs=1e-6)
    assert report.complaints == ()


def test_a_table_without_a_rate_is_tried_at_usual_ones():
    _, report = checked(TABLE)
    assert [row.p for row in report.boundaries[0].behaviour] == [0.1, 0.2, 0.3, 0.4, 0.5]


def test_a_table_that_exceeds_its_declared_alpha_is_refused_at_the_alpha():
    text, report = checked(f"{TABLE},\n     p0: 0.2,\n     alpha: 0.05")
    (complaint,) = report.complaints
    assert complaint.line == line_of(text, "     alpha: 0.05")
    assert "type I error at p0 0.2 is 0.148032, above its alpha 0.05" in complaint.message


def test_a_table_that_keeps_to_its_declared_alpha_holds():
    _, report = checked(f"{TABLE}, p0: 0.2, alpha: 0.15")
    assert report.complaints == ()


def test_who_counts_pending_as_free_of_events_is_told_what_that_does():
    _, report = checked(f"{BAYES}, pending: event_free")
    assert [one for one in said(report) if "stops later than planned" in one]


def test_a_lower_limit_on_which_nobody_acts_is_noted():
    design = (
        "method: binomial_sprt, endpoint: grade >= 3, window_days: 28, n: 20, p0: 0.1, p1: 0.4, "
        "alpha: 0.1, beta: 0.2"
    )
    _, report = checked(design)
    assert [one for one in said(report) if "lower limit" in one]


def test_two_rules_that_count_the_same_are_told_what_they_come_to_together():
    again = TABLE.replace("[[3, 2], [6, 3]]", "[[10, 4]]")
    line = next(one for one in SMALL.splitlines() if TABLE in one)
    second = line.replace("ST-TOX", "ST-AGAIN").replace(TABLE, again)
    text = SMALL.replace(line, f"{line.replace(TABLE, BAYES)}\n{second}")
    report = rules.check(rules.loads(text, "p.yaml"))
    (note,) = [str(one) for one in report.notes if "ST-AGAIN" in str(one) and "same" in str(one)]
    assert "counts the same as `ST-TOX`" in note
    together = counted(continuous(10), (None, 2, 3, 3, 4, 4, 4, 4, 5, 4), 0.2).reject
    alone = "alone they stop with probability 0.0928, 0.1209 at p 0.2"
    assert f"{alone}, together with {together:.4f}" in note


TIMED = (
    "method: pocock, endpoint: grade >= 3, window_days: 28, n: 10, p0: 0.1, alpha: 0.05, "
    "outcome: time_to_event"
)


def test_a_rule_by_exposure_keeps_to_its_alpha_on_the_truncated_cuts():
    _, report = checked(TIMED)
    (planned,) = report.boundaries
    assert report.complaints == ()  # over its whole exposure it would exceed alpha by a little
    assert planned.bound.type_1_error == pytest.approx(0.05, abs=1e-6)
    assert planned.behaviour[1].reject > 0.05 + 1e-6
    assert [events for events, _ in planned.bound.exposure] == [1, 2, 3, 4, 5, 6]


def test_a_rule_by_exposure_shows_how_few_days_stop():
    shown = rules.show(rules.loads(SMALL.replace(TABLE, TIMED), "p.yaml"))
    assert "Stop at: 1 within 11.11 days, 2 within 41.2 days" in str(shown)


def test_a_rule_that_can_never_stop_is_refused_whatever_its_outcome():
    design = (
        "method: pocock, endpoint: grade >= 3, window_days: 28, n: 1, p0: 0.3, alpha: 0.05, "
        "pending: partial"
    )
    _, report = checked(design)
    assert [one for one in said(report) if "can never stop: up to 1 evaluable" in one]


@pytest.fixture
def file(tmp_path: Path) -> str:
    path = tmp_path / "p.yaml"
    path.write_text(SMALL.replace(TABLE, f"{BAYES}, alpha: 0.1"), encoding="utf-8")
    return str(path)


def test_the_command_prints_the_boundary_and_its_characteristics(file: str):
    run = CliRunner().invoke(cli.check, [file], standalone_mode=False)
    lines = [" ".join(line.split()) for line in run.stdout.splitlines()]
    assert run.return_value == 0
    assert "3-4 3" in lines
    assert "9-10 5" in lines
    assert "type I error 0.092772" in lines
    assert "0.2 0.0928 1.902 9.512" in lines


def test_the_command_tells_the_same_as_json(file: str):
    run = CliRunner().invoke(cli.check, [file, "--json"], standalone_mode=False)
    (told,) = json.loads(run.stdout)["boundaries"]
    assert (told["rule"], told["method"]) == ("ST-TOX", "bayes_threshold")
    assert {"evaluable": 10, "stop_at": 5} in told["boundary"]
    assert told["boundary"][0] == {"evaluable": 1, "stop_at": None}
    assert [row["p"] for row in told["operating_characteristics"]] == [0.1, 0.2, 0.3, 0.4, 0.6]


def test_a_reader_is_shown_the_method_the_limits_and_what_reaching_them_does():
    design = f"{BAYES}, crossing: {{hold: trial, notify: [safety_board], safety_board: required}}"
    protocol = rules.loads(SMALL.replace(TABLE, design), "p.yaml")
    text = rules.show(protocol)
    assert "Method: bayes_threshold, n 10, p0 0.2, prior 0.4 1.6, threshold 0.95" in text
    assert "Stop at: 2 of 2, 3 of 3 to 4, 4 of 5 to 8, 5 of 9 to 10" in text
    assert "Type I error: 0.0928 at a true rate of 0.2" in text
    wanted = "enrol nobody and infuse nobody; told: safety board; the safety board has to meet"
    assert f"When reached: {wanted}" in text
    shown = rules.show(protocol, "json")
    assert isinstance(shown, dict)
    (told,) = shown["stopping"]
    assert told["parameters"] == {"n": 10, "p0": 0.2, "prior": [0.4, 1.6], "threshold": 0.95}
    assert told["crossing"] == {"hold": "trial", "notify": ["safety_board"], "safety_board": True}
    assert told["table"][0] == {"evaluable": 2, "stop_at": 2}


def test_two_versions_differ_by_the_numbers_and_by_the_limits_they_make():
    old = rules.loads(SMALL.replace(TABLE, BAYES), "p.yaml")
    new = rules.loads(
        SMALL.replace(TABLE, BAYES.replace("0.95", "0.9")).replace('"1.0"', '"2.0"'), "p.yaml"
    )
    (change,) = rules.diff(old, new)["changes"]
    keys = {one["key"]: (one["from"], one["to"]) for one in change["keys"]}
    assert keys.keys() == {"threshold", "table"}
    assert keys["threshold"] == (0.95, 0.9)
    assert keys["table"][0][:2] == [[2, 2], [3, 3]]
    assert keys["table"][1][:2] != keys["table"][0][:2]


def test_a_table_stated_by_its_method_instead_changes_no_limit():
    flagship = "[[2, 2], [3, 3], [4, 3], [5, 4], [6, 4], [7, 4], [8, 4], [9, 5], [10, 5]]"
    old = rules.loads(SMALL.replace("[[3, 2], [6, 3]]", flagship), "p.yaml")
    new = rules.loads(SMALL.replace(TABLE, BAYES), "p.yaml")
    (change,) = rules.diff(old, new)["changes"]
    assert "table" not in [one["key"] for one in change["keys"]]
    assert "method" in [one["key"] for one in change["keys"]]


@pytest.mark.parametrize(
    ("prior", "sentence"),
    [("[1, 1.0e+300]", "rests on so many days"), ("[3000, 1000]", "so sure of a high rate")],
)
def test_a_prior_that_no_boundary_can_be_made_of_is_refused_at_the_prior(prior, sentence):
    design = (
        "outcome: time_to_event, method: gamma_poisson, endpoint: grade >= 3, window_days: 28, "
        f"n: 10, p0: 0.05, alpha: 0.05,\n     prior: {prior}"
    )
    text, report = checked(design)
    (complaint,) = report.complaints
    assert complaint.line == line_of(text, f"     prior: {prior}")
    assert sentence in complaint.message
