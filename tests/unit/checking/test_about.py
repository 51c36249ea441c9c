"""A scenario may speak of some rules alone: then the others may say what they will."""

import rules
from tests.support.small import SMALL

FEVER = """\
  - name: fever in somebody with a serious event
    given: [adult]
    about: [{about}]
    events:
      - {{type: observation, time: "2026-01-06T09:00:00+09:00", data: {{code: temperature, value: 39, unit: Cel}}}}
      - {{type: adverse_event, time: "2026-01-06T10:00:00+09:00", data: {{ae: A, serious: true}}}}
    expect: {{alerts: [{alerts}], opened: [{alerts}]}}
"""


def complaints(about, alerts):
    text = SMALL + FEVER.format(about=about, alerts=alerts)
    try:
        report = rules.check(rules.loads(text, "p.yaml"))
    except rules.ProtocolError as error:
        return [f"{one.message} ({one.hint})" for one in error.complaints]
    return [one.message for one in report.complaints]


def test_only_the_rules_it_is_about_are_looked_at():
    assert complaints("S-FEVER", "S-FEVER") == []
    assert complaints("S-SAE", "S-SAE") == []


def test_a_beginning_names_all_rules_that_begin_so():
    assert complaints("S-*", "S-FEVER, S-SAE") == []
    (found, again) = complaints("S-*", "S-FEVER")
    assert found.endswith("alerts ever opened are S-FEVER, S-SAE, not S-FEVER")
    assert again.endswith("open alerts are S-FEVER, S-SAE, not S-FEVER")


def test_what_it_is_not_about_cannot_be_expected():
    (found,) = complaints("S-FEVER", "S-FEVER, S-SAE")
    assert found == (
        "the scenario `fever in somebody with a serious event`: `S-SAE` is none of what it is "
        "about (name it under `about`)"
    )


def test_what_it_is_about_must_exist():
    (found,) = complaints("S-FEVR", "")
    assert found == (
        "the scenario `fever in somebody with a serious event`: it is about no rule `S-FEVR` "
        "(did you mean S-FEVER?)"
    )
