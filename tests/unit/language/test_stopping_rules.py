"""A stopping rule says whom it counts, when, by which design, and what reaching it does."""

from __future__ import annotations

import subprocess
import sys

import pytest

import rules
from rules.model import Crossing
from rules.stopping.design import Method, Outcome
from rules.terms import Evaluable, Hold, Pending, Scope, Unit, WindowFrom
from tests.support.small import SMALL, line_of

TABLE = "method: table, endpoint: grade >= 3, window_days: 28, table: [[3, 2], [6, 3]]"
BAYES = (
    "method: bayes_threshold, endpoint: grade >= 3, window_days: 28, n: params.target, p0: 0.2, "
    "prior: [0.4, 1.6], threshold: 0.95"
)
POCOCK = (
    "method: pocock, endpoint: grade >= 3, window_days: 28, looks: [5, 10], p0: 0.2, alpha: 0.05"
)
FLAGSHIP = ((2, 2), (3, 3), (4, 3), (5, 4), (6, 4), (7, 4), (8, 4), (9, 5), (10, 5))


def stopping(design: str, *more: str):
    text = SMALL.replace(TABLE, ", ".join([design, *more]))
    assert text != SMALL or design == TABLE
    (rule,) = rules.loads(text, "p.yaml").definition.stopping
    return rule


def test_a_table_alone_means_what_it_always_meant():
    rule = stopping(TABLE)
    assert (rule.method, rule.table, rule.exposure) == ("table", ((3, 2), (6, 3)), ())
    assert (rule.on, rule.unit, rule.window_from) == (
        Scope.ADVERSE_EVENT,
        Unit.SUBJECT,
        WindowFrom.FIRST_INFUSION,
    )
    assert (rule.evaluable, rule.pending) == (Evaluable.AT_EVENT, Pending.WAIT)
    assert (rule.planned_infusions, rule.crossing) == (None, None)


def test_a_posterior_threshold_gives_the_flagships_table():
    rule = stopping(BAYES)
    assert rule.design.looks == tuple(range(1, 11))
    assert rule.table == FLAGSHIP


def test_a_rule_looks_only_where_it_says():
    rule = stopping(POCOCK)
    assert rule.design.looks == (5, 10)
    assert [size for size, _ in rule.table] == [5, 10]
    assert rule.bound.type_1_error <= 0.05


def test_a_number_may_be_a_parameter():
    text = SMALL.replace(TABLE, BAYES.replace("p0: 0.2", "p0: params.limit"))
    text = text.replace("parameters:\n", "parameters:\n  limit: {value: 0.2, source: record}\n")
    (rule,) = rules.loads(text, "p.yaml").definition.stopping
    assert rule.design.p0 == 0.2
    assert rule.table == FLAGSHIP


def test_what_reaching_it_does_is_said_in_the_file():
    words = "crossing: {hold: trial, notify: [safety_board, investigator], safety_board: required}"
    assert stopping(BAYES, words).crossing == Crossing(
        Hold.TRIAL, ("safety_board", "investigator"), True
    )
    assert stopping(BAYES, "crossing: {hold: none}").crossing == Crossing(None, (), False)


def test_partly_watched_units_make_a_tite_rule_and_exposure_knows_its_window():
    design = POCOCK.replace("looks: [5, 10]", "n: 10")
    tite = stopping(design, "pending: partial").design
    assert (tite.outcome, tite.window_days) == (Outcome.TITE, 28.0)
    timed = stopping(design, "outcome: time_to_event", "max_info: maximum").design
    assert (timed.outcome, timed.window_days, timed.max_info) == (
        Outcome.TIME_TO_EVENT,
        28.0,
        "maximum",
    )
    assert stopping(design).design.window_days is None


def test_an_endpoint_may_be_about_the_subject():
    rule = stopping(BAYES.replace("grade >= 3", "dead"), "on: subject", "window_from: enrolment")
    assert (rule.on, rule.window_from) == (Scope.SUBJECT, WindowFrom.ENROLMENT)


def test_the_last_of_the_planned_infusions_begins_the_window():
    rule = stopping(BAYES, "window_from: last_infusion", "planned_infusions: 4")
    assert (rule.window_from, rule.planned_infusions) == (WindowFrom.LAST_INFUSION, 4)


def test_a_threshold_that_is_only_reached_stops_where_the_file_says_so():
    assert stopping(BAYES).design.strict
    assert not stopping(BAYES, "strict: false").design.strict


@pytest.mark.parametrize("word", ["infusion", "enrolment", "trial"])
def test_a_rule_of_any_scope_says_what_must_wait(word: str):
    at = '    title: "Serious adverse event {ae}"\n'
    protocol = rules.loads(SMALL.replace(at, f"    hold: {word}\n{at}"), "p.yaml")
    held = {rule.id: rule.hold for rule in protocol.definition.rules}
    assert held["S-SAE"] is Hold(word)
    assert held["ST-CROSSED"] is None


def test_a_rule_that_holds_something_else_is_told_what_can_be_held():
    with pytest.raises(rules.ProtocolError) as refused:
        rules.loads(SMALL.replace("hold: infusion", "hold: everything"), "p.yaml")
    (complaint,) = refused.value.complaints
    assert "`hold` must be one of infusion, enrolment, trial" in complaint.message


def test_a_wrong_number_is_told_at_its_own_line():
    flow = f"- {{id: ST-TOX, title: Toxicity, {TABLE}, source: {{document: record}}}}"
    body = (
        "- id: ST-TOX\n    title: Toxicity\n    method: bayes_threshold\n    endpoint: grade >= 3\n"
        "    window_days: 28\n    n: 10\n    p0: 2\n    prior: [0.4, 1.6]\n    threshold: 95\n"
        "    source: {document: record}"
    )
    text = SMALL.replace(flow, body)
    with pytest.raises(rules.ProtocolError) as refused:
        rules.loads(text, "p.yaml")
    told = [(one.line, one.message.split(": ", 1)[1]) for one in refused.value.complaints]
    assert told == [
        (line_of(text, "p0: 2"), "p0 must lie between 0 and 1, not 2"),
        (line_of(text, "threshold: 95"), "threshold must lie between 0 and 1, not 95"),
    ]


def test_every_method_of_the_house_may_stand_in_a_file():
    known = {method for outcome in Outcome for method in rules.methods(outcome)}
    for method in known:
        with pytest.raises(rules.ProtocolError) as refused:
            stopping(f"method: {method}, endpoint: grade >= 3, window_days: 28")
        assert not [one for one in refused.value.complaints if "`method`" in one.message]
    assert Method.TABLE in known


def test_a_file_whose_boundaries_would_keep_the_house_busy_is_refused():
    flow = f"  - {{id: ST-TOX, title: Toxicity, {TABLE}, source: {{document: record}}}}\n"
    large = POCOCK.replace("looks: [5, 10]", "n: 1000")
    some = "".join(
        f"  - {{id: ST-{n}, title: T, {large}, source: {{document: record}}}}\n" for n in range(12)
    )
    with pytest.raises(rules.ProtocolError) as refused:
        rules.loads(SMALL.replace(flow, some), "p.yaml")
    assert "are too many" in refused.value.complaints[-1].message


def test_reading_a_file_computes_no_boundary():
    code = (
        "import sys, rules; rules.load('rules/protocols/msc-cgvhd.yaml'); "
        "print('scipy.special' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], text=True, capture_output=True, check=True, timeout=60
    )
    assert done.stdout.strip() == "False"
