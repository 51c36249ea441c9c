"""What the scenarios of a file exercise is counted, clause by clause."""

import rules
from tests.support.small import SMALL, line_of

SECOND = """\
  - name: an older woman with fever
    given: [adult]
    without: [demographics]
    events:
      - {type: demographics, time: "2026-01-05T09:00:00+09:00", data: {birth_date: "1920-01-01", sex: female}}
      - {type: observation, time: "2026-01-06T09:00:00+09:00", data: {code: temperature, value: 39, unit: Cel}}
    expect: {decision: ineligible, verdicts: {I1: not_met}, alerts: [S-FEVER]}
"""


def clause(report, what, clause_):
    (row,) = [row for row in report.coverage if what in row.what and row.clause == clause_]
    return row


def test_a_clause_counts_the_ways_it_was_seen():
    report = rules.check(rules.loads(SMALL + SECOND, "p.yaml"))
    assert report.complaints == ()
    row = clause(report, "`I1`", "age_years <= 80")
    assert (row.true, row.false) == (1, 1)
    assert row.line == line_of(SMALL, "when: age_years")
    assert clause(report, "`S-FEVER`", "hottest >= 38").never == ("false",)
    assert clause(report, "`I3`", "ecog in [0, 1, 2]").never == ("false",)


def test_what_was_never_seen_is_noted_with_its_line_and_refuses_nothing():
    report = rules.check(rules.loads(SMALL, "p.yaml"))
    assert report.complaints == ()
    notes = [str(note) for note in report.notes]
    line = line_of(SMALL, "when: age_years")
    assert (
        f"p.yaml:{line}: the criterion `I1`, `when`: no scenario shows `age_years >= 1`, "
        "`age_years <= 80` false (add a scenario that does)" in notes
    )
    assert any(
        "the criterion `I3`: no scenario expects it met or not_met or indeterminate" in note
        for note in notes
    )


def test_has_is_never_unknown():
    text = SMALL.replace("when: ecog in [0, 1, 2]", 'when: "!has(facts.ecog) || ecog <= 2"')
    report = rules.check(rules.loads(text, "p.yaml"))
    assert clause(report, "`I3`", "has(facts.ecog)").unknown is None


def test_a_red_scenario_is_a_complaint():
    text = SMALL.replace("decision: indeterminate", "decision: eligible")
    (complaint,) = rules.check(rules.loads(text, "p.yaml")).complaints
    assert "the decision is indeterminate, not eligible" in complaint.message


def of_rule(text, rule_id="S-FEVER"):
    report = rules.check(rules.loads(text, "p.yaml"))
    return next(row for row in report.shown if row.rule == rule_id)


def test_of_each_rule_is_counted_how_often_it_fires_is_silent_and_lacks_a_datum():
    before, after = of_rule(SMALL), of_rule(SMALL + SECOND)
    assert before.line == line_of(SMALL, "id: S-FEVER")
    assert (after.fires, after.lacking) == (before.fires + 1, before.lacking)
    assert "silent" in after.never


def test_a_rule_over_what_is_always_known_lacks_nothing():
    assert of_rule(SMALL.replace("when: hottest >= params.fever", "when: enrolled")).lacking is None


def test_a_rule_that_always_fires_is_never_silent():
    row = of_rule(
        SMALL.replace("when: serious || seriousness_criteria > 0", 'when: "true"'), "S-SAE"
    )
    assert (row.silent, row.lacking) == (None, None)
